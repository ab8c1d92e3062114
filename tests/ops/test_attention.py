"""Fused attention, in the interpreter of TPU kernels, against the plain form: values, gradients of
first and second order, loops, vmap.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import layers, ops
from jkeras.ops.attention import attention
from jkeras.ops.attention_plain import Form, Segments, padding_segments
from jkeras.ops.kernels import traced_for
from jkeras.programs.batch_independence import are_independent
from tests.thinning import every

BOTH = "flash", "xla"
SIZES = {"heads": 2, "groups": 1, "target": 130, "source": 130, "depth": 8, "width": 8}
CASES = {  # sizes that differ, what is seen
    "all": ({"groups": 2}, {}),
    "causal": ({}, {"is_causal": True}),
    "padding": ({}, {"padding": (100, 90)}),
    "padding on the left": ({}, {"padding": (-40, -50), "is_causal": True}),
    "sources of no target": ({}, {"padding": (None, -50), "is_causal": True}),
    "window": ({}, {"window": 7}),
    "window, causal, padding": ({}, {"window": 7, "is_causal": True, "padding": (120, 110)}),
    "packed": ({}, {"packed": 4, "is_causal": True}),
    "other sources": ({"source": 200, "width": 12}, {}),
    "other sources, causal": ({"target": 200}, {"is_causal": True, "scale": 0.1}),
    "blocks": ({"target": 600, "source": 600, "groups": 2}, {"is_causal": True}),
}


def numbers(dtype, heads, groups, target, source, depth, width):
    rng = np.random.default_rng(0)
    shapes = (heads, target, depth), (groups, source, depth), (groups, source, width)
    return [jnp.asarray(rng.normal(size=(2, *shape)), dtype) for shape in shapes]


def segments_of(query, key, padding, packed):
    """`Segments` of paddings in front (negative) or behind, or of sequences in a row."""
    target, source = query.shape[2], key.shape[2]
    if packed:
        ids = np.sort(np.random.default_rng(1).integers(0, packed, (2, target)), axis=1)
        return Segments(jnp.asarray(ids), jnp.asarray(ids))
    if padding is None:
        return None
    masks = [
        n
        and jnp.broadcast_to((np.arange(size) < n) if n > 0 else (np.arange(size) >= -n), (2, size))
        for n, size in zip(padding, (target, source))
    ]
    return padding_segments(*masks, 2, target, source)


def attend(implementation, case, x):
    case = dict(case)
    segments = segments_of(*x[:2], case.pop("padding", None), case.pop("packed", None))
    with traced_for("interpreter"):
        form = Form(case.pop("scale", x[0].shape[-1] ** -0.5), **case)
        return attention(x, form, segments=segments, implementation=implementation)


def results(function, x):
    """Values and gradients."""
    loss = lambda *x: jnp.vdot(jnp.sin(y := function(x)), jnp.cos(jnp.arange(y.size)))
    return jax.jit(lambda *x: (function(x), *jax.grad(loss, (0, 1, 2))(*x)))(*x)


@pytest.mark.parametrize("name", every(3, CASES))
def test_kernel_in_float32(name):
    sizes, case = CASES[name]
    x = numbers("float32", **SIZES | sizes)
    for mine, other in zip(*(results(functools.partial(attend, by, case), x) for by in BOTH)):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_kernel_in_bfloat16():
    """The error against float32 is no larger than 2e-3 of the length, beyond the plain form's."""
    x = numbers("float32", **SIZES)
    case = {"is_causal": True}
    exact = attend("xla", case, x)
    few = [v.astype("bfloat16") for v in x]
    errors = [
        float(jnp.linalg.norm(attend(by, case, few) - exact) / jnp.linalg.norm(exact))
        for by in BOTH
    ]
    assert errors[0] <= errors[1] + 2e-3


@pytest.mark.promise("Gradients of gradients")
def test_derivative_of_the_gradient():
    x = numbers("float32", **SIZES)

    def penalty(by, *x):
        loss = lambda *x: jnp.sum(jnp.sin(attend(by, {"is_causal": True, "padding": (100, 90)}, x)))
        return sum(jnp.sum(g**2) for g in jax.grad(loss, (0, 1, 2))(*x))

    mine, other = (jax.jit(jax.grad(functools.partial(penalty, by), (0, 1, 2)))(*x) for by in BOTH)
    for a, b in zip(mine, other):
        # 1.3e-5 with JAX 0.12, which sums in another order
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)


def test_in_a_loop_with_recomputation():
    """As in a `Stack`: a scan over blocks, recomputed for the gradient; and under vmap."""
    x = numbers("float32", **SIZES)

    @functools.partial(jax.checkpoint, static_argnums=0)
    def block(by, y, _):
        return y + attend(by, {"is_causal": True}, (y, *x[1:])), None

    def loss(by, query):
        y, _ = jax.lax.scan(functools.partial(block, by), query, None, length=2)
        return jnp.sum(jnp.sin(y))

    queries = jnp.stack([x[0], 2 * x[0]])
    mine, other = (jax.jit(jax.vmap(jax.grad(functools.partial(loss, by))))(queries) for by in BOTH)
    np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- what is chosen


def kernels_in(function, *arguments):
    return str(jax.make_jaxpr(function)(*arguments)).count("pallas_call")


@pytest.mark.promise("TPU | JAX's Splash | from")
@pytest.mark.parametrize("batch_mask", [False, True])
def test_layers_take_the_kernel(batch_mask):
    """On a TPU, for long sequences: causal, by lengths, in a window; never a mask of T x T."""
    layer = layers.GroupQueryAttention(8, 4, 2, sliding_window=64)
    x = jnp.ones((1, 512, 16))
    layer.build(x.shape, x.shape)
    mask = jnp.arange(512)[None] < 400 if batch_mask else None

    def call(x):
        return layer(x, x, query_mask=mask, value_mask=mask, use_causal_mask=True)

    assert not kernels_in(call, x)
    with traced_for("tpu"):
        jaxpr = jax.make_jaxpr(lambda x: call(x))(x)
    assert "pallas_call" in str(jaxpr)
    sizes = [v.aval.size for eqn in jaxpr.jaxpr.eqns for v in eqn.outvars]
    assert max(sizes) < 512 * 512


@pytest.mark.promise("A mask of pairs, (batch")
def test_dropout_is_of_training_alone():
    """Elsewhere a layer with dropout has the kernel, and the numbers, of one without."""
    plain, layer = (layers.MultiHeadAttention(2, 8, dropout=rate) for rate in (0.0, 0.5))
    x = jax.random.normal(jax.random.key(0), (1, 512, 16))
    plain.build(x.shape, x.shape)
    layer.build(x.shape, x.shape)
    layer.set_weights(plain.get_weights())
    np.testing.assert_array_equal(layer(x, x), plain(x, x))

    def apply(x, training):
        options = {"training": training, "rng": jax.random.key(0)}
        return layer.apply(layer.params, layer.state, x, x, **options)[0]

    with traced_for("tpu"):
        assert kernels_in(functools.partial(apply, training=False), x) == 1
        assert kernels_in(functools.partial(apply, training=True), x) == 0


@pytest.mark.promise("A mask of pairs, (batch")
@pytest.mark.parametrize(
    "what", ["short", "a mask of pairs", "a bias", "said", "whole numbers", "on a CPU"]
)
def test_what_has_no_kernel(what):
    x = jnp.ones((1, 64 if what == "short" else 512, 2, 8))
    if what == "whole numbers":
        x = x.astype("int32")
    pairs = jnp.ones((512, 512))
    options = {
        "a mask of pairs": {"mask": pairs.astype(bool)},
        "a bias": {"bias": pairs},
        "said": {"flash_attention": False},
    }.get(what, {})
    with traced_for("cpu" if what == "on a CPU" else "tpu"):
        assert not kernels_in(lambda x: ops.dot_product_attention(x, x, x, **options), x)


def test_demand_without_a_kernel():
    x = jnp.ones((1, 8, 2, 4))
    with pytest.raises(RuntimeError, match="fused kernel"):
        ops.dot_product_attention(x, x, x, flash_attention=True)


def test_a_mask_of_sources_is_padding():
    """(batch, 1, 1, source): as Keras has it, without an array of pairs."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 512, 1, 8)), "float32")
    mask = (jnp.arange(512) < jnp.array([[300], [512]]))[:, None, None]
    call = functools.partial(ops.dot_product_attention, mask=mask, is_causal=True)
    plain = call(x, x, x, flash_attention=False)
    with traced_for("interpreter"):
        assert kernels_in(lambda x: call(x, x, x), x)
        np.testing.assert_allclose(call(x, x, x), plain, rtol=1e-5, atol=1e-5)


def test_what_reads_programs_sees_no_kernel():
    """Whether rows are independent is read from the plain form, also where a kernel runs."""
    attend = lambda x: ops.dot_product_attention(x, x, x, is_causal=True)
    with traced_for("tpu"):
        assert are_independent(attend, batch=np.ones((2, 512, 1, 8), "float32"))


@pytest.mark.parametrize("name", ["padding", "packed", "all"])
def test_what_is_computed_again_for_the_gradient(name):
    """The kernel inside of `jax.checkpoint`, as `compile(remat=True)` has it."""
    sizes, case = CASES[name]
    x = numbers("float32", **SIZES | sizes)
    found, expected = (
        results(jax.checkpoint(lambda x, by=by: attend(by, case, x)), x) for by in BOTH
    )
    for mine, other in zip(found, expected):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)
