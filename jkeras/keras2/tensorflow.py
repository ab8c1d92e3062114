"""What programs written for `tf.keras` use of TensorFlow, by `jkeras.ops`."""

import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import ops
from jkeras.keras2 import backend
from jkeras.keras2.tables import OPS_OF_TENSORFLOW
from jkeras.keras2.gradient_tape import GradientTape

MATH = ("abs add ceil cos divide equal erf exp floor greater less log log1p logical_and "
        "logical_not logical_or maximum minimum multiply round rsqrt sigmoid sign sin sqrt square "
        "subtract tanh top_k").split()  # fmt: skip
REDUCTIONS = ("mean", "sum", "max", "min", "prod", "any", "all", "logsumexp", "std")
NN = ("relu", "elu", "selu", "softmax", "log_softmax", "sigmoid", "tanh", "softplus", "silu",
      "gelu", "leaky_relu", "relu6", "moments")  # fmt: skip
DTYPES = (
    "float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 bool string"
).split()
MISSING = (
    "jkeras's stand-in for TensorFlow has no {name!r}: it has what programs for tf.keras use "
    "around a model. Install TensorFlow, which is taken then, or write it with jax.numpy."
)


class StandIn(types.ModuleType):
    """A module that says what it lacks."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(MISSING.format(name=f"{self.__name__}.{name}"))


def _constant(value, dtype=None, shape=None, name=None):
    x = ops.convert_to_tensor(np.asarray(value), dtype=dtype)
    if x.dtype == "float64" and dtype is None:
        x = x.astype("float32")
    return x if shape is None else ops.broadcast_to(x, tuple(shape))


def _reduction(name):
    op = getattr(ops, name)

    def reduce(input_tensor, axis=None, keepdims=False, name=None):
        return op(input_tensor, axis=axis, keepdims=keepdims)

    return reduce


def _variance(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
    return ops.var(input_tensor, axis=axis, keepdims=keepdims)


def _softmax_cross_entropy(labels: Any, logits: Any, axis: int = -1, name: Any = None) -> Any:
    return ops.categorical_crossentropy(labels, logits, from_logits=True, axis=axis)


def _sparse_cross_entropy(labels: Any, logits: Any, name: Any = None) -> Any:
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _first_axis(name: str) -> Callable:
    """An op that goes along the first axis unless it is told another one."""
    op = getattr(ops, name)

    def along(input: Any, axis: Any = None, output_type: Any = None, name: Any = None) -> Any:
        found = op(input, axis=axis or 0)
        if output_type is not None:
            found = ops.cast(found, output_type)
        return found

    return along


def _cumsum(
    x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: Any = None
) -> Any:
    if exclusive or reverse:
        raise NotImplementedError("tf.cumsum(exclusive=, reverse=): write it with keras.ops.flip")
    return ops.cumsum(x, axis=axis)


def _split(
    value: Any, num_or_size_splits: Any, axis: int = 0, num: Any = None, name: Any = None
) -> list:
    """Parts of a number, or of sizes."""
    parts = num_or_size_splits
    if not isinstance(parts, int):
        parts = np.cumsum([int(size) for size in parts])[:-1].tolist()
    return list(ops.split(value, parts, axis=axis))


def _global_norm(t_list: Any, name: Any = None) -> jax.Array:
    return jnp.sqrt(sum(jnp.sum(jnp.square(t)) for t in t_list if t is not None))


def _clip_by_global_norm(
    t_list: Any, clip_norm: float, use_norm: Any = None, name: Any = None
) -> tuple[list, Any]:
    norm = use_norm
    if norm is None:
        norm = _global_norm(t_list)
    scale = clip_norm / jnp.maximum(norm, clip_norm)
    return [None if t is None else t * scale for t in t_list], norm


def _clip_by_norm(t: Any, clip_norm: float, axes: Any = None, name: Any = None) -> jax.Array:
    norm = jnp.sqrt(jnp.sum(jnp.square(t), axis=axes, keepdims=True))
    return t * clip_norm / jnp.maximum(norm, clip_norm)


def _add_n(inputs: Any, name: Any = None) -> Any:
    return sum(inputs[1:], start=inputs[0])


def _transpose(a, perm=None, conjugate=False, name=None):
    return ops.transpose(a, perm)


def _concat(values, axis, name=None):
    return ops.concatenate(list(values), axis=axis)


def _stack(values, axis=0, name=None):
    return ops.stack(list(values), axis=axis)


def _cast(x, dtype, name=None):
    return ops.cast(x, dtype)


def _one_hot(
    indices: Any,
    depth: int,
    on_value: Any = 1,
    off_value: Any = 0,
    axis: int = -1,
    dtype: Any = "float32",
    name: Any = None,
) -> Any:
    x = ops.one_hot(ops.cast(indices, "int32"), depth, axis=axis, dtype=dtype)
    if (on_value, off_value) == (1, 0):
        return x
    return ops.where(ops.equal(x, 1), on_value, off_value)


def _gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: int = 0,
    name: Any = None,
) -> Any:
    if batch_dims:
        raise NotImplementedError("tf.gather(batch_dims=): write it with jax.numpy.take_along_axis")
    return ops.take(params, ops.cast(indices, "int32"), axis=axis or 0)


def _zeros(shape, dtype="float32", name=None):
    return ops.zeros(shape, dtype)


def _ones(shape, dtype="float32", name=None):
    return ops.ones(shape, dtype)


def _function(func=None, **options):
    """`@tf.function`: the function as it is."""
    return func if func is not None else lambda function: function


def _pad(tensor, paddings, mode="CONSTANT", constant_values=0, name=None):
    options = {"constant_values": constant_values} if mode == "CONSTANT" else {}
    return ops.pad(tensor, paddings, mode=mode.lower(), **options)


def _variable(initial_value, trainable=True, dtype=None, name=None, **more):
    return jkeras.Variable(initial_value, trainable=trainable, dtype=dtype, name=name)


def _nothing(*args, **kwargs):
    return None


def _module(name, **members):
    module = StandIn(name)
    vars(module).update(members)
    return module


class Dataset:
    """Elements one after the other, made anew in each pass.

    >>> data = Dataset.from_tensor_slices(np.arange(5)).batch(2)
    >>> [batch.tolist() for batch in data]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, make):
        self._make = make

    def __iter__(self):
        return iter(self._make())

    @classmethod
    def from_tensor_slices(cls, tensors):
        """The rows of arrays."""
        tensors = jax.tree_util.tree_map(np.asarray, tensors, is_leaf=lambda x: isinstance(x, list))
        length = len(jax.tree_util.tree_leaves(tensors)[0])
        return cls(
            lambda: (jax.tree_util.tree_map(lambda x, i=i: x[i], tensors) for i in range(length))
        )

    @classmethod
    def from_generator(cls, generator, *args, **kwargs):
        """What a generator yields."""
        return cls(generator)

    @classmethod
    def zip(cls, datasets):
        """Elements beside each other."""
        return cls(lambda: zip(*datasets))

    def map(self, function, **options):
        """A function of each element."""

        def make():
            for element in self:
                arguments = element if isinstance(element, tuple) else (element,)
                yield jax.tree_util.tree_map(np.asarray, function(*arguments))

        return Dataset(make)

    def batch(self, batch_size, drop_remainder=False, **options):
        """Elements stacked."""

        def make():
            rows = []
            for element in self:
                rows.append(element)
                if len(rows) == batch_size:
                    yield jax.tree_util.tree_map(lambda *xs: np.stack(xs), *rows)
                    rows = []
            if rows and not drop_remainder:
                yield jax.tree_util.tree_map(lambda *xs: np.stack(xs), *rows)

        return Dataset(make)

    def shuffle(self, buffer_size, seed=None, **options):
        """Another order in each pass."""
        random = np.random.default_rng(seed)

        def make():
            elements = list(self)
            return (elements[i] for i in random.permutation(len(elements)))

        return Dataset(make)

    def repeat(self, count=None):
        """Pass after pass; None: without an end."""

        def make():
            passes = 0
            while count is None or passes < count:
                yield from self
                passes += 1

        return Dataset(make)

    def take(self, count):
        """The first elements."""
        return Dataset(lambda: (x for x, _ in zip(self, range(count))))

    def skip(self, count):
        """All but the first elements."""
        return Dataset(lambda: (x for i, x in enumerate(self) if i >= count))

    def cache(self, *args):
        """The elements."""
        return self

    prefetch = cache

    def as_numpy_iterator(self):
        """The elements."""
        return iter(self)


def make(keras):
    """The modules of the stand-in by their names.

    Args:
        keras: what `tf.keras` is.
    """
    tf = _module("tensorflow", __version__="2.15.0", keras=keras, __path__=[])
    members = {old: getattr(ops, new) for old, new in OPS_OF_TENSORFLOW.items()}
    members |= {f"reduce_{name}": _reduction(name) for name in REDUCTIONS}
    members |= {name: name for name in DTYPES}
    members.update(
        Variable=_variable, Tensor=jax.Array, TensorShape=tuple, cast=_cast, concat=_concat,
        constant=_constant, convert_to_tensor=_constant, executing_eagerly=lambda: True,
        function=_function, gather=_gather, identity=lambda x, name=None: x, ones=_ones,
        one_hot=_one_hot, pad=_pad, stack=_stack, transpose=_transpose, zeros=_zeros,
        add_n=_add_n, argmax=_first_axis("argmax"), argmin=_first_axis("argmin"),
        clip_by_global_norm=_clip_by_global_norm, clip_by_norm=_clip_by_norm, cumsum=_cumsum,
        split=_split, newaxis=None, is_tensor=ops.is_tensor, GradientTape=GradientTape,
        device=lambda name: backend.learning_phase_scope(0),
        Session=backend.Session, ConfigProto=_Config, GPUOptions=_Config, set_random_seed=_seed,
        name_scope=jkeras.name_scope, reset_default_graph=_nothing, print=print,
        norm=lambda x, ord="euclidean", axis=None, keepdims=False: jnp.linalg.norm(
            x, axis=axis, keepdims=keepdims
        ),
    )  # fmt: skip
    vars(tf).update(members)
    _add_numbers(tf)
    _add_machine(tf)
    tf.compat = _module("tensorflow.compat", __path__=[])
    v1 = _v1(tf)
    tf.compat.v1 = v1
    modules = {"tensorflow": tf, "tensorflow.compat": tf.compat, "tensorflow.compat.v1": v1}
    for name in ("math", "nn", "random", "data", "config", "test", "image", "linalg"):
        modules[f"tensorflow.{name}"] = getattr(tf, name)
    return modules


def _add_numbers(tf):
    """Adds the modules of what is computed."""
    reductions = {f"reduce_{name}": _reduction(name) for name in REDUCTIONS}
    tf.math = _module(
        "tensorflow.math",
        **{name: getattr(ops, name) for name in MATH},
        **reductions,
        pow=ops.power,
        argmax=_first_axis("argmax"),
        cumsum=_cumsum,
        squared_difference=lambda x, y, name=None: ops.square(ops.subtract(x, y)),
        reduce_variance=_variance,
    )
    tf.nn = _module(
        "tensorflow.nn",
        **{name: getattr(ops, name) for name in NN},
        l2_normalize=backend.l2_normalize,
        softmax_cross_entropy_with_logits=_softmax_cross_entropy,
        sparse_softmax_cross_entropy_with_logits=_sparse_cross_entropy,
        sigmoid_cross_entropy_with_logits=lambda labels, logits: ops.binary_crossentropy(
            labels, logits, from_logits=True
        ),
    )
    tf.random = _module(
        "tensorflow.random",
        set_seed=_seed,
        normal=lambda shape, mean=0.0, stddev=1.0, dtype="float32", seed=None: jkeras.random.normal(
            tuple(shape), mean, stddev, dtype
        ),
        uniform=lambda shape, minval=0.0, maxval=1.0, dtype="float32", seed=None: (
            jkeras.random.uniform(tuple(shape), minval, maxval, dtype)
        ),
        set_random_seed=_seed,
    )
    tf.image = _module(
        "tensorflow.image",
        resize=lambda images, size, method="bilinear", **more: ops.image.resize(
            images, size, interpolation=method
        ),
        rgb_to_grayscale=ops.image.rgb_to_grayscale,
    )
    tf.linalg = _module("tensorflow.linalg", matmul=ops.matmul, norm=ops.norm, inv=ops.inv)


def _add_machine(tf):
    """Adds the modules of data, devices and logs."""
    tf.data = _module("tensorflow.data", Dataset=Dataset, AUTOTUNE=-1)
    tf.data.experimental = _module("tensorflow.data.experimental", AUTOTUNE=-1)
    tf.config = _module(
        "tensorflow.config",
        list_physical_devices=_devices,
        list_logical_devices=_devices,
        set_visible_devices=_nothing,
        run_functions_eagerly=_nothing,
    )
    tf.config.experimental = _module(
        "tensorflow.config.experimental",
        set_memory_growth=_nothing,
        set_virtual_device_configuration=_nothing,
        set_visible_devices=_nothing,
        list_physical_devices=_devices,
    )
    tf.test = _module(
        "tensorflow.test",
        is_gpu_available=lambda *args, **kwargs: bool(_devices("GPU")),
        gpu_device_name=lambda: "/device:GPU:0" if _devices("GPU") else "",
    )
    tf.errors, tf.summary = _module("tensorflow.errors"), _module("tensorflow.summary")
    tf.get_logger = lambda: _module("logger", setLevel=_nothing)
    tf.logging = _module("tensorflow.logging", set_verbosity=_nothing, ERROR=40, INFO=20)


def _v1(tf):
    """`tensorflow.compat.v1`: the same, and switches without effect."""
    public = {name: value for name, value in vars(tf).items() if not name.startswith("__")}
    return _module(
        "tensorflow.compat.v1",
        **public,
        disable_eager_execution=_nothing,
        disable_v2_behavior=_nothing,
        enable_eager_execution=_nothing,
    )


class _Config:
    """Takes any setting of a session, and does nothing."""

    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        setting = _Config()
        setattr(self, name, setting)
        return setting


def _seed(seed):
    jkeras.utils.set_random_seed(seed)


def _devices(kind=None):
    """The devices that JAX has, of a kind."""
    platform = {"GPU": "gpu", "TPU": "tpu", "CPU": "cpu", None: None}[kind]
    return [device for device in jax.devices() if platform in (None, device.platform)]
