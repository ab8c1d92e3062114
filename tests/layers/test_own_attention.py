"""Subclasses of attention layers by the names inside Keras's, as libraries write them; beside
Keras.
"""

import jax
import keras
import numpy as np
import pytest

import jkeras
from tests.parity.both import GRADIENTS, LIBRARIES, TOLERANCE, agree, fill

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 6)).astype("float32")
TOKENS = np.array([[1, 2, 0, 0], [2, 1, 2, 0]])
MASK = RNG.uniform(size=(2, 4, 4)) > 0.4
MASK[:, :, 0] = True
NAMES = (
    "num_heads key_dim value_dim dropout use_bias use_gate output_shape attention_axes "
    "sliding_window inverse_sqrt_key_dim dot_product_equation combine_equation"
).split()


def squared(library, base, seen):
    """A layer whose weights go with the squares of the scores; `seen` gets what it is given."""
    is_grouped = base is library.layers.GroupQueryAttention  # whose equation has the query first

    class Squared(base):
        def _compute_attention(
            self,
            query,
            key,
            value,
            attention_mask=None,
            training=None,
            return_attention_scores=False,
        ):
            seen.append((tuple(query.shape), tuple(key.shape), bool(training)))
            pair = (query, key) if is_grouped else (key, query)
            scores = library.ops.einsum(self._dot_product_equation, *pair)
            weights = self._masked_softmax(library.ops.square(scores), attention_mask)
            weights = self._dropout_layer(weights, training=training)
            return library.ops.einsum(self._combine_equation, weights, value), weights

    return Squared


def squared_heads(library, seen):
    return squared(library, library.layers.MultiHeadAttention, seen)(2, 3, value_dim=5)


def squared_groups(library, seen):
    return squared(library, library.layers.GroupQueryAttention, seen)(3, 4, 2)


@pytest.mark.parametrize("make", [squared_heads, squared_groups])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"use_causal_mask": True},
        {"attention_mask": MASK, "use_causal_mask": True},
        {"value_mask": np.array([[True, True, False, True]] * 2)},
        {"return_attention_scores": True},
    ],
    ids=" ".join,
)
def test_a_way_to_attend_of_the_subclass(make, arguments):
    outputs, given = [], []
    for library in LIBRARIES:
        seen = []
        layer = make(library, seen)
        layer(X, X)
        layer.set_weights(fill(layer.weights))
        outputs.append(layer(X, X, **arguments))
        given.append(seen[-1])
    agree(*outputs, "outputs", **TOLERANCE)
    assert given[0] == given[1] and given[0][0] == (2, 4, *given[0][0][2:])


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")  # grouped, in both
@pytest.mark.parametrize("make", [squared_heads, squared_groups])
def test_a_way_to_attend_is_trained(make):
    trained = []
    for library in LIBRARIES:
        seen = []
        tokens = library.Input((4,), dtype="int32")
        x = library.layers.Embedding(3, 6, mask_zero=True)(tokens)
        model = library.Model(tokens, make(library, seen)(x, x))
        model.set_weights(fill(model.weights))
        model.compile(library.optimizers.SGD(0.01), "mse")
        before = model(TOKENS)
        model.fit(TOKENS, X, epochs=2, verbose=0)
        assert seen[-1][2]
        trained.append((before, model.get_weights(), model.predict(TOKENS, verbose=0)))
    agree(*trained, "before, weights, after", **GRADIENTS)


def test_pure_form_of_a_way_to_attend():
    layer = squared_heads(jkeras, [])
    params, state = layer.init(jax.random.key(0), X, X)
    y, _ = jax.jit(layer.apply)(params, state, X, X)
    twin = squared_heads(keras, [])
    twin(X, X)
    for part in ("query", "key", "value", "output"):
        own = params[f"{part}_dense"]
        getattr(twin, f"{part}_dense").set_weights([own["kernel"], own["bias"]])
    agree(y, twin(X, X), "outputs", **TOLERANCE)


# ---------------------------------------------------------------- a `call` of its own


def cached(library):
    """Attention that keeps keys and values of all places from call to call."""

    class Cached(library.layers.MultiHeadAttention):
        def call(self, query, value, key=None, attention_mask=None, cache=None, index=None):
            query, key, value = (
                self._query_dense(query),
                self._key_dense(value),
                self._value_dense(value),
            )
            if cache is not None:
                start = (0, index, 0, 0)
                key = library.ops.slice_update(cache[0], start, key)
                value = library.ops.slice_update(cache[1], start, value)
            y, _ = self._compute_attention(
                query=query, key=key, value=value, attention_mask=attention_mask
            )
            return self._output_dense(y), (key, value)

    return Cached(2, 3)


def test_token_by_token_is_the_whole_at_once():
    wholes = []
    for library in LIBRARIES:
        layer = cached(library)
        causal = np.tril(np.ones((1, 4, 4), "bool"))
        layer(X, X)
        layer.set_weights(fill(layer.weights))
        whole, _ = layer(X, X, attention_mask=causal)
        cache = tuple(library.ops.zeros((2, 4, 2, 3)) for _ in range(2))
        for i in range(4):
            one = X[:, i : i + 1]
            y, cache = layer(one, one, attention_mask=causal[:, i : i + 1], cache=cache, index=i)
            np.testing.assert_allclose(y[:, 0], whole[:, i], **TOLERANCE)
        wholes.append(whole)
    agree(*wholes, "outputs", **TOLERANCE)


# ---------------------------------------------------------------- a `build` of its own


def keyed_without_bias(library):
    """Attention whose keys have no bias, as in Whisper."""

    class Keyed(library.layers.MultiHeadAttention):
        def build(self, query_shape, value_shape, key_shape=None):
            def dense(name, size, has_bias):
                return library.layers.EinsumDense(
                    "abc,cde->abde",
                    output_shape=(None, self._num_heads, size),
                    bias_axes="de" if has_bias and self._use_bias else None,
                    name=name,
                    **self._get_common_kwargs_for_sublayer(),
                )

            self._query_dense = dense("query", self._key_dim, True)
            self._key_dense = dense("key", self._key_dim, False)
            self._value_dense = dense("value", self._value_dim, True)
            self._query_dense.build(query_shape)
            self._key_dense.build(value_shape)
            self._value_dense.build(value_shape)
            self._build_attention(4)
            self._output_dense = self._make_output_dense(
                query_shape, self._get_common_kwargs_for_sublayer(), "attention_output"
            )
            self._output_dense.build((*query_shape[:-1], self._num_heads, self._value_dim))
            self.built = True

    inputs = library.Input((4, 6))
    return library.Model(inputs, Keyed(2, 3)(inputs, inputs, use_causal_mask=True))


@pytest.mark.promise("GPT-2, OPT, Bart, T5, Whisper")
def test_a_build_of_the_subclass_and_its_file(tmp_path):
    """A file of Keras's goes by names of attributes, and is read here."""
    ours, keras_own = map(keyed_without_bias, LIBRARIES)
    keras_own.set_weights(fill(keras_own.weights))
    keras_own.save_weights(tmp_path / "keras.weights.h5")
    ours.load_weights(tmp_path / "keras.weights.h5")
    agree(ours.get_weights(), keras_own.get_weights(), "weights", rtol=0, atol=0)
    assert len(ours.weights) == 7
    agree(ours(X), keras_own(X), "outputs", **TOLERANCE)
    ours.save_weights(tmp_path / "ours.weights.h5")
    keras_own.load_weights(tmp_path / "ours.weights.h5")
    agree(ours.get_weights(), keras_own.get_weights(), "weights", rtol=0, atol=0)


# ---------------------------------------------------------------- the names


@pytest.mark.promise("GPT-2, OPT, Bart, T5, Whisper")
@pytest.mark.parametrize("axes", [None, (2,), (1, 2)])
def test_the_names_inside(axes):
    x = RNG.normal(size=(2, 3, 4, 6)).astype("float32")
    seen, values = [], []
    for library in LIBRARIES:
        layer = library.layers.MultiHeadAttention(2, 3, attention_axes=axes, seed=1)
        layer(x, x)
        layer.set_weights(fill(layer.weights))
        seen.append({name: getattr(layer, f"_{name}") for name in NAMES})
        parts = ("query_dense", "key_dense", "value_dense", "output_dense")
        assert all(getattr(layer, f"_{part}") is getattr(layer, part) for part in parts)
        projected = layer._query_dense(x), layer._key_dense(x), layer._value_dense(x)
        causal = layer._compute_attention_mask(x, x, use_causal_mask=True)
        values.append((layer._compute_attention(*projected, return_attention_scores=True), causal))
    equations = "dot_product_equation", "combine_equation"
    shapes = [[seen_in.pop(name).count(",") for name in equations] for seen_in in seen]
    assert shapes[0] == shapes[1]
    assert {k: _listed(v) for k, v in seen[0].items()} == {
        k: _listed(v) for k, v in seen[1].items()
    }
    agree(*values, "what they give", **TOLERANCE)


def _listed(value):
    return list(value) if isinstance(value, (tuple, list)) else value


def test_a_name_that_is_set_counts():
    outputs = []
    for library in LIBRARIES:
        layer = library.layers.MultiHeadAttention(2, 3)
        layer._use_bias = False
        layer._inverse_sqrt_key_dim = 2.0
        layer(X, X)
        layer.set_weights(fill(layer.weights))
        outputs.append((layer(X, X), len(layer.weights)))
    agree(*outputs, "outputs", **TOLERANCE)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="'MultiHeadAttention' object has no attribute '_x'"):
        assert jkeras.layers.MultiHeadAttention(2, 3)._x


@pytest.mark.parametrize("make", [jkeras.layers.Attention, jkeras.layers.AdditiveAttention])
@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 3, 4), (2, 4, 5)],
        [(2, 3, 4), (3, 4, 4)],
        [(2, 3, 4), (2, 4, 4), (2, 5, 4)],
    ],
)
def test_sizes_that_do_not_go_together_are_named(make, shapes):
    with pytest.raises(ValueError, match=r"\(\w*Attention\): expected .* depth.*\(2, 3, 4\)"):
        make()([np.ones(shape, "float32") for shape in shapes])
