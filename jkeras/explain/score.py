"""The scalar of each row that is explained, as a function of the inputs or of a layer's output."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names.dtypes import wide
from jkeras.core.errors import explain
from jkeras.core.layer import Layer
from jkeras.explain.locations import outputs_with, values_at

Structure: TypeAlias = Any  # arrays in lists, tuples and dicts, rows along the first axis
Target: TypeAlias = Any  # a class, one for each row, a place in an output of more axes, a function


@dataclasses.dataclass(frozen=True)
class Score:
    """What is explained: of which model, and as a function of what.

    Attributes:
        model: a layer, or a function of the inputs.
        at: the layer whose output takes the place of the inputs, or several places; None: the
            inputs.
        select: `y -> (rows,)` where the target is a function.
    """

    model: Any
    at: Any = None
    select: Callable | None = None

    def outputs(self, params: dict, state: dict, x: Structure) -> Structure:
        """The model's outputs, not in training."""
        if isinstance(self.model, Layer):
            return self.model.apply(params, state, x, training=False)[0]
        return self.model(x)

    def begin(
        self, params: dict, state: dict, x: Structure, target: Target, note: Callable
    ) -> "Scored":
        """The score on some rows.

        Args:
            target: None, or integers (rows, axes of the output but the first).
            note: is called with the shape of the output that they index, without the rows.
        """
        rows = {"x": x}
        start, mask = x, None
        if self.at is not None:
            start, mask = self.activations(params, state, x)
            rows["start"] = start
        if self.select is None:
            if target is None:
                target = _predicted(self.outputs(params, state, x), self.where)
            rows["target"] = target
        return Scored(self, params, state, rows, start, note, mask)

    def activations(
        self, params: dict, state: dict, x: Structure
    ) -> tuple[Structure, jax.Array | None]:
        """The output of the layer at `at`, and the mask beside it."""
        return values_at(self.model, params, state, x, self.at)

    @property
    def where(self) -> str:
        """What errors begin with."""
        return f"explain of {getattr(self.model, 'name', None) or self.model!r}"


@dataclasses.dataclass(frozen=True)
class Scored:
    """A score on some rows, as a function of its variable.

    Attributes:
        rows: what else a row's score depends on; rows along the first axis.
        start: the variable at the rows as they are: the inputs, or a layer's output.
        note: is called with the shape of the output that targets index.
        mask: which places of a layer's output are no padding, where some are. The model may look
            at padding all the same: behind a layer that does not pass the mask on, say.
    """

    score: Score
    params: dict
    state: dict
    rows: dict
    start: Structure
    note: Callable
    mask: jax.Array | None = None

    def __call__(self, variable: Structure, rows: dict | None = None) -> jax.Array:
        """The score of each row at another value of the variable.

        Args:
            rows: by default those that there are; others where a row is looked at more than once,
                by `repeated`.
        """
        rows = self.rows if rows is None else rows
        score = self.score
        if score.at is None:
            y = score.outputs(self.params, self.state, variable)
        else:
            given = self.params, self.state, rows["x"], score.at
            y = outputs_with(score.model, *given, variable, rows["start"])
        if score.select is not None:
            selected = score.select(y)
            return _wide(_checked(selected, len(jax.tree_util.tree_leaves(rows["x"])[0])))
        y = _single(y, score.where)
        self.note(y.shape[1:])
        return _wide(_at(y, rows["target"], score.where))

    def moved(self, x: Structure) -> "Scored":
        """The same score at other inputs, as a function of the layer's output for these."""
        start, _ = self.score.activations(self.params, self.state, x)
        return dataclasses.replace(self, rows={**self.rows, "x": x, "start": start}, start=start)

    def gradient(self, variable: Structure, rows: dict | None = None) -> Structure:
        """The gradient of each row's score by its variable; rows do not depend on each other."""
        return jax.grad(lambda v: self(v, rows).sum(), allow_int=False)(variable)

    def repeated(self, count: int) -> dict:
        """The rows, each `count` times in a row."""
        return jax.tree_util.tree_map(lambda v: jnp.repeat(v, count, axis=0), self.rows)


def _wide(scores: jax.Array) -> jax.Array:
    """Scores in float32 at least: methods add many of them."""
    if not jnp.issubdtype(scores.dtype, jnp.floating):
        return scores
    return wide(scores)


def no_score(y: Structure) -> jax.Array:
    """The target of a method that asks for no score; one function, so that programs are kept."""
    return jnp.zeros(len(jax.tree_util.tree_leaves(y)[0]))


def _predicted(y: jax.Array, where: str) -> jax.Array:
    """The class of each row that the model predicts."""
    y = _single(y, where)
    if y.ndim == 1:
        return jnp.zeros((len(y), 0), "int32")
    if y.ndim > 2:
        raise ValueError(explain(where, "a `target`, the output having more axes", f"{y.shape}"))
    return jnp.argmax(y, axis=-1)[:, None]


def _at(y: jax.Array, target: Any, where: str) -> jax.Array:
    """The score of each row: its output at its target."""
    if target.shape[1] != y.ndim - 1:
        wanted = f"a target with {y.ndim - 1} numbers for outputs of shape {y.shape[1:]}"
        raise ValueError(explain(where, wanted, f"{target.shape[1]} numbers"))
    return y[(jnp.arange(len(y)), *target.T)]


def _single(y: Structure, where: str) -> jax.Array:
    leaves = jax.tree_util.tree_leaves(y)
    if len(leaves) != 1:
        advice = "give a function of the outputs: `target=lambda y: y['name'][:, 2]`"
        raise ValueError(explain(where, "one output", f"{len(leaves)}", advice))
    return leaves[0]


def check_target(target: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raises ValueError where a target is not within outputs of a shape."""
    for axis, size in enumerate(shape):
        numbers = target[:, axis]
        outside = numbers[(numbers < -size) | (numbers >= size)]
        if len(outside):
            raise ValueError(explain("explain", f"a class from {-size} to {size - 1}", outside[0]))


def _checked(scores: jax.Array, rows: int) -> jax.Array:
    if jnp.shape(scores) != (rows,):
        wanted = f"a `target` that gives one number for each of {rows} rows"
        raise ValueError(explain("explain", wanted, f"shape {jnp.shape(scores)}"))
    return scores


def split_target(target: Target, rows: int) -> tuple[Callable | None, np.ndarray | None]:
    """(function of the outputs or None, integers (rows, axes) or None) of a target.

    >>> split_target(3, 2)[1].tolist(), split_target([3, 4], 2)[1].tolist()
    ([[3], [3]], [[3], [4]])
    >>> split_target((1, 3), 2)[1].tolist()
    [[1, 3], [1, 3]]
    """
    if target is None:
        return None, None
    if callable(target):
        return target, None
    if isinstance(target, tuple):
        return None, np.tile(np.asarray(target, "int32"), (rows, 1))
    target = target if isinstance(target, jax.Array) else np.asarray(target)
    if target.dtype.kind not in "iu":
        raise ValueError(explain("explain", "classes as integers", f"{target.dtype}"))
    if target.ndim == 0:
        return None, np.full((rows, 1), target, "int32")
    if len(target) != rows:
        raise ValueError(explain("explain", f"a class for each of {rows} rows", f"{len(target)}"))
    return None, target.reshape(rows, -1).astype("int32")
