"""What all initializers share: how they are called, compared, and how a seed is stored."""

import json
from typing import Any, Self

import jax

from jkeras.core.session import sampling
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.record import Kind, Record, defines
from jkeras.core.names.registry import deserialize, public, serialize
from jkeras.core.weights.rng import SeedGenerator, as_key
from jkeras.core.session.settings import default_seed
from jkeras.core.weights.types import DType, Shape


@public("keras.initializers.Initializer", "keras.Initializer")
class Initializer(Record):
    """Base of all initializers: `initializer(shape, dtype)` gives the first value of a weight.

    A subclass of yours writes `__call__(shape, dtype=None)`, or `sample(key, shape, dtype)` where
    it draws random numbers, which is the pure form that `layer.init(key, x)` uses.

    Both take a shape, a tuple of sizes, and a dtype, floatx by default, and give an array.

    Raises:
        NotImplementedError: on a call, where a subclass writes neither.

    >>> import jax
    >>> class Twos(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return 2 * jax.numpy.ones(shape, dtype)
    >>> print(Twos()((2,)))
    [2. 2.]
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if defines(cls, "__call__") and not defines(cls, "sample"):
            cls.sample = _sample_by_call

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} must implement `__call__(shape, dtype=None)`."
        )

    def sample(self, key: Any, shape: Any, dtype: Any = None) -> Any:
        """The value from a JAX key; without a key for what is not random."""
        return self(shape, dtype=dtype)

    def clone(self) -> Self:
        """Another initializer of the same config."""
        return type(self).from_config(self.get_config())

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _identity(self) == _identity(other)

    def __hash__(self) -> int:
        return hash(_identity(self))


def _identity(initializer: Initializer) -> tuple[type, str | int]:
    """What makes two initializers equal: all fields of a record; for any other class the object
    itself.
    """
    cls = type(initializer)
    has_record_init = cls._record_init is not None and cls.__init__ is cls._record_init
    if has_record_init or not vars(initializer):
        return cls, json.dumps(initializer.field_config(), sort_keys=True, default=repr)
    return cls, id(initializer)


def _sample_by_call(
    self, key: jax.Array | None, shape: Shape, dtype: DType | None = None
) -> jax.Array:
    """`sample` of a class that defines `__call__` alone."""
    return self(shape, dtype=dtype)


class DrawnSeed(int):
    """A seed by default: drawn once, not written to configs."""

    stands_for_none = True


class Seed(Kind):
    """An integer, a `SeedGenerator`, or None, which draws an integer."""

    def read(self, value: Any) -> int | SeedGenerator:
        if value is None:
            return DrawnSeed(default_seed())
        if isinstance(value, dict):
            value = deserialize(value)
        if not isinstance(value, (int, SeedGenerator)):
            raise ValueError(
                "`seed` should be an integer or an instance of `jkeras.random.SeedGenerator`. "
                f"Received: seed={value!r} (of type {type(value).__name__})"
            )
        return value

    def write(self, value: int | SeedGenerator) -> Any:
        if isinstance(value, DrawnSeed):
            return None
        return serialize(value)


class RandomInitializer(Initializer):
    """Base of the random ones: `sample` draws from a key, a call draws from the key of the seed.

    With an integer seed every call gives the same values; with a `SeedGenerator` each call gives
    other ones.
    """

    seed: Seed() = None

    def __call__(self, shape: Shape, dtype: DType | None = None) -> jax.Array:
        return self.sample(as_key(self.seed), tuple(shape), standardize_dtype(dtype))

    sample = None  # each concrete class has its own


def normal(
    key: jax.Array, shape: Shape, mean: float, stddev: float, dtype: DType | None
) -> jax.Array:
    """Normal values."""
    return sampling.normal(key, shape, dtype, mean, stddev)


def truncated_normal(
    key: jax.Array, shape: Shape, mean: float, stddev: float, dtype: DType | None
) -> jax.Array:
    """Normal values within two standard deviations of the mean."""
    return sampling.truncated_normal(key, shape, -2.0, 2.0, dtype, mean, stddev)
