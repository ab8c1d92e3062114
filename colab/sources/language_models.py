# %% [markdown]
# # A language model, from letters to a server
#
# A small transformer learns the pages of Python's own `help`, writes, is fine-tuned on code by LoRA
# and answers many prompts at once. Nothing is downloaded: the text comes with Python.

# %%
import importlib.util
import inspect
import json
import math
import statistics
import textwrap
import time
from pydoc_data.topics import topics

import jax
import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import generation, layers

text = "\n\n".join(topics[name] for name in sorted(topics))
print(f"{len(text):,} letters")
print(text[:300])

# %% parameters
EPOCHS = 8
TUNING = 4  # epochs on code
DEPTH = 2
WIDTH = 96
SMALL = 48  # the width of the model that drafts
LETTERS_READ = 500_000

# %% [markdown]
# ## Letters as tokens
#
# Rows of 96 letters, and for each letter the one that follows. For words there are
# [tokenizers](https://pypi.org/project/tokenizers) and `jkeras.utils.TextLines`, which reads files
# through one, and `jkeras.utils.pack_sequences`, which puts short texts into rows.

# %%
LENGTH, ROWS = 96, 16
LETTERS = "\n" + "".join(map(chr, range(32, 127)))
NUMBERS = {letter: number for number, letter in enumerate(LETTERS)}


def encode(text):
    return np.array([NUMBERS.get(letter, NUMBERS["~"]) for letter in text], "int32")


def decode(tokens):
    return "".join(LETTERS[token] for token in tokens)


def windows(text):
    tokens = encode(text)
    size = (len(tokens) - 1) // LENGTH * LENGTH
    return tokens[:size].reshape(-1, LENGTH), tokens[1 : size + 1].reshape(-1, LENGTH)


text = text[:LETTERS_READ]
train, test = windows(text[: len(text) * 9 // 10]), windows(text[len(text) * 9 // 10 :])
train[0].shape, test[0].shape

# %% [markdown]
# ## The model
#
# `supports_cache = True` says that a layer of one's own looks at each position alone, but for the
# attention in it. So keys and values can be kept while text is written.

# %%


class Block(layers.Layer):
    supports_cache = True

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.attend = layers.MultiHeadAttention(4, width // 4)
        self.wide = layers.Dense(2 * width, activation="gelu")
        self.narrow = layers.Dense(width)
        self.before, self.between = layers.RMSNormalization(), layers.RMSNormalization()

    def call(self, x):
        y = self.before(x)
        x = x + self.attend(y, y, use_causal_mask=True)
        return x + self.narrow(self.wide(self.between(x)))


def compile_model(model, rate, steps, **options):
    schedule = jkeras.optimizers.schedules.CosineDecay(rate, steps)
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.AdamW(schedule), loss, **options)


def make_model(width, depth):
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(len(LETTERS), width)(tokens)
    x = x + layers.PositionEmbedding(LENGTH)(x)
    for _ in range(depth):
        x = Block(width)(x)
    return jkeras.Model(tokens, layers.Dense(len(LETTERS))(layers.RMSNormalization()(x)))


jkeras.utils.set_random_seed(0)
model = make_model(WIDTH, DEPTH)
compile_model(model, 3e-3, EPOCHS * -(-len(train[0]) // ROWS))
history = model.fit(*train, batch_size=ROWS, epochs=EPOCHS, validation_data=test, verbose=0)

for name, label in (("loss", "seen"), ("val_loss", "not seen")):
    plt.plot(np.array(history.history[name]) / math.log(2), label=label)
plt.ylabel("bits a letter")
plt.xlabel("epoch")
plt.legend()
plt.show()


def bits(rows):
    return model.evaluate(*rows, batch_size=64, verbose=0) / math.log(2)


print(f"bits a letter on pages that it has not seen: {bits(test):.2f}")

# %% [markdown]
# ## Write
#
# The likeliest letter each time repeats itself soon; a `Sampler` takes one of the likelier ones.

# %%
sampler = generation.Sampler(temperature=0.7, top_p=0.9)
for prompt in ("The for statement ", "An object "):
    print(repr(decode(model.generate(encode(prompt), LENGTH, sampler, rng=1))))

for token in model.generate(encode("The class "), 40, sampler, rng=2, stream=True):
    print(LETTERS[token], end="", flush=True)  # as they come

# %% [markdown]
# With a tokenizer, which is any object with `encode` and `decode`, prompts and what comes back are
# texts. `SamplingParams` are what one text is asked for: other numbers compile nothing, and texts
# of one call may have different ones. `logprobs` says how likely each token was.


# %%
class Letters:
    def encode(self, text):
        return encode(text).tolist()

    def decode(self, tokens):
        return decode(tokens)


model.tokenizer = Letters()
careful = generation.SamplingParams(temperature=0.0, no_repeat_ngram_size=8, max_new_tokens=40)
free = generation.SamplingParams(temperature=1.0, min_p=0.1, frequency_penalty=0.2, seed=7)
for found in model.generate(["The with ", "The with "], LENGTH, [careful, free], logprobs=3):
    print(repr(found.text), f"{found.cumulative_logprob:.1f}")

for piece in model.generate("A module ", LENGTH, free, stop=".", stream=True):
    print(piece, end="", flush=True)

# %% [markdown]
# ### Processors and grammars
#
# A processor changes the logits before a token is chosen; it is a function of values. A `Grammar`
# is one that leaves out what could not become JSON of a schema, or a match of a regular expression:
# the model writes nothing else, whatever it has learnt.


# %%
IS_CAPITAL = np.array([letter.isupper() for letter in LETTERS])


def in_small_letters(state, text, logits):
    return state, jax.numpy.where(IS_CAPITAL, -jax.numpy.inf, logits)


small_letters = model.generate("The ", LENGTH, free, processors=[in_small_letters])
print(repr(small_letters), "no capitals:", small_letters[1:] == small_letters[1:].lower())

if importlib.util.find_spec("llguidance") is None:
    print("for grammars: pip install llguidance")
else:
    SCHEMA = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "count": {"type": "integer", "minimum": 0, "maximum": 99},
        },
        "required": ["name", "count"],
        "additionalProperties": False,
        "x-guidance": {"whitespace_flexible": False},
    }
    END = NUMBERS["\n"]  # no letter of such a text
    words = [b"<end>" if number == END else LETTERS[number].encode() for number in range(95 + 1)]
    grammar = generation.Grammar.json_schema(SCHEMA, words, stop=END)
    asked = generation.SamplingParams(temperature=0.7, seed=1, stop=END, max_new_tokens=80)
    written = model.generate("As JSON: ", LENGTH, asked, processors=[grammar], strip_prompt=True)
    print(written)
    print("of the schema:", written.endswith("\n") and sorted(json.loads(written)))

# %% [markdown]
# ### Drafts of a small model
#
# A model of half the width learns the same pages. It drafts letters, and one pass of the large
# model says how many of them to keep: the greedy text is the same, in fewer passes.

# %%
small = make_model(SMALL, 1)
compile_model(small, 5e-3, EPOCHS * -(-len(train[0]) // ROWS))
small.fit(*train, batch_size=ROWS, epochs=EPOCHS, verbose=0)
plain = model.generate("The import ", LENGTH)
drafted = model.generate("The import ", LENGTH, draft=small, logprobs=0)
print("the same text:", drafted.text == plain)
new = len(drafted.new_tokens)
print(f"{new} letters in {drafted.passes} passes; {drafted.accepted} drafts were kept")

# %% [markdown]
# What attention keeps is a value: keys and values by the path of the layer, for all positions.

# %%
cache = generation.init_cache(model, batch=1, max_length=LENGTH)
for path, kept in cache.items():
    print(path, {name: array.shape for name, array in kept.items()})

# %% [markdown]
# ## Many prompts at once
#
# Texts are written in eight slots. One that has ended makes place for the next prompt while the
# others go on; each text is the one that its prompt alone would give.

# %%
generator = generation.Generator(model, LENGTH, sampler)
server = generation.Server(generator, slots=8)
prompts = [encode(f"The {name} ")[: 4 + i % 9] for i, name in enumerate(sorted(topics)[:40])]
list(server(model.params, prompts[:10]))  # compiles
begin = time.perf_counter()
served = dict(server(model.params, prompts))
print(f"{len(served)} texts in {time.perf_counter() - begin:.2f} s")
alone = generator(model.params, [prompts[7]], rng=7)[0][0]
print("as alone:", bool((served[7] == np.asarray(alone)[: len(served[7])]).all()))

# %% [markdown]
# Requests may also come and go: `submit` gives a handle of a text, from any thread, and its letters
# as they come. `generation.http_app` puts OpenAI's interface before a server; `python -m jkeras
# serve FOLDER` does so for a folder of Hugging Face, and `examples/served_model.py` has a client.

# %%
with generation.Server(generator, slots=8, tokenizer=Letters()) as server:
    first = server.submit("The while ", free, stop=".")
    second = server.submit("The class ", careful)
    for token in first:
        print(LETTERS[token], end="", flush=True)  # as they come
    print("|", second.result().text)
    print(server.counters().finished, "have ended")

needed = ("starlette", "uvicorn", "httpx")
if not all(map(importlib.util.find_spec, needed)):
    print("for HTTP:", "pip install", *needed)
else:
    from starlette.testclient import TestClient  # a client of Python, without a socket

    app = generation.http_app(
        generation.Server(generator, slots=8, tokenizer=Letters()), "help-pages"
    )
    call = {"model": "help-pages", "prompt": "The if ", "max_tokens": 40, "temperature": 0}
    with TestClient(app) as client:
        answer = client.post("/v1/completions", json=call).json()
        print("over HTTP:", repr(answer["choices"][0]["text"]), answer["usage"])
        with client.stream("POST", "/v1/completions", json={**call, "stream": True}) as lines:
            events = [line[6:] for line in lines.iter_lines() if line.startswith("data: {")]
        pieces = [json.loads(event)["choices"][0]["text"] for event in events]
    print("streamed:", "".join(pieces) == answer["choices"][0]["text"], "in", len(pieces), "pieces")

# %% [markdown]
# ## LoRA on code
#
# Low-rank changes of some kernels are trained, and nothing else. They are a value of their own, and
# a file that peft reads.

# %%
code, unseen = windows(inspect.getsource(statistics)), windows(inspect.getsource(textwrap))
base = jax.tree.map(np.asarray, model.params)
before = bits(unseen)
kernels = {".*(query|value|wide|narrow).*kernel": 8}
compile_model(model, 3e-3, TUNING * -(-len(code[0]) // ROWS), lora=kernels)
model.fit(*code, batch_size=ROWS, epochs=TUNING, verbose=0)
print(f"code: {before:.2f} bits a letter before, {bits(unseen):.2f} after")
adapter = model.lora
share = adapter.nbytes / sum(v.nbytes for v in jax.tree.leaves(base))
print(f"{len(adapter.ranks)} kernels with a change, {100 * share:.1f} % of the model's size")
print(decode(model.generate(encode("def "), LENGTH, sampler, rng=3)))

# %%
jkeras.lora.detach(model)
same = jax.tree.map(np.array_equal, base, jax.tree.map(np.asarray, model.params))
print("the weights are those of before:", all(jax.tree.leaves(same)))
