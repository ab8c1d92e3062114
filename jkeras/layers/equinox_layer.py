"""Modules of Equinox as layers."""

import inspect
import typing

import jax
import numpy as np

from jkeras.core.names import typed
from jkeras.core.errors import explain
from jkeras.core.layer import layer
from jkeras.core.names.dtypes import is_float
from jkeras.core.record import Any
from jkeras.layers.jax_layer import JaxLayer


def parted(module: str) -> tuple[Any, ...]:
    """(floats, static): a module twice, with None where the other has something; floats are what
    is trained.
    """

    def is_trained(leaf: jax.Array) -> bool:
        return isinstance(leaf, (np.ndarray, jax.Array)) and is_float(str(leaf.dtype))

    return (
        jax.tree_util.tree_map(lambda leaf: leaf if is_trained(leaf) else None, module),
        jax.tree_util.tree_map(lambda leaf: None if is_trained(leaf) else leaf, module),
    )


def joined(floats, static) -> Any:
    """The module of `parted`."""
    return jax.tree_util.tree_map(
        lambda a, b: b if a is None else a, floats, static, is_leaf=lambda leaf: leaf is None
    )


@layer("keras.layers", arguments="module, mapped, seed")
class EquinoxLayer(JaxLayer):
    """A module of Equinox as a layer; its float arrays are trained, from the values that they have.

    In training a module whose call has the argument `key` gets one; else it runs in Equinox's
    inference mode. Modules that need Equinox's `State` (BatchNorm, SpectralNorm) are not for this
    layer: use those of jkeras.

    Args:
        module: an instance of `equinox.Module`.
        mapped: whether the module takes one sample, as those of Equinox do, and is mapped over the
            batch.
        seed: of the keys.

    >>> import equinox
    >>> linear = equinox.nn.Linear(4, 3, key=jax.random.key(0))
    >>> EquinoxLayer(linear)(np.ones((2, 4), "float32")).shape
    (2, 3)
    """

    module: Any
    mapped: bool = True
    seed: Any = None

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            module: typing.Any,
            mapped: bool = True,
            seed: typing.Any = None,
            *,
            activity_regularizer: typed.Regularization = None,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    def __post_init__(self) -> None:
        floats, static = parted(self.module)
        self.set_untracked(_initial_arrays=(floats, None), _static=static)
        self._takes_key = "key" in inspect.signature(type(self.module).__call__).parameters
        self.call_fn = self._run
        super().__post_init__()

    def _run(
        self, params: Any, rng: jax.Array | None, inputs: jax.Array, training: bool
    ) -> jax.Array:
        import equinox

        module = equinox.nn.inference_mode(joined(params, self._static), value=not training)
        if not (training and self._takes_key):
            if self.mapped:
                return jax.vmap(module)(inputs)
            return module(inputs)
        if not self.mapped:
            return module(inputs, key=rng)
        keys = jax.random.split(rng, jax.tree_util.tree_leaves(inputs)[0].shape[0])
        return jax.vmap(lambda x, key: module(x, key=key))(inputs, keys)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            explain(
                self._where,
                "a layer whose config says all",
                "an Equinox module, which has no config",
                "save its weights with `save_weights` and build it again",
            )
        )
