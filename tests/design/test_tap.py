"""`tap`: outputs of layers and changes of them, in every kind of model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.layer import Composite, layer

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


class Own(jkeras.Model):
    """A model as Keras's users write it."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(5, activation="tanh", name="hidden")
        self.out = layers.Dense(2, name="out")

    def call(self, x):
        return self.out(self.hidden(x))


@layer("tests")
class Pure(Composite):
    """The same as a pure function."""

    def __post_init__(self):
        self.hidden = layers.Dense(5, activation="tanh", name="hidden")
        self.out = layers.Dense(2, name="out")

    def forward(self, w, sub, x, ctx):
        return sub.out(sub.hidden(x))


def sequential():
    return jkeras.Sequential(
        [layers.Dense(5, activation="tanh", name="hidden"), layers.Dense(2, name="out")]
    )


def functional():
    inputs = jkeras.Input((4,))
    hidden = layers.Dense(5, activation="tanh", name="hidden")(inputs)
    return jkeras.Model(inputs, layers.Dense(2, name="out")(hidden))


def nested():
    inner = jkeras.Sequential([layers.Dense(5, activation="tanh", name="hidden")], name="inner")
    return jkeras.Sequential([inner, layers.Dense(2, name="out")])


def rematerialized():
    with jkeras.RematScope():
        return nested()


def built(make):
    model = make()
    model(X)
    return model


MODELS = {
    "sequential": sequential,
    "sequential, built": lambda: built(sequential),
    "functional": functional,
    "subclass": Own,
    "subclass, built": lambda: built(Own),
    "pure": Pure,
    "nested": nested,
    "nested subclass": lambda: jkeras.Sequential([Own()]),
    "rematerialized": rematerialized,
    "rematerialized, built": lambda: built(rematerialized),
}


def leaf(tree, *names):
    """The only arrays of these names below a tree."""
    found = []
    for path, value in jax.tree_util.tree_leaves_with_path(tree):
        path = [key.key for key in path]
        if path[-len(names) :] == list(names):
            found.append(value)
    (value,) = found
    return value


@pytest.mark.promise("A path is made of names")
@pytest.mark.promise("The gradient by a change")
@pytest.mark.promise("`add` changes what a layer")
@pytest.mark.promise("`model.tap` looks at the")
@pytest.mark.promise("`self.sow` | `model.tap`")
@pytest.mark.promise("hooks | `model.tap`: [Intermediate")
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_output_and_gradient_of_a_hidden_layer(name, jit):
    model = MODELS[name]()
    params, state = model.init(0, X)

    def run(change):
        y, _, seen = model.tap(params, state, X, at=["hidden"], add={"hidden": change})
        return y[:, 1].sum(), (y, seen["hidden"])

    differentiate = jax.value_and_grad(run, has_aux=True)
    if jit:
        differentiate = jax.jit(differentiate)
    (_, (y, hidden)), gradient = differentiate(jnp.zeros((3, 5)))
    wanted = np.tanh(X @ leaf(params, "hidden", "kernel"))
    kernel = leaf(params, "out", "kernel")
    np.testing.assert_allclose(hidden, wanted, atol=1e-6)
    np.testing.assert_allclose(y, wanted @ kernel, atol=1e-6)
    np.testing.assert_allclose(gradient, np.tile(kernel[:, 1], (3, 1)), atol=1e-6)
    _, (moved, seen) = run(jnp.ones((5,)))
    np.testing.assert_allclose(moved, (wanted + 1) @ kernel, atol=1e-6)
    np.testing.assert_allclose(seen, wanted + 1, atol=1e-6)


@pytest.mark.promise("whatever the model is made of, and builds nothing")
def test_what_is_not_tapped_stays_to_the_bit():
    model = built(functional)
    y, _ = model.apply(model.params, model.state, X)
    tapped, _, seen = model.tap(model.params, model.state, X, at=["hidden", "out", ""])
    assert np.array_equal(y, tapped)
    assert list(seen) == ["hidden", "out", ""]
    assert np.array_equal(y, seen["out"]) and np.array_equal(y, seen[""])


def test_state_and_losses_are_those_of_apply():
    model = jkeras.Sequential(
        [
            layers.Dense(5, activity_regularizer="l2", name="hidden"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
        ]
    )
    params, state = model.init(0, X)
    y, after = model.apply(params, state, X, training=True, rng=jax.random.key(1))
    given = {"training": True, "rng": jax.random.key(1), "at": ["hidden", "dropout"]}
    tapped, also, seen = model.tap(params, state, X, **given)
    np.testing.assert_array_equal(tapped, y)
    np.testing.assert_array_equal(seen["dropout"], y)
    jax.tree_util.tree_map(np.testing.assert_array_equal, also, after)


class TestShared:
    @pytest.fixture(params=["graph", "subclass"])
    def model(self, request):
        tower = jkeras.Sequential([layers.Dense(5, name="hidden")], name="tower")
        if request.param == "graph":
            a, b = jkeras.Input((4,)), jkeras.Input((4,))
            return jkeras.Model([a, b], tower(a) - tower(b))

        class Siamese(jkeras.Model):
            def __init__(self):
                super().__init__()
                self.tower = tower

            def call(self, inputs):
                return self.tower(inputs[0]) - self.tower(inputs[1])

        return Siamese()

    @pytest.mark.promise("A layer that is used twice")
    def test_calls_are_numbered(self, model):
        params, state = model.init(0, [X, 2 * X])
        kernel = leaf(params, "hidden", "kernel")
        at = ["tower/hidden#0", "tower/hidden#1", "tower/hidden", "tower"]
        _, _, seen = model.tap(params, state, [X, 2 * X], at=at)
        np.testing.assert_allclose(seen["tower/hidden#0"], X @ kernel, atol=1e-6)
        np.testing.assert_allclose(seen["tower/hidden#1"], 2 * X @ kernel, atol=1e-6)
        for both in ("tower/hidden", "tower"):
            np.testing.assert_allclose(
                seen[both], np.stack([X @ kernel, 2 * X @ kernel]), atol=1e-6
            )

    def test_a_change_is_of_one_call(self, model):
        params, state = model.init(0, [X, X])
        y, _, _ = model.tap(params, state, [X, X], add={"hidden#1": 3.0 * jnp.ones((3, 5))})
        np.testing.assert_allclose(y, np.full((3, 5), -3.0), atol=1e-6)
        with pytest.raises(ValueError, match="called more than once.*'hidden#0'"):
            model.tap(params, state, [X, X], add={"hidden": jnp.ones((3, 5))})
        with pytest.raises(ValueError, match="call 2 of it"):
            model.tap(params, state, [X, X], at="hidden#2")

    def test_calls_on_different_shapes_are_named(self):
        shared = layers.Dense(2, name="shared")
        a, b = jkeras.Input((3, 4)), jkeras.Input((5, 4))
        model = jkeras.Model([a, b], [shared(a), shared(b)])
        x = [np.ones((1, 3, 4), "float32"), np.ones((1, 5, 4), "float32")]
        with pytest.raises(ValueError, match="called 2 times, on different shapes"):
            model.tap(model.params, model.state, x, at=["shared"])


class TestStack:
    def block(self, name):
        return jkeras.Sequential(
            [layers.Dense(6, activation="tanh", name="up"), layers.Dense(4, name="down")], name=name
        )

    @pytest.fixture(params=[False, True], ids=["kept", "remat"])
    def model(self, request):
        stack = layers.Stack(self.block("block"), 3, remat=request.param, name="stack")
        return jkeras.Sequential([stack, layers.Dense(1, name="head")])

    def unrolled(self, params):
        """The same blocks one by one, and their params."""
        model = jkeras.Sequential(
            [*(self.block(f"block{i}") for i in range(3)), layers.Dense(1, name="head")]
        )
        values, _ = model.init(0, X)
        for i in range(3):
            for part, name in (("up", "kernel"), ("down", "kernel"), ("up", "bias")):
                values[f"block{i}"][part][name] = params["stack"][f"{part}_{name}"][i]
        return model, values | {"head": params["head"]}

    @pytest.mark.promise("is a layer of block 3 and")
    def test_is_as_its_blocks_one_by_one(self, model):
        params, state = model.init(0, X)
        change = jnp.asarray(np.random.default_rng(1).normal(size=(3, 3, 6)), "float32")
        places = ["stack/layer/up", "stack/2/down", "stack/1", "stack"]

        def run(change):
            add = {"stack/layer/up": change}
            y, _, seen = model.tap(params, state, X, at=places, add=add)
            return y.sum(), seen

        (_, seen), gradient = jax.value_and_grad(run, has_aux=True)(change)
        other, values = self.unrolled(params)
        names = [f"block{i}/{name}" for i in range(3) for name in ("up", "down")]

        def run_unrolled(change):
            add = {f"block{i}/up": change[i] for i in range(3)}
            y, _, seen = other.tap(values, {}, X, at=names, add=add)
            return y.sum(), seen

        (_, wanted), wanted_gradient = jax.value_and_grad(run_unrolled, has_aux=True)(change)
        ups = jnp.stack([wanted[f"block{i}/up"] for i in range(3)])
        np.testing.assert_allclose(seen["stack/layer/up"], ups, atol=1e-6)
        np.testing.assert_allclose(seen["stack/2/down"], wanted["block2/down"], atol=1e-6)
        np.testing.assert_allclose(seen["stack/1"], wanted["block1/down"], atol=1e-6)
        np.testing.assert_allclose(seen["stack"], wanted["block2/down"], atol=1e-6)
        np.testing.assert_allclose(gradient, wanted_gradient, atol=1e-6)

    def test_one_block_is_changed(self, model):
        params, state = model.init(0, X)
        change = jnp.ones((3, 6))
        both = {"stack/1/up": change, "stack/layer/up": jnp.zeros((3, 3, 6)).at[1].set(1.0)}
        alone = model.tap(params, state, X, add={"stack/1/up": change})[0]
        twice = model.tap(params, state, X, add=both)[0]
        whole = model.tap(params, state, X, add={"stack/layer/up": 2 * both["stack/layer/up"]})[0]
        assert not np.allclose(alone, twice)
        np.testing.assert_allclose(twice, whole, atol=1e-6)

    def test_errors(self, model):
        params, state = model.init(0, X)
        with pytest.raises(ValueError, match="a block from 0 to 2, received block 3"):
            model.tap(params, state, X, at="stack/3/up")
        with pytest.raises(ValueError, match="the blocks along the first axis"):
            model.tap(params, state, X, add={"stack/layer/up": jnp.ones((3, 6))})


def test_slices_of_a_time_distributed_layer():
    inner = jkeras.Sequential([layers.Dense(5, name="hidden"), layers.Dense(2)], name="inner")
    model = jkeras.Sequential([layers.TimeDistributed(inner, name="each")])
    x = np.random.default_rng(0).normal(size=(2, 7, 4)).astype("float32")
    params, state = model.init(0, x)
    kernel = leaf(params, "hidden", "kernel")
    y, _, seen = model.tap(params, state, x, at="hidden", add={"hidden": jnp.ones((2, 7, 5))})
    np.testing.assert_allclose(seen["hidden"], x @ kernel + 1, atol=1e-6)
    with pytest.raises(ValueError, match="with the slices along axis 1"):
        model.tap(params, state, x, add={"hidden": jnp.ones((5,))})


def test_masks_stay_beside_what_is_changed():
    model = jkeras.Sequential(
        [layers.Embedding(9, 4, mask_zero=True, name="words"), layers.LSTM(3)]
    )
    ids = np.array([[1, 2, 0, 0], [3, 4, 5, 0]])
    params, state = model.init(0, ids)
    y = model.apply(params, state, ids)[0]
    run = lambda change: model.tap(params, state, ids, add={"words": change})[0]  # noqa: E731
    np.testing.assert_array_equal(run(jnp.zeros((2, 4, 4))), y)
    gradient = jax.grad(lambda change: run(change).sum())(jnp.zeros((2, 4, 4)))
    assert not np.any(np.asarray(gradient)[ids == 0]) and np.all(np.any(gradient, -1) == (ids != 0))


class TestErrors:
    @pytest.mark.parametrize("key", ["hiden", "hidden/kernel", "hidden#x", 3])
    def test_no_such_place(self, key):
        model = built(functional)
        with pytest.raises(ValueError, match="tap") as caught:
            model.tap(model.params, model.state, X, at=[key])
        if key == "hiden":
            assert "Did you mean 'hidden'?" in str(caught.value)

    @pytest.mark.promise("Its end is enough where")
    def test_the_end_of_several_paths(self):
        parts = [jkeras.Sequential([layers.Dense(4, name="hidden")], name=n) for n in "ab"]
        model = jkeras.Sequential([jkeras.Input((4,)), *parts])
        with pytest.raises(ValueError, match=r"the end of \['a/hidden', 'b/hidden'\]"):
            model.tap(model.params, model.state, X, at="hidden")
        assert set(model.tap(model.params, model.state, X, at="a/hidden")[2]) == {"a/hidden"}

    def test_within_a_loop(self):
        model = jkeras.Sequential(
            [jkeras.Input((5, 4)), layers.RNN(layers.LSTMCell(3, name="cell"))]
        )
        with pytest.raises(ValueError, match="loop"):
            model.tap(model.params, model.state, np.ones((1, 5, 4), "float32"), at="cell")

    def test_within_a_transformation_of_ones_own(self):
        class Looping(layers.Layer):
            def __init__(self):
                super().__init__()
                self.inner = layers.Dense(4, name="inner")

            def call(self, x):
                return jkeras.ops.scan(lambda c, _: (self.inner(c), None), x, length=2)[0]

        model = jkeras.Sequential([jkeras.Input((4,)), Looping()])
        with pytest.raises(ValueError, match="loop"):
            model.tap(model.params, model.state, X, at="inner")

    def test_another_shape(self):
        model = built(functional)
        with pytest.raises(
            ValueError, match=r"a change of shape \(3, 5\), received shape \(3, 4\)"
        ):
            model.tap(model.params, model.state, X, add={"hidden": jnp.ones((3, 4))})
        with pytest.raises(ValueError, match="a change for each of the layer's 1 outputs"):
            model.tap(model.params, model.state, X, add={"hidden": [1.0, 2.0]})

    def test_a_layer_that_does_not_run(self):
        class Idle(Own):
            def call(self, x):
                return self.hidden(x)

        model = Idle()
        model.build((None, 4))
        model.out.build((None, 5))
        with pytest.raises(ValueError, match="runs in this pass"):
            model.tap(model.params, model.state, X, at="out")


class TestNames:
    @pytest.fixture(autouse=True)
    def first_names(self):
        jkeras.utils.clear_session(free_memory=False)
        layers.Dense(1)  # so that the next one has another number

    @pytest.mark.promise("Its end is enough where")
    def test_names_of_layers_do_for_automatic_keys(self):
        hidden = layers.Dense(5)
        model = jkeras.Sequential([jkeras.Input((4,)), hidden])
        assert hidden.name == "dense_1" and list(model.params) == ["dense"]
        _, _, seen = model.tap(model.params, model.state, X, at=["dense_1", "dense", hidden])
        np.testing.assert_array_equal(seen["dense_1"], seen["dense"])
        np.testing.assert_array_equal(seen[hidden], seen["dense"])

    def test_a_key_that_is_another_layers_name(self):
        hidden = layers.Dense(5)
        model = jkeras.Sequential([jkeras.Input((4,)), hidden, layers.Dense(2)])
        with pytest.raises(ValueError, match=r"the name or the key of \['dense', 'dense_1'\]"):
            model.tap(model.params, model.state, X, at="dense_1")
        change = {hidden: jnp.zeros((3, 5))}
        _, _, seen = model.tap(model.params, model.state, X, at=hidden, add=change)
        assert seen[hidden].shape == (3, 5)
