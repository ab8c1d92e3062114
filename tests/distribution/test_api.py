"""`jkeras.distribution` beside `keras.distribution`: meshes, layouts, maps of them, mistakes."""

import copy
import pickle

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from tests.parity.both import LIBRARIES

ONE = ["cpu:0"]


def of_both(function):
    """What a function of a library's `distribution` module gives for jkeras and for Keras, errors
    as their classes.
    """

    def run(library):
        try:
            return function(library.distribution)
        except Exception as error:
            return type(error)

    mine, theirs = (run(library) for library in LIBRARIES)
    return mine, theirs


@pytest.mark.parametrize(
    "arguments",
    [
        ((1,), ["a"], ONE),
        ((1, 1), ["a", "b"], ONE),
        ((), ["a"], ONE),
        ((1,), [], ONE),
        ((1,), ["a", "b"], ONE),
        ((2,), ["a"], ONE),
        ((1, 1), ["a", "b"], [["cpu:0"]]),
    ],
    ids=str,
)
def test_meshes(arguments):
    def describe(d):
        mesh = d.DeviceMesh(*arguments)
        return repr(mesh), mesh.devices.tolist(), str(mesh.backend_mesh)

    mine, theirs = of_both(describe)
    assert mine == theirs


def _map(d):
    layouts = d.LayoutMap(d.DeviceMesh((1, 1), ["batch", "model"], ONE))
    layouts[".*dense.*kernel"] = (None, "model")
    layouts["net/dense/bias"] = d.TensorLayout(("model",))
    layouts[".*bias"] = ("batch",)
    return layouts


@pytest.mark.promise("Keys of a `LayoutMap` are regular expressions")
@pytest.mark.promise("A mesh has axes with names")
@pytest.mark.parametrize(
    "use",
    [
        lambda d: _map(d)["net/dense_1/kernel"].axes,
        lambda d: _map(d)["net/dense/bias"].axes,
        lambda d: _map(d)["conv/bias"].axes,
        lambda d: _map(d)["conv/kernel"],
        lambda d: _map(d).get("conv/kernel"),
        lambda d: list(_map(d)),
        lambda d: len(_map(d)),
        lambda d: _map(d).__setitem__(".*bias", (None,)),
        lambda d: _map(d).__setitem__("x", ["model"]),
        lambda d: _map(d).__setitem__("x", ("other",)),
        lambda d: _map(d).pop(".*bias").axes,
        lambda d: _map(d).__delitem__("nothing"),
        lambda d: repr(_map(d)["net/dense/bias"]),
        lambda d: (_map(d).__setitem__(".*kernel", (None,)), _map(d)["net/dense/kernel"])[1].axes,
        lambda d: [m.__setitem__(".*kernel", (None,)) or m["net/dense/kernel"] for m in [_map(d)]],
        lambda d: d.TensorLayout(("a",)).backend_layout,
        lambda d: d.TensorLayout(("a",), d.DeviceMesh((1,), ["b"], ONE)),
        lambda d: setattr(_map(d)["conv/bias"], "device_mesh", None),
    ],
)
def test_layouts(use):
    mine, theirs = of_both(use)
    assert mine == theirs


@pytest.mark.parametrize(
    "use",
    [
        lambda d: repr(d.DataParallel(devices=ONE)),
        lambda d: d.DataParallel(device_mesh="mesh"),
        lambda d: d.DataParallel(devices=ONE).get_data_layout((4, 2, 3)).axes,
        lambda d: d.DataParallel(devices=ONE).get_tensor_layout("dense/output"),
        lambda d: d.ModelParallel(),
        lambda d: d.ModelParallel(layout_map={}),
        lambda d: d.ModelParallel(layout_map=_map(d)).num_model_replicas,
        lambda d: (
            d.ModelParallel(layout_map=_map(d), batch_dim_name="model").get_data_layout((3, 2)).axes
        ),
        lambda d: d.ModelParallel(layout_map=_map(d)).get_tensor_layout("conv/bias").axes,
        lambda d: d.DataParallel(devices=ONE).distribute_dataset([1, 2]),
        lambda d: d.list_devices("CPU"),
        lambda d: d.get_device_count("cpu"),
        lambda d: d.distribution(),
    ],
)
def test_distributions(use):
    mine, theirs = of_both(use)
    assert mine == theirs


def test_variables_of_a_layer():
    def axes(library):
        d = library.distribution
        library.utils.clear_session(free_memory=False)
        with d.ModelParallel(layout_map=_map(d)).scope():
            model = library.Sequential(
                [
                    library.Input((4,)),
                    library.layers.Dense(2, name="dense"),
                    library.layers.BatchNormalization(name="norm"),
                ],
                name="net",
            )
            layouts = {w.path: d.distribution().get_variable_layout(w).axes for w in model.weights}
        assert d.distribution() is None
        return layouts

    assert axes(jkeras) == axes(keras)


def test_distribute_tensor():
    mesh = jkeras.distribution.DeviceMesh((1,), ["batch"], ONE)
    layout = jkeras.distribution.TensorLayout(("batch", None), mesh)
    x = np.ones((4, 2), "float32")
    for y in (
        jkeras.distribution.distribute_tensor(x, layout),
        jax.jit(lambda v: jkeras.distribution.distribute_tensor(v, layout))(x),
    ):
        assert y.sharding.is_equivalent_to(layout.backend_layout, 2)
        np.testing.assert_array_equal(y, x)
    symbol = jkeras.KerasTensor((None, 2))
    assert jkeras.distribution.distribute_tensor(symbol, layout) is symbol


def test_a_distributed_model_can_be_copied():
    with jkeras.distribution.FSDP(devices=ONE, min_size=1).scope():
        model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(2)])
        x = np.ones((3, 4), "float32")
        for twin in (
            copy.deepcopy(model),
            pickle.loads(pickle.dumps(model)),
            jkeras.models.clone_model(model),
        ):
            assert twin.predict(x, verbose=0).shape == (3, 2)


def test_a_data_set_for_each_process():
    """What a process of several gets of a data set: its part; all, with one replica of the model or
    if asked.
    """

    class Shards:
        def shard(self, num_shards, index):
            return num_shards, index

    class OfTwo(jkeras.distribution.DataParallel):
        num_model_replicas = 2

    parallel, single = OfTwo(devices=ONE), jkeras.distribution.DataParallel(devices=ONE)
    parallel.num_processes = single.num_processes = 2
    assert parallel.distribute_dataset(Shards()) == (2, 0)
    assert single.distribute_dataset([1, 2]) == [1, 2]
    with pytest.raises(ValueError, match="auto_shard_dataset"):
        parallel.distribute_dataset([1, 2])
    parallel.auto_shard_dataset = False
    assert parallel.distribute_dataset([1, 2]) == [1, 2]


def fitted_with(**layouts):
    """A model that was trained with layouts by these keys."""
    mesh = jkeras.distribution.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"])
    layout_map = jkeras.distribution.LayoutMap(mesh)
    for key, axes in layouts.items():
        layout_map[key] = axes
    given = {"layout_map": layout_map, "batch_dim_name": "batch"}
    with jkeras.distribution.ModelParallel(**given).scope():
        model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2, name="head")])
        model.compile("sgd", "mse")
        model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
        return model


@pytest.mark.parametrize(
    "key, match",
    [
        ("head.*kernel", r"'head.\*kernel' \(a part of '\w+/head/kernel' matches: write '.\*head"),
        ("sequential/haed/kernel", r"'sequential/haed/kernel' \(is it 'sequential\w*/head/kernel'"),
        ("nothing.*", "'nothing.\\*'. A key is matched with the whole path"),
    ],
)
def test_a_key_that_matches_nothing(key, match):
    with pytest.warns(UserWarning, match=match):
        fitted_with(**{key: (None, "model"), ".*/bias": ("model",)})


@pytest.mark.promise("Keys of a `LayoutMap` are")
def test_keys_that_match():
    fitted_with(**{".*/kernel": (None, "model"), ".*head/output": ("batch", "model")})


def test_parts_of_sequences_divide_the_devices():
    with pytest.raises(ValueError, match="ContextParallel: expected `sequence` to divide"):
        jkeras.distribution.ContextParallel(3, devices=["cpu:0"])


def test_what_can_be_with_the_host():
    with pytest.raises(ValueError, match="FSDP: Invalid value for argument `offload`"):
        jkeras.distribution.FSDP(devices=ONE, offload="weights")


@pytest.mark.promise("Counts and rates, which")
@pytest.mark.promise("A loop of your own may")
@pytest.mark.promise("an argument of all distributions")
def test_variables_of_an_optimizer_with_the_host():
    """Arrays lie there between uses, numbers do not; a value is on the device."""
    with jkeras.distribution.FSDP(devices=ONE, offload="optimizer").scope():
        optimizer = jkeras.optimizers.Adam()
        weight = jkeras.Variable(np.ones((2, 3), "float32"))
        optimizer.build([weight])
        optimizer.apply([np.ones((2, 3), "float32")])
        kinds = [v.own_value().sharding.memory_kind for v in optimizer.variables]
        assert kinds == ["device", "device", "pinned_host", "pinned_host"]
        assert {v.value.sharding.memory_kind for v in optimizer.variables} == {"device"}
        momentum = optimizer.variables[2]
        momentum.assign(momentum + 1)
        assert momentum.own_value().sharding.memory_kind == "pinned_host"
    np.testing.assert_allclose(momentum, np.full((2, 3), 1.1), rtol=1e-6)


@pytest.mark.promise("The state of an overridden `init_opt_state` is yours")
def test_a_state_of_ones_own_is_not_with_the_host():
    class Own(jkeras.Sequential):
        def init_opt_state(self, params):
            return {"mine": jnp.zeros((2,))}

        def pure_train_step(self, state, batch):
            mine = {"mine": state.opt_state["mine"] + 1}
            return state._replace(step=state.step + 1, opt_state=mine), {}

    with jkeras.distribution.FSDP(devices=ONE, offload="optimizer").scope():
        model = Own([jkeras.Input((2,)), jkeras.layers.Dense(3)])
        model.compile("adam")
        state = jkeras.training.init_train_state(model, 0)
        step = jax.jit(jkeras.training.make_train_step(model))
        after, _ = step(state, (np.ones((4, 2), "float32"),))
    kinds = [s.opt_state["mine"].sharding.memory_kind for s in (state, after)]
    assert kinds == ["device", "device"] and after.opt_state["mine"].tolist() == [1, 1]


def test_whole_weights_take_no_programs_of_their_own(monkeypatch):
    """They are made as without a distribution, since each device has all of each of them: a program
    for each would take longer than anything else where a device compiles slowly.
    """
    _build()  # what initializers jit at import is compiled once
    alone = [np.asarray(v) for v in _build().weights]
    monkeypatch.setattr(jax, "jit", None)
    with jkeras.distribution.DataParallel().scope():
        weights = _build().weights
        values = [v.value for v in weights]
    monkeypatch.undo()
    for variable, value, other in zip(weights, values, alone):
        np.testing.assert_array_equal(value, other)
        assert value.sharding == variable.sharding


def _build():
    jkeras.utils.set_random_seed(0)
    return jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(8), jkeras.layers.Dense(2)])
