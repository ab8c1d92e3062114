"""What attributions promise of any network: they add up to the difference of two scores. Of random
small networks with masks, shared layers, several inputs and operators.
"""

import warnings

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import explain, layers
from tests.properties.tools import SEEDS, property_of
import pytest

ROWS, STEPS, UNITS, CLASSES = 3, 5, 4, 3
SMOOTH = ("tanh", "gelu", "sigmoid", "silu", "softplus", "softmax")
KINKED = ("relu", "leaky_relu", "elu", "selu", "relu6", "hard_sigmoid")
NO_RULE = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")  # loops, for the rules of operations


class Drawing:
    """Draws a network, layer by layer, and remembers of what kinds they are."""

    def __init__(self, seed, kinks=True):
        self.rng = np.random.default_rng(seed)
        self.activations = SMOOTH + KINKED if kinks else SMOOTH
        self.kinks = kinks
        self.kinds = []

    def one(self, *among):
        return among[self.rng.integers(len(among))]

    def layer(self, kind, *args, **options):
        self.kinds.append(kind)
        return getattr(layers, kind)(*args, **options)

    def dense(self, **options):
        return self.layer("Dense", UNITS, activation=self.one(*self.activations), **options)

    # ------------------------------------------------------------ sequences (rows, steps, units)

    def block(self, h):
        """A layer, or some with an operation between them."""
        return self.one(
            self._dense,
            self._convolution,
            self._recurrent,
            self._attention,
            self._normalization,
            self._gate,
            self._shared,
            self._residual,
            self._ratio,
            self._more_attention,
            self._other,
            self._product,
            self._called,
            self._nested,
        )(h)

    def _dense(self, h):
        return self.dense()(h)

    def _convolution(self, h):
        activation, padding = self.one(*self.activations), self.one("same", "causal")
        kind = "Conv1D" if padding == "causal" else self.one("Conv1D", "SeparableConv1D")
        return self.layer(kind, UNITS, 3, padding=padding, activation=activation)(h)

    def _recurrent(self, h):
        kind = self.one("LSTM", "GRU", "SimpleRNN")
        if self.one(True, False):
            inner = getattr(layers, kind)(UNITS // 2, return_sequences=True)
            return self.layer("Bidirectional", inner)(h)
        return self.layer(kind, UNITS, return_sequences=True)(h)

    def _attention(self, h):
        if self.one(True, False):
            causal = bool(self.rng.integers(2))
            return self.layer("MultiHeadAttention", 2, 3)(h, h, use_causal_mask=causal)
        return self.layer("Attention")([h, self.dense()(h)])

    def _more_attention(self, h):
        if self.one(True, False):
            causal = bool(self.rng.integers(2))
            return self.layer("GroupQueryAttention", 3, 2, 1)(h, h, use_causal_mask=causal)
        return self.layer("AdditiveAttention")([h, self.dense()(h)])

    def _other(self, h):
        """A layer that looks at each place, or at all of them, in its own way."""
        make = self.one(
            lambda: self.layer("Conv1DTranspose", UNITS, 2, padding="same"),
            lambda: self.layer("DepthwiseConv1D", 2, padding="same", activation="tanh"),
            lambda: self.layer("EinsumDense", "abc,bd->adc", (STEPS, UNITS)),
            lambda: self.layer("TimeDistributed", self.dense()),
            lambda: self.layer("GroupNormalization", 2, epsilon=0.1),
            lambda: self.layer("PReLU") if self.kinks else self.layer("Activation", "softmax"),
            lambda: self.layer("Rescaling", 0.5, 0.1),
        )
        return make()(h)

    def _product(self, h):
        """Operators of two values that both depend on the input."""
        one, other = self.dense()(h), self.dense()(h)
        scores = one @ jkeras.ops.transpose(other, (0, 2, 1))
        return 0.2 * (scores @ h) - one

    def _called(self, h):
        """Functions rather than layers."""
        functions = [jkeras.ops.gelu, jkeras.ops.tanh, lambda x: x * jkeras.ops.sigmoid(x)]
        if self.kinks:
            functions += [lambda x: abs(x) - 1.0, lambda x: jkeras.ops.maximum(x, 0.1 * x)]
        function = self.one(*functions)
        return layers.Lambda(function)(h) if self.one(True, False) else function(h)

    def _nested(self, h):
        """A model in a model, which is called twice."""
        inputs = jkeras.Input((None, UNITS))
        inner = jkeras.Model(inputs, inputs - self.dense()(inputs))
        return inner(h) + inner(2.0 * h)

    def _normalization(self, h):
        kinds = "LayerNormalization", "BatchNormalization", "RMSNormalization"
        if self.one(*kinds) == "BatchNormalization":
            return self.layer("BatchNormalization")(h)
        return self.layer(self.one("LayerNormalization", "RMSNormalization"), epsilon=0.1)(h)

    def _gate(self, h):
        other = self.layer("Dense", UNITS, activation="sigmoid")(h)
        return self.dense()(h) * other if self.one(True, False) else layers.Multiply()([h, other])

    def _shared(self, h):
        shared = self.dense()
        return shared(shared(h))

    def _residual(self, h):
        inner = self.one(self._dense, self._attention, self._convolution)(h)
        return h + inner if self.one(True, False) else layers.Add()([h, inner])

    def _ratio(self, h):
        return h / (1.5 + jkeras.ops.square(self.dense()(h)))

    def pooled(self, h):
        kinds = ["GlobalAveragePooling1D", "Flatten"] + ["GlobalMaxPooling1D"] * self.kinks
        return self.layer(self.one(*kinds))(h)

    # ------------------------------------------------------------ networks

    def network(self):
        """(model, inputs, what `at` is)."""
        return self.one(self._sequence, self._text, self._several, self._image)()

    def _finished(self, inputs, h):
        for _ in range(self.rng.integers(1, 4)):
            h = self.block(h)
        if self.kinks and self.one(True, False):
            h = self.layer(self.one("MaxPooling1D", "AveragePooling1D"), 2)(h)
        model = jkeras.Model(inputs, layers.Dense(CLASSES)(self.pooled(h)))
        return self.filled(model)

    def filled(self, model):
        """A model with random weights, those of normalizations too."""
        for weight in model.weights:
            value = 0.6 * self.rng.normal(size=weight.shape)
            positive = any(word in weight.path for word in ("variance", "gamma", "scale"))
            weight.assign(np.abs(value) + 0.5 if positive else value)
        return model

    def numbers(self, *shape):
        return self.rng.normal(size=(ROWS, *shape)).astype("float32")

    def _sequence(self):
        inputs = jkeras.Input((STEPS, UNITS))
        return self._finished(inputs, inputs), self.numbers(STEPS, UNITS), None

    def _text(self):
        ids = jkeras.Input((STEPS,), dtype="int32")
        masked = bool(self.rng.integers(2))
        words = layers.Embedding(7, UNITS, mask_zero=masked, name="words")(ids)
        lengths = self.rng.integers(1, STEPS + 1, ROWS)
        x = self.rng.integers(1, 7, (ROWS, STEPS)) * (np.arange(STEPS) < lengths[:, None])
        return self._finished(ids, words), x, "words"

    def _several(self):
        inputs = {"a": jkeras.Input((STEPS, UNITS)), "b": jkeras.Input((UNITS,))}
        repeated = layers.RepeatVector(STEPS)(self.dense()(inputs["b"]))
        h = layers.Concatenate()([inputs["a"], repeated])
        x = {"a": self.numbers(STEPS, UNITS), "b": self.numbers(UNITS)}
        return self._finished(inputs, self.dense()(h)), x, None

    def _image(self):
        """Of two dimensions or three."""
        shape = self.one((6, 6, 2), (4, 4, 4, 2))
        rank = f"{len(shape) - 1}D"
        inputs = h = jkeras.Input(shape)
        for _ in range(self.rng.integers(1, 3)):
            h = self._pixels(rank)(h)
        pools = [f"AveragePooling{rank}"] + [f"MaxPooling{rank}"] * self.kinks
        h = layers.Flatten()(self.layer(self.one(*pools), 2, padding="same")(h))
        model = jkeras.Model(inputs, layers.Dense(CLASSES)(h))
        return self.filled(model), self.numbers(*shape), None

    def _pixels(self, rank):
        """A layer of images or volumes."""
        kinds = [f"Conv{rank}", f"Conv{rank}Transpose"]
        kinds += ["BatchNormalization", f"SpatialDropout{rank}", f"ZeroPadding{rank}"]
        if rank == "2D":
            kinds += ["DepthwiseConv2D", "SeparableConv2D"]
        kind = self.one(*kinds)
        if kind == "BatchNormalization":
            return self.layer(kind)
        if kind.startswith(("Spatial", "Zero")):
            return self.layer(kind, *([0.5] if kind.startswith("S") else [1]))
        sizes = (2,) if kind == "DepthwiseConv2D" else (UNITS, 2)
        return self.layer(kind, *sizes, activation=self.one(*self.activations))

    def plain(self):
        """(model, inputs) without biases, of what relevance is kept by."""
        shape = self.one((STEPS, UNITS), (6, 6, 2))
        inputs = h = jkeras.Input(shape)
        convolution, pools = (
            ("Conv1D", ("MaxPooling1D", "AveragePooling1D"))
            if len(shape) == 2
            else ("Conv2D", ("MaxPooling2D", "AveragePooling2D"))
        )
        for _ in range(self.rng.integers(1, 4)):
            given = {"use_bias": False, "activation": self.one("relu", "tanh", "linear", "silu")}
            new = self.one(
                self.layer("Dense", UNITS, **given),
                self.layer(convolution, UNITS, 2, padding="same", **given),
            )(h)
            same = new.shape == h.shape
            join = self.one("none", "sum", "Add", "Concatenate")
            if join == "Concatenate":
                new = layers.Concatenate()([h, new])
            elif same and join != "none":
                new = h + new if join == "sum" else layers.Add()([h, new])
            h = new
        h = self.layer(self.one(*pools), 2)(h)
        model = jkeras.Model(inputs, layers.Dense(CLASSES, use_bias=False)(layers.Flatten()(h)))
        return self.filled(model), self.numbers(*shape)


def difference(model, x, at, target):
    """The score of each row less that of zeros, by the model's own passes; in float64."""

    @jax.jit
    def scores(*given):
        now = model.apply(*given, training=False)[0]
        if at is None:
            zeros = jax.tree_util.tree_map(jnp.zeros_like, given[2])
            return now, model.apply(*given[:2], zeros, training=False)[0]
        seen = model.tap(*given, at=[at], training=False)[2][at]
        return now, model.tap(*given, add={at: -seen}, training=False)[0]

    now, before = scores(model.params, model.state, x)
    return np.float64(now)[:, target] - np.float64(before)[:, target]


def sums(attributions):
    """What a row's attributions add up to."""
    leaves = jax.tree_util.tree_leaves(attributions)
    return sum(np.float64(leaf).reshape(ROWS, -1).sum(1) for leaf in leaves)


def close(found, wanted, tolerance):
    scale = 1 + np.abs(wanted).max()
    np.testing.assert_allclose(found / scale, wanted / scale, rtol=0, atol=tolerance)


def drawn(seed, kinks):
    drawing = Drawing(seed, kinks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where a mask ends
        return drawing, *drawing.network()


@pytest.mark.promise("`integrated_gradients`, `deep_lift` and")
@property_of(8, seed=SEEDS)
def test_integrated_gradients_add_up(seed):
    """Of smooth networks to the error of the quadrature, which `delta` tells."""
    _, model, x, at = drawn(seed, kinks=False)
    given = {"steps": 40, "return_delta": True, "at": at, "batch_size": 256}
    ours, delta = explain.integrated_gradients(model, x, 1, **given)
    wanted = difference(model, x, at, 1)
    close(sums(ours) - wanted, np.float64(delta), 2e-5)
    close(sums(ours), wanted, 2e-3)


@pytest.mark.promise("`integrated_gradients`, `deep_lift` and")
@property_of(10, seed=SEEDS)
def test_deep_lift_adds_up(seed):
    """Exactly, kinks or not; or it names an operation that it has no rule for."""
    drawing, model, x, at = drawn(seed, kinks=True)
    try:
        ours = explain.deep_lift(model, x, 1, at=at)
    except ValueError as error:
        assert "a rule for" in str(error) and "`scan`" in str(error), error
        assert set(drawing.kinds) & set(NO_RULE), drawing.kinds
        return
    close(sums(ours), difference(model, x, at, 1), 2e-4)


@property_of(6, seed=SEEDS)
def test_relevance_is_kept(seed):
    """Without biases, by the rule that divides by what inputs add."""
    model, x = Drawing(seed).plain()
    score = np.float64(model.apply(model.params, model.state, x, training=False)[0])[:, 1]
    ours = explain.lrp(model, x, 1, epsilon=1e-12)
    close(sums(ours), score, 2e-3)


@pytest.mark.promise("`integrated_gradients`, `deep_lift` and")
@property_of(6, seed=SEEDS)
def test_shapley_values_add_up(seed):
    """To the score less its mean over the baseline; those of all coalitions by either method."""
    drawing = Drawing(seed)
    features = int(drawing.rng.integers(1, 6))
    inputs = jkeras.Input((features,))
    h = drawing.dense()(inputs)
    h = h * drawing.dense()(inputs) if drawing.one(True, False) else h + drawing.dense()(h)
    model = drawing.filled(jkeras.Model(inputs, layers.Dense(CLASSES)(h)))
    x, others = drawing.numbers(features), drawing.numbers(features)
    both = np.float64(model.predict(np.concatenate([x, others]), verbose=0))[:, 2]
    exact = explain.shapley_values(model, x, 2, baseline=others)
    close(sums(exact), both[:ROWS] - both[ROWS:].mean(), 1e-5)
    sampled = explain.kernel_shap(model, x, 2, baseline=others, samples=64, rng=seed)
    np.testing.assert_allclose(sampled, exact, atol=1e-4 * (1 + np.abs(exact).max()))
