"""A small transformer language model: trained on the pages of Python's own `help`, fine-tuned on
Python code by LoRA, asked for text one prompt at a time and for many prompts at once.

The text comes with Python: `pydoc_data.topics`, what `help("for")` shows, and the source of modules
of the standard library. Letters are the tokens. LoRA trains low-rank changes of the kernels alone:
the weights of before stay as they are, bit for bit, and the change is a value that can be kept
beside them. Generation keeps the keys and values of attention, in two compiled programs for
prompts of any length; a server refills the slots of texts that have ended. Run it with
`python examples/language_model.py`.
"""

import argparse
import inspect
import math
import statistics
import textwrap
import time
from pydoc_data.topics import topics

import jax
import numpy as np

import jkeras
from jkeras import generation, layers

LENGTH, WIDTH, HEADS = 96, 96, 4
ROWS = 16  # of a batch
LETTERS = "\n" + "".join(map(chr, range(32, 127)))
UNKNOWN = LETTERS.index("~")


def encode(text):
    """The numbers of letters."""
    numbers = {letter: number for number, letter in enumerate(LETTERS)}
    return np.array([numbers.get(letter, UNKNOWN) for letter in text], "int32")


def decode(tokens):
    """The text of numbers."""
    return "".join(LETTERS[token] for token in tokens)


def windows(text):
    """(letters, the letters after them) in rows of LENGTH."""
    tokens = encode(text)
    rows = (len(tokens) - 1) // LENGTH
    size = rows * LENGTH
    return tokens[:size].reshape(rows, LENGTH), tokens[1 : size + 1].reshape(rows, LENGTH)


class Block(layers.Layer):
    """Attention to the letters before, and a layer of twice the width."""

    supports_cache = True  # beside attention, each position is looked at alone

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attend = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
        self.wide = layers.Dense(2 * WIDTH, activation="gelu")
        self.narrow = layers.Dense(WIDTH)
        self.before, self.between = layers.RMSNormalization(), layers.RMSNormalization()

    def call(self, x):
        y = self.before(x)
        x = x + self.attend(y, y, use_causal_mask=True)
        return x + self.narrow(self.wide(self.between(x)))


def make_model(depth, steps):
    """(batch, time) letters -> logits of the next ones; compiled."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(len(LETTERS), WIDTH)(tokens)
    x = x + layers.PositionEmbedding(LENGTH)(x)
    for _ in range(depth):
        x = Block()(x)
    model = jkeras.Model(tokens, layers.Dense(len(LETTERS))(layers.RMSNormalization()(x)))
    compile_model(model, 3e-3, steps)
    return model


def compile_model(model, rate, steps, **options):
    """For next letters, at a rate that falls."""
    schedule = jkeras.optimizers.schedules.CosineDecay(rate, steps)
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.AdamW(schedule), loss, **options)


def bits(model, rows):
    """Bits that the model needs for a letter."""
    return model.evaluate(*rows, batch_size=64, verbose=0) / math.log(2)


def pages(share):
    """(training, test) rows of the pages of help."""
    text = "\n\n".join(topics[name] for name in sorted(topics))
    text = text[: int(share * len(text))]
    end = int(0.9 * len(text))
    return windows(text[:end]), windows(text[end:])


def code():
    """(training, test) rows of the source of modules."""
    text = "".join(map(inspect.getsource, (argparse, statistics)))
    return windows(text), windows(inspect.getsource(textwrap))


def fine_tune(model, epochs):
    """Trains an adapter on code; returns the bits for code before and after, and the adapter."""
    train, test = code()
    before = bits(model, test)
    kernels = {".*(query|value|wide|narrow).*kernel": 8}
    compile_model(model, 3e-3, epochs * -(-len(train[0]) // ROWS), lora=kernels)
    model.fit(*train, batch_size=ROWS, epochs=epochs, verbose=0)
    return before, bits(model, test), model.lora


def serve(model, prompts):
    """Seconds for texts one after the other, and for all of them through eight slots."""
    sampler = generation.Sampler(0.8, top_k=20)
    generator = generation.Generator(model, LENGTH, sampler)
    server = generation.Server(generator, slots=8)
    params, seconds, texts = model.params, [], []
    for run in (
        lambda: [generator(params, [p], rng=i)[0][0] for i, p in enumerate(prompts)],
        lambda: dict(server(params, prompts)),
    ):
        run()  # compiles
        begin = time.perf_counter()
        texts.append(run())
        seconds.append(time.perf_counter() - begin)
    alone, served = texts
    same = all((served[i] == np.asarray(alone[i])[: len(served[i])]).all() for i in served)
    return seconds, same


def main(epochs=8, share=1.0, depth=2, tuning=4):
    """Trains, fine-tunes, writes and serves; returns the bits for pages, for code before and after
    LoRA, whether the base stayed the same, and whether served texts are those of each alone.
    """
    jkeras.utils.set_random_seed(0)
    train, test = pages(share)
    model = make_model(depth, epochs * -(-len(train[0]) // ROWS))
    model.fit(*train, batch_size=ROWS, epochs=epochs, verbose=2)
    of_pages = bits(model, test)
    print(f"{of_pages:.2f} bits a letter on {len(test[0])} rows that it has not seen")

    prompt = "The for statement is used to"
    sampler = generation.Sampler(0.6, top_p=0.9)
    text = model.generate(encode(prompt), LENGTH, sampler, rng=0)
    print(decode(text))
    prompts = [encode(f"The {word} ")[: 4 + i % 9] for i, word in enumerate(sorted(topics)[:40])]
    (alone, served), same = serve(model, prompts)
    print(f"{len(prompts)} texts: {alone:.2f} s one by one, {served:.2f} s served; same: {same}")

    base = jax.tree.map(np.asarray, model.params)
    before, after, adapter = fine_tune(model, tuning)
    kept = jax.tree.leaves(jax.tree.map(np.array_equal, base, plain_params(model)))
    size = adapter.nbytes / sum(v.nbytes for v in jax.tree.leaves(base))
    print(
        f"code: {before:.2f} bits a letter, {after:.2f} by LoRA of {100 * size:.1f} % of the size"
    )
    print(decode(model.generate(encode("    def "), LENGTH, sampler, rng=0)))
    return of_pages, before, after, all(kept), same


def plain_params(model):
    """The weights without the adapter beside them."""
    adapter = model.lora
    jkeras.lora.detach(model)
    params = jax.tree.map(np.asarray, model.params)
    jkeras.lora.attach(model, adapter)
    return params


if __name__ == "__main__":
    main()
