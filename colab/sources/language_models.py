# %% [markdown]
# # A language model, from letters to a server
#
# A small transformer learns the pages of Python's own `help`, writes, is fine-tuned on code by LoRA
# and answers many prompts at once. Nothing is downloaded: the text comes with Python.

# %%
import inspect
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

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attend = layers.MultiHeadAttention(4, WIDTH // 4)
        self.wide = layers.Dense(2 * WIDTH, activation="gelu")
        self.narrow = layers.Dense(WIDTH)
        self.before, self.between = layers.RMSNormalization(), layers.RMSNormalization()

    def call(self, x):
        y = self.before(x)
        x = x + self.attend(y, y, use_causal_mask=True)
        return x + self.narrow(self.wide(self.between(x)))


def compile_model(model, rate, steps, **options):
    schedule = jkeras.optimizers.schedules.CosineDecay(rate, steps)
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.AdamW(schedule), loss, **options)


jkeras.utils.set_random_seed(0)
tokens = jkeras.Input((None,), dtype="int32")
x = layers.Embedding(len(LETTERS), WIDTH)(tokens)
x = x + layers.PositionEmbedding(LENGTH)(x)
for _ in range(DEPTH):
    x = Block()(x)
model = jkeras.Model(tokens, layers.Dense(len(LETTERS))(layers.RMSNormalization()(x)))
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
