"""What all methods have in common: targets, inputs, batches, layers in the middle, purity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers
from tests.thinning import in_turn
from tests.explain.oracle import TARGETS, X, network

METHODS = {
    "saliency": {},
    "input_x_gradient": {},
    "smooth_grad": {"samples": 3, "rng": 0},
    "integrated_gradients": {"steps": 4},
    "gradient_shap": {"samples": 3, "rng": 0, "baseline": X},
    "grad_cam": {"at": "conv"},
    "grad_cam_plus_plus": {"at": "conv"},
    "occlusion": {"window": (4, 4)},
    "guided_backprop": {},
    "deconvnet": {},
    "guided_grad_cam": {"at": "conv"},
    "deep_lift": {},
    "lrp": {},
    "conductance": {"at": "conv", "steps": 3},
}
# one of each way to compute: derivatives, samples, windows, other rules, layers in the middle
QUICK = ("integrated_gradients", "grad_cam")
SLOW = (
    *("saliency", "gradient_shap", "occlusion", "guided_backprop", "guided_grad_cam"),
    *("deep_lift", "lrp", "conductance"),
)


@pytest.mark.parametrize("method", in_turn(METHODS, 2, QUICK, SLOW))
class TestAll:
    def run(self, method, x=X, target=TARGETS, **options):
        return getattr(explain, method)(network(), x, target, **METHODS[method], **options)

    @pytest.mark.promise("A method compiles once")
    def test_rows_are_explained_one_by_one(self, method):
        whole = self.run(method)
        assert isinstance(whole, np.ndarray) and whole.flags.writeable and len(whole) == 5
        np.testing.assert_allclose(self.run(method, batch_size=2), whole, atol=1e-6)

    @pytest.mark.promise("Every method is a function of a model")
    @pytest.mark.promise("With `params` and `state`")
    def test_is_pure(self, method):
        model = network()
        params = jax.tree_util.tree_map(lambda v: 2 * v, model.params)

        def run(params, x):
            return self.run(method, x, 3, params=params, state=model.state)

        doubled = jax.jit(run)(params, X)
        assert isinstance(doubled, jax.Array)
        np.testing.assert_allclose(doubled, run(params, X), atol=1e-4)
        assert not np.allclose(doubled, self.run(method, target=3), atol=1e-3)
        if "rng" not in METHODS[method]:  # random numbers follow from the number of the row
            one_by_one = jax.vmap(run, (None, 0))(params, X[:, None])[:, 0]
            np.testing.assert_allclose(one_by_one, doubled, atol=1e-4)

    @pytest.mark.promise("A method compiles once")
    def test_compiles_once(self, method):
        traces = []

        class Counting(layers.Layer):
            def call(self, x):
                traces.append(1)
                return x

        layer = network()
        inputs = jkeras.Input((8, 8, 1))
        model = jkeras.Model(inputs, layer(Counting()(inputs)))
        options = METHODS[method]
        run = lambda x, t: getattr(explain, method)(model, x, t, **options)  # noqa: E731
        first = run(X, TARGETS)
        before = len(traces)
        second = run(2 * X, TARGETS[::-1].copy())
        assert len(traces) == before and not np.array_equal(first, second)

    @pytest.mark.promise("Without it, it is the class")
    def test_the_class_that_is_predicted(self, method):
        predicted = network().predict(X, verbose=0).argmax(1)
        np.testing.assert_allclose(
            self.run(method, target=None), self.run(method, target=predicted), atol=1e-6
        )


class TestTargets:
    X = np.arange(6.0, dtype="float32").reshape(3, 2)

    @staticmethod
    def table(x):
        return jnp.stack([x, 2 * x, x**2], axis=1)  # (rows, 3, 2)

    @pytest.mark.promise("`target` says which output")
    def test_places_in_outputs_of_more_axes(self):
        ours = explain.saliency(self.table, self.X, target=(2, 1))
        np.testing.assert_allclose(ours, np.stack([np.zeros(3), 2 * self.X[:, 1]], 1))
        each = np.array([[0, 0], [1, 1], [2, 0]])
        ours = explain.saliency(self.table, self.X, target=each)
        np.testing.assert_allclose(ours, [[1, 0], [0, 2], [8, 0]])

    @pytest.mark.promise("A function of the inputs")
    @pytest.mark.promise("`target` says which output")
    def test_a_function_of_the_outputs(self):
        two = lambda x: {"a": x, "b": x**2}  # noqa: E731
        ours = explain.saliency(two, self.X, target=lambda y: y["b"].sum(1))
        np.testing.assert_allclose(ours, 2 * self.X)

    def test_one_output(self):
        np.testing.assert_allclose(explain.saliency(lambda x: x.sum(1), self.X), np.ones((3, 2)))
        ours = explain.saliency(lambda x: x.sum(1, keepdims=True), self.X)
        np.testing.assert_allclose(ours, np.ones((3, 2)))

    @pytest.mark.promise("Token numbers have no gradient")
    def test_errors(self):
        with pytest.raises(ValueError, match="a `target`, the output having more axes"):
            explain.saliency(self.table, self.X)
        with pytest.raises(ValueError, match="a target with 2 numbers.*received 1"):
            explain.saliency(self.table, self.X, target=1)
        with pytest.raises(ValueError, match="a class for each of 3 rows, received 2"):
            explain.saliency(lambda x: x, self.X, target=[0, 1])
        with pytest.raises(ValueError, match="one output, received 2"):
            explain.saliency(lambda x: [x, x], self.X, target=1)
        with pytest.raises(ValueError, match="one number for each of 3 rows"):
            explain.saliency(lambda x: x, self.X, target=lambda y: y)
        with pytest.raises(ValueError, match="at='embedding'"):
            explain.saliency(lambda x: x, np.array([[1, 2]]), target=0)

    def test_a_class_that_is_not_there(self):
        with pytest.raises(ValueError, match="a class from -2 to 1, received 5"):
            explain.saliency(lambda x: x, self.X, target=5)


def ends_the_mask(end):
    """A classifier of texts whose mask ends before the pooling."""
    jkeras.utils.set_random_seed(1)
    ids = jkeras.Input((5,), dtype="int32")
    words = layers.Embedding(
        9,
        4,
        mask_zero=True,
        name="words",
        embeddings_initializer=jkeras.initializers.RandomNormal(),
    )(ids)
    if end == "convolution":
        y = layers.Conv1D(3, 3, padding="same", activation="tanh", name="conv")(words)
    else:
        y = words + layers.MultiHeadAttention(2, 3)(words, words)
        y = layers.LayerNormalization(beta_initializer="ones")(y)
    y = layers.Dense(2, bias_initializer="ones")(layers.GlobalAveragePooling1D()(y))
    return jkeras.Model(ids, y)


@pytest.mark.promise("give attributions in the same structure")
def test_dicts_of_inputs():
    a, b = jkeras.Input((2,), name="a"), jkeras.Input((3,), name="b")
    joined = layers.Concatenate()([a, layers.Dense(2, activation="tanh")(b)])
    model = jkeras.Model({"a": a, "b": b}, layers.Dense(4)(joined))
    x = {"a": np.ones((6, 2), "float32"), "b": np.ones((6, 3), "float32")}
    ours, delta = explain.integrated_gradients(model, x, 1, return_delta=True, batch_size=4)
    assert ours["a"].shape == (6, 2) and ours["b"].shape == (6, 3)
    np.testing.assert_allclose(delta, 0, atol=1e-5)
    gradient = explain.saliency(model, x, 1)
    wanted = np.abs(model.layers[-1].kernel.numpy()[:2, 1])
    np.testing.assert_allclose(gradient["a"], np.tile(wanted, (6, 1)), atol=1e-6)


class TestText:
    IDS = np.array([[4, 2, 7, 0, 0], [1, 3, 0, 0, 0], [5, 5, 6, 1, 2]])

    @pytest.fixture
    def model(self):
        return jkeras.Sequential(
            [
                jkeras.Input((5,), dtype="int32"),
                layers.Embedding(9, 4, mask_zero=True, name="words"),
                layers.GlobalAveragePooling1D(),
                layers.Dense(2, name="out"),
            ]
        )

    @pytest.mark.promise("Give the layer that makes")
    @pytest.mark.promise("Padding has no part where")
    def test_at_an_embedding(self, model):
        """Of a mean of embeddings and a linear layer, in closed form; padding has no part."""
        lengths = (self.IDS > 0).sum(1)
        kernel = model.get_layer("out").kernel.numpy()[:, 1]
        embedded = model.get_layer("words").embeddings.numpy()[self.IDS]
        wanted = embedded * kernel / lengths[:, None, None] * (self.IDS > 0)[..., None]
        for method in (explain.input_x_gradient, explain.integrated_gradients):
            ours = method(model, self.IDS, 1, at="words", batch_size=2)
            np.testing.assert_allclose(ours, wanted, atol=1e-6)
            assert not np.any(ours[self.IDS == 0])

    @pytest.mark.promise("nothing is set to 0 afterwards, so that they add up")
    @pytest.mark.parametrize("end", ["convolution", "residual"])
    def test_padding_that_the_model_looks_at_has_its_part(self, end):
        """A mask ends at a convolution and at a sum by operator: from there on padding counts."""
        model = ends_the_mask(end)
        seen = model.tap(model.params, model.state, self.IDS, at=["words"])[2]["words"]
        before = model.tap(model.params, model.state, self.IDS, add={"words": -seen})[0][:, 1]
        now = model.apply(model.params, model.state, self.IDS, training=False)[0][:, 1]
        difference = np.asarray(now - before)
        given = {"at": "words", "return_delta": True}
        ours, delta = explain.integrated_gradients(model, self.IDS, 1, **given)
        np.testing.assert_allclose(ours.sum((1, 2)), difference, atol=1e-5)
        np.testing.assert_allclose(ours.sum((1, 2)) - difference, delta, atol=1e-6)
        assert np.abs(ours[self.IDS == 0]).max() > 1e-3
        lifted = explain.deep_lift(model, self.IDS, 1, at="words")
        np.testing.assert_allclose(lifted.sum((1, 2)), difference, atol=1e-5)

    @pytest.mark.parametrize("end", ["convolution", "residual"])
    def test_gradients_at_padding_are_those_of_the_model(self, end):
        model = ends_the_mask(end)
        seen = model.tap(model.params, model.state, self.IDS, at=["words"])[2]["words"]

        def total(change):
            given = {"add": {"words": change}, "training": False}
            return model.tap(model.params, model.state, self.IDS, **given)[0][:, 1].sum()

        wanted = np.asarray(jax.grad(total)(jnp.zeros_like(seen)))
        assert np.abs(wanted[self.IDS == 0]).max() > 1e-3
        given = {"target": 1, "at": "words"}
        for ours in (
            explain.saliency(model, self.IDS, **given),
            explain.smooth_grad(model, self.IDS, **given, samples=2, noise=np.zeros((2, 3, 5, 4))),
        ):
            np.testing.assert_allclose(np.abs(ours), np.abs(wanted), atol=1e-6)
        ours = explain.input_x_gradient(model, self.IDS, **given)
        np.testing.assert_allclose(ours, wanted * seen, atol=1e-6)

    def test_a_map_is_zero_at_padding_that_has_no_part(self, model):
        maps = explain.grad_cam(model, self.IDS, 1, at="words")
        assert maps.shape == (3, 5) and not np.any(maps[self.IDS == 0])
        looks = ends_the_mask("convolution")
        seen = looks.tap(looks.params, looks.state, self.IDS, at=["words"])[2]["words"]
        given = {"at": "words", "target": lambda y: y[:, 1]}
        slopes = explain.input_x_gradient(looks, self.IDS, **given) / seen
        wanted = np.maximum((slopes.mean(1, keepdims=True) * seen).sum(-1), 0)
        maps = explain.grad_cam(looks, self.IDS, 1, at="words")
        np.testing.assert_allclose(maps, wanted, atol=1e-6)

    def test_covered_words(self, model):
        """Of a layer's output windows are covered, and a baseline is in its shape."""
        kernel = model.get_layer("out").kernel.numpy()[:, 1]
        embedded = model.get_layer("words").embeddings.numpy()[self.IDS]
        is_word = self.IDS > 0
        weights = kernel * is_word[..., None] / is_word.sum(1)[:, None, None]
        given = {"at": "words", "window": (1, 4), "baseline": 0.5}
        ours = explain.occlusion(model, self.IDS, 1, **given)
        wanted = ((embedded - 0.5) * weights).sum(-1, keepdims=True)
        np.testing.assert_allclose(ours, np.broadcast_to(wanted, ours.shape), atol=1e-6)
        with pytest.raises(ValueError, match=r"a window within \(5, 4\)"):
            explain.occlusion(model, self.IDS, 1, at="words", window=(1,) * 3)

    def test_a_baseline_of_as_many_tokens_as_rows_is_a_row(self, model):
        ids = np.array([[4, 2, 7, 0, 0]] * 5)
        row = np.arange(20, dtype="float32").reshape(5, 4)  # (tokens, units), and 5 rows
        given = {"at": "words", "return_delta": True}
        ours, delta = explain.integrated_gradients(model, ids, 1, baseline=row, **given)
        alone, _ = explain.integrated_gradients(model, ids[:1], 1, baseline=row, **given)
        np.testing.assert_allclose(ours, np.repeat(alone, 5, 0), rtol=1e-5, atol=1e-6)

    def test_what_does_not_go_together_is_refused(self, model):
        given = {"at": "words", "target": 1}
        with pytest.raises(ValueError, match=r"a row of shape \(5, 4\).*received shape \(3,\)"):
            explain.integrated_gradients(model, self.IDS, baseline=np.zeros(3), **given)
        with pytest.raises(ValueError, match="rows of that layer's output"):
            explain.gradient_shap(model, self.IDS, baseline=self.IDS, **given)
        with pytest.raises(ValueError, match="rows of that layer's output"):
            explain.deep_lift(model, self.IDS, background=self.IDS, **given)
        with pytest.raises(ValueError, match="inputs that have a gradient, received int"):
            explain.conductance(model, self.IDS, **given)
        with pytest.raises(
            ValueError, match=r"attributions of shape \(3, 5, 4\), received shape \(3, 5\)"
        ):
            explain.infidelity(model, self.IDS, np.zeros((3, 5)), **given)
        with pytest.raises(
            ValueError, match=r"attributions of shape \(3, 5, 4\), received shape \(3, 5\)"
        ):
            explain.deletion(model, self.IDS, np.zeros((3, 5)), **given)

    def test_baseline_of_the_embedding(self, model):
        pad = model.get_layer("words").embeddings.numpy()[0]
        given = {"at": "words", "baseline": pad, "return_delta": True}
        ours, delta = explain.integrated_gradients(model, self.IDS, 1, **given)
        assert ours.shape == (3, 5, 4)
        np.testing.assert_allclose(delta, 0, atol=1e-6)


@pytest.mark.promise("`return_delta=True` says how")
def test_tolerance_takes_more_points():
    rough = lambda x: jnp.sin(20 * x)  # noqa: E731
    x = np.array([[1.0]], "float32")
    _, delta = explain.integrated_gradients(rough, x, steps=4, return_delta=True)
    assert abs(delta[0]) > 0.01
    given = {"steps": 4, "tolerance": 1e-3, "return_delta": True}
    ours, delta = explain.integrated_gradients(rough, x, **given)
    assert abs(delta[0]) <= 1e-3
    np.testing.assert_allclose(ours, np.sin([[20.0]]), atol=1e-3)


@pytest.mark.promise("So memory is that of one batch, whatever the method")
def test_memory_is_that_of_one_batch():
    """Of 300 points on one image: no more than 1.2 of a gradient of `batch_size` rows."""
    model = jkeras.Sequential(
        [jkeras.Input((32, 32, 3))]
        + [layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(4)]
        + [layers.GlobalAveragePooling2D(), layers.Dense(2)]
    )
    x = np.ones((10, 32, 32, 3), "float32")
    params, state = model.params, model.state

    def temporaries(function, *arguments):
        compiled = jax.jit(function).lower(*arguments).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    plain = temporaries(jax.grad(lambda x: model.apply(params, state, x)[0][:, 1].sum()), x)
    of_steps = lambda x: explain.integrated_gradients(  # noqa: E731
        model, x, 1, steps=300, batch_size=10, params=params, state=state
    )
    assert temporaries(of_steps, x[:1]) <= 1.2 * plain


def test_a_model_that_learns_on_is_explained_anew():
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(1, use_bias=False)])
    x = np.ones((1, 2), "float32")
    before = explain.saliency(model, x)
    model.layers[0].kernel.assign([[3.0], [-4.0]])
    np.testing.assert_allclose(explain.saliency(model, x), [[3.0, 4.0]])
    model.add(layers.Rescaling(2.0))
    np.testing.assert_allclose(explain.saliency(model, x), [[6.0, 8.0]])
    assert not np.allclose(before, [[3.0, 4.0]])


@pytest.mark.promise("finds a layer in a model")
def test_grad_cam_in_a_model_in_a_model():
    base = jkeras.Sequential(
        [jkeras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu", name="conv")], name="base"
    )
    tail = [layers.GlobalAveragePooling2D(), layers.Dense(3, name="out")]
    nested = jkeras.Sequential([jkeras.Input((8, 8, 1)), base, *tail])
    flat = jkeras.Sequential([jkeras.Input((8, 8, 1)), *base.layers, *tail])
    for at in ("base/conv", "conv", base.layers[-1]):
        np.testing.assert_array_equal(
            explain.grad_cam(nested, X, 1, at=at), explain.grad_cam(flat, X, 1, at="conv")
        )
    with pytest.raises(ValueError, match="channels over places"):
        explain.grad_cam(nested, X, 1, at="out")


def test_channels_first():
    model = jkeras.Sequential(
        [
            jkeras.Input((1, 8, 8)),
            layers.Permute((2, 3, 1)),
            layers.Conv2D(4, 3, name="conv"),
            layers.Permute((3, 1, 2), name="first"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    x = np.moveaxis(X, -1, 1)
    np.testing.assert_allclose(
        explain.grad_cam(model, x, 1, at="first", data_format="channels_first"),
        explain.grad_cam(model, x, 1, at="conv"),
        atol=1e-6,
    )


def test_occlusion_errors():
    with pytest.raises(ValueError, match="a window within"):
        explain.occlusion(network(), X, 1, window=(9, 9))
    with pytest.raises(ValueError, match="a window within"):
        explain.occlusion(network(), X, 1, window=(2, 2, 1, 1))


class TestPlaces:
    KIND = np.array([1, 3, 0, 2])
    NUM = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    ROWS = {"num": NUM, "kind": KIND}

    def mixed(self):
        """A table with a column of integers, of two layers with an interaction."""
        jkeras.utils.set_random_seed(4)
        num, kind = jkeras.Input((3,), name="num"), jkeras.Input((), dtype="int32", name="kind")
        both = layers.Concatenate()([num, layers.Embedding(5, 2, name="emb")(kind)])
        hidden = layers.Dense(4, activation="tanh", name="hidden")(both)
        return jkeras.Model({"num": num, "kind": kind}, layers.Dense(2, name="out")(hidden))

    def by_hand(self, model):
        """The same as a function of floats alone."""
        vectors = model.get_layer("emb").get_weights()[0][self.KIND]
        kernel, bias = model.get_layer("hidden").get_weights()
        last, offset = model.get_layer("out").get_weights()
        function = lambda x: jnp.tanh(x @ kernel + bias) @ last + offset  # noqa: E731
        return function, np.concatenate([self.NUM, vectors], 1)

    @pytest.mark.promise("Where some of them are")
    @pytest.mark.parametrize(
        "method, options",
        [
            ("saliency", {}),
            ("integrated_gradients", {"baseline": {"num": np.ones(3), "emb": np.zeros(2)}}),
            ("deep_lift", {}),
        ],
    )
    def test_inputs_and_layers_together(self, method, options):
        model = self.mixed()
        ours = getattr(explain, method)(
            model, self.ROWS, 1, at=["num", "emb"], batch_size=3, **options
        )
        function, x = self.by_hand(model)
        if options:
            options = {"baseline": np.concatenate(list(options["baseline"].values()))}
        wanted = getattr(explain, method)(function, x, 1, **options)
        np.testing.assert_allclose(ours["num"], wanted[:, :3], atol=1e-5)
        np.testing.assert_allclose(ours["emb"], wanted[:, 3:], atol=1e-5)
        if method == "saliency":
            alone = getattr(explain, method)(model, self.ROWS, 1, at=["num"])
            np.testing.assert_allclose(alone["num"], wanted[:, :3], atol=1e-5)

    def test_errors(self):
        model = self.mixed()
        run = lambda at: explain.saliency(model, self.ROWS, 1, at=at)  # noqa: E731
        with pytest.raises(ValueError, match=r"have a gradient.*`at=\['price', 'embedding'\]`"):
            run(None)
        with pytest.raises(ValueError, match="have a gradient, received int"):
            run(["num", "kind"])
        with pytest.raises(ValueError, match="'hidden' behind 'num'"):
            run(["num", "hidden"])
        with pytest.raises(ValueError, match="'out' behind 'hidden'"):
            run(["out", "hidden"])
        for at in ([], ["emb", "emb"], [model.get_layer("emb")]):
            with pytest.raises(ValueError, match="`at` of different paths"):
                run(at)
        for method in (explain.conductance, explain.grad_cam, explain.tcav):
            with pytest.raises(ValueError, match="have a gradient|channels over places|a layer"):
                given = {"normal": np.ones(2)} if method is explain.tcav else {}
                method(model, self.ROWS, 1, at=["num", "emb"], **given)

    def test_baselines_by_name(self):
        model = self.mixed()
        run = lambda b, at: explain.integrated_gradients(  # noqa: E731
            model, self.ROWS, 1, at=at, baseline=b, return_delta=True
        )
        both = ["num", "emb"]
        numbers, _ = run({"num": 0.5, "emb": 0.25}, both)
        rows, delta = run({"emb": np.full(2, 0.25), "num": np.full(3, 0.5)}, both)
        np.testing.assert_allclose(delta, 0, atol=1e-5)
        jax.tree_util.tree_map(lambda a, b: np.testing.assert_allclose(a, b), numbers, rows)
        with pytest.raises(ValueError, match=r"a dict of \['emb', 'num'\], received \['a', 'b'\]"):
            run({"a": 0.5, "b": 0.25}, both)
        with pytest.raises(ValueError, match="one baseline for each of 1 arrays, received 2"):
            run({"a": 0.5, "b": 0.25}, "emb")

    @pytest.mark.promise("A layer that is called")
    def test_a_call_of_a_shared_layer_is_named(self):
        a, b = jkeras.Input((4,)), jkeras.Input((4,))
        shared = layers.Dense(3, name="shared", activation="tanh")
        model = jkeras.Model([a, b], layers.Dense(2)(layers.Add()([shared(a), shared(b)])))
        x = [X[:, 0, :4, 0], X[:, 1, :4, 0]]
        for at in ("shared", shared):
            with pytest.raises(ValueError, match="called more than once.*as in 'shared#0'"):
                explain.integrated_gradients(model, x, 1, at=at)
        kernel = model.layers[-1].get_weights()[0][:, 1]
        of_second = explain.saliency(model, x, 1, at="shared#1")
        np.testing.assert_allclose(of_second, np.tile(np.abs(kernel), (5, 1)), atol=1e-6)

    def test_a_block_of_a_loop_is_named(self):
        stack = layers.Stack(layers.Dense(4, activation="tanh", name="step"), 5, name="stack")
        model = jkeras.Sequential([jkeras.Input((4,)), stack, layers.Dense(2)])
        x = X[:, 0, :4, 0]
        with pytest.raises(ValueError, match="the output of one block, received all"):
            explain.saliency(model, x, 1, at="stack/layer")
