"""Quantizers against Keras: integers, scales, gradients, configs."""

import jax
import keras
import numpy as np
import pytest

import jkeras
from tests.compilations import compilations

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
LIBRARIES = (keras, jkeras)


def same(function, rtol=1e-6):
    want, got = (jax.tree_util.tree_leaves(function(library)) for library in LIBRARIES)
    assert len(want) == len(got)
    for w, g in zip(want, got):
        w, g = np.asarray(w), np.asarray(g)
        assert w.dtype == g.dtype and w.shape == g.shape
        np.testing.assert_allclose(g.astype("float64"), w.astype("float64"), rtol=rtol, atol=1e-7)


@pytest.mark.parametrize("to_numpy", [False, True])
def test_integers(to_numpy):
    same(lambda k: k.quantizers.abs_max_quantize(X, axis=0, to_numpy=to_numpy))
    same(
        lambda k: k.quantizers.abs_max_quantize(
            X, axis=(0, 1), value_range=(-8, 7), to_numpy=to_numpy
        )
    )
    same(lambda k: k.quantizers.AbsMaxQuantizer(axis=1)(X, to_numpy=to_numpy))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("scale", [1, 1e3, 1e-4])
def test_the_host_has_the_bits_of_keras(dtype, scale):
    x = jax.device_put((X * scale).astype(dtype))
    for run in (
        lambda k: k.quantizers.abs_max_quantize(x, 0, to_numpy=True),
        lambda k: k.quantizers.abs_max_quantize_grouped_with_zero_point(x, 4, to_numpy=True),
    ):
        with np.errstate(all="ignore"):  # Keras's warnings of float16
            results = zip(run(keras), run(jkeras))
        for want, got in results:
            assert want.dtype == got.dtype
            np.testing.assert_array_equal(*(np.asarray(v, "float64") for v in (got, want)))


def test_few_programs():
    """None on the host; one for each way to pack and back."""
    x = jax.device_put(np.ones((5, 3), "float32"))
    numbers = jax.device_put(np.ones((5, 3), "int8"))
    with compilations() as names:
        jkeras.quantizers.abs_max_quantize(x, 0, to_numpy=True)
        jkeras.quantizers.abs_max_quantize_grouped_with_zero_point(x, 2, to_numpy=True)
        assert not names
        jkeras.quantizers.abs_max_quantize(x, 0)
        assert len(names) == 1
    for kind in ("int4", "int2", "ternary"):
        with compilations() as names:
            packed, _, length = getattr(jkeras.quantizers, f"pack_{kind}")(numbers, 1)
            back = getattr(jkeras.quantizers, f"unpack_{kind}")(packed, length, 1)
        assert len(names) == 2
        np.testing.assert_array_equal(back, numbers)


@pytest.mark.parametrize("size", [2, 4, 16])
def test_blocks(size):
    same(lambda k: k.quantizers.abs_max_quantize_grouped_with_zero_point(X, size), 1e-5)
    same(
        lambda k: k.quantizers.abs_max_quantize_grouped_with_zero_point(X, size, to_numpy=True),
        1e-5,
    )


@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize("narrow", [False, True])
def test_fake_quantization(axis, narrow):
    low, high = (-0.5, 0.7) if axis is None else (-np.arange(1, 5) / 4, np.arange(1, 5) / 5)
    low, high = np.float32(low), np.float32(high)
    options = dict(num_bits=4, narrow_range=narrow, axis=axis)
    same(lambda k: k.quantizers.fake_quant_with_min_max_vars(X, low, high, **options))
    same(
        lambda k: jax.grad(
            lambda *given: (k.quantizers.fake_quant_with_min_max_vars(*given, **options) * X).sum(),
            argnums=(0, 1, 2),
        )(X, low, high),
        1e-5,
    )


def test_float8_scales():
    same(
        lambda k: k.quantizers.compute_float8_scale(
            np.float32([0, 2, np.inf]), np.float32([1, 2, 3]), 448.0, 1
        )
    )
    same(lambda k: k.quantizers.compute_float8_amax_history(X, np.arange(4, dtype="float32")))


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_there_and_back_through_float8(dtype):
    same(lambda k: k.quantizers.quantize_and_dequantize(X * 1000, np.float32(2), dtype, "float32"))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize(("dtype", "low"), [("int8", -8), ("uint8", 0)])
def test_int4(dtype, low, axis):
    x = np.random.default_rng(1).integers(low, low + 16, (3, 4, 5)).astype(dtype)
    same(lambda k: k.quantizers.pack_int4(x, axis, dtype)[0])
    packed, _, size = jkeras.quantizers.pack_int4(x, axis, dtype)
    for unpack in (
        jkeras.quantizers.unpack_int4,
        jax.jit(jkeras.quantizers.unpack_int4, static_argnums=(1, 2, 3)),
    ):
        np.testing.assert_array_equal(unpack(packed, size, axis, dtype), x)


def test_configs():
    for make in (
        lambda q: q.AbsMaxQuantizer(axis=0),
        lambda q: q.Int8QuantizationConfig(),
        lambda q: q.Int4QuantizationConfig(block_size=-1),
        lambda q: q.Float8QuantizationConfig(),
        lambda q: q.GPTQConfig(None, None, symmetric=True),
        lambda q: q.AWQConfig(None, None),
    ):
        want, got = (make(k.quantizers) for k in LIBRARIES)
        assert set(got.get_config()) == set(want.get_config())
        again = type(got).from_config(got.get_config())
        assert again.get_config() == got.get_config()
    quantizer = jkeras.quantizers.AbsMaxQuantizer(axis=1)
    assert jkeras.quantizers.get(jkeras.quantizers.serialize(quantizer)).axis == (1,)
    assert jkeras.quantizers.get(None) is None and jkeras.quantizers.get(quantizer) is quantizer


def test_wrong_arguments():
    q = jkeras.quantizers
    for make in (
        lambda: q.AbsMaxQuantizer(value_range=(-300, 300)),
        lambda: q.Int4QuantizationConfig(block_size=0),
        lambda: q.Int4QuantizationConfig(q.AbsMaxQuantizer(), block_size=-1),
        lambda: q.get("x"),
        lambda: q.Int4QuantizationConfig(q.AbsMaxQuantizer(value_range=(-8, 7))),
        lambda: q.GPTQConfig(None, None, weight_bits=5),
        lambda: q.AWQConfig(None, None, weight_bits=8),
        lambda: q.pack_int4(np.ones(2, "int8"), dtype="int4"),
        lambda: q.GPTQConfig(None, None, group_size=0),
    ):
        with pytest.raises(ValueError):
            make()
    with pytest.raises(TypeError):
        q.pack_int4(np.ones(2, "float32"))
