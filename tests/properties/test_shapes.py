"""`compute_output_shape` announces the shape that comes, for random arguments, and the one that
Keras announces.

The shape that comes is found by `jax.eval_shape`, so nothing is computed.
"""

import jax
import keras
import pytest
from hypothesis import strategies as st

import jkeras
from tests.properties.tools import KEY, property_of

SMALL, SIDE, EVEN = st.integers(1, 3), st.integers(4, 8), st.sampled_from([2, 4])


def tuples(draw, dims, values=SMALL, number=True):
    """A number, or one for each dimension."""
    if number and draw(st.booleans()):
        return draw(values)
    return tuple(draw(values) for _ in range(dims))


def image(draw, dims, channels=SMALL):
    """(shape without batch, data format)."""
    sides, depth = [draw(SIDE) for _ in range(dims)], draw(channels)
    last = draw(st.booleans())
    return ((*sides, depth), "channels_last") if last else ((depth, *sides), "channels_first")


def strides(draw, dims):
    """Strides and dilation, of which one may differ from 1."""
    return draw(
        st.sampled_from(
            [dict(), dict(strides=tuples(draw, dims)), dict(dilation_rate=tuples(draw, dims))]
        )
    )


@st.composite
def convolution(draw):
    dims = draw(SMALL)
    shape, layout = image(draw, dims, EVEN)
    padding = ["valid", "same", *(["causal"] if dims == 1 and layout == "channels_last" else [])]
    config = dict(
        filters=draw(st.sampled_from([2, 4])),
        kernel_size=tuples(draw, dims),
        data_format=layout,
        padding=draw(st.sampled_from(padding)),
        groups=draw(st.sampled_from([1, 2])),
        use_bias=draw(st.booleans()),
        **strides(draw, dims),
    )
    return f"Conv{dims}D", config, shape


@st.composite
def depthwise(draw):
    dims = draw(st.integers(1, 2))
    kind = draw(st.sampled_from(["Depthwise", "Separable"]))
    shape, layout = image(draw, dims)
    stride = draw(SMALL)
    config = dict(
        kernel_size=tuples(draw, dims),
        strides=stride,
        padding=draw(st.sampled_from(["valid", "same"])),
        data_format=layout,
        depth_multiplier=draw(SMALL),
    )
    if stride == 1:
        config["dilation_rate"] = draw(SMALL)
    return f"{kind}Conv{dims}D", config | (dict(filters=3) if kind == "Separable" else {}), shape


@st.composite
def transposed(draw):
    dims = draw(SMALL)
    shape, layout = image(draw, dims)
    stride = draw(SMALL)
    config = dict(
        filters=2,
        kernel_size=tuples(draw, dims),
        strides=stride,
        data_format=layout,
        padding=draw(st.sampled_from(["valid", "same"])),
    )
    if stride > 1 and draw(st.booleans()):
        config["output_padding"] = draw(st.integers(0, stride - 1))
    elif stride == 1:
        config["dilation_rate"] = draw(SMALL)
    return f"Conv{dims}DTranspose", config, shape


@st.composite
def pooling(draw):
    dims = draw(SMALL)
    shape, layout = image(draw, dims)
    kind = draw(st.sampled_from(["Max", "Average"]))
    how = draw(st.sampled_from(["", "Global", "Adaptive"]))
    config = {
        "": lambda: dict(
            pool_size=tuples(draw, dims),
            padding=draw(st.sampled_from(["valid", "same"])),
            strides=draw(st.sampled_from([None, 1, 2])),
        ),
        "Global": lambda: dict(keepdims=draw(st.booleans())),
        "Adaptive": lambda: dict(output_size=tuples(draw, dims)),
    }[how]()
    return f"{how}{kind}Pooling{dims}D", dict(config, data_format=layout), shape


@st.composite
def borders(draw):
    """Padding, cropping, upsampling."""
    dims = draw(SMALL)
    shape, layout = image(draw, dims)
    kind = draw(st.sampled_from(["ZeroPadding", "Cropping", "UpSampling"]))
    if kind == "UpSampling":
        config = dict(size=tuples(draw, dims, number=dims < 3))
        config |= (
            dict(interpolation=draw(st.sampled_from(["nearest", "bilinear"]))) if dims == 2 else {}
        )
    else:
        amount = st.integers(0, 1 if kind == "Cropping" else 3)
        nested = draw(st.booleans())
        sides = tuples(draw, dims, st.tuples(amount, amount) if nested else amount, number=False)
        config = {kind.removeprefix("Zero").lower(): sides if dims > 1 else sides[0]}
    if dims == 1 and kind != "ZeroPadding":
        return f"{kind}1D", config, shape
    return f"{kind}{dims}D", dict(config, data_format=layout), shape


@st.composite
def rearranging(draw):
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    size = 1
    for n in shape:
        size *= n
    divisor = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    axes = draw(st.permutations(range(1, len(shape) + 1)))
    return draw(
        st.sampled_from(
            [
                ("Reshape", dict(target_shape=(divisor, -1)), shape),
                ("Reshape", dict(target_shape=(size // divisor, divisor, 1)), shape),
                ("Permute", dict(dims=tuple(axes)), shape),
                (
                    "Flatten",
                    dict(data_format=draw(st.sampled_from(["channels_last", "channels_first"]))),
                    shape,
                ),
                ("RepeatVector", dict(n=divisor), (size,)),
            ]
        )
    )


@st.composite
def recurrent(draw):
    flow = {
        name: draw(st.booleans()) for name in ("return_sequences", "return_state", "go_backwards")
    }
    shape = (draw(st.integers(1, 4)), draw(SMALL))
    name = draw(st.sampled_from(["LSTM", "GRU", "SimpleRNN", "Bidirectional", "TimeDistributed"]))
    if name == "Bidirectional":
        flow["return_state"] = False
        return (
            name,
            dict(
                layer=("GRU", dict(units=3, **flow)),
                merge_mode=draw(st.sampled_from(["concat", "sum", "mul", "ave", None])),
            ),
            shape,
        )
    if name == "TimeDistributed":
        return name, dict(layer=("Conv1D", dict(filters=2, kernel_size=2))), (2, draw(SIDE), 3)
    return name, dict(units=draw(SMALL), **flow), shape


@st.composite
def convolutional_recurrent(draw):
    dims = draw(st.integers(1, 2))
    shape, layout = image(draw, dims)
    return (
        f"ConvLSTM{dims}D",
        dict(
            filters=2,
            kernel_size=draw(SMALL),
            padding=draw(st.sampled_from(["valid", "same"])),
            data_format=layout,
            strides=draw(st.integers(1, 2)),
            return_sequences=draw(st.booleans()),
        ),
        (2, *shape),
    )


@st.composite
def others(draw):
    shape = tuple(draw(st.lists(SMALL, min_size=1, max_size=3)))
    return draw(
        st.sampled_from(
            [
                ("Dense", dict(units=draw(SMALL)), shape),
                ("Embedding", dict(input_dim=5, output_dim=draw(SMALL)), shape),
                ("BatchNormalization", {}, shape),
                ("LayerNormalization", {}, shape),
                ("Softmax", {}, shape),
                ("GroupNormalization", dict(groups=-1), shape),
                ("PReLU", {}, shape),
                ("UnitNormalization", {}, shape),
                ("Dropout", dict(rate=0.5), shape),
                ("Activation", dict(activation="relu"), shape),
                ("EinsumDense", dict(equation="ab,bc->ac", output_shape=4), shape[:1]),
                ("Rescaling", dict(scale=2.0), shape),
                ("CategoryEncoding", dict(num_tokens=5), shape[:1]),
                ("Discretization", dict(bin_boundaries=[0.0]), shape),
            ]
        )
    )


def made(library, name, config):
    config = {k: made(library, *v) if k == "layer" else v for k, v in config.items()}
    return getattr(library.layers, name)(**config)


def plain(shapes):
    """A shape, or a list of shapes, as tuples."""
    if shapes and isinstance(shapes[0], (tuple, list)):
        return [plain(s) for s in shapes]
    return tuple(shapes)


def real(layer, *inputs, dtype="float32"):
    """The shape of the output for real inputs."""

    def run(key, *inputs):
        return layer.apply(*layer.init(key, *inputs), *inputs, training=False)[0]

    given = jax.tree_util.tree_map(
        lambda s: jax.ShapeDtypeStruct(s, dtype),
        inputs,
        is_leaf=lambda v: isinstance(v, tuple) and isinstance(v[0], int),
    )
    out = jax.eval_shape(run, KEY, *given)
    return [tuple(v.shape) for v in out] if isinstance(out, (list, tuple)) else tuple(out.shape)


def announced(library, name, config, shape):
    """What the library announces; an error's class where it raises one."""
    try:
        return plain(made(library, name, config).compute_output_shape(shape))
    except (TypeError, ValueError) as error:
        return type(error)


def batchless(shapes):
    return [batchless(s) for s in shapes] if isinstance(shapes, list) else (None, *shapes[1:])


FAMILIES = {
    f.__name__: f
    for f in (
        convolution,
        depthwise,
        transposed,
        pooling,
        borders,
        rearranging,
        recurrent,
        convolutional_recurrent,
        others,
    )
}


@pytest.mark.parametrize("family", FAMILIES)
@property_of(25, data=st.data())
def test_shapes(family, data):
    name, config, shape = data.draw(FAMILIES[family]())
    expected = announced(keras, name, config, (2, *shape))
    mine = announced(jkeras, name, config, (2, *shape))
    assert mine == expected
    if isinstance(expected, type):
        return
    dtype = "int32" if name in ("Embedding", "CategoryEncoding") else "float32"
    assert real(made(jkeras, name, config), (2, *shape), dtype=dtype) == mine
    assert announced(jkeras, name, config, (None, *shape)) == batchless(mine)
    layer = made(jkeras, name, config)
    layer.build((2, *shape))  # from here on some layers have a rule
    assert plain(layer.compute_output_shape((2, *shape))) == mine
    assert plain(layer.compute_output_shape((None, *shape))) == batchless(mine)


@property_of(25, data=st.data())
def test_sizes_that_are_not_known(data):
    family = data.draw(st.sampled_from([convolution, depthwise, pooling, borders]))
    name, config, shape = data.draw(family())
    if isinstance(announced(keras, name, config, (2, *shape)), type):
        return
    layer, theirs = made(jkeras, name, config), made(keras, name, config)
    layer.build((2, *shape))
    place = data.draw(st.integers(1, len(shape)))
    channels = len(shape) if config.get("data_format") != "channels_first" else 1
    if place == channels:
        return
    unknown = tuple(None if i == place else n for i, n in enumerate((2, *shape)))
    assert plain(layer.compute_output_shape(unknown)) == plain(theirs.compute_output_shape(unknown))


@pytest.mark.parametrize("name", ["Dense", "Conv1D"])
def test_activations_that_change_the_shape(name):
    config = dict(units=4) if name == "Dense" else dict(filters=4, kernel_size=2)
    for activation in ("glu", lambda x: x[..., :2], "relu"):
        layer = made(jkeras, name, config | dict(activation=activation))
        layer.build((2, 5, 3))
        y = layer(jkeras.KerasTensor((2, 5, 3)))
        assert y.shape == layer(jkeras.ops.ones((2, 5, 3))).shape


MERGES = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"]


@property_of(40, name=st.sampled_from(MERGES), data=st.data())
def test_merges(name, data):
    shape = data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
    config = {}
    shapes = [list(shape), list(shape)]
    if name == "Concatenate":
        axis = data.draw(st.integers(1, len(shape)))
        config = dict(axis=data.draw(st.sampled_from([axis, axis - len(shape) - 1])))
        shapes = [*shapes, list(shape)]
        shapes[1][axis - 1] += 2
    elif name == "Dot":
        axes = [data.draw(st.integers(1, len(shape))) for _ in range(2)]
        shapes[1][axes[1] - 1] = shapes[0][axes[0] - 1]
        config = dict(axes=tuple(axes))
    elif data.draw(st.booleans()):
        shapes[1][data.draw(st.integers(0, len(shape) - 1))] = 1
    shapes = [(2, *s) for s in shapes]
    mine = announced(jkeras, name, config, shapes)
    assert mine == announced(keras, name, config, shapes)
    if not isinstance(mine, type):
        assert real(made(jkeras, name, config), shapes) == mine
        assert announced(jkeras, name, config, [(None, *s[1:]) for s in shapes]) == batchless(mine)


@property_of(
    15,
    name=st.sampled_from(["MultiHeadAttention", "GroupQueryAttention"]),
    value=SMALL,
    steps=SMALL,
    size=SMALL,
)
def test_attention(name, value, steps, size):
    config = (
        dict(num_heads=2, key_dim=2, value_dim=value)
        if name == "MultiHeadAttention"
        else dict(head_dim=2, num_query_heads=2 * value, num_key_value_heads=value)
    )
    query, source = (2, 4, size), (2, steps, size)
    expected = plain(made(keras, name, config).compute_output_shape(query, source))
    assert plain(made(jkeras, name, config).compute_output_shape(query, source)) == expected
    assert real(made(jkeras, name, config), query, source) == expected


# ---------------------------------------------------------------- sizes that are not known


@pytest.mark.parametrize("family", ["convolution", "pooling", "borders", "rearranging"])
@property_of(15, data=st.data())
def test_unknown_sizes(family, data):
    """Where Keras knows the size of an axis although another one is not known, so does jkeras."""
    name, config, shape = data.draw(FAMILIES[family]())
    hidden = data.draw(st.integers(0, len(shape) - 1))
    channels = 0 if config.get("data_format") == "channels_first" else len(shape) - 1
    if family == "convolution" and hidden == channels:
        return  # the kernel depends on it
    shape = (None, *(None if i == hidden else n for i, n in enumerate(shape)))
    expected = announced(keras, name, config, shape)
    if not isinstance(expected, type) and all(n is None or n >= 0 for n in expected):
        assert announced(jkeras, name, config, shape) == expected
