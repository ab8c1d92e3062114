"""Random keys. In the pure interface a key follows from a path; under the Keras view a generator
counts.
"""

import threading
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.weights import frame, in_tensorflow
from jkeras.core.errors import RandomKeyError, StateWriteError
from jkeras.core.weights.first_values import put
from jkeras.core.weights.module import Module
from jkeras.core.names.registry import public
from jkeras.core.session.settings import auto_name, default_seed, settings
from jkeras.core.weights.variable import Variable
from jkeras.kernel.keys import drawn_key

STEPPING = threading.Lock()  # pipelines of data call layers from many threads at once


def as_key(seed: Any) -> jax.Array:
    """A raw threefry key (two uint32) from an integer, a key, or a `SeedGenerator`, which steps
    on.
    """
    if seed is None:
        return _unseeded_key()
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, (int, np.integer)):
        return key_from_seed(seed)
    if hasattr(seed, "dtype") and jax.dtypes.issubdtype(seed.dtype, jax.dtypes.prng_key):
        return seed
    return _key_from_array(seed)


def _unseeded_key() -> jax.Array:
    """The next key of the global generator; where `init` makes a weight, of that weight's key."""
    key = drawn_key()
    if key is not None:
        return key
    try:
        return global_generator().next(ordered=False)
    except StateWriteError as error:
        raise RandomKeyError(
            "A random function without `seed` was called inside a jax transformation such as "
            "jax.jit, which the global generator cannot count in: there you should only use seeded "
            "random ops. Pass an integer, a JAX key that comes in as an argument, or, in a layer, "
            "a `SeedGenerator` that is its attribute."
        ) from error


def _key_from_array(seed: Any) -> jax.Array:
    """The key that an array is, or that a scalar stands for."""
    try:
        seed = jnp.asarray(seed)
    except TypeError:
        raise ValueError(
            "Argument `seed` must be either an integer, an instance of `SeedGenerator`, or a JAX "
            f"key. Received: seed={seed!r} (of type {type(seed)})"
        ) from None
    is_integer = jnp.issubdtype(seed.dtype, jnp.integer)
    if seed.shape == () and is_integer:
        return jnp.array([0, 0], "uint32").at[0].set(seed.astype("uint32"))
    if seed.shape != (2,) or not is_integer:
        raise ValueError(
            "Argument `seed` must be either an integer, an instance of `SeedGenerator`, or a JAX "
            f"key. Received: seed={seed} (of type {type(seed)})"
        )
    return seed.astype("uint32")


def key_from_seed(seed):
    """The key that an integer seed stands for: `[seed, 0]`."""
    return put([int(seed) % 2**32, 0], "uint32")


def _is_jax(module: Any) -> bool:
    """Whether a module is Keras's on JAX, which libraries name as the `backend` of a generator."""
    return getattr(module, "__name__", "") == "keras.src.backend.jax"


@public("keras.random.SeedGenerator")
class SeedGenerator(Module):
    """A stream of keys for random functions: each `next()` gives another one.

    Inside `apply(..., rng=key)` its keys follow from that key and its path in the model, and
    nothing is written.

    Args:
        seed: integer; None draws one from Python's `random`, which `set_random_seed` controls.
    Raises:
        ValueError: a seed that is no integer, or an unknown argument.

    >>> SeedGenerator(seed=7).state.name
    'seed_generator_state'
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__()
        if _is_jax(kwargs.get("backend")):
            del kwargs["backend"]
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
        self.name = auto_name(type(self).__name__) if name is None else name
        self._seed_argument = seed
        seed = default_seed() if seed is None else seed
        if not isinstance(seed, (int, np.integer)):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        self._initial_seed = int(seed)
        self._in_tensorflow = None  # [seed, count] of the draws inside a graph of TensorFlow
        self.state = state = Variable(
            np.array([int(seed) % 2**32, 0], "uint32"),
            dtype="uint32",
            trainable=False,
            name="seed_generator_state",
        )
        state.scope = f"{state.scope}/{self.name}".lstrip("/")

    def next(self, ordered: bool = True) -> jax.Array:
        """The next key. Where `ordered` is False the state jumps, as it does for functions called
        without a seed.
        """
        key = frame.sample_key(self)
        if key is not None:
            return key
        if in_tensorflow.is_inside():
            return self._next_in_tensorflow()
        with STEPPING:
            state = self.state.value
            self.state.assign(
                state + jnp.array([0, 1], "uint32") if ordered else (state + 1) * 5387 % 933199
            )
        return state

    def begin_in_tensorflow(self) -> None:
        """Lets the generator count once more, from its first state, for the draws of a layer inside
        a graph of TensorFlow; where it has no seed, one is drawn, as in Keras.
        """
        if self._in_tensorflow is None:
            seed = self._seed_argument
            if seed is None:
                seed = default_seed()
            self.set_untracked(_in_tensorflow=[int(seed) % 2**32, 0])

    def _next_in_tensorflow(self) -> jax.Array:
        self.begin_in_tensorflow()
        with STEPPING:
            key = put(self._in_tensorflow, "uint32")
            self._in_tensorflow[1] += 1
        return key

    def skip(self, count, x):
        """Steps on as if so many keys had been drawn, where the generator counts for itself."""
        run = frame.current()
        if not count or not run.has_no_say:
            return
        if in_tensorflow.is_inside():
            self._in_tensorflow[1] += count
            return
        counts = not isinstance(x, jax.core.Tracer) if run.is_eager else run.holds(self.state)
        if counts:
            self.state.assign(self.state.value + jnp.array([0, count], "uint32"))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "seed": self._seed_argument}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A generator that begins at the config's seed."""
        return cls(**config)


def global_generator():
    """The generator behind random functions that have no seed.

    Returns:
        The `SeedGenerator` of the session; `clear_session` and `set_random_seed` begin a new one.

    >>> global_generator() is global_generator()
    True
    """
    if settings.seed_generator is None:
        settings.seed_generator = SeedGenerator()
    return settings.seed_generator
