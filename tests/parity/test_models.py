"""Whole models in both libraries: weights in order, predictions, gradients, JSON and copies."""

import json
import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from tests.parity import builders
from tests.parity.both import (
    GRADIENTS,
    LIBRARIES,
    agree,
    clear,
    fill,
    is_float,
    plain,
    table,
    weighted_sum,
)
from tests.parity.builders import BUILDERS, inputs_of
from tests.thinning import every

LOOSE = dict(rtol=5e-5, atol=5e-6)
GRAPHS = [b for b in BUILDERS if b is not builders.subclass]


def models_of(builder):
    """The model by jkeras and by Keras, with the same weights."""
    made = []
    for library in LIBRARIES:
        clear()
        model = builder(library)
        if not model.built:
            model(inputs_of(builder))
        made.append(model)
    for model in made:
        model.set_weights(fill(made[0].get_weights()))
    return made


def named(builder):
    return pytest.param(builder, id=builder.__name__)


@pytest.mark.parametrize("builder", every(2, [named(b) for b in BUILDERS]))
def test_model(builder):
    mine, theirs = models_of(builder)
    x = inputs_of(builder)
    assert table(mine) == table(theirs)
    assert [w.path for w in mine.weights] == [w.path for w in theirs.weights]
    assert [layer.name for layer in mine.layers] == [layer.name for layer in theirs.layers]
    assert mine.count_params() == theirs.count_params()
    agree(
        mine.predict(x, batch_size=2, verbose=0),
        theirs.predict(x, batch_size=2, verbose=0),
        "predict",
        **LOOSE,
    )
    agree(mine(x), theirs(x), "call", **LOOSE)
    agree(gradients(mine, x), gradients(theirs, x), "stateless call and gradients", **GRADIENTS)


def gradients(model, x):
    """Outputs, state, losses and gradients of a stateless call in training."""
    fixed = [v.value for v in model.non_trainable_variables]

    def loss(weights, x):
        outputs, state, losses = model.stateless_call(
            weights, fixed, x, training=True, return_losses=True
        )
        return weighted_sum(outputs) + sum(losses), (outputs, state, losses)

    x = jax.tree_util.tree_map(jnp.asarray, x)
    by = (0, 1) if all(map(is_float, jax.tree_util.tree_leaves(x))) else 0
    return jax.jit(jax.value_and_grad(loss, by, has_aux=True))(
        [v.value for v in model.trainable_variables], x
    )


@pytest.mark.parametrize("builder", every(2, [named(b) for b in GRAPHS]))
def test_json(builder):
    mine, theirs = models_of(builder)
    x, want = inputs_of(builder), theirs(inputs_of(builder))
    assert json.loads(plain(json.loads(mine.to_json()))) == json.loads(theirs.to_json())
    assert plain(mine.get_config()) == plain(theirs.get_config())
    for read in (
        jkeras.models.model_from_json(theirs.to_json()),
        keras.models.model_from_json(mine.to_json()),
    ):
        read.set_weights(mine.get_weights())
        agree(read(x), want, "after reading", **LOOSE)
    assert plain(json.loads(jkeras.models.model_from_json(theirs.to_json()).to_json())) == plain(
        json.loads(theirs.to_json())
    )


@pytest.mark.parametrize("builder", every(2, [named(b) for b in GRAPHS]))
def test_clone(builder):
    mine, theirs = models_of(builder)
    x = inputs_of(builder)
    clones = [
        library.models.clone_model(model) for library, model in zip(LIBRARIES, (mine, theirs))
    ]
    assert table(clones[0]) == table(clones[1])
    assert plain(clones[0].get_config()) == plain(clones[1].get_config())
    clones[0].set_weights(mine.get_weights())
    agree(clones[0](x), theirs(x), "clone", **LOOSE)
    assert not {id(w) for w in clones[0].weights} & {id(w) for w in mine.weights}
    again = type(mine).from_config(mine.get_config())
    again.set_weights(mine.get_weights())
    agree(again(x), theirs(x), "from_config", **LOOSE)


@pytest.mark.parametrize(
    "builder", [named(b) for b in [builders.two_ways, builders.nested, builders.regularized]]
)
def test_summary_counts(builder):
    totals = []
    for model in models_of(builder):
        lines = []
        model.layers[-1].trainable = False
        model.summary(print_fn=lambda text, lines=lines, **_: lines.append(str(text)))
        totals.append(re.findall(r"(\w+) params:\s*([\d,]+)", "\n".join(lines)))
    assert totals[0] == totals[1]


def test_clone_function_and_submodel():
    """`clone_function` changes layers on the way; a model up to an inner layer shares its
    weights.
    """
    got = []
    for library, model in zip(LIBRARIES, models_of(builders.two_ways)):

        def wider(layer, dense=library.layers.Dense):
            return (
                dense.from_config({**layer.get_config(), "units": 7})
                if layer.name == "left"
                else (type(layer).from_config(layer.get_config()))
            )

        clone = library.models.clone_model(model, clone_function=wider)
        part = library.Model(model.inputs, model.get_layer("left").output)
        got.append(
            (table(clone), part(inputs_of(builders.two_ways)), [w.path for w in part.weights])
        )
    assert got[0][0] == got[1][0] and got[0][2] == got[1][2]
    agree(got[0][1], got[1][1], "inner layer", **LOOSE)


def test_clone_is_compiled():
    """The clone of a compiled model is compiled alike, with an optimizer of its own."""
    for library, model in zip(LIBRARIES, models_of(builders.mlp)):
        model.compile(optimizer=library.optimizers.Adam(0.03), loss="mse", metrics=["mae"])
        clone = library.models.clone_model(model)
        assert clone.compiled and clone.optimizer is not model.optimizer
        assert float(clone.optimizer.learning_rate) == pytest.approx(0.03)


def test_sequential_grows_and_shrinks():
    """`add` and `pop`, before and after the first call."""
    seen = []
    for library in LIBRARIES:
        clear()
        model = library.Sequential(name="grown")
        model.add(library.layers.Dense(4, input_shape=(3,)))
        model.add(library.layers.Dense(2))
        shapes = [model.output_shape]
        model.pop()
        model.add(library.layers.Dense(5, activation="relu"))
        late = library.Sequential([library.layers.Dense(2), library.layers.Dense(1)])
        late.build((None, 3))
        seen.append(
            (
                shapes,
                model.output_shape,
                table(model),
                table(late),
                model.get_weights(),
                late(np.ones((2, 3))),
            )
        )
    assert seen[0][:4] == seen[1][:4]
    agree(seen[0][4:], seen[1][4:], "default initial weights from the same seed")


@pytest.mark.parametrize(
    "build",
    [
        lambda k: k.Sequential([k.Sequential([k.layers.Dense(2)]), k.layers.Dense(3)]),
        lambda k: k.Sequential([k.layers.Dense(2), k.Sequential([k.layers.Dense(2)])]),
        lambda k: k.Sequential(
            [k.Sequential([k.Input((6,)), k.layers.Dense(2)]), k.layers.Dense(3)]
        ),
        lambda k: k.Sequential([k.Sequential([k.Input((6,)), k.layers.Dense(2)])]),
    ],
)
def test_sequential_in_a_sequential(build):
    def of(k):
        clear()
        model = build(k)
        built = model.built, hasattr(model, "inputs"), len(model.weights)
        return built, model(np.ones((2, 6), "float32")).shape, [w.path for w in model.weights]

    mine, theirs = map(of, LIBRARIES)
    assert mine == theirs


@pytest.mark.parametrize("begin", [[], [(5, 4)]], ids=["built by a call", "with an Input"])
def test_sequential_takes_other_sizes_than_it_was_built_for(begin):
    """As long as its layers do: a time axis of another length, not another number of features."""
    shapes = []
    for library in LIBRARIES:
        layers = library.layers
        model = library.Sequential([*map(library.Input, begin), layers.Dense(3), layers.Dense(2)])
        model(np.ones((2, 5, 4), "float32"))
        shapes.append(
            (
                model(np.ones((2, 7, 4), "float32")).shape,
                model.predict(np.ones((3, 6, 4), "float32"), verbose=0).shape,
            )
        )
        with pytest.raises(ValueError, match="4"):
            model(np.ones((2, 5, 6), "float32"))
    assert shapes[0] == shapes[1] == ((2, 7, 2), (3, 6, 2))


@pytest.mark.promise("A functional or sequential")
def test_model_from_an_inner_tensor():
    """It begins with an input of its own and has the layers behind that tensor only, which it
    shares.
    """
    seen, values = [], []
    for library, model in zip(LIBRARIES, models_of(builders.attention)):
        inner = [layer for layer in model.layers if "norm" in layer.name][0].output
        part = library.Model(inner, [model.output, inner * 2.0], name="part")
        config = part.get_config()
        seen.append(
            (
                table(part),
                [type(layer).__name__ for layer in part.layers],
                part.count_params(),
                [len(entry["inbound_nodes"]) for entry in config["layers"]],
            )
        )
        values.append(
            (
                part(np.ones((2, 4, 6))),
                type(part).from_config(config).count_params(),
                model(inputs_of(builders.attention)),
            )
        )
    assert seen[0] == seen[1]
    agree(values[0], values[1], "inner part", **LOOSE)


@pytest.mark.parametrize("library", LIBRARIES, ids=["jkeras", "keras"])
def test_arguments_that_a_model_does_not_have(library, recwarn):
    """A graph leaves them out, here with a warning, and that of a subclass that hands on its config
    does; other models refuse them.
    """

    class Graph(library.Model):
        def __init__(self, units, **kwargs):
            x = library.Input((3,))
            super().__init__(x, library.layers.Dense(units)(x), **kwargs)

    class Own(library.Model):
        pass

    x = library.Input((3,))
    y = library.layers.Dense(2)(x)
    plain = library.Model(x, y, nmae="m", trainable=False)
    handed_on = Graph(2, sliding=1, name="g")
    assert (plain.trainable, handed_on.name) == (False, "g")
    assert handed_on(np.ones((1, 3))).shape == plain(np.ones((1, 3))).shape == (1, 2)
    if library is jkeras:
        texts = [str(warning.message) for warning in recwarn]
        assert "['nmae']" in texts[0] and "Did you mean 'name'?" in texts[0]
        assert "['sliding']" in texts[1]
        assert recwarn[0].filename == __file__
    with pytest.raises(ValueError, match="Unrecognized keyword arguments"):
        Own(foo=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        library.Sequential(foo=1)


def test_outputs_keep_the_order_of_their_dict():
    orders = []
    for library in LIBRARIES:
        x = library.Input((2,), name="x")
        model = library.Model({"x": x}, {"z": x * 2.0, "a": x + 1.0})
        orders.append(
            (
                list(model({"x": np.ones((1, 2))})),
                list(model.output),
                list(model.get_config()["output_layers"]),
            )
        )
    assert orders[0] == orders[1]


def test_call_may_name_its_arguments_freely():
    """`self` under another name, and inputs with names that built-in layers use inside."""
    got = []
    for library in LIBRARIES:

        class Scaled(library.layers.Layer):
            def call(this, x, w=2.0):
                return x * w

        class Net(library.Model):
            def __init__(me):
                super().__init__()
                me.scaled = Scaled()

            def call(me, w, training=None):
                return me.scaled(w, w=3.0)

        got.append((Scaled()(np.ones((2, 3))), Net().predict(np.ones((2, 3)), verbose=0)))
    agree(got[0], got[1], "call")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        dict(run_eagerly=True),
        dict(jit_compile=False),
        dict(run_eagerly=True, jit_compile=True),
        dict(jit_compile=True, steps_per_execution=2),
    ],
    ids=str,
)
def test_compile_config(arguments):
    seen = []
    for model in models_of(builders.mlp):
        before = model.jit_compile
        model.compile("sgd", "mse", metrics=["mae"], **arguments)
        seen.append(
            (plain(model.get_compile_config()), before, model.jit_compile, bool(model.run_eagerly))
        )
    assert seen[0] == seen[1]


def test_branches_of_one_depth_draw_and_are_cloned_in_the_order_of_keras():
    def made(k):
        k.utils.set_random_seed(0)
        a, b = k.Input((4,)), k.Input((4,))
        drop = k.layers.Dropout(0.5, seed=3)
        model = k.Model([a, b], [drop(k.layers.Dense(3)(a)), drop(k.layers.Dense(3)(b))])
        x = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
        dropped = [np.asarray(v) for v in model([x, x], training=True)]
        return dropped + k.models.clone_model(model).get_weights()

    for ours, theirs in zip(made(jkeras), made(keras), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
