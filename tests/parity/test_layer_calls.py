"""What layers announce for symbolic inputs, and the mistakes they refuse, beside real Keras."""

import inspect

import keras
import numpy as np
import pytest

from jkeras.core.run.call import target_of
from tests.parity.both import LIBRARIES, clear, find, make, plain
from tests.parity.case import Part

FLOAT, INT = "float32", "int32"
HEADS = dict(num_heads=2, key_dim=3)
ANNOUNCED = [  # layer, arguments, inputs (shape, dtype), arguments of the call
    ("Dense", dict(units=3, dtype="float64"), [((None, 4), FLOAT)], {}),
    (
        "EinsumDense",
        dict(equation="ab,bc->ac", output_shape=3, dtype="float64"),
        [((None, 4), FLOAT)],
        {},
    ),
    ("Masking", {}, [((None, 4, 3), INT)], {}),
    ("MaxPooling1D", {}, [((None, 4, 3), INT)], {}),
    ("GlobalMaxPooling1D", dict(dtype="mixed_bfloat16"), [((None, 4, 3), INT)], {}),
    ("AdaptiveMaxPooling1D", dict(output_size=2, dtype="float64"), [((None, 4, 3), FLOAT)], {}),
    ("RMSNormalization", {}, [((None, 4), INT)], {}),
    ("Cropping1D", {}, [((None, 4, 3), INT)], {}),
    ("RepeatVector", dict(n=2), [((None, 4), INT)], {}),
    ("Identity", {}, [((None, 4), INT)], {}),
    ("Reshape", dict(target_shape=(2, -1), dtype="mixed_float16"), [((None, 4), FLOAT)], {}),
    ("Reshape", dict(target_shape=(2, -1)), [((None, 4), INT)], {}),
    (
        "ReversibleEmbedding",
        dict(input_dim=5, output_dim=3, reverse_dtype="bfloat16"),
        [((None, 3), FLOAT)],
        dict(reverse=True),
    ),
    ("MultiHeadAttention", dict(**HEADS, dtype="float64"), [((None, 4, 6), FLOAT)] * 2, {}),
    ("LSTM", dict(units=3, dtype="float64", return_state=True), [((None, 4, 6), FLOAT)], {}),
    ("GRU", dict(units=3, unroll=True, return_sequences=True), [((None, None, 6), FLOAT)], {}),
    (
        "Bidirectional",
        dict(
            layer=Part(
                "RNN",
                dict(
                    return_state=True,
                    cell=[Part("LSTMCell", dict(units=2)), Part("GRUCell", dict(units=3))],
                ),
            )
        ),
        [((None, None, 6), FLOAT)],
        {},
    ),
    (
        "AlphaDropout",
        dict(rate=0.5, noise_shape=(2, 1, 3)),
        [((None, 4, 3), FLOAT)],
        dict(training=True),
    ),
    ("Add", {}, [[((None, None, 4), FLOAT), ((None, 3, 1), FLOAT)]], {}),
    ("Multiply", {}, [[((2, 3, 4), FLOAT), ((None, 3, 4), FLOAT)]], {}),
    ("Average", {}, [[((None, 3, 4), FLOAT), ((None, 4), FLOAT), ((None, None, 1), FLOAT)]], {}),
    ("Concatenate", {}, [[((None, None, 4), FLOAT), ((None, 3, 1), FLOAT)]], {}),
    ("Concatenate", dict(axis=1), [[((2, None, 4), FLOAT), ((None, 3, 4), FLOAT)]], {}),
    ("Dot", dict(axes=-1), [[((2, 3, 4), FLOAT), ((None, None, 4), FLOAT)]], {}),
]


def run(library, layer, kwargs, inputs, call):
    clear()
    return make(library, Part(layer, kwargs))(*inputs, **call)


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64")
@pytest.mark.parametrize(("layer", "kwargs", "inputs", "call"), ANNOUNCED)
def test_announced_shape_and_dtype(layer, kwargs, inputs, call):
    def tensors(library, value):
        if isinstance(value, list):
            return [tensors(library, v) for v in value]
        return library.KerasTensor(*value)

    mine, theirs = (
        k.tree.map_structure(
            lambda t: (tuple(t.shape), t.dtype),
            _flat(run(k, layer, kwargs, tensors(k, inputs), call)),
        )
        for k in LIBRARIES
    )
    assert mine == theirs


def _flat(outputs):
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


X = np.ones((2, 4, 3), "float32")
MISTAKES = [  # layer, arguments, inputs, what the message says
    ("Dense", dict(units=3), [np.float32(1)], "min_ndim=2"),
    ("Dense", dict(units=3), [None], "should be tensors"),
    ("Conv1D", dict(filters=2, kernel_size=2), [None], "should be tensors"),
    ("Conv1D", dict(filters=2.0, kernel_size=2), [X], "integers"),
    ("Cropping1D", {}, [np.ones(2)], "ndim=3"),
    ("BatchNormalization", dict(axis=5), [X], "out of bounds for an input of 3 axes"),
    ("LayerNormalization", dict(axis=7), [X], "out of bounds for an input of 3 axes"),
    ("RMSNormalization", dict(axis=[1, 1]), [X], "each axis once"),
    ("GroupNormalization", dict(groups=1, axis=9), [X], "out of bounds for an input of 3 axes"),
    ("MultiHeadAttention", dict(**HEADS, attention_axes=(5,)), [X, X], "attention_axes"),
    (
        "GroupQueryAttention",
        dict(head_dim=-1, num_query_heads=4, num_key_value_heads=2),
        [X, X],
        "head_dim=-1",
    ),
    ("Concatenate", dict(axis=-4), [[X, X]], "the axis -4"),
    ("Dot", dict(axes=3), [[X, X]], "the axes 3"),
]


@pytest.mark.parametrize("states", [[], [None], [np.ones((2, 3), FLOAT)] * 2])
def test_the_number_of_initial_states_is_checked(states):
    with pytest.raises(ValueError, match="expected `initial_state` with 1 arrays"):
        run(LIBRARIES[0], "GRU", dict(units=3), [X], dict(initial_state=states))


@pytest.mark.parametrize(("layer", "kwargs", "inputs", "says"), MISTAKES)
def test_mistakes_raise_what_keras_raises(layer, kwargs, inputs, says):
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever it is
        run(keras, layer, kwargs, inputs, {})
    builtin = next(c for c in type(theirs.value).__mro__ if c.__module__ == "builtins")
    with pytest.raises(builtin, match=says):
        run(LIBRARIES[0], layer, kwargs, inputs, {})


def own_shape(k, function, shape_of):
    """A layer of the user's that says what shape comes out."""

    class Own(k.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = k.layers.Dense(3)

        def call(self, a, b):
            return function(self.inner(a), b)

        def compute_output_shape(self, a_shape, b_shape):
            return shape_of(a_shape, b_shape)

    layer = Own()
    outputs = layer(k.KerasTensor((None, 4)), k.KerasTensor((None, 5)))
    return k.tree.map_structure(lambda t: (t.shape, t.dtype), outputs), [
        w.path for w in layer.weights
    ]


@pytest.mark.parametrize(
    ("function", "shape_of"),
    [
        (lambda a, b: {"a": a, "b": b}, lambda a, b: {"a": (*a[:-1], 3), "b": b}),
        (lambda a, b: (a, b), lambda a, b: ([a[0], 3], b)),
        (lambda a, b: a.argmax(-1), lambda a, b: a[:1]),
    ],
)
def test_a_users_own_output_shape_counts(function, shape_of):
    mine, theirs = (own_shape(k, function, shape_of) for k in LIBRARIES)
    assert mine == theirs


def test_a_call_that_cannot_be_traced_needs_only_its_output_shape():
    def on_host(k):
        class Host(k.layers.Layer):
            def call(self, x):
                return np.asarray(x) * 2

            def compute_output_shape(self, input_shape):
                return input_shape

        x = k.Input((3,))
        return k.Model(x, Host()(x))

    for k in LIBRARIES:
        assert on_host(k).output_shape == (None, 3)


INNER = [  # a layer for a layer of the user's to run, by what shapes
    (lambda k: k.Sequential([k.layers.Dense(2), k.layers.Dense(3)]), (None, None, 4)),
    (lambda k: k.Sequential([k.layers.Embedding(5, 2), k.layers.LSTM(3)]), (2, None)),
    # a size that stands for unknown ones
    (lambda k: k.Sequential([k.layers.Dense(2)]), (None, None, 528)),
    (lambda k: k.Sequential([k.layers.Conv1D(2, 1, data_format="channels_first")]), (None, 528, 4)),
    (lambda k: k.layers.TimeDistributed(k.Sequential([k.layers.Dense(3)])), (None, 3, 4)),
    (lambda k: k.layers.TimeDistributed(k.Sequential([k.layers.Dense(3)])), (None, 3, 528)),
]


@pytest.mark.parametrize("dtype", [FLOAT, INT])
@pytest.mark.parametrize(("make_inner", "shape"), INNER)
def test_a_layer_first_met_in_another_one_on_unknown_sizes(make_inner, shape, dtype):
    def built(k):
        clear()

        class Own(k.layers.Layer):
            def __init__(self):
                super().__init__()
                self.inner = make_inner(k)

            def call(self, x):
                return self.inner(x)

        own = Own()
        shapes = [own(k.KerasTensor(shape, dtype)).shape, *[tuple(w.shape) for w in own.weights]]
        return [
            *shapes,
            own(np.ones([d or 7 for d in shape], dtype)).shape,
            make_inner(k).compute_output_shape(shape),
        ]

    mine, theirs = map(built, LIBRARIES)
    assert mine == theirs


@pytest.mark.parametrize(
    ("kwargs", "dtype"),
    [
        (dict(activity_regularizer="l2", kernel_regularizer="l1"), FLOAT),
        ({}, "mixed_bfloat16"),
        (dict(dtype="bfloat16"), FLOAT),
        (dict(dtype="mixed_float16"), "bfloat16"),
    ],
)
def test_the_layer_in_a_time_distributed_one_has_its_dtype_and_no_activity_penalty(kwargs, dtype):
    def output(k):
        layer = k.layers.TimeDistributed(
            k.layers.Dense(3, kernel_initializer="ones", **kwargs), dtype=dtype
        )
        y = layer(X)
        return y.dtype, [float(v) for v in layer.losses], np.asarray(y, FLOAT).tolist()

    mine, theirs = map(output, LIBRARIES)
    assert mine == theirs


def small_model(k):
    a = k.Input((5, 4))
    return k.Model(a, k.layers.Concatenate()([a, k.layers.Dense(2)(a)]))


def merging_model(k):
    a, b = k.Input((5, 4)), k.Input((None, 4))
    return k.Model([a, b], k.layers.Add()([a, b]))


BEYOND = [  # a model or a built layer, called where sizes are not known that it knows
    (small_model, [(2, None, 4)]),
    (small_model, [(None, None, None)]),
    (small_model, [(2, 5, 4)]),
    (merging_model, [(None, None, 4), (None, 5, 4)]),
    (merging_model, [(None, None, 4)] * 2),
    (
        lambda k: k.Sequential([k.Input((5, 4)), k.layers.Flatten(), k.layers.Dense(3)]),
        [(None, None, 4)],
    ),
    (lambda k: k.Sequential([k.Input((4,)), k.layers.Dense(3)]).layers[0], [(2, None)]),
]


@pytest.mark.parametrize(("build", "shapes"), BEYOND)
def test_sizes_unknown_to_the_caller(build, shapes):
    def announced(k):
        tensors = [k.KerasTensor(s) for s in shapes]
        return build(k)(tensors if len(tensors) > 1 else tensors[0]).shape

    mine, theirs = map(announced, LIBRARIES)
    assert mine == theirs


@pytest.mark.filterwarnings("ignore:jax.nn.one_hot input")
@pytest.mark.parametrize(
    ("layer", "kwargs", "x"),
    [
        ("GroupNormalization", dict(groups=2, axis=0), np.arange(24.0).reshape(2, 4, 3) ** 2),
        ("GroupNormalization", dict(groups=2, axis=-2), np.arange(24.0).reshape(2, 4, 3) ** 2),
        ("CategoryEncoding", dict(num_tokens=3, output_mode="one_hot"), [0.0, 1.5, 2.0, -1.0]),
        ("CategoryEncoding", dict(num_tokens=3, output_mode="count"), [[0.0, 1.5, 2.0]]),
        ("CategoryEncoding", dict(num_tokens=3, output_mode="multi_hot"), [[0.0, 1.5]]),
        ("Reshape", dict(target_shape=(None, 3)), np.ones((2, 4, 6))),
        ("Reshape", dict(target_shape=(2, None)), X),
        ("Dense", dict(units=2, lora_rank=0), X),
        ("Embedding", dict(input_dim=3, output_dim=2, lora_alpha=3), [0, 1]),
    ],
)
def test_unusual_arguments(layer, kwargs, x):
    def of(k):
        clear()
        made = find(k.layers, layer)(**kwargs)
        y = np.asarray(made(np.asarray(x, FLOAT)))
        return plain(made.get_config()), y if layer in (
            "GroupNormalization",
            "CategoryEncoding",
        ) else y.shape

    (mine, a), (theirs, b) = map(of, LIBRARIES)
    assert mine == theirs
    np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5)


def test_a_model_tells_that_it_leaves_masks_to_its_layers():
    assert [small_model(k).supports_masking for k in LIBRARIES] == [False, False]


@pytest.mark.parametrize("shape", [2, "anything", [(2, 3), 4]], ids=str)
def test_super_build_takes_what_a_layer_calls_a_shape(shape):
    """A layer that is written with `call` has made its weights itself."""
    for library in LIBRARIES:

        class Scaled(library.layers.Layer):
            def build(self, input_shape):
                self.scale = self.add_weight(
                    shape=(input_shape[-1],), initializer="ones", name="scale"
                )
                super().build(shape)

            def call(self, x):
                return x * self.scale

        layer = Scaled()
        np.testing.assert_array_equal(
            layer(np.full((2, 3), 2, "float32")), np.full((2, 3), 2, "float32")
        )
        assert layer.built and [w.path.split("/")[-1] for w in layer.weights] == ["scale"]


class Foreign:
    """An array of another library."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


@pytest.mark.parametrize("base", ["Layer", "Model"])
def test_arrays_of_other_libraries_are_inputs(base):
    x, found = np.array([[1, 2, 3]], "float64"), []
    for library in LIBRARIES:

        class Sum(getattr(library, base)):
            def call(self, x, more=None):
                return more if x is None else x if more is None else x + more

        found.append(
            [
                np.asarray(y)
                for y in (
                    Sum()(Foreign(x)),
                    Sum()(x, Foreign([1, 2, 3])),
                    Sum()(x, more=Foreign(x)),
                    Sum()(None, Foreign(x)),
                    library.Sequential([library.layers.ReLU()])(Foreign(x)),
                )
            ]
        )
        with pytest.raises(ValueError, match="positional arguments"):
            Sum()([1.0, 2.0])
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype


def test_the_arguments_of_a_call_come_in_the_order_of_keras():
    """All that one could give by position; what is no array has to be named in both."""
    for name in dir(keras.layers):
        theirs, mine = getattr(keras.layers, name), getattr(LIBRARIES[0].layers, name, None)
        if not hasattr(theirs, "call") or mine.is_lifted():
            continue
        wanted = list(inspect.signature(theirs.call).parameters)[1:]
        found = [p.name for p in target_of(mine).signature.parameters.values()]
        common = [n for n in found if n in wanted]
        last = (
            wanted.index("return_attention_scores")
            if "return_attention_scores" in wanted
            else len(wanted)
        )
        assert common[:last] == [n for n in wanted if n in common][:last], name


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_masks_by_position_and_inputs_by_name(library):
    layers, x = library.layers, np.arange(12, dtype="float32").reshape(2, 3, 2)
    mask = np.array([[True, True, False], [True, False, False]])
    both = np.stack([mask] * 2, -1)
    np.testing.assert_array_equal(
        layers.Softmax(axis=1)(x, both), layers.Softmax(axis=1)(x, mask=both)
    )
    np.testing.assert_array_equal(layers.GlobalAveragePooling1D()(x, mask), [[1, 2], [6, 7]])
    lstm = layers.LSTM(2)
    np.testing.assert_array_equal(lstm(x, None, mask), lstm(x, mask=mask))
    dense = layers.Dense(2)
    np.testing.assert_array_equal(dense(inputs=x), dense(x))
    with pytest.raises(ValueError, match="positional arguments"):
        layers.Dropout(0.5)(x, True)


@pytest.mark.parametrize("shapes", [((2, 3),), ((2, 3), (2, 4))], ids=["one", "two"])
def test_a_build_config_has_the_names_that_build_gives_the_shapes(shapes):
    found = []
    for library in LIBRARIES:

        class Two(library.layers.Layer):
            def build(self, first, second_shape=None):
                self.w = self.add_weight((first[-1],))

            def call(self, first, second=None):
                return first * self.w

        layer, again = Two(), Two()
        layer.build(*shapes)
        again.build_from_config(layer.get_build_config())
        assert again.w.shape == (3,)
        found.append(plain(layer.get_build_config()))
    assert found[0] == found[1]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_a_layer_built_for_no_shape_is_built_again(library):
    layer = library.layers.Embedding(4, 3)
    layer.build()
    assert layer.get_build_config() == {"shapes_dict": {}}
    again = library.layers.Embedding(4, 3)
    again.build_from_config(layer.get_build_config())
    assert again.built


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_an_input_says_what_its_tensor_says(library):
    tensor = library.KerasTensor((2, 3), sparse=True)
    agreeing = dict(shape=(3,), batch_size=2, dtype="float32", sparse=True)
    layer = library.layers.InputLayer(input_tensor=tensor, **agreeing)
    assert layer.batch_shape == (2, 3)
    assert layer.sparse
    others = dict(shape=(4,), batch_size=5, batch_shape=(2, 4), dtype="float16", sparse=False)
    for name, value in others.items():
        with pytest.raises(ValueError, match=f"an incompatible `{name}`"):
            library.layers.InputLayer(input_tensor=tensor, **{name: value})


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_kinds_of_inputs(library):
    assert library.layers.Input((3,), sparse=True).sparse
    with pytest.raises(ValueError, match="`ragged=True` is not supported"):
        library.layers.Input((3,), ragged=True)
    with pytest.warns(UserWarning, match="Argument `input_shape` is deprecated"):
        layer = library.layers.InputLayer(input_shape=(3,))
    assert layer.batch_shape == (None, 3)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_a_config_of_a_lambda_that_is_trusted(library):
    lambdas = library.layers.Lambda(lambda x: x**2, output_shape=lambda shape: shape)
    config = lambdas.get_config()
    again = library.layers.Lambda.from_config(dict(config), safe_mode=False)
    np.testing.assert_array_equal(again(np.full((2, 3), 2.0)), np.full((2, 3), 4.0))
    for options in ({}, {"safe_mode": True}):
        with pytest.raises(ValueError, match="safe_mode=False|unsafe"):
            library.layers.Lambda.from_config(dict(config), **options)
    named = library.layers.Lambda(_squares).get_config()
    again = library.layers.Lambda.from_config(named, custom_objects={"_squares": _squares})
    assert again(np.array([3.0])) == 9


def _squares(x):
    return x**2


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
@pytest.mark.parametrize(
    "name, arguments, shape",
    [
        ("Dense", (2,), (3, 4)),
        ("EinsumDense", ("ab,bc->ac", 2), (3, 4)),
        ("Conv1D", (2, 3), (3, 4, 2)),
        ("Conv1DTranspose", (2, 3), (3, 4, 2)),
        ("DepthwiseConv1D", (3,), (3, 4, 2)),
        ("SeparableConv1D", (2, 3), (3, 4, 2)),
    ],
)
def test_an_activation_that_is_taken_off(library, name, arguments, shape):
    layer = getattr(library.layers, name)(*arguments, activation="relu")
    x = np.linspace(-1, 1, np.prod(shape), dtype="float32").reshape(shape)
    rectified = np.asarray(layer(x))
    layer.activation = None
    assert layer(x).min() < 0
    np.testing.assert_array_equal(np.maximum(layer(x), 0), rectified)


def test_super_call_takes_training_and_mask_by_position():
    x = np.arange(24, dtype="float32").reshape(2, 3, 4) / 24
    mask = np.array([[True, True, False], [True, False, False]])
    found = []
    for library in LIBRARIES:
        layers = library.layers

        class Noisy(layers.Dropout):
            def call(self, inputs, training=None):
                return super().call(inputs, True)

        class Recurrent(layers.LSTM):
            def call(self, sequences, initial_state=None, mask=None, training=False):
                return super().call(sequences, initial_state, mask, training)

        class Norm(layers.BatchNormalization):
            def call(self, inputs, training=None, mask=None):
                return super().call(inputs, training, mask)

        library.utils.set_random_seed(1)
        norm = Norm()
        found.append(
            [
                np.asarray(y)
                for y in (
                    Noisy(0.5, seed=1)(x),
                    Recurrent(2, kernel_initializer="ones", recurrent_initializer="ones")(
                        x, mask=mask
                    ),
                    norm(x, training=True),
                    norm(x),
                    norm.moving_mean,
                )
            ]
        )
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def doubled(base):
    """A class of models that give twice what its base gives."""

    class Doubled(base):
        def call(self, inputs, training=None, mask=None):
            return 2 * super().call(inputs, training=training, mask=mask)

    return Doubled


def sequential_called_by_its_class(library):
    layers = library.layers
    hidden = layers.Dense(2, kernel_initializer="ones", activation="tanh")
    return doubled(library.Sequential)([hidden, layers.BatchNormalization()])


def functional_called_by_its_class(library):
    inputs = library.Input((3,))
    y = library.layers.Dense(2, kernel_initializer="ones", activation="tanh")(inputs)
    return doubled(library.Model)(inputs, library.layers.BatchNormalization()(y))


@pytest.mark.parametrize(
    "make",
    [sequential_called_by_its_class, functional_called_by_its_class],
    ids=lambda f: f.__name__,
)
def test_a_model_calls_the_forward_pass_of_its_base(make):
    x = np.arange(24, dtype="float32").reshape(8, 3) / 24
    models = [make(library) for library in LIBRARIES]
    for model in models:
        model.compile("sgd", "mse")
        model.fit(x, np.sin(x[:, :2]), batch_size=4, epochs=2, shuffle=False, verbose=0)
    mine, theirs = (np.asarray(model(x, training=True)) for model in models)
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    (own,) = (model for model in models if hasattr(model, "apply"))
    y, _ = own.apply(own.params, own.state, x, training=False)
    np.testing.assert_allclose(y, own.predict(x, verbose=0), rtol=1e-6)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
@pytest.mark.parametrize("given", ["one text", ["a", "b"], ("a", ["b", 3]), [1.5, 2.5]], ids=str)
def test_a_layer_that_takes_inputs_as_they_are(library, given):
    """As tokenizers of keras-hub ask for, in these words."""

    class Raw(library.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self._convert_input_args = False
            self._allow_non_tensor_positional_args = True

        def call(self, x):
            return {"given": [x], "kind": type(x).__name__}

    returned = Raw()(given)
    assert returned == {"given": [given], "kind": type(given).__name__}
    with pytest.raises(ValueError, match="Only input tensors"):
        library.layers.Identity()("one text")
