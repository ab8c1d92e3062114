"""The outputs of a model as a flat list, and what their labels look like."""

import jax

from jkeras.core.graph import flatten
from jkeras.core.settings import snake_case


def is_nested(value):
    """Whether a value is a list, tuple or dict."""
    return isinstance(value, (list, tuple, dict))


def kind_of_labels(y_true, y_pred):
    """ "binary", "sparse" or "categorical": what "accuracy" and "crossentropy" stand for."""
    if y_pred.shape[-1:] == (1,):
        return "binary"
    sparse = len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1 and y_pred.shape[-1] > 1
    return "sparse" if sparse else "categorical"


def object_name(thing):
    """The name under which a loss or metric object appears in logs."""
    return getattr(thing, "name", None) or snake_case(
        getattr(thing, "__name__", type(thing).__name__)
    )


class Outputs:
    """The outputs of a model as a flat list, and how labels, weights and the like are lined up with
    them.

    Args:
        y_pred: a structure of arrays or shapes.
        names: names of the flat outputs, or None.
    """

    def __init__(self, y_pred, names):
        self.flat = isinstance(y_pred, (list, tuple)) and not any(map(is_nested, y_pred))
        self.keys = (
            list(y_pred)
            if isinstance(y_pred, dict) and not any(map(is_nested, y_pred.values()))
            else None
        )
        self.count = len(flatten(y_pred))
        self.nested = self.keys is None and is_nested(y_pred) and not self.flat
        if self.keys is not None:
            known = names is not None and set(names) == set(self.keys)
            self.keys = list(names) if known else sorted(self.keys)
            self.names = self.keys
        else:
            self.names = (
                list(names)
                if names is not None and len(names) == self.count
                else [None] * self.count
            )

    def numbers(self, y_pred):
        """The numbers of the outputs, in the structure of the outputs."""
        if self.count == 1 and self.keys is None:
            return 0
        if self.keys is not None:
            return {key: i for i, key in enumerate(self.keys)}
        return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(y_pred), range(self.count))

    def pick(self, y, what="y", missing_is_none=False):
        """A structure given for the outputs, as a flat list."""
        if self.nested and is_nested(y):
            return flatten(y)
        if isinstance(y, dict) and (self.keys or any(self.names)):
            unknown = [k for k in y if k not in self.names]
            missing = [k for k in self.names if k not in y]
            if not unknown and (missing_is_none or not missing):
                return [y.get(k) for k in self.names]
            if unknown or not missing_is_none:
                raise ValueError(
                    f"`{what}` is a dict with the keys {list(y)}; the outputs are {self.names}. "
                    f"Unknown: {unknown}; missing: {[] if missing_is_none else missing}."
                )
        if not is_nested(y):
            return [y] * self.count if what == "sample_weight" else [y]
        return (
            flatten(y) if what in ("y", "y_pred") or not isinstance(y, (list, tuple)) else list(y)
        )
