"""The shared checks, on every row of `table.py`: what each layer owes by being a layer."""

import copy
import functools
import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras.core.weights.paths import walk
from tests.common.table import ROWS, Affine, affine, affine_params, arrays, double, layer_classes
from tests.parity.both import agree, is_float, make, plain, weighted_sum
from tests.thinning import every

KEY = jax.random.key(3)
INFERENCE = dict(training=False)  # image layers augment unless told otherwise


def is_shape(value):
    return isinstance(value, tuple) and all(d is None or isinstance(d, int) for d in value)


def batchless(shape):
    return (None, *shape[1:])


def compiled(run, row):
    """The function under `jit`, if the row's inputs can get there."""
    return run if row.texts else jax.jit(run)


def stacked(function, inputs):
    """What `vmap` gives, where it cannot go: the function on one sample after another."""
    size = len(jax.tree_util.tree_leaves(inputs)[0])
    outputs = [
        function(jax.tree_util.tree_map(lambda v, i=i: v[i, ...], inputs)) for i in range(size)
    ]
    return jax.tree_util.tree_map(lambda *v: jnp.stack(v), *outputs)


class Bench:
    """A layer of a row, its values, and what several checks look at, computed once."""

    def __init__(self, row):
        self.row = row
        self.inputs = arrays(row, row.inputs)
        self.layer = self.make()
        self.params, self.state = self.layer.init(jax.random.key(1), *self.inputs)

    def make(self):
        """Another layer of the row."""
        kwargs = {k: make(jkeras, v) for k, v in self.row.kwargs.items()}
        return getattr(jkeras.layers, self.row.layer)(**kwargs)

    @functools.cached_property
    def compiled(self):
        """(output, state, output by vmap over the batch) at inference, in one compiled call; and
        how often traced.
        """
        layer, traces = self.layer, []

        def run(params, state, inputs):
            traces.append(1)

            def one(inputs):
                y, _ = layer.apply(
                    params, state, *jax.tree_util.tree_map(lambda v: v[None], inputs), **INFERENCE
                )
                return jax.tree_util.tree_map(lambda v: v[0], y)

            mapped = stacked(one, inputs) if self.row.texts else jax.vmap(one)(inputs)
            return *layer.apply(params, state, *inputs, **INFERENCE), mapped

        if self.row.texts:
            return *run(self.params, self.state, self.inputs), len(traces)
        run = jax.jit(run)
        outputs = run(self.params, self.state, self.inputs)
        run(jax.tree_util.tree_map(lambda v: v * 2, self.params), outputs[1], self.inputs)
        return *outputs, len(traces)

    @functools.cached_property
    def trained(self):
        """(gradients by the weights, state) of a training step, in one compiled call."""

        def run(params, state, inputs):
            def loss(params):
                y, new = self.layer.apply(params, state, *inputs, training=True, rng=KEY)
                return weighted_sum(y), new

            return jax.grad(loss, has_aux=True)(params)

        return compiled(run, self.row)(self.params, self.state, self.inputs)


@pytest.fixture(scope="module", params=every(3, ROWS), ids=[row.layer for row in ROWS])
def bench(request):
    return Bench(request.param)


@pytest.fixture(autouse=True)
def expected_failure(request):
    """Marks what the row says will fail; such a check must fail."""
    if "bench" in request.fixturenames:
        check = request.function.__name__.removeprefix("test_")
        reason = request.getfixturevalue("bench").row.expected.get(check)
        if reason:
            request.node.add_marker(
                pytest.mark.xfail(reason=reason, strict=True, raises=(AssertionError, TypeError))
            )


def test_every_layer_has_a_row():
    classes = [getattr(jkeras.layers, row.layer) for row in ROWS]
    missing = sorted(c.__name__ for c in layer_classes() - set(classes))
    assert not missing, f"add a row to tests/common/table.py for {missing}"
    assert len(set(classes)) == len(classes), "one row for each class"


@pytest.mark.promise("A built-in layer is a record")
@pytest.mark.promise("a record | annotated fields")
@pytest.mark.promise("so there is nothing else to write")
def test_config_round_trip(bench):
    config = bench.layer.get_config()
    if bench.row.layer != "Lambda":  # its config holds code
        config = json.loads(json.dumps(config))
    with jkeras.utils.CustomObjectScope(
        dict(double=double, affine=affine, affine_params=affine_params, Affine=Affine)
    ):
        again = type(bench.layer).from_config(config)
    assert plain(again.get_config()) == plain(bench.layer.get_config())
    again.init(0, *bench.inputs)
    agree(
        again.apply(bench.params, bench.state, *bench.inputs, **INFERENCE)[0],
        bench.compiled[0],
        "output",
    )


@pytest.mark.promise("It is data, found on shapes alone")
@pytest.mark.promise("`init` looks at the shape")
def test_init(bench):
    """The key alone decides the weights; no other key gives them."""
    layer = bench.make()
    again, _ = layer.init(jax.random.key(1), *_specs(bench.inputs))
    agree(again, bench.params, "same key", rtol=0, atol=0)
    other, _ = layer.init(jax.random.key(2), *bench.inputs)
    for a, b in zip(jax.tree_util.tree_leaves(bench.params), jax.tree_util.tree_leaves(other)):
        constant = np.isin(a, (0.0, 1.0)).all()
        assert constant or not np.array_equal(a, b)


def test_eager_is_jit_is_vmap(bench):
    y, _, mapped, _ = bench.compiled
    layer = bench.make()
    layer(*bench.inputs, **INFERENCE)
    if bench.params:
        layer.params = bench.params
    layer.state = {k: v for k, v in bench.state.items() if k != "losses"}
    agree(layer(*bench.inputs, **INFERENCE), y, "eager call")
    agree(mapped, y, "vmap")


def test_symbolic_shape(bench):
    """The shape of the symbolic output is the real one, its batch unknown."""
    layer, y = bench.make(), bench.compiled[0]
    dtype = "string" if bench.row.texts else "int32" if bench.row.ints else "float32"
    symbols = jax.tree_util.tree_map(
        lambda s: jkeras.KerasTensor(batchless(s), dtype), list(bench.row.inputs), is_leaf=is_shape
    )
    outputs = layer(*symbols)
    is_symbol = dict(is_leaf=lambda t: isinstance(t, jkeras.KerasTensor))
    got = [
        (t.shape, str(jax.dtypes.canonicalize_dtype(t.dtype)))  # int64 is int32 on JAX
        for t in jax.tree_util.tree_leaves(outputs, **is_symbol)
    ]
    assert got == [(batchless(v.shape), str(v.dtype)) for v in jax.tree_util.tree_leaves(y)]
    shapes = jax.tree_util.tree_map(batchless, list(bench.row.inputs), is_leaf=is_shape)
    computed = bench.layer.compute_output_shape(*shapes)
    assert [tuple(s) for s in jax.tree_util.tree_leaves(computed, is_leaf=is_shape)] == [
        s for s, _ in got
    ]


@pytest.fixture
def half_precision():
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    yield
    jkeras.config.set_dtype_policy("float32")


def test_bfloat16(bench, half_precision):
    layer = bench.make()
    params, state = layer.init(jax.random.key(1), *bench.inputs)
    agree(params, bench.params, "the weights stay float32", rtol=0, atol=0)
    y, _ = compiled(lambda p, s, x: layer.apply(p, s, *x, **INFERENCE), bench.row)(
        params, state, bench.inputs
    )
    for mine, exact in zip(
        jax.tree_util.tree_leaves(y), jax.tree_util.tree_leaves(bench.compiled[0])
    ):
        assert mine.dtype == (jnp.bfloat16 if is_float(exact) else exact.dtype)
        np.testing.assert_allclose(np.asarray(mine, "float32"), exact, rtol=4e-2, atol=4e-2)


def test_gradients(bench):
    gradients, _ = bench.trained
    agree(
        jax.tree_util.tree_map(jnp.shape, gradients),
        jax.tree_util.tree_map(jnp.shape, bench.params),
    )
    for path, g in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(g).all(), f"gradient of {jax.tree_util.keystr(path)} is not finite"
        assert np.abs(g).max() > 1e-6, f"gradient of {jax.tree_util.keystr(path)} is zero"


@pytest.mark.promise("A `StatefulLayer` returns")
@pytest.mark.promise("A weight with `trainable=False`")
@pytest.mark.promise("What `call` changes or")
def test_state_changes_only_in_training(bench):
    agree(_kept(bench.compiled[1]), _kept(bench.state), "state after inference", rtol=0, atol=0)
    after = jax.tree_util.tree_leaves(_kept(bench.trained[1]))
    changed = [
        not np.array_equal(a, b)
        for a, b in zip(after, jax.tree_util.tree_leaves(_kept(bench.state)))
    ]
    assert any(changed) == bench.row.changes


def test_no_retrace(bench):
    assert bench.compiled[-1] == 1


@pytest.mark.parametrize(
    "mode", every(2, [dict(training=True, rng=KEY), INFERENCE]), ids=["training", "inference"]
)
def test_no_tracer_stays(bench, mode):
    """Neither does JAX find a leaked tracer, nor is one in the layer."""
    layer = bench.make()
    params, state = layer.init(0, *bench.inputs)
    with jax.checking_leaks():
        apply = functools.partial(layer.apply, **mode)
        if bench.row.texts:
            jax.make_jaxpr(lambda p, s: apply(p, s, *bench.inputs))(params, state)
        else:
            jax.make_jaxpr(apply)(params, state, *bench.inputs)
    for _, part in walk(layer):
        for name, value in part.__dict__.items():
            leaves = jax.tree_util.tree_leaves(
                [value, [v.held for v in getattr(part, "_own", {}).values()]]
            )
            assert not any(isinstance(v, jax.core.Tracer) for v in leaves), (
                f"a tracer in {part}.{name}"
            )


def test_numpy_input(bench):
    y, _ = bench.layer.apply(bench.params, bench.state, *bench.inputs, **INFERENCE)
    others = jax.tree_util.tree_map(
        np.ndarray.tolist if bench.row.texts else jnp.asarray, bench.inputs
    )
    agree(
        bench.layer.apply(bench.params, bench.state, *others, **INFERENCE)[0],
        y,
        "other inputs",
        rtol=0,
        atol=0,
    )
    agree(y, bench.compiled[0], "numpy arrays")


@pytest.mark.promise("Every layer and every model")
@pytest.mark.promise("`fit`, `save` and the pure")
def test_pair(bench):
    init, apply = bench.make().pair()
    params, state = init(jax.random.key(1), *bench.inputs)
    agree((params, state), (bench.params, bench.state), "init", rtol=0, atol=0)
    y, new_state = apply(params, state, *bench.inputs, **INFERENCE)
    agree(y, bench.compiled[0], "apply")
    assert jax.tree_util.tree_structure(new_state) == jax.tree_util.tree_structure(state)


def test_copies(bench):
    """A deep copy and an unpickled layer give the same outputs and share nothing."""
    layer = bench.make()
    y = layer(*bench.inputs, **INFERENCE)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        agree(twin(*bench.inputs, **INFERENCE), y, "copy", rtol=0, atol=0)
        assert not {id(w) for w in twin.weights} & {id(w) for w in layer.weights}
        assert plain(twin.get_config()) == plain(layer.get_config())


def _specs(inputs):
    return jax.tree_util.tree_map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), inputs)


def _kept(state):
    return {k: v for k, v in state.items() if k != "losses"}
