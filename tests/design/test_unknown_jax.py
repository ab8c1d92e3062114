"""A JAX that is written in another way than those known here: slower, and the same numbers.

Where jkeras reads JAX's inside (programs, the trace that is going on, how bits are made, what can
be transposed), what it asks for is taken away; everything goes on.
"""

import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.weights import frame
from jkeras.core.session import planned, sampling, threefry
from jkeras.core.system import traces
from jkeras.kernel import masks_on
from jkeras.ops import attention_flash, kernels, kernels_conv
from jkeras.programs import batch_independence, batch_places, calls, primitives
from jkeras.training.loop import memory
from tests.generation import models

X = np.random.default_rng(0).normal(size=(11, 6)).astype("float32")


def recurrent():
    return [layers.Reshape((3, 2)), layers.GRU(4)]


def convolutional():
    return [
        layers.Reshape((6, 1)),
        layers.Conv1D(4, 3),
        layers.DepthwiseConv1D(2),
        layers.Flatten(),
    ]


def trained(parts):
    """What a ragged training and a prediction give."""
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential([jkeras.Input((6,)), *parts(), layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(X, X[:, :1], batch_size=4, epochs=2, verbose=0).history
    return history["loss"], model.predict(X, batch_size=4, verbose=0)


def assert_same(one, other):
    for a, b in zip(one, other):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def no_parameters(eqn, axes):
    raise KeyError("num_consts")


def no_attributes(jaxpr):
    raise AttributeError("eqns")


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setitem(batch_places.NESTED, primitives.Kind.SCAN, no_parameters),
        lambda patch: patch.setattr(batch_independence, "_outline", no_attributes),
        lambda patch: patch.setattr(primitives, "PRIMITIVES", {}),
    ],
    ids=["parameters", "jaxprs", "operations"],
)
def test_programs_that_cannot_be_read(change, monkeypatch):
    wanted = trained(recurrent)
    change(monkeypatch)
    assert_same(trained(recurrent), wanted)
    assert not batch_independence.are_independent(
        lambda x: jax.lax.scan(lambda c, v: (c + v, c), x[:, 0], x.T)[0], batch=X
    )


def test_a_trace_that_is_not_told(monkeypatch):
    wanted = trained(recurrent)
    for module in (traces, frame):
        monkeypatch.setattr(module, "marker", lambda: lambda: None)
    assert traces.trace_state() is None
    assert_same(trained(recurrent), wanted)


def test_a_trace_that_is_asked_for_in_another_way(monkeypatch):
    import jax.extend.core

    monkeypatch.setattr(jax.extend.core, "get_opaque_trace_state", lambda: "a trace", raising=False)
    traces.marker.cache_clear()
    try:
        assert traces.trace_state() is None
    finally:
        traces.marker.cache_clear()


def test_a_trace_is_told_here():
    """With every JAX that is supported."""
    outside, inside = traces.trace_state(), []

    @jax.jit
    def function(x):
        inside.append(frame.trace_state())
        return x

    function(1.0)
    assert outside is not None and inside[0] != outside == traces.trace_state()


def test_loops_that_are_not_transposed(monkeypatch):
    wanted = trained(convolutional)
    monkeypatch.setattr(kernels_conv, "transposes_loops", lambda: False)
    assert_same(trained(convolutional), wanted)


# ---------------------------------------------------------------- names that are gone

GONE = [
    ("jax.extend.random", "define_prng_impl"),
    ("jax.extend.core", "get_opaque_trace_state"),
    ("jax.core", "get_opaque_trace_state"),
    ("jax.experimental.compilation_cache.compilation_cache", "reset_cache"),
]


def test_importing_without_what_is_not_documented():
    """`import jkeras`, first values and a training, in a process in which names are gone."""
    taken = "".join(f"import {path}\nvars({path}).pop({name!r}, None)\n" for path, name in GONE)
    program = """
        import tempfile, jax, numpy as np, jkeras
        from jkeras.core.session import sampling, threefry
        from jkeras.core.session.settings import enable_compilation_cache
        key = jax.random.key(0)
        assert threefry._implementation() == "threefry2x32"
        values = sampling.normal(key, (3, 4), "float32")
        np.testing.assert_array_equal(values, jax.random.normal(key, (3, 4)))
        values = jax.jit(lambda key: sampling.normal(key, (3,), "float32"))(key)
        np.testing.assert_array_equal(values, jax.random.normal(key, (3,)))
        enable_compilation_cache(tempfile.mkdtemp())
        model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((5, 2)), np.ones((5, 1)), batch_size=2, verbose=0)
    """
    subprocess.run([sys.executable, "-c", taken + textwrap.dedent(program)], check=True)


def test_a_generator_of_another_signature(monkeypatch):
    import jax.extend.random

    def define_prng_impl(*, shape_of_key):
        raise AssertionError

    monkeypatch.setattr(jax.extend.random, "define_prng_impl", define_prng_impl)
    threefry._implementation.cache_clear()
    try:
        key = jax.random.key(3)
        values = jax.random.normal(threefry.in_one_loop(key), (5,))
        np.testing.assert_array_equal(values, jax.random.normal(key, (5,)))
    finally:
        threefry._implementation.cache_clear()


KINDS = {
    "uniform": lambda key, shape: sampling.uniform(key, shape, -0.3, 0.7, "float32"),
    "normal": lambda key, shape: sampling.normal(key, shape, "float32"),
    "truncated_normal": lambda key, shape: sampling.truncated_normal(key, shape, -2, 2, "float32"),
}


@pytest.mark.parametrize("what", ["nothing", "bits", "functions"])
def test_random_numbers_of_a_newer_jax(what, monkeypatch):
    """They are compared once, and where they differ JAX makes them."""
    key = jax.random.key(3)
    wanted = {kind: np.asarray(make(key, (7,))) for kind, make in KINDS.items()}
    monkeypatch.setattr(threefry, "TESTED_BELOW", (0, 0))
    if what == "functions":
        monkeypatch.setattr(sampling, "_part", lambda *_: np.zeros(64, "float32"))
    if what == "bits":
        monkeypatch.setattr(threefry, "bits_of", lambda key, numbers: numbers)
    caches = sampling._is_as_in_jax, threefry._are_bits_of_jax
    for cache in caches:
        cache.cache_clear()
    try:
        assert threefry.is_threefry(key) == (what != "bits")
        for kind, make in KINDS.items():
            np.testing.assert_allclose(make(key, (7,)), wanted[kind], rtol=1e-6)
            assert what == "bits" or sampling._is_as_in_jax(kind) == (what == "nothing")
    finally:
        for cache in caches:
            cache.cache_clear()


# ---------------------------------------------------------------- devices, arrays and programs


class Device:
    """A device that says of itself what it is given."""

    def __init__(self, **said):
        vars(self).update(said)


def test_devices_of_another_runtime():
    here = jax.devices()[0]
    for client in ({}, {"client": Device()}):
        strange = Device(device_set={Device(platform=here.platform, **client)})
        assert planned.is_planned_for(strange), "it is none of those that are here"
        none = Device(device_set={Device(platform="neverseen", **client)})
        assert planned.is_planned_for(none)
    assert not planned.is_planned_for(Device(device_set={here}))


def test_a_device_here_without_its_runtime(monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda platform=None: [device])
    device = Device(platform="gpu")
    assert not planned.is_planned_for(Device(device_set={device}))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not kernels.on_nvidia_gpu()
    device.client = Device(platform_version="ROCm 6")
    assert not kernels.on_nvidia_gpu()
    device.client = Device(platform_version="PJRT C API\ncuda 12030")
    assert kernels.on_nvidia_gpu()


class Slotted:
    """Like an array that takes no attributes."""

    __slots__ = ("__weakref__",)


def test_arrays_that_take_no_attributes(monkeypatch):
    one, other = Slotted(), Slotted()
    masks_on.set_mask_on(one, "a mask")
    assert masks_on.mask_on(one) == "a mask" and masks_on.mask_on(other) is None
    del one
    assert not masks_on.kept

    def refuse(*_):
        raise AttributeError

    monkeypatch.setattr(masks_on, "setattr", refuse, raising=False)
    tokens = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    embedding, lstm = layers.Embedding(5, 3, mask_zero=True), layers.LSTM(2)
    masked = lstm(embedding(tokens))
    np.testing.assert_allclose(masked, lstm(embedding(tokens), mask=tokens != 0), rtol=1e-6)
    assert not np.allclose(masked, lstm(np.asarray(embedding(tokens))))


@pytest.mark.parametrize("analysis", ["missing", "none", "other"])
def test_a_compiler_that_estimates_nothing(analysis):
    said = {
        "missing": {},
        "none": {"memory_analysis": lambda: None},
        "other": {"memory_analysis": lambda: Device(bytes=3)},
    }[analysis]
    assert memory.estimate(Device(**said)) is None and memory.needed(Device(**said)) == 0


def test_programs_are_counted_without_jax():
    """By traces, since `_cache_size` is JAX's own."""
    model = models.grouped()
    generator = jkeras.generation.Generator(model, max_length=12)
    for prompts in ([[1, 2]], [[1, 2, 3]], [[3, 2], [1, 1]]):
        generator(model.params, np.array(prompts))
    assert generator.programs() == {"prefill": 2, "decode": 2}


class Unbound:
    """A primitive of a JAX without `get_bind_params`."""

    def __init__(self, primitive):
        self.name, self.bind = primitive.name, primitive.bind
        self.multiple_results = primitive.multiple_results


def test_operations_that_are_run_again():
    (eqn,) = jax.make_jaxpr(jax.lax.sin)(1.0).jaxpr.eqns
    (y,) = calls.evaluate(Unbound(eqn.primitive), eqn.params, [X])
    np.testing.assert_allclose(y, np.sin(X), rtol=1e-6)
    function = jax.custom_vjp(jax.numpy.sin)
    function.defvjp(lambda x: (x, x), lambda x, g: (g,))
    (eqn,) = jax.make_jaxpr(function)(1.0).jaxpr.eqns
    if primitives.facts_of(eqn.primitive.name).derivative is primitives.Derivative.COTANGENTS:
        with pytest.raises(ValueError, match="operations to run again.*custom_vjp"):
            calls.evaluate(Unbound(eqn.primitive), eqn.params, [X])


def test_a_kernel_that_is_gone(monkeypatch):
    """Attention on TPUs is computed in the plain form."""

    def gone():
        raise ImportError

    monkeypatch.setattr(attention_flash, "_splash_modules", gone)
    attention_flash._has_splash.cache_clear()
    try:
        assert not attention_flash._has_splash()
        with kernels.traced_for("tpu"):
            x = jax.ShapeDtypeStruct((1, 256, 2, 64), "float32")
            text = str(jax.make_jaxpr(lambda x: jkeras.ops.dot_product_attention(x, x, x))(x))
        assert "pallas" not in text
    finally:
        attention_flash._has_splash.cache_clear()
