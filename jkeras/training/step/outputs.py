"""The outputs of a model as a flat list, and what their labels look like."""

from collections.abc import Sequence
from typing import Any

import jax

from jkeras.core.graph.keras_tensor import flatten
from jkeras.core.session.settings import snake_case
from jkeras.training.types import Structure


def is_nested(value: Any) -> bool:
    """Whether a value is a list, tuple or dict."""
    return isinstance(value, (list, tuple, dict))


def is_flat_list(value: Any) -> bool:
    """Whether a value is a list or tuple without a list, tuple or dict in it."""
    return isinstance(value, (list, tuple)) and not any(map(is_nested, value))


def kind_of_labels(y_true: jax.Array, y_pred: jax.Array) -> str:
    """ "binary", "sparse" or "categorical": what "accuracy" and "crossentropy" stand for."""
    if y_pred.shape[-1:] == (1,):
        return "binary"
    if len(y_true.shape) < len(y_pred.shape):
        return "sparse"
    is_column = y_true.shape[-1] == 1 and y_pred.shape[-1] > 1
    return "sparse" if is_column else "categorical"


def object_name(thing: Any) -> str:
    """The name under which a loss or metric object appears in logs."""
    name = getattr(thing, "name", None)
    return name or snake_case(getattr(thing, "__name__", type(thing).__name__))


class Outputs:
    """The outputs of a model as a flat list, and how labels, weights and the like are lined up with
    them.

    Args:
        y_pred: a structure of arrays or shapes.
        names: names of the flat outputs, or None.

    Attributes:
        keys: of outputs that are a flat dict, in the order of the flat list; otherwise None.
        count: how many outputs there are.
        is_deep: whether they are neither one array nor a flat list or dict.
        names: of the flat outputs; None for those without a name.
    """

    def __init__(self, y_pred: Structure, names: Sequence[str] | None) -> None:
        self.count = len(flatten(y_pred))
        self.keys = None
        if isinstance(y_pred, dict) and not any(map(is_nested, y_pred.values())):
            self.keys = _ordered(list(y_pred), names)
        self.is_deep = self.keys is None and is_nested(y_pred) and not is_flat_list(y_pred)
        if self.keys is not None:
            self.names = self.keys
        elif names is not None and len(names) == self.count:
            self.names = list(names)
        else:
            self.names = [None] * self.count

    def numbers(self, y_pred: Structure) -> Structure:
        """The numbers of the outputs, in the structure of the outputs."""
        if self.count == 1 and self.keys is None:
            return 0
        if self.keys is not None:
            return {key: i for i, key in enumerate(self.keys)}
        return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(y_pred), range(self.count))

    def pick(self, y: Structure, what: str = "y", missing_is_none: bool = False) -> list:
        """A structure given for the outputs, as a flat list.

        Args:
            what: "y", "y_pred" or "sample_weight".
            missing_is_none: whether a dict may leave outputs out.
        """
        if self.is_deep and is_nested(y):
            return flatten(y)
        has_names = self.keys or any(self.names)
        if isinstance(y, dict) and has_names:
            return self._by_name(y, what, missing_is_none)
        if what != "sample_weight":
            return flatten(y) if is_nested(y) else [y]
        if not is_nested(y):
            return [y] * self.count
        return list(y) if isinstance(y, (list, tuple)) else flatten(y)

    def _by_name(self, y: dict, what: str, missing_is_none: bool) -> list:
        unknown = [name for name in y if name not in self.names]
        missing = [name for name in self.names if name not in y]
        if missing_is_none:
            missing = []
        if unknown or missing:
            raise ValueError(
                f"`{what}` is a dict with the keys {list(y)}; the outputs are {self.names}. "
                f"Unknown: {unknown}; missing: {missing}."
            )
        return [y.get(name) for name in self.names]

    def pick_labels(self, y_true: Structure) -> list:
        """The labels of each output, None for those at the end that have none."""
        labels = self.pick(y_true, "y", missing_is_none=True)
        return labels + [None] * (self.count - len(labels))

    def pick_weights(self, sample_weight: Structure) -> list:
        """The sample weights of each output; those of one count for all."""
        weights = self.pick(sample_weight, "sample_weight", missing_is_none=True)
        return weights * self.count if len(weights) == 1 else weights


def _ordered(keys: list[str], names: Sequence[str] | None) -> list[str]:
    """The keys in the order of the names where these are the same, else sorted."""
    if names is not None and set(names) == set(keys):
        return list(names)
    return sorted(keys)
