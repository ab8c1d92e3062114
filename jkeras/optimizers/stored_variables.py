"""The variables of an optimizer as lists of arrays and in files."""

import typing
import warnings
from collections.abc import Iterable

from jkeras.core.weights.assigning import assign_all

if typing.TYPE_CHECKING:
    from jkeras.optimizers.variables import StateVariables


def set_weights(self: "StateVariables", weights: Iterable):
    """Sets all variables from a list of arrays. Raises ValueError when not built or for other
    shapes; after any error nothing is changed.
    """
    self._require_built("set_weights")
    pairs = list(zip(self.variables, weights))
    for variable, weight in pairs:
        if tuple(variable.shape) != tuple(weight.shape):
            raise ValueError(
                f"Optimizer variable {variable.path} has shape {tuple(variable.shape)}, "
                f"received a weight of shape {tuple(weight.shape)}"
            )
    assign_all(pairs)


def save_own_variables(self: "StateVariables", store: dict):
    """Writes all variables into a dict-like store, under "0", "1", …"""
    for i, variable in enumerate(self.variables):
        store[str(i)] = variable.numpy()


def load_own_variables(self: "StateVariables", store: dict):
    """Reads what `save_own_variables` wrote; warns and does nothing where the number of
    variables differs.
    """
    if len(store.keys()) != len(self.variables):
        warnings.warn(
            f"Skipping variable loading for optimizer '{self.name}', because it has "
            f"{len(self.variables)} variables whereas the saved optimizer has "
            f"{len(store.keys())}. Build the optimizer for the model's variables first.",
            stacklevel=2,
        )
        return
    take = getattr(store, "take", store.__getitem__)  # a file's arrays have no other owner
    assign_all((variable, take(str(i))) for i, variable in enumerate(self.variables))
