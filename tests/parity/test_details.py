"""Arguments that are rarely given, dtypes that rarely come, and mistakes: what both libraries do
with each call.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from tests.parity.both import GRADIENTS, LIBRARIES, agree, find

X = np.linspace(-3.0, 4.0, 12, dtype="float32").reshape(3, 4)
IMAGE = np.linspace(-1.0, 1.0, 120, dtype="float32").reshape(1, 6, 5, 4)
# (batch, time, heads, depth)
HEADS = np.linspace(-2.0, 2.0, 48, dtype="float32").reshape(2, 3, 2, 4)
SCORES = np.cos(np.arange(18.0, dtype="float32")).reshape(2, 3, 3)
KERNEL = np.linspace(0.5, -1.0, 32, dtype="float32").reshape(2, 2, 4, 2)


def case_id(case):
    name, args, *_ = case
    return name if not args else f"{name}-{getattr(args[0], 'dtype', type(args[0]).__name__)}"


def cases(table):
    return [pytest.param(*case, id=f"{i}-{case_id(case)}") for i, case in enumerate(table)]


VALUES = [
    ("activations.relu", [X.astype("int8")], dict(max_value=6)),
    ("activations.relu", [np.abs(X).astype("uint8")], dict(max_value=6)),
    ("ops.sparsemax", [X > 0], {}),
    ("ops.sparsemax", [X.astype("int8")], dict(axis=0)),
    ("ops.adaptive_max_pool", [IMAGE], dict(output_size=(4, 2))),
    ("ops.adaptive_average_pool", [IMAGE], dict(output_size=(4, 2))),
    ("ops.dot_product_attention", [HEADS] * 3, dict(bias=SCORES)),  # as many batches as heads
    ("ops.dot_product_attention", [HEADS[:1]] * 3, dict(bias=SCORES)),
    ("ops.dot_product_attention", [HEADS] * 3, dict(mask=SCORES[:, :2] > 0)),
    ("ops.dot_product_attention", [HEADS] * 3, dict(mask=SCORES[0] > 0, bias=SCORES[1, 0])),
    ("ops.image.extract_patches", [np.stack([IMAGE] * 2, 1), (2, 3, 2)], dict(strides=2)),
    ("ops.image.extract_patches", [IMAGE[:0], 2], {}),
    ("ops.image.extract_patches", [IMAGE[:, :0], 2], {}),
    ("ops.image.gaussian_blur", [IMAGE[:, :0]], dict(data_format="channels_last")),
    # it wraps around
    ("ops.depthwise_conv", [(IMAGE * 127).astype("int8"), (KERNEL * 9).astype("int8")], {}),
    ("ops.depthwise_conv", [(IMAGE * 2**28).astype("int32"), np.full((2, 2, 4, 1), 3)], {}),
    ("random.randint", [(3,), 0, 9], dict(dtype=None, seed=3)),
    ("random.dropout", [X, 0.5], dict(noise_shape=(4,), seed=3)),
    ("random.dropout", [X, 0.5], dict(noise_shape=(), seed=3)),
    ("DTypePolicy('float32').convert_input", [np.float64(2.0), True, "float16"], {}),
    ("DTypePolicy('float32').convert_input", [X, True, "int32"], {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), cases(VALUES))
def test_value(name, args, kwargs):
    def function(library):
        if name.startswith("DTypePolicy"):
            return library.DTypePolicy("float32").convert_input
        return find(library, name)

    mine, theirs = (function(k)(*args, **kwargs) for k in LIBRARIES)
    agree(mine, theirs, name)


@pytest.mark.parametrize("x", [[0.0, 1.0, 2.7], [True, False], [2, 0]], ids=str)
def test_sparse_one_hot(x):
    mine, theirs = (k.ops.one_hot(np.array(x), 4, sparse=True).todense() for k in LIBRARIES)
    agree(mine, theirs)


MISTAKES = [
    ("ops.sparsemax", [1.5], {}),
    ("ops.sparsemax", [X], dict(axis=4)),
    ("ops.max_pool", [X, 2], {}),
    ("ops.average_pool", [X[0], 2], {}),
    ("ops.max_pool", [IMAGE, (2,)], {}),
    ("ops.max_pool", [IMAGE, 2], dict(strides=(1, 2, 1))),
    ("ops.conv", [IMAGE, KERNEL], dict(strides=(2,))),
    ("ops.conv", [IMAGE, KERNEL[0]], {}),
    ("ops.depthwise_conv", [IMAGE, KERNEL[0]], {}),
    ("ops.conv_transpose", [IMAGE, KERNEL[0]], {}),
    ("ops.conv_transpose", [IMAGE, KERNEL], dict(dilation_rate=(1,))),
    ("ops.layer_normalization", [np.float32(2.0)], {}),
    ("ops.dot_product_attention", [HEADS] * 3, dict(mask=np.ones((7, 7), bool))),
    ("ops.dot_product_attention", [HEADS[:1], HEADS, HEADS], {}),
    (
        "ops.dot_product_attention",
        [np.repeat(HEADS, 2, 2), *[np.concatenate([HEADS, HEADS[:, :, :1]], 2)] * 2],
        {},
    ),
    ("ops.fold", [IMAGE[0, :, :4], (5, 5), 2], {}),
    ("ops.fold", [IMAGE[0, :, :3], (3, 3), 2], {}),
    ("ops.image.crop_images", [IMAGE, 1, 2], dict(target_height=9, target_width=2)),
    ("ops.image.rgb_to_hsv", [IMAGE], {}),
    ("ops.image.hsv_to_rgb", [IMAGE[..., :2]], {}),
    ("ops.image.extract_patches", [IMAGE, 7], {}),
    ("ops.image.extract_patches", [X, 2], {}),
    ("ops.image.extract_patches", [IMAGE, 2], dict(padding="foo")),
    ("ops.image.affine_transform", [IMAGE, np.ones((3, 8))], {}),
    ("ops.image.affine_transform", [IMAGE, X[0]], {}),
    ("ops.image.affine_transform", [np.float32(3), np.ones(8)], {}),
    ("ops.image.ssim", [IMAGE, IMAGE], {}),
    ("ops.image.ssim", [np.repeat(IMAGE, 2, 0), IMAGE], dict(filter_size=3)),
    ("ops.extract_sequences", [X, -1, 2], {}),
    ("ops.extract_sequences", [np.float32(1), 2, 1], {}),
    ("ops.rfft", [np.float32(1)], {}),
    ("ops.fft2", [(X[0], X[0])], {}),
    ("ops.swapaxes", [X, 5, 0], {}),
    ("ops.transpose", [X, (0, 0)], {}),
    ("ops.segment_sum", [X, np.zeros((2, 2), "int32"), 2], {}),
    ("ops.segment_sum", [X, np.zeros(7, "int32"), 2], {}),
    ("ops.where", [X > 0, X, None], {}),
    ("ops.image.rgb_to_grayscale", [np.concatenate([IMAGE, IMAGE], -1)], {}),
    ("ops.depth_to_space", [IMAGE, 3], {}),
    ("ops.space_to_depth", [IMAGE, 4], {}),
    ("random.normal", [(2,)], dict(seed=1.5)),
    ("random.normal", [(2,)], dict(dtype="real", seed=1)),
    ("ops.batch_normalization", [X, X[0, :3], X[0, :3]], dict(axis=-1)),
    ("ops.batch_normalization", [X, np.float32(1), np.float32(2)], dict(axis=-1)),
    ("config.set_image_data_format", [None], {}),
    ("config.set_dtype_policy", [None], {}),
    ("regularizers.deserialize", [{}], {}),
    ("quantizers.get", [{}], {}),
    ("activations.get", [dict(class_name="Unknown", config={})], {}),
    (
        "saving.deserialize_keras_object",
        [dict(module="mine", class_name="Unknown", config={}, registered_name="x")],
        {},
    ),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), cases(MISTAKES))
def test_mistake(name, args, kwargs):
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever Keras raises
        find(keras, name)(*args, **kwargs)
    builtin = next(c for c in theirs.type.__mro__ if c.__module__ == "builtins")
    with pytest.raises(builtin):
        find(jkeras, name)(*args, **kwargs)


SYMBOLIC = [
    ("ops.conv", [(2, 6, 5, None), (3, 2, 4, 3)], dict(strides=2, padding="same")),
    ("ops.depthwise_conv", [(None, None, 6, 5), (3, 2, 4, 3)], dict(data_format="channels_first")),
    ("ops.separable_conv", [(2, 6, 5, None), (3, 2, 4, 3), (1, 1, 12, 2)], {}),
    ("ops.conv_transpose", [(2, 6, 5, None), (3, 2, 3, 4)], dict(strides=2, output_padding=1)),
    ("ops.fold", [(None, 12, None)], dict(output_size=(6, 7), kernel_size=2)),
    ("ops.space_to_depth", [(None, None, None, None)], dict(block_size=3)),
    ("ops.image.rgb_to_grayscale", [(None, 6, 5, None)], {}),
    ("ops.image.rgb_to_hsv", [(None, None, None, None)], {}),
    ("ops.image.hsv_to_rgb", [(None, None, 5)], dict(data_format="channels_first")),
    ("ops.image.affine_transform", [(2, 6, None, 3), (None, 8)], {}),
    ("ops.image.perspective_transform", [(2, 6, None, 3), (None, 4, 2), (None, 4, 2)], {}),
    ("ops.image.elastic_transform", [(None, 6, None, 3)], {}),
    ("ops.image.ssim", [(None, 14, 14, 3)] * 2, {}),
    ("ops.image.ssim", [(None, 14, 14, 3), (2, 14, 14, 3)], {}),
]


@pytest.mark.parametrize(("name", "shapes", "kwargs"), cases(SYMBOLIC))
def test_shape(name, shapes, kwargs):
    mine, theirs = (find(k, name)(*map(k.KerasTensor, shapes), **kwargs) for k in LIBRARIES)
    assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)


@pytest.mark.parametrize("name", ["one_hot", "multi_hot"])
@pytest.mark.parametrize("sparse", [False, True])
def test_symbolic_encoding(name, sparse):
    mine, theirs = (
        find(k.ops, name)(k.KerasTensor((None, 3), "int32"), 4, dtype="int32", sparse=sparse)
        for k in LIBRARIES
    )
    assert (mine.shape, mine.dtype, mine.sparse) == (theirs.shape, theirs.dtype, theirs.sparse)


@pytest.mark.parametrize("size", [2, 4])
def test_gradient_of_equal_maxima(size):
    """The first of equal elements gets it."""
    x = np.round(IMAGE * 2)
    agree(
        *(
            jax.grad(lambda v, k=k: jnp.sum(k.ops.adaptive_max_pool(v, size) ** 2))(x)
            for k in LIBRARIES
        ),
        **GRADIENTS,
    )


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("initializers", "zeros"),
        ("regularizers", "l2"),
        ("constraints", "non_neg"),
        ("quantizers", "abs_max_quantizer"),
    ],
)
def test_name_deserialized(family, name):
    """A name gives an object, not its class."""
    mine, theirs = (getattr(k, family).deserialize(name) for k in LIBRARIES)
    assert type(mine).__name__ == type(theirs).__name__


def test_none_where_it_is_no_leaf():
    for structures in ([1, 2], [None, 1]), (1, None), ([None], [3]):
        for library in LIBRARIES:
            with pytest.raises(ValueError):  # noqa: PT011
                library.tree.map_structure(lambda *x: x, *structures, none_is_leaf=False)
    mine, theirs = (
        k.tree.map_structure(lambda *x: x, [1, None], [2, None], none_is_leaf=False)
        for k in LIBRARIES
    )
    assert mine == theirs == [(1, 2), None]


VECTOR = [1.5, -2.0, 3.0]
VARIABLES = {  # library -> what is compared
    "whole numbers keep their dtype": lambda k: [
        k.Variable(v).value for v in (3, True, [1, 2], [True, False], 2.5)
    ],
    "initializer by name": lambda k: k.Variable("ones", shape=[2, 3], dtype="int32").value,
    "operators promote as ops": lambda k: [
        f(v)
        for v in (k.Variable([1, 0, 3]), k.Variable([1, 0, 3], dtype="uint8"))
        for f in (
            lambda v: v / 2,
            lambda v: v & [1, 1, 0],
            lambda v: 2.5 - v,
            lambda v: (1, 2, 3) * v,
            lambda v: v > 0.5,
            lambda v: v ^ True,
        )
    ],
    "what it holds, by the name that programs know": lambda k: [
        k.Variable(VECTOR)._value,
        k.Variable("ones", shape=[2], dtype="float32")._value,
    ],
    "int8 product": lambda k: (
        k.Variable([[100, 100]], dtype="int8") @ k.Variable([[100], [100]], dtype="int8")
    ),
    "round": lambda k: [round(k.Variable(VECTOR)), round(k.Variable([1.26, 2.0]), 1)],
    "result of assign": lambda k: [
        k.Variable(VECTOR).assign([1, 2, 3]),
        k.Variable(VECTOR).assign_add(1.0),
        k.Variable(VECTOR, dtype="bfloat16").assign_sub([0.1, 0.2, 0.3]),
    ],
    "assign to whole numbers": lambda k: [
        k.Variable([1, 0, 3], dtype=dtype).assign_sub(value)
        for dtype in ("int32", "uint8", "bool")
        for value in (2.5, [4.0, 5.0, 6.0])
    ],
}


@pytest.mark.parametrize("name", VARIABLES)
def test_variable(name):
    agree(*(VARIABLES[name](k) for k in LIBRARIES), name)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (dict(initializer="zeros"), None),
        (dict(initializer="zeros", shape=(None, 2)), None),
        (dict(initializer="zeros", shape=(-1, 2)), None),
        (dict(initializer="zeros", shape=(2.0,)), None),
        (dict(initializer="nothing", shape=(2,)), None),
        (dict(initializer=1.0, synchronization="never"), None),
        (dict(initializer=1.0), bool),
        (dict(initializer=1), lambda v: v.assign(float("nan"))),
        (dict(initializer=1.0), lambda v: v.assign("a")),
        (dict(initializer=1.0), lambda v: v.assign([1.0])),
        (dict(initializer=1.0), lambda v: setattr(v, "regularizer", "l2")),
        (dict(initializer=1.0), lambda v: setattr(v, "constraint", 3)),
        (dict(initializer=1.0), lambda v: setattr(v, "overwrite_with_gradient", 1)),
    ],
)
def test_mistake_with_a_variable(make, change):
    errors = []
    for library in LIBRARIES:
        with pytest.raises(Exception) as error:
            made = library.Variable(**make)
            change(made)
        errors.append(error.type)
    assert issubclass(errors[0], errors[1])


def test_dtype_of_a_variable_in_a_mixed_layer():
    """Inside a layer a weight has the compute dtype, and what is assigned to it the dtype it is
    kept in.
    """
    seen = []
    for library in LIBRARIES:

        class Counting(library.layers.Layer):
            def build(self, shape):
                self.w = self.add_weight(shape=(2,), name="w")
                self.count = self.add_weight(
                    shape=(), dtype="int32", initializer="zeros", trainable=False
                )

            def call(self, x):
                seen.append([self.w.dtype, self.w.value.dtype.name, self.count.dtype])
                self.w.assign(x[0])
                return x * self.w

        layer = Counting(dtype="mixed_bfloat16")
        layer(np.ones((1, 2)))
        seen[-1] += [layer.w.dtype, layer.w.value.dtype.name]
    assert seen[len(seen) // 2 - 1] == seen[-1]


SYMBOL = dict(shape=(None, 3), dtype="int32")
SYMBOLIC = {  # KerasTensor -> what is compared
    "round": lambda t: [round(t).shape, round(t, 1).dtype],
    "text": lambda t: repr(t).split(", name")[0],
    "equality is identity": lambda t: [t == t, t in [t + 1, t], t == (t + 1), t == "a"],
    "equality with None": lambda t: t == None,  # noqa: E711
    "integer": int,
    "number": float,
    "iteration": iter,
    "truth": bool,
    "unknown argument": lambda t: type(t)((2,), colour=1),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_symbol(name):
    results = []
    for library in LIBRARIES:
        try:
            results.append(SYMBOLIC[name](library.KerasTensor(**SYMBOL)))
        except (TypeError, ValueError, NotImplementedError) as error:
            results.append(type(error))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "arguments",
    [
        lambda k: dict(call_function=lambda layer, x: layer(x)),
        lambda k: dict(input_tensors=np.ones((2, 3))),
        lambda k: dict(input_tensors={"a": k.Input((3,)), "b": k.Input((3,))}),
    ],
)
def test_mistake_in_cloning(arguments):
    for library in LIBRARIES:
        model = library.Sequential([library.Input((3,)), library.layers.Dense(2)])
        with pytest.raises(ValueError):
            library.models.clone_model(model, **arguments(library))


def test_automatic_config():
    """The config of a class without `get_config` has its arguments' defaults too."""
    configs = []
    for library in LIBRARIES:

        class Scale(library.layers.Layer):
            def __init__(self, factor, offset=0.5, mode=None, **kwargs):
                super().__init__(**kwargs)

        configs.append(Scale(3).get_config())
    assert {"factor": 3, "offset": 0.5, "mode": None}.items() <= configs[1].items()
    assert {k: v for k, v in configs[1].items() if k != "dtype"}.items() <= configs[0].items()


def test_classes_without_an_automatic_config():
    for library in LIBRARIES:
        for base in (library.layers.Layer, library.Operation):

            class AnyNumber(base):
                def __init__(self, *factors):
                    super().__init__()

            class One(base):
                def __init__(self, factor, name=None):
                    super().__init__(name=name)

            for made in (AnyNumber(1, 2), One(object())):
                with pytest.raises(NotImplementedError, match="get_config"):
                    made.get_config()
            assert "factors" not in AnyNumber().get_config()

        class Unnamed(library.Operation):
            def __init__(self, factor=0.5):
                super().__init__()

        assert Unnamed().get_config() == {"factor": 0.5}


def test_inputs_and_outputs_of_a_layer_are_flat():
    for library in LIBRARIES:

        class Both(library.layers.Layer):
            def call(self, x, other=None):
                return {"sum": x + other, "difference": (x - other, x)}

        class Pair(library.Operation):
            def call(self, x):
                return x, x + 1

        a, b = library.Input((3,)), library.Input((3,))
        layer, op = Both(), Pair()
        outputs = library.tree.flatten(layer(a, other=b))
        assert [t is u for t, u in zip(layer.input, [a, b])] == [True, True]
        assert type(layer.output) is list
        assert {id(t) for t in layer.output} == {id(t) for t in outputs}
        assert [id(t) for t in op(a)] == [id(t) for t in op.output]
        assert type(op.output) is list and op.input is a


def test_sources_of_tensors_that_no_layer_made():
    for library in LIBRARIES:
        x, y = library.KerasTensor((2,)), library.KerasTensor((2,))
        found = library.utils.get_source_inputs(library.ops.square(x + y + x))
        assert [t is u for t, u in zip(found, [x, y])] == [True, True]


def test_numbers_of_a_batch():
    """`train_on_batch` and `test_on_batch` give Python numbers, alone or in a list."""
    for metrics in (None, ["mae"]):
        kinds = []
        for library in LIBRARIES:
            model = library.Sequential([library.Input((4,)), library.layers.Dense(1)])
            model.compile("sgd", "mse", metrics=metrics)
            found = [model.train_on_batch(X, X[:, :1]), model.test_on_batch(X, X[:, :1])]
            kinds.append([type(v) for v in jax.tree_util.tree_leaves(found)])
        assert kinds[0] == kinds[1]


def test_dtypes_of_torch_have_names():
    torch = pytest.importorskip("torch")
    for library in (jkeras, keras):
        names = [
            library.backend.standardize_dtype(getattr(torch, name))
            for name in ("int64", "float32", "bfloat16")
        ]
        assert names == ["int64", "float32", "bfloat16"]
        assert library.ops.convert_to_tensor([1, 2], dtype=torch.float32).dtype == "float32"
