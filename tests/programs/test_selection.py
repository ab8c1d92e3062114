"""One position of each row of an output: the same numbers as of the whole, by less work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jkeras.programs.selection import run_at_positions

BATCH, TIME, WIDTH = 3, 7, 4
POSITIONS = np.array([6, 0, 3])


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def selected(function, *arguments, positions=POSITIONS):
    program = jax.make_jaxpr(function)(*arguments)
    leaves = jax.tree_util.tree_leaves(arguments)
    return jax.jit(lambda leaves: run_at_positions(program, leaves, positions))(leaves)


def assert_selected(function, *arguments, positions=POSITIONS):
    whole = jax.tree_util.tree_leaves(function(*arguments))
    first, *others = selected(function, *arguments, positions=positions)
    rows = np.arange(len(positions))
    # sums are added up in another order: what is left of large numbers is as far as these are
    near = 1e-6 * max(1, np.abs(whole[0]).max())
    np.testing.assert_allclose(first[:, 0], whole[0][rows, positions], rtol=2e-5, atol=near)
    for found, expected in zip(others, whole[1:]):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


def causal(x, mask=None):
    scores = jnp.einsum("btd,bsd->bts", x, x)
    seen = jnp.tril(jnp.ones((x.shape[1],) * 2, bool)) if mask is None else mask
    return jnp.einsum("bts,bsd->btd", jax.nn.softmax(jnp.where(seen, scores, -1e9)), x)


def heads(x):
    q = x.reshape(*x.shape[:2], 2, -1)
    scores = jnp.einsum("bthd,bshd->bhts", q, q)
    return jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(scores), q).reshape(x.shape)


def by_scan(x):
    return jnp.swapaxes(
        jax.lax.scan(lambda h, x: (h + x, h), x[:, 0], jnp.swapaxes(x, 0, 1))[1], 0, 1
    )


@jax.custom_jvp
def own(x):
    return jnp.sin(x) + x.sum(axis=-1, keepdims=True)


own.defjvps(lambda t, y, x: t)

FUNCTIONS = {
    "head": lambda x: jnp.tanh(x @ values(WIDTH, 5)) + values(5),
    "twice": lambda x: (x * 2) + jax.nn.relu(x),
    "whole too": lambda x: ((y := jnp.exp(x)) / 2, y.sum(axis=1), y.mean()),
    "attention": causal,
    "two of attention": lambda x: causal(jnp.tanh(causal(x))),
    "heads": heads,
    "mask of rows": lambda x: causal(x, x[:, :, :1] > x[:, None, :, 0]),
    "mask for all": lambda x: causal(x, jnp.ones((1, TIME, TIME), bool)),
    "positions": lambda x: x + jnp.arange(TIME)[:, None],
    "a table for all rows": lambda x: x * jnp.sin(jnp.arange(1.0 * TIME))[None, :, None],
    "one for all positions": lambda x: x - x.mean(axis=1, keepdims=True),
    "reversed": lambda x: x[:, ::-1] * 2,
    "shifted": lambda x: jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1],
    "windows": lambda x: jnp.cumsum(x, axis=1) / 2,
    "along features": lambda x: jnp.cumsum(x, axis=2) / 2,
    "sorted": lambda x: jnp.sort(x, axis=2) - jnp.sort(x, axis=1),
    "mixed rows": lambda x: x - x.mean(axis=0),
    "flat": lambda x: jnp.tanh(x.reshape(-1, WIDTH)).reshape(x.shape),
    "split": lambda x: jnp.concatenate(jnp.split(x, 2, axis=-1)[::-1], axis=-1),
    "split positions": lambda x: jnp.concatenate([x[:, 3:], x[:, :3]], axis=1),
    "time first": lambda x: jnp.swapaxes(jnp.swapaxes(x, 0, 1) * 2, 0, 1),
    "rows by rows": lambda x: jnp.swapaxes((x[:, :3] @ jnp.swapaxes(x, 1, 2)), 1, 2) * 2,
    "gathered": lambda x: jnp.asarray(values(9, 5))[jnp.where(x[..., 0] > 0, 3, 8)] + 1,
    "places": lambda x: jnp.take_along_axis(x, jnp.argsort(x, axis=1), axis=1) * 3,
    "largest": lambda x: jax.nn.one_hot(x.argmax(-1), 4) + x.max(-1, keepdims=True),
    "a scan": by_scan,
    "a call": lambda x: jax.jit(lambda x, y: (x * 2, y + x))(x, x.mean(axis=1, keepdims=True))[1],
    "unused": lambda x: jax.jit(lambda x: (x * 2, x.sum(1)))(x)[0],
    "a derivative of its own": own,
    "remat": jax.checkpoint(lambda x: causal(x) * 2),
    "convolution": lambda x: jax.lax.conv_general_dilated(
        x, values(3, WIDTH, 5), (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
    ),
    "a constant": lambda x: (jnp.ones((BATCH, TIME, 2)), x.sum()),
    "as it is": lambda x: (x, x),
    "few bits": lambda x: (x.astype("bfloat16") * 2).astype("float32"),
    "conditions": lambda x: jnp.where(x.sum() > 0, x, 2 * x),
    "several axes": lambda x: jnp.einsum("btd,bsd->btsd", x, x).max(axis=(2, 3), keepdims=True),
    "squeezed": lambda x: jnp.squeeze(x[..., None] * 2, -1),
    "turned": lambda x: jnp.transpose(x[:, :, None] * jnp.ones((1, 1, 2, 1)), (0, 1, 3, 2)),
    "a branch": lambda x: jax.lax.cond(x.sum() > 0, lambda x: x * 2, lambda x: x, x),
    "as many rows as positions": lambda x: jnp.einsum("btd,ctd->btd", x, x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_are_those_of_the_whole(name):
    assert_selected(FUNCTIONS[name], values(BATCH, TIME, WIDTH))


@pytest.mark.parametrize(
    "shape", [(1, 7, 4), (3, 1, 4), (1, 1, 2), (4, 4, 4), (7, 7, 4), (2, 3, 2)]
)
@pytest.mark.parametrize("function", [causal, heads, lambda x: x + jnp.arange(x.shape[1])[:, None]])
def test_sizes_that_are_one_or_the_same(shape, function):
    positions = np.arange(shape[0])[::-1] % shape[1]
    assert_selected(function, values(*shape), positions=positions)


PARTS = [
    causal,
    heads,
    jnp.tanh,
    own,
    by_scan,
    lambda x: x @ values(WIDTH, WIDTH),
    lambda x: x - x.mean(axis=-1, keepdims=True),
    lambda x: x - x.mean(axis=1, keepdims=True),
    lambda x: x[:, ::-1],
    lambda x: x + jnp.arange(x.shape[1])[:, None] / 9,
    lambda x: jnp.concatenate([x[..., 2:], x[..., :2]], axis=-1),
    lambda x: jnp.swapaxes(jnp.tanh(jnp.swapaxes(x, 0, 1)), 0, 1),
]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=5),
    st.integers(1, 4),
    st.integers(1, 5),
    st.booleans(),
    st.data(),
)
def test_any_program(parts, rows, time, is_residual, data):
    def run(x):
        for part in parts:
            x = (x if is_residual else 0) + part(x)
        return x, x.sum(axis=1)

    each = st.lists(st.integers(0, time - 1), min_size=rows, max_size=rows)
    assert_selected(run, values(rows, time, WIDTH), positions=np.array(data.draw(each)))


def test_only_what_is_needed_runs():
    """Of the last attention and what is behind it one position."""
    w = values(WIDTH, 50)

    def run(x):
        return causal(causal(x)) @ w

    program = jax.make_jaxpr(run)(values(BATCH, TIME, WIDTH))
    given = [values(BATCH, TIME, WIDTH)]
    text = str(jax.make_jaxpr(lambda x: run_at_positions(program, x, POSITIONS))(given))
    assert f"f32[{BATCH},1,{TIME}]" in text
    assert f"f32[{BATCH},{TIME},50]" not in text
    shapes = [f"f32[{BATCH},{time},{TIME}] = dot_general" for time in (1, TIME)]
    assert [text.count(shape) for shape in shapes] == [1, 1]


def test_what_is_looked_at_from_outside_runs_once_for_all():
    seen = []

    def run(x):
        jax.debug.callback(lambda x: seen.append(x.shape), x)
        return jnp.tanh(x) * 2

    selected(run, values(BATCH, TIME, WIDTH))
    jax.effects_barrier()
    assert seen == [(BATCH, TIME, WIDTH)]


@jax.custom_vjp
def rounded(x):
    return jnp.round(x)


rounded.defvjp(lambda x: (rounded(x), None), lambda _, g: (3 * g,))


@pytest.mark.parametrize(
    "part", [causal, rounded, lambda x: jax.nn.relu(0 * x) + own(x), jax.jit(rounded)]
)
def test_derivatives(part):
    def run(x):
        return part(causal(part(x) @ values(WIDTH, WIDTH))) * 2

    def loss(x, whole):
        program = jax.make_jaxpr(run)(x)
        y = run(x)[np.arange(BATCH), POSITIONS][:, None]
        return (y if whole else run_at_positions(program, [x], POSITIONS)[0]).sum()

    x = values(BATCH, TIME, WIDTH)
    expected, found = (jax.grad(loss)(x, whole) for whole in (True, False))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        jax.vmap(lambda x: loss(x, False))(np.stack([x, 2 * x])),
        [loss(x, True), loss(2 * x, True)],
        rtol=1e-5,
    )
