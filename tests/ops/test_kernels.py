"""The forms of jkeras.ops.kernels for CPU against the plain forms: values, gradients in both modes,
vmap, ties.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jkeras.layers import recurrent_step
from jkeras.ops import kernels, kernels_conv, kernels_dot, kernels_gelu, recurrent
from tests.thinning import every

POOLS = [  # shape, window, strides, padding
    ((2, 6, 6, 3), (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
    ((2, 7, 6, 3), (1, 3, 3, 1), (1, 2, 2, 1), "VALID"),
    ((2, 7, 5, 3), (1, 3, 2, 1), (1, 2, 1, 1), "SAME"),
    ((2, 3, 7, 7), (1, 1, 2, 3), (1, 1, 3, 2), "SAME"),
    ((2, 9, 4), (1, 4, 1), (1, 1, 1), "SAME"),
    ((1, 4, 5, 6, 2), (1, 2, 2, 3, 1), (1, 2, 1, 2, 1), "VALID"),
    ((2, 5, 5, 1), (1, 1, 2, 1), (1, 2, 2, 1), "VALID"),
    # windows side by side, and a remainder that is in none of them
    ((2, 7, 8, 3), (1, 2, 3, 1), (1, 2, 3, 1), "VALID"),
    ((2, 7, 8, 3), (1, 2, 3, 1), (1, 2, 3, 1), "SAME"),
]
CONVS = [  # shape, kernel size, filters or multiplier, strides, padding, dilation, channels first
    ((2, 6, 7, 3), (3, 3), 4, (1, 1), "VALID", (1, 1), False),
    ((2, 6, 7, 3), (3, 2), 2, (2, 1), "SAME", (1, 1), False),
    ((2, 9, 8, 2), (2, 3), 3, (1, 1), "SAME", (2, 2), False),
    ((2, 3, 6, 7), (2, 2), 4, (2, 2), "VALID", (1, 1), True),
    ((2, 9, 3), (4,), 1, (2,), "SAME", (1,), False),
    ((1, 4, 5, 4, 2), (2, 2, 2), 3, (1, 2, 1), "SAME", (1, 1, 1), False),
    ((1, 5, 5, 2), (1, 1), 1, (2, 2), "VALID", (1, 1), False),
    # more images than are convolved at once
    ((19, 4, 4, 2), (3, 3), 2, (1, 1), "VALID", (1, 1), False),
]


def dims(ndim, channels_first):
    space = tuple(range(2, ndim)) if channels_first else tuple(range(1, ndim - 1))
    data = (0, 1 if channels_first else ndim - 1, *space)
    return lax.ConvDimensionNumbers(data, (ndim - 1, ndim - 2, *range(ndim - 2)), data)


def assert_same(fast, plain, *arguments):
    """Equal values, vjp, jvp, second derivative, and both under jit, vmap and scan."""
    close = lambda a, b: jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), a, b
    )
    tangents = tuple(jnp.cos(jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape) for a in arguments)
    weight = jnp.sin(jnp.arange(plain(*arguments).size, dtype="float32")).reshape(
        plain(*arguments).shape
    )
    everything = tuple(range(len(arguments)))

    def results(f):
        loss = lambda *a: jnp.vdot(f(*a) ** 2, weight)
        gradient = jax.grad(loss, everything)
        return (
            f(*arguments),
            gradient(*arguments),
            jax.jvp(f, arguments, tangents),
            jax.jvp(gradient, arguments, tangents),
            jax.jit(gradient)(*arguments),
            [jax.grad(loss, i)(*arguments) for i in everything],
            jax.vmap(gradient)(*[jnp.stack([a, b]) for a, b in zip(arguments, tangents)]),
            lax.map(lambda a: gradient(*a), [a[None] for a in arguments]),
        )

    close(jax.jit(lambda: results(fast))(), jax.jit(lambda: results(plain))())


@pytest.mark.promise("These are chosen inside")
@pytest.mark.parametrize("shape, window, strides, padding", POOLS)
def test_max_pool(shape, window, strides, padding):
    x = jax.random.normal(jax.random.key(0), shape)
    assert_same(
        lambda x: kernels.max_pool_slices(x, window, strides, padding),
        lambda x: kernels.max_pool_plain(x, window, strides, padding),
        x,
    )


@pytest.mark.parametrize("shape, window, strides, padding", POOLS)
def test_the_first_maximum_gets_the_gradient(shape, window, strides, padding):
    # ties in nearly every window
    x = jax.random.randint(jax.random.key(0), shape, 0, 3).astype("float32")

    @functools.partial(jax.jit, static_argnums=0)
    def gradient(pool, x):
        y, pullback = jax.vjp(lambda x: pool(x, window, strides, padding), x)
        # small integers: sums are exact
        return pullback((jnp.arange(y.size) % 7).astype(y.dtype).reshape(y.shape))[0]

    np.testing.assert_array_equal(
        gradient(kernels.max_pool_slices, x), gradient(kernels.max_pool_plain, x)
    )


@pytest.mark.promise("These are chosen inside")
@pytest.mark.parametrize(
    "shape, size, filters, strides, padding, dilation, first, in_loop",
    every(4, [*[(*conv, True) for conv in CONVS], (*CONVS[-1], False)]),
)
def test_convolve(shape, size, filters, strides, padding, dilation, first, in_loop):
    numbers = dims(len(shape), first)
    x = jax.random.normal(jax.random.key(0), shape)
    kernel = jax.random.normal(jax.random.key(1), (*size, shape[numbers.lhs_spec[1]], filters))
    assert_same(
        lambda x, k: kernels_conv._convolve(x, k, strides, padding, dilation, numbers, in_loop),
        lambda x, k: kernels_conv.convolve_plain(x, k, strides, padding, dilation, numbers),
        x,
        kernel,
    )


@pytest.mark.parametrize(
    "shape, size, multiplier, strides, padding, dilation, first", every(4, CONVS)
)
def test_depthwise(shape, size, multiplier, strides, padding, dilation, first):
    numbers = dims(len(shape), first)
    x = jax.random.normal(jax.random.key(0), shape)
    kernel = jax.random.normal(jax.random.key(1), (*size, shape[numbers.lhs_spec[1]], multiplier))
    assert_same(
        lambda x, k: kernels_conv.depthwise_taps(x, k, strides, padding, dilation, numbers),
        lambda x, k: kernels_conv.depthwise_plain(x, k, strides, padding, dilation, numbers),
        x,
        kernel,
    )


def test_half_precision_is_rounded_once():
    x = jax.random.normal(jax.random.key(0), (2, 6, 6, 4), jnp.bfloat16)
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 4, 2), jnp.bfloat16)
    arguments = (x, kernel, (1, 1), "SAME", (1, 1), dims(4, False))
    fast, plain = kernels_conv.depthwise_taps(*arguments), kernels_conv.depthwise_plain(*arguments)
    assert fast.dtype == jnp.bfloat16
    np.testing.assert_allclose(fast.astype("float32"), plain.astype("float32"), rtol=1e-2)


def test_what_the_fast_forms_do_not_take_goes_to_the_plain_ones():
    x = jnp.ones((1, 3, 3, 2))
    window = (1, 4, 4, 1)
    assert kernels.max_pool(x, window, window, "VALID").size == 0
    assert (
        kernels_conv.depthwise(
            x, jnp.ones((4, 4, 2, 1)), (1, 1), "VALID", (1, 1), dims(4, False)
        ).size
        == 0
    )
    grouped = kernels_conv.convolve(
        x, jnp.ones((2, 2, 1, 4)), (1, 1), "VALID", (1, 1), dims(4, False), 2
    )
    assert grouped.shape == (1, 2, 2, 4)
    wide = (1, 20, 1)
    assert kernels.max_pool(jnp.ones((1, 40, 1)), wide, wide, "VALID").shape == (1, 2, 1)


@pytest.mark.parametrize(
    "shape, size, filters, strides, padding, dilation, first",
    [
        ((1, 5, 5, 2), (1, 1), 1, (2, 2), "SAME", (1, 1), False),
        ((2, 3, 6, 7), (1, 1), 4, (1, 2), "VALID", (1, 1), True),
        ((2, 9, 3), (1,), 2, (1,), "SAME", (1,), False),
    ],
)
def test_pointwise(shape, size, filters, strides, padding, dilation, first):
    numbers = dims(len(shape), first)
    x = jax.random.normal(jax.random.key(0), shape)
    kernel = jax.random.normal(jax.random.key(1), (*size, shape[numbers.lhs_spec[1]], filters))
    assert_same(
        lambda x, k: kernels_conv.pointwise(x, k, strides, numbers),
        lambda x, k: kernels_conv.convolve_plain(x, k, strides, padding, dilation, numbers),
        x,
        kernel,
    )


def test_many_large_images_go_in_pieces(monkeypatch):
    monkeypatch.setattr(kernels_conv, "LARGE", 0)
    x, kernel = jnp.arange(400.0).reshape(25, 4, 4, 1), jnp.arange(8.0).reshape(2, 2, 1, 2)
    arguments = (x, kernel, (1, 1), "VALID", (1, 1), dims(4, False))
    text = str(jax.make_jaxpr(lambda: kernels_conv.convolve(*arguments, 1))())
    assert text.count("= conv_general_dilated") == 4
    np.testing.assert_allclose(
        kernels_conv.convolve(*arguments, 1), kernels_conv.convolve_plain(*arguments)
    )


def test_the_weight_gradient_knows_where_it_runs(monkeypatch):
    def loops(traced):
        kernel, x = jnp.ones((2, 2, 1, 2)), jnp.ones((9, 4, 4, 1))
        gradient = jax.grad(
            lambda k: kernels_conv.convolve(x, k, (1, 1), "SAME", (1, 1), dims(4, False), 1).sum()
        )
        return "scan" in str(jax.make_jaxpr(traced(gradient))(kernel))

    assert loops(kernels.inside_loop) and loops(lambda f: f) and not loops(kernels.outside_loops)
    monkeypatch.setattr(kernels_conv, "LARGE_IMAGE", 4 * 4 * 4 * 4)  # bytes of the windows of one
    assert loops(kernels.outside_loops)
    monkeypatch.setattr(kernels_conv, "LARGE_IMAGE", 4 * 4 * 4 * 4 + 1)
    assert not loops(kernels.outside_loops)


@pytest.mark.parametrize(
    "equation, shape, size",
    [
        ("abc,cde->abde", (2, 3, 4), (4, 2, 3)),
        ("abcd,cde->abe", (2, 3, 4, 2), (4, 2, 3)),
        ("abc,cd->abd", (2, 3, 4), (4, 5)),
        ("abcd,d->abc", (2, 2, 3, 4), (4,)),
        ("abc,bd->acd", (2, 3, 4), (3, 2)),
    ],
)
def test_products_with_kernels(equation, shape, size):
    x = jax.random.normal(jax.random.key(0), shape)
    kernel = jax.random.normal(jax.random.key(1), size)
    assert_same(
        lambda x, k: kernels_dot.einsum_with_kernel(equation, x, k),
        lambda x, k: jnp.einsum(equation, x, k),
        x,
        kernel,
    )


@pytest.mark.promise("These are chosen inside")
def test_gelu():
    x = jnp.concatenate([jnp.linspace(-4, 4, 33), jnp.array([-30.0, -0.0, 30.0])])
    plain = functools.partial(jax.nn.gelu, approximate=False)
    assert_same(kernels_gelu.gelu_by_tail, plain, x)


def test_gelu_is_exact_in_the_tail_too():
    x = np.linspace(-8, 8, 4001, dtype="float32")
    wanted = [value * math.erfc(-value / math.sqrt(2)) / 2 for value in x.tolist()]
    y = jax.jit(kernels_gelu.gelu_by_tail)(x)
    np.testing.assert_allclose(y, np.array(wanted), rtol=3e-6, atol=0)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e30, -1e30])
def test_gelu_of_extremes(value):
    results = [
        jax.value_and_grad(f)(jnp.float32(value))
        for f in (kernels_gelu.gelu_by_tail, functools.partial(jax.nn.gelu, approximate=False))
    ]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    "shape, width",
    [
        ((2, 5, 6), 3),  # the gradient of a high kernel is computed transposed, of a wide one not
        ((2, 5, 3), 6),
        ((8, 6), 2),
        ((8, 6), 1),
        ((1, 6), 2),
    ],
)
def test_contract_last(monkeypatch, shape, width):
    monkeypatch.setattr(kernels_dot, "LEAST", 0)
    x = jax.random.normal(jax.random.key(0), shape)
    kernel = jax.random.normal(jax.random.key(1), (shape[-1], width))
    assert_same(kernels_dot.contract_last, jnp.matmul, x, kernel)


# of functions whose shapes may hold symbols, with shapes of their arguments and for what the
# symbols stand
FORMS = {
    "convolve": (
        lambda x, k: kernels_conv.convolve(x, k, (1, 1), "VALID", (1, 1), dims(4, False), 1),
        "(b, h, w, 2), (3, 3, 2, 4)",
        [dict(b=2, h=5, w=6), dict(b=1, h=3, w=3)],
    ),
    "pointwise": (
        lambda x, k: kernels_conv.convolve(x, k, (2, 1), "VALID", (1, 1), dims(4, False), 1),
        "(b, h, w, 2), (1, 1, 2, 4)",
        [dict(b=2, h=5, w=6)],
    ),
    "depthwise": (
        lambda x, k: kernels_conv.depthwise(x, k, (1, 1), "SAME", (1, 1), dims(4, False)),
        "(b, 5, 6, 2), (3, 3, 2, 2)",
        [dict(b=2), dict(b=9)],
    ),
    "depthwise anywhere": (
        lambda x, k: kernels_conv.depthwise(x, k, (1, 1), "VALID", (1, 1), dims(4, False)),
        "(b, h, w, 2), (3, 3, 2, 2)",
        [dict(b=2, h=5, w=6)],
    ),
    "max_pool": (
        lambda x: kernels.max_pool(x, (1, 2, 2, 1), (1, 2, 2, 1), "SAME"),
        "(b, 5, 6, 2)",
        [dict(b=3)],
    ),
    "max_pool anywhere": (
        lambda x: kernels.max_pool(x, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
        "(b, h, w, 2)",
        [dict(b=3, h=5, w=6)],
    ),
    "product": (
        lambda x, k: kernels_dot.contract_last(x, k),
        "(b, t, 4), (4, 3)",
        [dict(b=2, t=5)],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_take_symbols(name):
    function, text, sizes = FORMS[name]
    scope = jax.export.SymbolicScope(["h >= 3", "w >= 3"] if "h" in text else [])
    specs = [
        jax.ShapeDtypeStruct(jax.export.symbolic_shape(part.strip("() "), scope=scope), "float32")
        for part in text.split("), (")
    ]
    exported = jax.export.export(jax.jit(function), platforms=["cpu"])(*specs)
    for given in sizes:
        shapes = [tuple(given.get(str(d), d) for d in spec.shape) for spec in specs]
        arguments = [jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate(shapes)]
        np.testing.assert_allclose(
            exported.call(*arguments), function(*arguments), rtol=1e-5, atol=1e-5
        )


def test_forms_for_onnx():
    x = jax.random.normal(jax.random.key(0), (2, 6, 5, 3))
    pool = lambda x: kernels.max_pool(x, (1, 3, 2, 1), (1, 2, 2, 1), "SAME")
    mask = jnp.array(
        [[True, True], [True, False], [False, True], [True, True], [True, False], [True, True]]
    )
    step = recurrent.Step(None, lambda x, s, t: (x + 0.5 * s + t, x - s))
    way = recurrent.Way(go_backwards=True)
    loop = lambda x: recurrent.scan(step, x, jnp.ones(x.shape[1:]), mask, way)
    for function, argument, unknown in (
        (pool, x, "reduce_window"),
        (loop, x.reshape(6, 2, -1), "reverse=True"),
    ):
        with kernels.traced_for("tpu"):
            assert unknown in str(jax.make_jaxpr(lambda x, f=function: f(x))(argument))
        with kernels.traced_for("onnx"):
            assert unknown not in str(jax.make_jaxpr(lambda x, f=function: f(x))(argument))
            y = function(argument)
        jax.tree.map(np.testing.assert_array_equal, y, function(argument))


def _lstm_step(z, states, t):
    h, c = states
    i, f, g, o = jnp.split(z + jnp.tile(h, 4), 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), (jax.nn.sigmoid(o) * jnp.tanh(c), c)


def _run(step):
    return lambda x, start: recurrent.scan(recurrent.Step(None, step), x, (start, start))[0]


def test_a_step_that_keeps_what_is_costly():
    x = jax.random.normal(jax.random.key(0), (3, 2, 8))
    start = jax.random.normal(jax.random.key(1), (2, 2))
    assert_same(_run(recurrent_step.keeping_costly(_lstm_step)[0]), _run(_lstm_step), x, start)


def test_a_step_that_keeps_what_is_costly_keeps_less():
    def kept(step):
        _, pullback = jax.vjp(_run(step), jnp.ones((3, 2, 8)), jnp.ones((2, 2)))
        return sum(v.size for v in jax.tree.leaves(pullback))

    assert kept(recurrent_step.keeping_costly(_lstm_step)[0]) < 0.8 * kept(_lstm_step)
    with kernels.traced_for("tpu"):
        assert recurrent_step.keeping_costly(_lstm_step) == [_lstm_step]
