"""A small transformer language model, with generation that computes each key and value once.

While it is trained, the model takes whole lines. To generate, it is also given a cache: the keys and values of all
positions, in arrays of a fixed size, so that one program compiled for the prompt and one for all further letters
(`lax.scan` over single steps) serve every prompt. The cache is a pytree that the model takes and returns; nothing is
hidden in a layer. Without it, each letter costs a pass over all of the text: the program checks that both ways write
the same. The lines come from a small grammar, in which the verb agrees with the first noun, however far away it is.
Run it with `python examples/language_model.py`.

Reached in the full form, on two CPU cores: FIGURE
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers, ops

LENGTH, PROMPT = 64, 16
LETTERS = "\n abcdefghijklmnopqrstuvwxyz"
NOUNS = ["dog", "cat", "bird", "horse", "child", "farmer"]
PLACES = ["near", "behind", "above", "beside"]
VERBS = ["sees", "hears", "follows", "likes"]


def line(rng):
    """A line of the grammar, such as "the dogs near the cat follow a bird"."""
    many = rng.integers(2)
    subject = "the " + rng.choice(NOUNS) + "s" * many
    for _ in range(rng.integers(3)):
        subject += f" {rng.choice(PLACES)} the {rng.choice(NOUNS)}" + "s" * rng.integers(2)
    verb = rng.choice(VERBS)
    return f"{subject} {verb[:-1] if many else verb} a {rng.choice(NOUNS)}"


def agrees(text):
    """Whether a text is a line of the grammar."""
    words = text.split(" ")
    nouns = {noun + end: end for noun in NOUNS for end in ("", "s")}
    phrase = [word for word in words if word in VERBS or word + "s" in VERBS]
    if len(phrase) != 1 or len(words) < 5 or words[-2] != "a" or words[-1] not in NOUNS:
        return False
    before = words[: words.index(phrase[0])]
    right = all(word in (("the",), nouns, PLACES)[i % 3] for i, word in enumerate(before))
    return right and len(before) % 3 == 2 and len(words) == len(before) + 3 and (
        phrase[0] in VERBS) == (nouns[before[1]] == "")


def encode(texts):
    """Texts as rows of the numbers of their letters, filled up with ends of lines: (texts, LENGTH)."""
    return np.array([[LETTERS.index(letter) for letter in text.ljust(LENGTH, "\n")[:LENGTH]] for text in texts])


def decode(row):
    """The text before the first end of a line."""
    return "".join(LETTERS[i] for i in row).split("\n")[0]


class Attention(layers.Layer):
    """Causal self-attention, (batch, time, width) -> the same, over what a cache holds too."""

    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, shape):
        width = shape[-1]
        self.inward, self.outward = layers.Dense(3 * width, name="inward"), layers.Dense(width, name="outward")

    def call(self, x, cache, position):
        batch, time, width = x.shape
        parts = ops.reshape(self.inward(x), (batch, time, 3, self.heads, width // self.heads))
        query, key, value = parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]  # (batch, time, heads, size)
        if cache is not None:
            key = jax.lax.dynamic_update_slice_in_dim(cache["key"], key, position, axis=1)
            value = jax.lax.dynamic_update_slice_in_dim(cache["value"], value, position, axis=1)
        seen = position + jnp.arange(time)[:, None] >= jnp.arange(key.shape[1])  # (time, all times)
        y = ops.dot_product_attention(query, key, value, mask=seen[None, None])
        return self.outward(ops.reshape(y, (batch, time, width))), {"key": key, "value": value}


class LanguageModel(jkeras.Model):
    """(batch, time) numbers of letters -> logits of the next ones; with a cache, `(logits, new cache)`."""

    def __init__(self, width=64, depth=2, heads=4):
        super().__init__()
        self.width, self.depth, self.heads = width, depth, heads
        self.letters, self.places = layers.Embedding(len(LETTERS), width), layers.Embedding(LENGTH, width)
        self.attentions = [Attention(heads) for _ in range(depth)]
        self.networks = [jkeras.Sequential([layers.Dense(4 * width, activation="gelu"), layers.Dense(width)])
                         for _ in range(depth)]
        self.norms = [layers.LayerNormalization() for _ in range(2 * depth + 1)]
        self.head = layers.Dense(len(LETTERS))

    def call(self, letters, cache=None, position=0):
        x = self.letters(letters) + self.places(position + jnp.arange(letters.shape[1]))
        new = []
        for i, (attention, network) in enumerate(zip(self.attentions, self.networks)):
            y, kept = attention(self.norms[2 * i](x), cache=None if cache is None else cache[i], position=position)
            new.append(kept)
            x = x + y
            x = x + network(self.norms[2 * i + 1](x))
        logits = self.head(self.norms[-1](x))
        return logits if cache is None else (logits, new)

    def empty_cache(self, batch):
        """A cache that holds nothing yet."""
        zeros = jnp.zeros((batch, LENGTH, self.heads, self.width // self.heads))
        return [{"key": zeros, "value": zeros} for _ in range(self.depth)]


class Generator:
    """Writes on from prompts of up to `PROMPT` letters, always the likeliest letter; counts what is compiled."""

    def __init__(self, model):
        self.model, self.compiled = model, {"prefill": 0, "decode": 0}
        self.prefill, self.decode = jax.jit(self._prefill), jax.jit(self._decode)

    def _apply(self, params, *args):
        return self.model.apply(params, self.model.state, *args, training=False)[0]

    def _prefill(self, params, prompt, length):
        """(letter after the prompt, cache) of padded prompts (batch, PROMPT), `length` letters of which count."""
        self.compiled["prefill"] += 1  # Python runs this when it is traced
        logits, cache = self._apply(params, prompt, self.model.empty_cache(len(prompt)), 0)
        return logits[:, length - 1].argmax(-1), cache

    def _decode(self, params, letter, cache, length):
        """All letters from `length` on; those past the end of the text are of no use."""
        self.compiled["decode"] += 1

        def step(carry, _):
            letter, cache, position = carry
            logits, cache = self._apply(params, letter[:, None], cache, position)
            return (logits[:, 0].argmax(-1), cache, position + 1), letter
        return jax.lax.scan(step, (letter, cache, length), None, length=LENGTH)[1].T

    def __call__(self, params, prompts):
        """Texts (batch, LENGTH) that begin with prompts (batch, length)."""
        length = prompts.shape[1]
        padded = np.pad(prompts, ((0, 0), (0, PROMPT - length)))
        written = self.decode(params, *self.prefill(params, padded, length), length)
        return np.concatenate([prompts, written], axis=1)[:, :LENGTH]


def write_without_cache(model, params, prompts):
    """The same texts, by a pass over everything for each letter."""
    forward = jax.jit(lambda params, text: model.apply(params, model.state, text, training=False)[0])
    text = np.pad(prompts, ((0, 0), (0, LENGTH - prompts.shape[1])))
    for end in range(prompts.shape[1], LENGTH):
        text[:, end] = np.asarray(forward(params, text)[:, end - 1].argmax(-1))
    return text


def main(epochs=20, count=4000):
    """Trains and writes; returns the share of lines that agree, whether both ways wrote the same, and the compiles."""
    jkeras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    text = encode(["\n" + line(rng) for _ in range(count)])  # a line begins where the last one ends
    model = LanguageModel()
    schedule = jkeras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-count // 64))
    model.compile(jkeras.optimizers.Adam(schedule), jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(text[:, :-1], text[:, 1:], batch_size=64, epochs=epochs, verbose=2)

    generate, params = Generator(model), model.params
    begun = [f"the {noun}{end} {place} the " for noun in NOUNS for end in ("", "s") for place in PLACES]
    texts, same, seconds = [], True, {"with cache": 0.0, "without": 0.0}
    for size in (5, 9, 13):
        prompts = encode(["\n" + text for text in begun])[:, :size]
        for name, write in (("with cache", generate), ("without", lambda *a: write_without_cache(model, *a))):
            start = time.perf_counter()
            written = write(params, prompts)
            seconds[name] += time.perf_counter() - start
            texts.append(written)
        same = same and bool((texts[-1] == texts[-2]).all())
    lines = [decode(row[1:]) for written in texts[::2] for row in written]
    share = float(np.mean([agrees(text) for text in lines]))
    print("\n".join(lines[-4:]))
    print(f"{share:.3f} of the lines agree; the same without a cache: {same}; compiled: {generate.compiled}")
    return share, same, generate.compiled


if __name__ == "__main__":
    main()
