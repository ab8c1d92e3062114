"""`keras.backend` of Keras 2: its functions by `jkeras.ops`."""

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import ops
from jkeras.core.errors import explain
from jkeras.core.graph import sparse
from jkeras.core.graph.keras_tensor import is_symbolic
from jkeras.core.run.scopes import is_training
from jkeras.keras2.closures import sampled
from jkeras.keras2.graph_functions import LearningPhase


def variable(value, dtype=None, name=None, constraint=None):
    """A variable with a first value."""
    dtype = dtype or jkeras.config.floatx()
    return jkeras.Variable(np.asarray(value), dtype=dtype, name=name)


def constant(value, dtype=None, shape=None, name=None):
    """An array."""
    x = ops.convert_to_tensor(np.asarray(value), dtype=dtype or jkeras.config.floatx())
    return x if shape is None else ops.broadcast_to(x, tuple(shape))


def is_keras_tensor(x):
    """Whether x is a symbolic tensor."""
    return is_symbolic(x)


is_tensor = ops.is_tensor
is_variable = lambda x: isinstance(x, jkeras.Variable)  # noqa: E731


def int_shape(x):
    """The shape as a tuple, with None for unknown sizes."""
    return tuple(x.shape)


def ndim(x):
    """The number of axes."""
    return len(x.shape)


def dtype(x):
    """The name of the dtype."""
    return jkeras.backend.standardize_dtype(x.dtype)


def eval(x):  # noqa: A001
    """The value as a numpy array."""
    return np.array(ops.convert_to_numpy(x))


get_value = eval


def batch_get_value(tensors):
    """The values as numpy arrays."""
    return [eval(x) for x in tensors]


def set_value(x, value):
    """Assigns to a variable.

    Raises:
        TypeError: it is no variable; so is the rate of an optimizer that follows a schedule.
    """
    if not isinstance(x, jkeras.Variable):
        raise TypeError(
            explain(
                "K.set_value",
                "a variable, such as model.optimizer.lr of an optimizer with a number as its rate",
                f"{type(x).__name__} {x!r}",
                "make the optimizer with a number, or let its LearningRateSchedule say the rate",
            )
        )
    x.assign(np.asarray(value))


def batch_set_value(tuples):
    """Assigns to variables."""
    for x, value in tuples:
        set_value(x, value)


def count_params(x):
    """The number of elements."""
    return int(np.prod(x.shape))


def zeros(shape, dtype=None, name=None):
    """A variable of zeros."""
    return variable(np.zeros(shape), dtype, name)


def ones(shape, dtype=None, name=None):
    """A variable of ones."""
    return variable(np.ones(shape), dtype, name)


def identity(x, name=None):
    """x."""
    return x


def update(x, new_x):
    """Assigns to a variable; in a graph, what `K.function(updates=)` takes."""
    if is_symbolic(new_x):
        return (x, new_x)
    x.assign(new_x)
    return x


def update_add(x, increment):
    """Adds to a variable."""
    return update(x, ops.add(x, increment))


def update_sub(x, decrement):
    """Subtracts from a variable."""
    return update(x, ops.subtract(x, decrement))


def moving_average_update(x, value, momentum):
    """Moves a variable towards a value."""
    return update(x, x * momentum + value * (1.0 - momentum))


# ---------------------------------------------------------------- random


def _shape_of(shape):
    return tuple(int(n) if isinstance(n, np.integer) else n for n in shape)


def random_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None, std=None):
    """Normal numbers; a size of the shape may be one of `K.shape` in a graph.

    Args:
        std: what Keras 1 calls `stddev`.
    """
    stddev = stddev if std is None else std
    return _random(jkeras.random.normal, shape, (mean, stddev), dtype, seed)


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: Any = None, seed: Any = None
) -> jkeras.Variable:
    """A variable of normal numbers."""
    return variable(jkeras.random.normal(shape, mean, scale, seed=seed), dtype, name)


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: Any = None, seed: Any = None
) -> jkeras.Variable:
    """A variable of uniform numbers."""
    return variable(jkeras.random.uniform(shape, low, high, seed=seed), dtype, name)


def random_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None, low=None, high=None):
    """Uniform numbers.

    Args:
        low, high: what Keras 1 calls `minval` and `maxval`.
    """
    minval = minval if low is None else low
    maxval = maxval if high is None else high
    return _random(jkeras.random.uniform, shape, (minval, maxval), dtype, seed)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal numbers within two deviations."""
    return _random(jkeras.random.truncated_normal, shape, (mean, stddev), dtype, seed)


def random_binomial(shape, p=0.0, dtype=None, seed=None):
    """Zeros and ones."""
    return ops.cast(random_uniform(shape, seed=seed) < p, dtype or jkeras.config.floatx())


random_bernoulli = random_binomial


def _random(sample, shape, range_, dtype, seed):
    shape = _shape_of(shape)
    symbolic = [n for n in shape if is_symbolic(n)]
    dtype = dtype or jkeras.config.floatx()
    if not symbolic:
        sizes = tuple(int(n) if hasattr(n, "dtype") else n for n in shape)
        return sampled(lambda: sample(sizes, *range_, dtype=dtype), sizes, dtype)
    raise NotImplementedError(
        "The shape of random numbers depends on a symbolic tensor. Make them in a Lambda."
    )


# ---------------------------------------------------------------- products


def dot(x, y):
    """The product of x's last axis with y's last but one."""
    if len(y.shape) <= 2 or len(x.shape) < 2:
        return ops.dot(x, y)
    return ops.tensordot(x, y, axes=((len(x.shape) - 1,), (len(y.shape) - 2,)))


def cast_to_floatx(x):
    """An array of numpy as floats of the type of `floatx`."""
    return np.asarray(x, dtype=jkeras.config.floatx())


def pattern_broadcast(x, pattern):
    """x: only Theano has to know along which axes an array is spread."""
    return x


def is_sparse(tensor):
    """Whether a tensor is sparse."""
    return sparse.is_sparse(tensor) or bool(getattr(tensor, "sparse", False))


def to_dense(tensor: Any) -> Any:
    """A sparse tensor with its zeros written out."""
    if is_symbolic(tensor):
        return ops.convert_to_tensor(tensor, sparse=False)
    return sparse.dense(tensor)


@contextlib.contextmanager
def name_scope(name):
    """A part of the program under a name."""
    with jkeras.name_scope(name):
        yield


def batch_dot(x, y, axes=None):
    """The product of two arrays for each row of a batch."""
    x_rank, y_rank = len(x.shape), len(y.shape)
    if axes is None:
        axes = (1, 1) if y_rank == 2 else (x_rank - 1, y_rank - 2)
    if isinstance(axes, int):
        axes = (axes, axes)
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    batch = next(letters)
    xs = [batch, *(next(letters) for _ in range(x_rank - 1))]
    ys = [batch, *(next(letters) for _ in range(y_rank - 1))]
    ys[axes[1] % y_rank] = xs[axes[0] % x_rank]
    shared = xs[axes[0] % x_rank]
    out = [c for c in xs if c != shared] + [c for c in ys[1:] if c != shared]
    result = ops.einsum(f"{''.join(xs)},{''.join(ys)}->{''.join(out)}", x, y)
    return ops.expand_dims(result, -1) if len(out) == 1 else result


def gather(reference, indices):
    """Rows by their numbers."""
    return ops.take(reference, ops.cast(indices, "int32"), axis=0)


# ---------------------------------------------------------------- shapes


def flatten(x):
    """All elements in one axis."""
    return ops.reshape(x, (-1,))


def batch_flatten(x):
    """(batch, everything else)."""
    return ops.reshape(x, (-1, int(np.prod(x.shape[1:]))))


def permute_dimensions(x, pattern):
    """The axes in another order."""
    return ops.transpose(x, tuple(pattern))


def repeat(x, n):
    """(batch, in) -> (batch, n, in)."""
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def repeat_elements(x, rep, axis):
    """Each element several times."""
    return ops.repeat(x, rep, axis=axis)


def concatenate(tensors, axis=-1):
    """Arrays joined."""
    return ops.concatenate(list(tensors), axis=axis)


def stack(x, axis=0):
    """Arrays joined along a new axis."""
    return ops.stack(list(x), axis=axis)


def expand_dims(x, axis=-1):
    """A new axis of size 1."""
    return ops.expand_dims(x, axis)


def squeeze(x, axis):
    """Without an axis of size 1."""
    return ops.squeeze(x, axis)


def reverse(x, axes):
    """The other way round along axes."""
    return ops.flip(x, axis=axes)


def one_hot(indices, num_classes):
    """1 at the index of a number."""
    return ops.one_hot(ops.cast(indices, "int32"), num_classes)


# ---------------------------------------------------------------- reductions


def _reduction(name):
    op = getattr(ops, name)

    def reduction(x, axis=None, keepdims=False):
        if name in ("mean", "std", "var") and str(getattr(x, "dtype", "")) == "bool":
            x = ops.cast(x, jkeras.config.floatx())
        return op(x, axis=axis, keepdims=keepdims)

    reduction.__name__ = name
    reduction.__doc__ = f"`ops.{name}`."
    return reduction


max = _reduction("max")  # noqa: A001
min = _reduction("min")  # noqa: A001
sum = _reduction("sum")  # noqa: A001
prod = _reduction("prod")
mean = _reduction("mean")
std = _reduction("std")
var = _reduction("var")
any = _reduction("any")  # noqa: A001
all = _reduction("all")  # noqa: A001
logsumexp = _reduction("logsumexp")


def argmax(x, axis=-1):
    """The number of the largest element."""
    return ops.argmax(x, axis=axis)


def argmin(x, axis=-1):
    """The number of the smallest element."""
    return ops.argmin(x, axis=axis)


def cumsum(x, axis=0):
    """Sums so far."""
    return ops.cumsum(x, axis=axis)


def cumprod(x, axis=0):
    """Products so far."""
    return ops.cumprod(x, axis=axis)


# ---------------------------------------------------------------- element by element


def pow(x, a):  # noqa: A001
    """x to the power of a."""
    return ops.power(x, a)


def clip(x, min_value, max_value):
    """x within two bounds."""
    low = -np.inf if min_value is None else min_value
    high = np.inf if max_value is None else max_value
    return ops.clip(x, low, high)


def sqrt(x):
    """The root of x, of 0 where x is negative."""
    return ops.sqrt(ops.maximum(x, 0.0))


def relu(x, alpha=0.0, max_value=None, threshold=0.0):
    """max(x, 0) and its variants."""
    return jkeras.activations.relu(
        x, negative_slope=alpha, max_value=max_value, threshold=threshold
    )


def elu(x, alpha=1.0):
    """x, or alpha * (exp(x) - 1) where it is negative."""
    return ops.elu(x, alpha)


def softmax(x, axis=-1):
    """Positive numbers that add up to 1."""
    return ops.softmax(x, axis=axis)


def hard_sigmoid(x):
    """0.2 x + 0.5 within 0 and 1, as Keras 2 has it."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def l2_normalize(x, axis=None):
    """x by its length."""
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(square, 1e-12))


def dropout(x, level, noise_shape=None, seed=None):
    """Some elements zero, the others larger."""
    return jkeras.random.dropout(x, level, noise_shape, seed=seed)


def normalize_batch_in_training(x, gamma, beta, reduction_axes, epsilon=1e-3):
    """(x of mean 0 and variance 1 along axes, the mean, the variance)."""
    mean, variance = ops.moments(x, axes=tuple(reduction_axes))
    keep, var = ops.moments(x, axes=tuple(reduction_axes), keepdims=True)
    y = (x - keep) / ops.sqrt(var + epsilon)
    return y * gamma + beta, mean, variance


def batch_normalization(x, mean, var, beta, gamma, axis=-1, epsilon=1e-3):
    """x less a mean, by a deviation."""
    y = (x - mean) / ops.sqrt(var + epsilon)
    return y * (1.0 if gamma is None else gamma) + (0.0 if beta is None else beta)


# ---------------------------------------------------------------- control, training or not


def learning_phase():
    """Stands for "is this training"."""
    return LearningPhase(is_training())


def set_learning_phase(value):
    """Nothing: layers get `training=`."""


@contextlib.contextmanager
def learning_phase_scope(value):
    """Nothing changes within it: layers get `training=`."""
    yield


def _called(x):
    return x() if callable(x) else x


def in_train_phase(x, alt, training=None):
    """x in training, else alt."""
    if training is None:
        training = bool(learning_phase())
    if isinstance(training, (bool, int)):
        return _called(x) if training else _called(alt)
    return ops.where(training, _called(x), _called(alt))


def in_test_phase(x, alt, training=None):
    """alt in training, else x."""
    return in_train_phase(alt, x, training)


def switch(condition, then_expression, else_expression):
    """One or the other, element by element or as a whole."""
    then, otherwise = _called(then_expression), _called(else_expression)
    condition = ops.cast(condition, "bool")
    missing = len(then.shape) - len(condition.shape)
    for _ in range(missing):
        condition = ops.expand_dims(condition, -1)
    return ops.where(condition, then, otherwise)


def map_fn(fn: Callable, elems: Any, name: Any = None, dtype: Any = None) -> Any:
    """A function of each element."""
    return ops.map(fn, elems)


def foldl(fn: Callable, elems: Any, initializer: Any = None, name: Any = None) -> Any:
    """A function of what was so far and of each element.

    Args:
        elems: an array, or a tuple, list or dict of some that are as long as each other.
        initializer: what there is before the first element; None: the first element itself.

    >>> int(foldl(lambda so_far, x: 10 * so_far + x, np.array([1, 2, 3])))
    123
    """
    return _fold(fn, _elements(elems), initializer)


def foldr(fn: Callable, elems: Any, initializer: Any = None, name: Any = None) -> Any:
    """As `foldl`, from the last element to the first.

    >>> int(foldr(lambda so_far, x: 10 * so_far + x, np.array([1, 2, 3])))
    321
    """
    return _fold(fn, _elements(elems)[::-1], initializer)


def _elements(elems: Any) -> list[Any]:
    """The elements along the first axis."""
    arrays, treedef = jax.tree_util.tree_flatten(elems)
    arrays = [ops.convert_to_tensor(array) for array in arrays]
    count = arrays[0].shape[0]
    return [treedef.unflatten([array[i] for array in arrays]) for i in range(count)]


def _fold(fn: Callable, values: list[Any], initializer: Any) -> Any:
    """A function of what was so far and of each value."""
    result = initializer
    if initializer is None:
        result, *values = values
    for value in values:
        result = fn(result, value)
    return result


def rnn(
    step_function, inputs, initial_states, go_backwards=False, mask=None, constants=None, **more
):
    """(last output, all outputs, last states) of a function of (input, states)."""
    time_first = ops.swapaxes(inputs, 0, 1)
    if go_backwards:
        time_first = ops.flip(time_first, axis=0)
    states, outputs = list(initial_states), []
    for t in range(time_first.shape[0]):
        y, states = step_function(time_first[t], [*states, *(constants or ())])
        outputs.append(y)
    return outputs[-1], ops.stack(outputs, axis=1), states


# ---------------------------------------------------------------- settings of TensorFlow 1


class Session:
    """Stands for a session: values are there at once."""

    def __init__(self, *args, **kwargs):
        """Takes any setting, and needs none."""

    def run(self, fetches, feed_dict=None):
        """The values of arrays and variables."""
        if isinstance(fetches, (list, tuple)):
            return [eval(x) for x in fetches]
        return None if fetches is None else eval(fetches)

    def close(self):
        """Nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def get_session():
    """A stand-in of a session."""
    return Session()


def set_session(session):
    """Nothing."""


def image_dim_ordering():
    """ "tf" or "th", as Keras 1 calls the data formats."""
    return {"channels_last": "tf", "channels_first": "th"}[jkeras.config.image_data_format()]


def set_image_dim_ordering(ordering):
    """Sets the data format by its name in Keras 1."""
    formats = {"tf": "channels_last", "th": "channels_first"}
    jkeras.config.set_image_data_format(formats[ordering])


def backend():
    """ "tensorflow": what programs for Keras 2 ask for before they use channels_last."""
    return "tensorflow"


def print_tensor(x, message=""):
    """x; its values are printed when it has some."""
    jax.debug.print(f"{message}{{x}}", x=jnp.asarray(ops.convert_to_tensor(x)))
    return x


def manual_variable_initialization(value):
    """Nothing."""


# names that only the op has: K.exp is ops.exp
PLAIN = (
    "abs add arange cast cos equal exp eye floor greater greater_equal less less_equal log maximum "
    "minimum not_equal ones_like reshape round shape sigmoid sign sin softplus softsign square "
    "stop_gradient tanh tile transpose zeros_like slice"
).split()
ELSEWHERE = (
    "epsilon floatx get_uid image_data_format set_epsilon set_floatx clear_session "
    "set_image_data_format"
).split()


def __getattr__(name):
    if name in PLAIN:
        return getattr(ops, name)
    if name in ELSEWHERE:
        return getattr(jkeras.backend, name)
    raise AttributeError(f"keras.backend has no function {name!r} in jkeras's Keras 2")
