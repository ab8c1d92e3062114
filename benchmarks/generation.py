"""Generated text against a hand-written JAX loop, passes without a cache, and one prompt after the
other: `python -m benchmarks.generation`.

The loop by hand is what a JAX programmer writes for this one decoder: arrays for keys and values, a
jitted step, `lax.scan`. Both write the same tokens. Ratios are of the least times of runs that
take turns.
"""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from benchmarks.others import Experiment
from jkeras import generation, layers

VOCABULARY, WIDTH, DEPTH, HEADS, LENGTH, PROMPT = 1000, 512, 4, 8, 272, 16
SIZE = WIDTH // HEADS


def make_model():
    """A decoder with RMS norms and learnt positions."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(VOCABULARY, WIDTH, name="tokens")(tokens)
    x = x + layers.PositionEmbedding(LENGTH, name="places")(x)
    for i in range(DEPTH):
        y = layers.RMSNormalization(name=f"before_{i}")(x)
        attend = layers.MultiHeadAttention(HEADS, SIZE, use_bias=False, name=f"attend_{i}")
        x = x + attend(y, y, use_causal_mask=True)
        y = layers.RMSNormalization(name=f"between_{i}")(x)
        y = layers.Dense(4 * WIDTH, "gelu", use_bias=False, name=f"wide_{i}")(y)
        x = x + layers.Dense(WIDTH, use_bias=False, name=f"narrow_{i}")(y)
    x = layers.RMSNormalization(name="last")(x)
    return jkeras.Model(tokens, layers.Dense(VOCABULARY, use_bias=False, name="head")(x))


# ---------------------------------------------------------------- by hand


def norm(x, scale):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * scale


def step_by_hand(params, cache, tokens, place):
    """Logits (batch, time, vocabulary) of new tokens from one position on, and the cache."""
    time_ = tokens.shape[1]
    places = place + jnp.arange(time_)
    x = params["tokens"]["embeddings"][tokens] + params["places"]["position_embeddings"][places]
    seen = places[:, None] >= jnp.arange(LENGTH)
    kept = []
    for i in range(DEPTH):
        p, y = params[f"attend_{i}"], norm(x, params[f"before_{i}"]["scale"])
        query, key, value = (
            jnp.einsum("btd,dhs->bhts", y, p[f"{name}_dense"]["kernel"])
            for name in ("query", "key", "value")
        )
        key = jax.lax.dynamic_update_slice_in_dim(cache[i][0], key, place, 2)
        value = jax.lax.dynamic_update_slice_in_dim(cache[i][1], value, place, 2)
        kept.append((key, value))
        scores = jnp.einsum("bhts,bhus->bhtu", query, key) * SIZE**-0.5
        weights = jax.nn.softmax(jnp.where(seen, scores, -1e30))
        y = jnp.einsum("bhtu,bhus->bths", weights, value)
        x = x + jnp.einsum("bths,hsd->btd", y, p["output_dense"]["kernel"])
        y = norm(x, params[f"between_{i}"]["scale"]) @ params[f"wide_{i}"]["kernel"]
        x = x + jax.nn.gelu(y, approximate=False) @ params[f"narrow_{i}"]["kernel"]
    return norm(x, params["last"]["scale"]) @ params["head"]["kernel"], kept


@jax.jit
def by_hand(params, prompts):
    """Texts (batch, LENGTH) with prompts of one length."""
    batch = len(prompts)
    empty = jnp.zeros((batch, HEADS, LENGTH, SIZE))
    logits, cache = step_by_hand(params, [(empty, empty)] * DEPTH, prompts, 0)

    def step(carry, place):
        token, cache = carry
        logits, cache = step_by_hand(params, cache, token[:, None], place)
        return (logits[:, 0].argmax(-1).astype("int32"), cache), token

    first = logits[:, -1].argmax(-1).astype("int32")
    places = jnp.arange(PROMPT, LENGTH)
    _, tokens = jax.lax.scan(step, (first, cache), places)
    return jnp.concatenate([prompts, tokens.T], axis=1)


# ---------------------------------------------------------------- comparisons


def least(runs, repeats):
    """The least seconds of each of several functions, which take turns."""
    for run in runs.values():
        run()  # compiles
    seconds = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            seconds[name] = min(seconds[name], time.perf_counter() - begin)
    return seconds


def prompts_of(rows):
    """Random prompts of one length."""
    return np.random.default_rng(0).integers(0, VOCABULARY, (rows, PROMPT)).astype("int32")


def both(model, rows):
    """The loop by hand and the generator as functions."""
    prompts, params = prompts_of(rows), model.params
    cached = generation.Generator(model, LENGTH)
    return {
        "by hand": lambda: by_hand(params, prompts).block_until_ready(),
        "jkeras": lambda: cached(params, prompts)[0].block_until_ready(),
    }


def against_hand(model, rows):
    """Seconds of the generator and of the loop by hand; of one row also without a cache."""
    prompts, params, runs = prompts_of(rows), model.params, both(model, rows)
    np.testing.assert_array_equal(*(run() for run in runs.values()))
    seconds = least(runs, 5)
    if rows > 1:
        return seconds
    uncached = generation.Generator(model, LENGTH, cache=False)
    without = {"without a cache": lambda: uncached(params, prompts)[0].block_until_ready()}
    return seconds | least(without, 1)


def serving(model, count=100, slots=8):
    """Prompts one after the other, and through slots, as functions."""
    rng = np.random.default_rng(0)
    prompts = [rng.integers(0, VOCABULARY, size) for size in rng.integers(4, 200, count)]
    generator = generation.Generator(model, LENGTH)
    server = generation.Server(generator, slots=slots)
    alone = functools.partial(generator, model.params)
    return {
        "one by one": lambda: [alone([p])[0].block_until_ready() for p in prompts],
        "jkeras": lambda: list(server(model.params, prompts)),
    }


def experiments(quick):
    """The generator beside the loop by hand, and the server beside one prompt after the other."""
    jkeras.utils.set_random_seed(0)
    model = make_model()
    for rows in (1,) if quick else (1, 8):
        title = f"decoding, a token of {rows} rows (4 blocks of {WIDTH})"
        yield Experiment(f"generation {rows}", title, both(model, rows), count=LENGTH - PROMPT)
    if not quick:
        forms = serving(model, count=20)  # a hundred take minutes
        yield Experiment("served", "20 prompts of 4 to 200 tokens, 8 slots", forms)


def main():
    """Prints the ratios."""
    jkeras.utils.set_random_seed(0)
    model = make_model()
    for rows in (1, 8):
        seconds = against_hand(model, rows)
        own = seconds.pop("jkeras")
        each = 1e3 * own / (LENGTH - PROMPT)
        ratios = ", ".join(f"{own / other:.3f} of {name}" for name, other in seconds.items())
        print(f"{rows} rows, {LENGTH - PROMPT} tokens: {each:.2f} ms a token; {ratios}")
    seconds = least(serving(model), 1)
    print(f"100 prompts in 8 slots: {seconds['one by one'] / seconds['jkeras']:.2f} times as fast")


if __name__ == "__main__":
    main()
