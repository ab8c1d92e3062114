"""What Keras's own tests ask of layers and policies, in both libraries."""

import keras
import numpy as np
import pytest

import jkeras

LIBRARIES = pytest.mark.parametrize("library", [jkeras, keras], ids=["jkeras", "keras"])


@pytest.fixture
def bfloat16():
    """The policy of new layers is another one, in both libraries."""
    for library in (jkeras, keras):
        library.config.set_dtype_policy("mixed_bfloat16")
    yield
    for library in (jkeras, keras):
        library.config.set_dtype_policy("float32")


@LIBRARIES
def test_a_policy_without_a_name_is_the_one_of_new_layers(library, bfloat16):
    assert library.DTypePolicy().name == "mixed_bfloat16"


@LIBRARIES
def test_a_map_without_a_default_policy_follows_the_one_of_new_layers(library, bfloat16):
    policies = library.dtype_policies.DTypePolicyMap()
    policies["dense"] = library.DTypePolicy("float16")
    made = library.dtype_policies.DTypePolicyMap.from_config(policies.get_config())
    assert made["dense"].name == made["other"].name == "mixed_bfloat16"


@LIBRARIES
def test_the_older_name_of_a_policy_is_equal_to_it(library):
    older = library.dtype_policies.FloatDTypePolicy("mixed_bfloat16")
    assert older == library.DTypePolicy("mixed_bfloat16")
    assert older != library.dtype_policies.QuantizedDTypePolicy("int8", "mixed_bfloat16")


@LIBRARIES
def test_a_quantized_policy_of_a_number(library):
    with pytest.raises(TypeError, match="'name' must be a string"):
        library.dtype_policies.QuantizedDTypePolicy("int8", source_name=3)


# ---------------------------------------------------------------- what a built layer shows


@LIBRARIES
@pytest.mark.parametrize(
    "make, shape",
    [
        (lambda layers: layers.Dense(2, use_bias=False), (1, 3)),
        (lambda layers: layers.Conv1D(2, 2, use_bias=False), (1, 4, 3)),
        (lambda layers: layers.EinsumDense("ab,bc->ac", 2), (1, 3)),
    ],
)
def test_a_bias_that_is_not_there_is_none(library, make, shape):
    layer = make(library.layers)
    layer.build(shape)
    assert layer.bias is None


@pytest.mark.promise("`Dense`, `EinsumDense`, `Embedding`")
@LIBRARIES
@pytest.mark.parametrize(
    "make, weight, x",
    [
        (lambda layers: layers.Conv2D(2, 2), "kernel", np.ones((1, 3, 3, 2), "float32")),
        (lambda layers: layers.Dense(2), "kernel", np.ones((1, 3), "float32")),
        (lambda layers: layers.Embedding(4, 3), "embeddings", np.ones((1, 2), "int32")),
    ],
)
def test_an_adapted_weight_shows_the_sum(library, make, weight, x):
    layer = make(library.layers)
    layer.build(x.shape)
    before = np.array(getattr(layer, weight))
    layer.enable_lora(2, lora_alpha=3.0)
    a, b = (getattr(layer, f"lora_{weight}_{name}") for name in "ab")
    a.assign(np.full(a.shape, 0.1, "float32"))
    b.assign(np.full(b.shape, 0.2, "float32"))
    wanted = before + 3.0 / 2 * (np.full(a.shape, 0.1) @ np.full(b.shape, 0.2))
    np.testing.assert_allclose(np.array(getattr(layer, weight)), wanted, rtol=1e-5)


@LIBRARIES
def test_lora_and_layers_that_cannot_have_it(library):
    with pytest.raises(ValueError, match="Cannot enable lora on a layer that isn't yet built"):
        library.layers.Dense(2).enable_lora(2)
    with pytest.raises(ValueError, match="incompatible with kernel constraints"):
        library.layers.Dense(2, kernel_constraint="max_norm").enable_lora(2)


@LIBRARIES
def test_the_quantizer_of_inputs(library):
    layer = library.layers.Dense(2)
    layer.build((1, 3))
    layer.quantize("int8")
    assert type(layer.inputs_quantizer).__name__ == "AbsMaxQuantizer"


# ---------------------------------------------------------------- shapes


@LIBRARIES
def test_output_shapes_of_attention_without_a_key(library):
    many = library.layers.MultiHeadAttention(2, 2, output_shape=(3, 4))
    assert many.compute_output_shape((7, 4, 8), (7, 2, 8), None) == (7, 4, 3, 4)
    grouped = library.layers.GroupQueryAttention(2, 4, 2)
    assert grouped.compute_output_shape((7, 4, 8), (7, 2, 8), None) == (7, 4, 8)
    one = library.layers.Attention()
    assert one.compute_output_shape(input_shape=[(2, 3, 4), (2, 3, 5), (2, 3, 4)]) == (2, 3, 5)


# ---------------------------------------------------------------- recurrent layers


def one_state_cell(library):
    class Cell(library.layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight((input_shape[-1], self.units), "ones")

        def call(self, inputs, states):
            y = inputs @ self.kernel + states[0]
            return y, [y]

        def get_config(self):
            return super().get_config() | {"units": self.units}

    return Cell


@LIBRARIES
def test_stacked_cells_with_one_state_each(library):
    cell = one_state_cell(library)
    x = np.arange(24, dtype="float32").reshape(2, 3, 4)
    y, first, second = library.layers.RNN([cell(3), cell(2)], return_state=True)(x)
    assert tuple(first.shape) == (2, 3)
    np.testing.assert_allclose(np.asarray(second), np.asarray(y))


@LIBRARIES
@pytest.mark.parametrize("use_cudnn", [True, False, "auto"])
def test_both_directions_keep_what_no_config_holds(library, use_cudnn):
    both = library.layers.Bidirectional(library.layers.GRU(1, use_cudnn=use_cudnn))
    assert both.forward_layer.use_cudnn == both.backward_layer.use_cudnn == use_cudnn


@LIBRARIES
def test_a_subclass_of_rnn_from_its_config(library):
    cell = one_state_cell(library)

    class Own(library.layers.RNN):
        def __init__(self, cell, **kwargs):
            self.units = cell.units
            super().__init__(cell, **kwargs)

    with library.utils.custom_object_scope({"Cell": cell, "Own": Own}):
        made = Own.from_config(Own(cell(3), return_sequences=True).get_config())
    assert (made.units, made.return_sequences) == (3, True)


# ---------------------------------------------------------------- functions of JAX


@LIBRARIES
def test_a_state_that_is_no_array(library):
    def function(params, state, inputs):
        return inputs, state

    layer = library.layers.JaxLayer(function, state={"count": 0, "name": "bar"})
    assert [int(variable) for variable in layer.weights] == [0]


# ---------------------------------------------------------------- the words people search for

WORDS = {
    "filters": (
        "Conv1D",
        (0, 2),
        {},
        "Invalid value for argument `filters`. Expected a strictly positive value. Received "
        "filters=0.",
    ),
    "kernel_size": (
        "Conv2D",
        (2, (1, 0)),
        {},
        "The `kernel_size` argument must be a tuple of 2 integers. Received kernel_size=(1, 0), "
        "including values {0} that do not satisfy `value > 0`",
    ),
    "dilation": (
        "Conv2D",
        (2, 2),
        {"strides": 2, "dilation_rate": (2, 1)},
        "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
        "strides=(2, 2) and dilation_rate=(2, 1)",
    ),
    "slope": ("ReLU", (), {"negative_slope": None}, "negative_slope of a ReLU layer cannot be "),
    "heads": ("MultiHeadAttention", (0, 4), {}, "argument `num_heads`"),
    "score_mode": (
        "Attention",
        (),
        {"score_mode": "no"},
        "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}",
    ),
}


@LIBRARIES
@pytest.mark.parametrize("case", WORDS)
def test_words_of_wrong_arguments(library, case):
    name, args, kwargs, words = WORDS[case]
    with pytest.raises(ValueError) as caught:
        getattr(library.layers, name)(*args, **kwargs)
    assert words in str(caught.value)


@LIBRARIES
def test_words_of_an_input_that_is_too_small(library):
    with pytest.raises(ValueError, match="Computed output size would be zero or negative"):
        library.layers.DepthwiseConv1D(11)(np.ones((1, 5, 2), "float32"))


@LIBRARIES
@pytest.mark.parametrize("argument", ["mode", "distribution"])
def test_words_of_variance_scaling(library, argument):
    with pytest.raises(ValueError, match=f"Invalid `{argument}` argument:"):
        library.initializers.VarianceScaling(**{argument: "no"})


def test_a_normalization_learns_from_a_data_set_of_batches():
    batches = np.random.default_rng(0).normal(size=(4, 8, 3)).astype("float32")

    class Batches(jkeras.utils.PyDataset):
        def __len__(self):
            return len(batches)

        def __getitem__(self, i):
            return batches[i], np.zeros(8)

    normalization = jkeras.layers.Normalization()
    normalization.adapt(Batches())
    rows = batches.reshape(-1, 3)
    np.testing.assert_allclose(np.ravel(normalization.mean), rows.mean(0), atol=1e-5)
    np.testing.assert_allclose(np.ravel(normalization.variance), rows.var(0), atol=1e-5)


CELLS = {
    "a cell in float32": lambda layers: layers.RNN(layers.LSTMCell(3, dtype="float32")),
    "a cell in bfloat16": lambda layers: layers.RNN(layers.GRUCell(3, dtype="mixed_bfloat16")),
    "a layer": lambda layers: layers.LSTM(3),
    "its state before the product": lambda layers: layers.GRU(3, reset_after=False),
}


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("case", CELLS)
def test_a_cell_computes_in_its_own_type(case, policy):
    """Also where nothing around it says one, as in `stateless_call`."""
    x = np.random.default_rng(0).normal(size=(2, 9, 5)).astype("float32")
    outputs = []
    for library in (keras, jkeras):
        library.config.set_dtype_policy(policy)
        layer = CELLS[case](library.layers)
        library.config.set_dtype_policy("float32")
        layer(x)
        for i, weight in enumerate(layer.trainable_variables):
            weight.assign(np.random.default_rng(i).normal(size=weight.shape))
        values = [
            [np.asarray(weight) for weight in group]
            for group in (layer.trainable_variables, layer.non_trainable_variables)
        ]
        found = [layer(x), layer.stateless_call(*values, x)[0]]
        outputs.append([np.asarray(y, "float32") for y in found])
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-6, atol=1e-6)


@LIBRARIES
def test_a_simple_rnn_has_no_word_of_cudnn(library):
    assert not hasattr(library.layers.SimpleRNN(1), "use_cudnn")
    assert library.layers.GRU(1, use_cudnn=False).use_cudnn is False


@LIBRARIES
def test_a_pipeline_hands_its_mask_to_its_first_layer(library):
    class Keeps(library.layers.Layer):
        mask = None

        def call(self, x, mask=None):
            self.mask = mask
            return x

        def compute_mask(self, x, mask=None):
            return mask

    steps = [Keeps(), Keeps()]
    library.layers.Pipeline(steps)(np.ones((2, 3)), mask=np.array([True, False]))
    assert np.asarray(steps[0].mask).tolist() == [True, False]


def test_attention_whose_projections_are_one_layer():
    """A layer that is two attributes is found by each."""
    x = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
    outputs = []
    for library in (jkeras, keras):
        layer = library.layers.MultiHeadAttention(2, 3)
        layer.build((2, 4, 6), (2, 4, 6))
        layer._value_dense = layer._key_dense
        for part in (layer._query_dense, layer._key_dense, layer._output_dense):
            shapes = [weight.shape for weight in part.get_weights()]
            part.set_weights([np.linspace(-0.5, 0.5, np.prod(s)).reshape(s) for s in shapes])
        inputs = library.Input((4, 6))
        model = library.Model(inputs, layer(inputs, inputs))
        outputs.append([np.asarray(layer(x, 2 * x)), model.predict(x, verbose=0)])
    np.testing.assert_allclose(*map(np.concatenate, outputs), rtol=1e-5, atol=1e-6)
