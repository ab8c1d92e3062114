"""Classes of examples as whole numbers, from what models give and data sets have: labels, one-hot
rows, probabilities, texts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jkeras.core.errors import explain

TOLERANCE = 0.01  # of the sum of a row of probabilities, which may have few bits


class Compared(NamedTuple):
    """The classes of examples, in one row.

    Attributes:
        true, predicted: whole numbers, (examples,).
        names: of the classes.
    """

    true: np.ndarray
    predicted: np.ndarray
    names: list[str]


def compared(
    y_true: Any, y_pred: Any, names: Sequence[str] | Mapping[Any, str] | None, where: str
) -> Compared:
    """Labels and predictions in any of their forms, as classes.

    Args:
        y_true, y_pred: labels (rows,) or (rows, 1), whole numbers or texts; one-hot rows or
            probabilities (rows, classes); probabilities of the second of two classes (rows,) or
            (rows, 1). Of pixels and words each is an example.
        names: of the classes, in order, or {class: name}.

    Raises:
        ValueError: numbers that are none of these, or that do not go together.

    >>> compared([0, 2, 1], [[0.9, 0.1, 0], [0, 0.2, 0.8], [0, 0, 1]], None, "here")[:2]
    (array([0, 2, 1]), array([0, 2, 2]))
    """
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    texts = [values for values in (true, predicted) if values.dtype.kind in "UO"]
    if texts:
        names = _names_of_texts(texts, names, where)
        true, predicted = (_numbers_of_texts(v, names, where) for v in (true, predicted))
    true, predicted = (v[..., 0] if v.shape[1:][-1:] == (1,) else v for v in (true, predicted))
    rank = _rank(true, predicted)
    count = max(_width(true, rank), _width(predicted, rank))
    if _width(true, rank) and not _sums_to_one(true):
        raise ValueError(
            explain(
                f"{where}: `y_true`",
                "one class for each example",
                f"shape {true.shape}, whose last axis does not sum to 1",
                "of the classes of places pass `y_true.ravel()` and `y_pred.ravel()`",
            )
        )
    true = _as_classes(true, rank, f"{where}: `y_true`")
    predicted = _as_classes(predicted, rank, f"{where}: `y_pred`")
    if true.shape != predicted.shape or not true.size:
        raise ValueError(
            explain(where, "as many predictions as labels", f"{true.shape}, {predicted.shape}")
        )
    count = max(count, 2, int(true.max()) + 1, int(predicted.max()) + 1)
    return Compared(true.ravel(), predicted.ravel(), _named(names, count, where))


def _rank(true: np.ndarray, predicted: np.ndarray) -> int:
    """The axes of both without that of classes, which neither or one of them may have."""
    if true.ndim != predicted.ndim:
        return min(true.ndim, predicted.ndim)
    if true.ndim > 2:
        return true.ndim - _sums_to_one(true)
    return min(true.ndim, 1)


def _sums_to_one(values: np.ndarray) -> bool:
    """Whether the last axis holds probabilities."""
    if values.dtype.kind not in "fiub" or (values < 0).any():
        return False
    return bool((np.abs(values.sum(axis=-1, dtype="float64") - 1) <= TOLERANCE).all())


def _width(values: np.ndarray, rank: int) -> int:
    """How many classes the last axis has; 0: it has none."""
    return values.shape[rank] if values.ndim > rank else 0


def _as_classes(values: np.ndarray, rank: int, where: str) -> np.ndarray:
    """One of the forms as whole numbers of `rank` axes."""
    if values.dtype.kind not in "fiub" or np.isnan(values).any():
        raise ValueError(explain(where, "numbers or texts", f"dtype {values.dtype}, or NaN"))
    if _width(values, rank):
        return values.argmax(axis=-1)
    is_whole = values.dtype.kind != "f" or bool((values == np.floor(values)).all())
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if is_whole and low >= 0:
        return values.astype("int64")
    if not is_whole and low >= 0 and high <= 1:
        return (values > 0.5).astype("int64")
    raise ValueError(
        explain(
            where,
            "classes from 0, or probabilities",
            f"numbers from {low:g} to {high:g}",
            "of the logits of two classes pass `logits > 0`, of several their `argmax`",
        )
    )


def _names_of_texts(texts: list[np.ndarray], names: Any, where: str) -> list[str]:
    """The names in their order; where there are none, those of the texts in the alphabet's."""
    if isinstance(names, Mapping):
        names = [names[i] for i in range(len(names))]
    if names is not None:
        return [str(name) for name in names]
    if len(texts) == 1:
        advice = "pass `names`, in the order of the classes"
        raise ValueError(explain(where, "texts twice, or numbers twice", "one of each", advice))
    return sorted({str(text) for values in texts for text in values.flat})


def _numbers_of_texts(values: np.ndarray, names: list[str], where: str) -> np.ndarray:
    """Texts as their numbers among the names; what is no text as it is."""
    if values.dtype.kind not in "UO":
        return values
    numbers = {name: i for i, name in enumerate(names)}
    missing = sorted({str(text) for text in values.flat} - set(numbers))
    if missing:
        raise ValueError(explain(where, f"labels among {names[:10]}", f"{missing[:3]}"))
    return np.array([numbers[str(text)] for text in values.flat]).reshape(values.shape)


def _named(names: Any, count: int, where: str) -> list[str]:
    """The names of the classes; their numbers where they have none."""
    if names is None:
        return [str(i) for i in range(count)]
    if isinstance(names, Mapping):
        return [str(names.get(i, i)) for i in range(max(count, len(names)))]
    if len(names) < count:
        raise ValueError(explain(where, f"names of {count} classes", f"names={list(names)}"))
    return [str(name) for name in names]
