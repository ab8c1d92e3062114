"""Sample weights: whether they fit the labels, and those that follow from classes."""

import typing

import jax
import numpy as np

from jkeras.core.errors import ArgumentError, readable
from jkeras.core.say.warning import warn
from jkeras.core.session.settings import floatx


def check_weights(y: typing.Any, sample_weight: typing.Any) -> None:
    """Raises ValueError for sample weights that cannot belong to several outputs."""
    if sample_weight is None or not isinstance(y, (list, tuple, dict)):
        return
    if isinstance(sample_weight, (list, tuple, dict)):
        structures = [
            jax.tree_util.tree_structure(v, is_leaf=lambda leaf: leaf is None)
            for v in (y, sample_weight)
        ]
        if structures[0] != structures[1]:
            raise ValueError(
                "`sample_weight` of several outputs has the structure of `y`, an array of weights "
                f"for each. Received: y of structure {structures[0]}, sample_weight of "
                f"{structures[1]}."
            )
    elif sample_weight.ndim != 1 and sample_weight.shape[1:] != (1,):
        raise ValueError(
            "For a model with multiple outputs a single `sample_weight` array needs one number "
            f"per sample, shape (samples,). Received the shape {sample_weight.shape}. Give one "
            "array per output for other weights."
        )


def class_weights(
    y: typing.Any,
    sample_weight: typing.Any,
    class_weight: typing.Any,
    output_names: list[str] | None = None,
) -> typing.Any:
    """The weight of each sample's class; labels are whole numbers or one-hot.

    Args:
        class_weight: {class: weight}; for several outputs a list of these, or a dict by the names
            of the outputs, where those that are None or left out have weights of 1.
        output_names: of labels that are a list.

    Raises:
        ValueError: with sample weights, or several outputs and one `class_weight`.

    >>> class_weights(np.array([0, 1]), None, {0: 1.0, 1: 3.0}).tolist()
    [1.0, 3.0]
    >>> y = {"a": np.array([0, 1]), "b": np.array([1, 1])}
    >>> {k: w.tolist() for k, w in class_weights(y, None, {"b": {1: 3.0}}).items()}
    {'a': [1.0, 1.0], 'b': [3.0, 3.0]}
    """
    if sample_weight is not None:
        raise ValueError(
            # Keras's words, which are searched for
            "You cannot `class_weight` and `sample_weight` at the same time. To fix it: multiply "
            "the weight of each example's class into `sample_weight`."
        )
    is_structure = y is None or isinstance(y, (dict, list, tuple))
    if not isinstance(class_weight, (dict, list, tuple)):
        raise ArgumentError(
            "`class_weight` must be a dict-like mapping {class: weight}, or one for each output. "
            f"Received: class_weight={class_weight!r}. Weights in the order of the classes are "
            "`dict(enumerate(weights))`."
        )
    if _is_single(class_weight):
        if is_structure:
            raise ValueError(
                "One `class_weight` is for a single output, and this model has several. "
                "Give one for each: {output name: {class: weight}}, or a list. Received: "
                f"class_weight={class_weight}"
            )
        return _weights_of_classes(y, class_weight)
    if isinstance(y, dict):
        chosen = _by_key(class_weight, list(y))
        return {key: _weights_of_classes(y[key], chosen[key]) for key in y}
    weights = _of_list(y if is_structure else [y], class_weight, output_names)
    return weights if is_structure else weights[0]


def _is_single(class_weight: typing.Any):
    """Whether it is {class: weight}, rather than one such dict for each output."""
    if not isinstance(class_weight, dict):
        return False
    return not any(isinstance(value, dict) for value in class_weight.values())


def by_number(class_weight: dict) -> dict:
    """{class: weight} with classes that are written as text, "0", as numbers.

    Raises:
        ValueError: a class that is no number; Keras 3.15 does not use its weight.

    >>> by_number({"0": 1.0, 1: 2.0})
    {0: 1.0, 1: 2.0}
    """
    found = {}
    for label, weight in class_weight.items():
        try:
            if isinstance(label, str):
                label = int(label)
            found[label + 0] = weight
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                "`class_weight` must have integer keys, the classes. Received the key "
                f"{readable(repr(label), 100)} of type {type(label).__name__}. To fix it: number "
                "the classes as the labels are."
            ) from error
    return found


def warn_of_strange(class_weight: typing.Any, outputs: typing.Any) -> None:
    """Warns of classes in a `class_weight` for one output that no label can be.

    Args:
        outputs: of the model, symbolic; None: unknown. More than one unit are as many classes.
    """
    if not _is_single(class_weight):
        return
    width = None
    if outputs is not None and len(outputs) == 1 and (outputs[0].shape[-1:] or (1,))[0] != 1:
        width = outputs[0].shape[-1]
    strange = [label for label in by_number(class_weight) if not _is_class(label, width)]
    if strange:
        warn(
            f"`class_weight` has the classes {strange[:5]}, which no label is: they are whole "
            f"numbers from 0{'' if width is None else f' to {width - 1}'}. These weights are not "
            "used."
        )


def _is_class(label: typing.Any, width: int | None):
    """Whether a label can be this."""
    if not isinstance(label, (int, float, np.number)) or label != label // 1 or label < 0:
        return False
    return width is None or label < width


def _of_list(y: typing.Any, class_weight: typing.Any, output_names: typing.Any):
    """The weights for each of several labels in the order of the outputs."""
    labels = list(y or ())
    chosen = _by_key(class_weight, output_names or list(range(len(labels))))
    if len(chosen) != len(labels):
        raise ValueError(
            f"`class_weight` has one entry per output, {len(chosen)}, and there are labels for "
            f"{len(labels)}. Received: class_weight={class_weight}"
        )
    return list(map(_weights_of_classes, labels, chosen.values()))


def _by_key(class_weight: typing.Any, keys: typing.Any):
    """{key: {class: weight}} of all outputs, in order."""
    if not isinstance(class_weight, dict):
        if len(class_weight) != len(keys):
            raise ValueError(
                f"`class_weight` is a list of {len(class_weight)}, and there are the outputs "
                f"{keys}. Received: class_weight={class_weight}"
            )
        class_weight = dict(zip(keys, class_weight))
    unknown = [key for key in class_weight if key not in keys]
    if unknown:
        raise ValueError(
            f"`class_weight` has the keys {list(class_weight)}; the outputs are {keys}. Unknown: "
            f"{unknown}."
        )
    return {key: class_weight.get(key) or {} for key in keys}


def _check_one_hot(y: typing.Any):
    """Labels whose last axis is taken for the classes, of which the largest counts."""
    if np.allclose(np.sum(y, -1, dtype="float64"), 1, atol=1e-3):
        return
    seen = f"labels of shape {y.shape} whose last axis does not sum to 1"
    if y.ndim > 2:
        raise ValueError(
            "`class_weight` takes labels of whole numbers, with a last axis of 1 where each place "
            f"has one, or one-hot ones, received {seen}. To fix it: pass `y[..., None]`, if they "
            "are the classes of places, or `sample_weight`."
        )
    warn(
        f"`class_weight` takes {seen} for one-hot, as Keras does: of each row only the class of "
        "the largest counts. Give `sample_weight` for classes of places or several classes a row."
    )


def _weights_of_classes(y: typing.Any, class_weight: typing.Any):
    """The weight of each sample by its label."""
    y = np.asarray(y)
    if y.ndim > 1 and y.shape[-1] == 1:
        y = y[..., 0]
    elif y.ndim > 1:
        _check_one_hot(y)
        y = y.argmax(-1)
    classes = np.round(y).astype("int32")
    is_whole = (classes == y).all()
    if not is_whole:
        warn(
            "`class_weight` is for classes, and labels are no whole numbers: they are rounded. "
            "Give `sample_weight` for a regression."
        )
    y = classes
    weights = np.ones(y.shape, floatx())
    class_weight = by_number(class_weight)
    has_none = np.full(y.shape, bool(class_weight))
    for label, weight in class_weight.items():
        is_label = y == label
        weights[is_label] = weight
        has_none &= ~is_label
    is_against_others = len(class_weight) == 1
    if is_whole and has_none.any() and not is_against_others:
        warn(
            f"`class_weight` has no weight for the class {y[has_none].flat[0]}, which counts 1: it "
            f"has {list(class_weight)[:10]}. Give each class its weight."
        )
    return weights
