"""The losses that `compile` was given, resolved for the outputs of the model."""

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import ArgumentError
from jkeras import losses, metrics
from jkeras.core.graph.keras_tensor import flatten
from jkeras.core.session.settings import floatx
from jkeras.kernel.microbatch import current_microbatch
from jkeras.kernel.valid_rows import count_valid_rows
from jkeras.losses.base import LossFunctionWrapper
from jkeras.training.step.call_ends import end_in_pass
from jkeras.training.step.label_checks import check_labels, check_range, classes_of, described
from jkeras.training.step.label_ranges import range_of, warn_of_range
from jkeras.training.step.masked_labels import has_steps
from jkeras.training.step.model_ends import warn_of_end
from jkeras.training.step.outputs import (
    Outputs,
    is_flat_list,
    is_nested,
    kind_of_labels,
    object_name,
)
from jkeras.training.types import Structure

CROSSENTROPY = {
    "binary": "binary_crossentropy",
    "sparse": "sparse_categorical_crossentropy",
    "categorical": "categorical_crossentropy",
}


def resolve_loss(identifier: Any, y_true: jax.Array, y_pred: jax.Array) -> losses.Loss:
    """The `Loss` of an identifier; "crossentropy" by the shapes of labels and predictions."""
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        loss = losses.get(CROSSENTROPY[kind_of_labels(y_true, y_pred)])
    else:
        loss = losses.get(identifier)
    if isinstance(loss, losses.Loss):
        return loss
    name = identifier if isinstance(identifier, str) else object_name(loss)
    return LossFunctionWrapper(loss, name=name)


@dataclasses.dataclass(frozen=True)
class WeightedLoss:
    """A loss as the user gave it, and its weight or None."""

    loss: Any
    weight: float | None


class Entry(NamedTuple):
    """The loss of one output, or of several as a structure.

    Attributes:
        outputs: the number of the output; in a structure of outputs, their numbers.
        name: under which it appears in logs.
    """

    outputs: Structure
    loss: losses.Loss
    weight: float | None
    name: str


def pick(flat: Sequence[Any], places: Structure) -> Any:
    """The values of a list, in a structure of their numbers."""
    return jax.tree_util.tree_map(lambda i: flat[i], places)


def with_weights(loss: Structure, weights: Iterator[float | None]) -> Structure:
    """The losses with the weights that an iterator gives; names of a dict take theirs in
    alphabetical order.
    """
    if isinstance(loss, dict):
        weighted = {name: with_weights(loss[name], weights) for name in sorted(loss)}
        return {name: weighted[name] for name in loss}
    if isinstance(loss, (list, tuple)):
        return sequence_like(loss, [with_weights(one, weights) for one in loss])
    return WeightedLoss(loss, next(weights))


def sequence_like(sequence: list | tuple, items: list) -> list | tuple:
    """Items in a list, tuple or named tuple of the type of another."""
    if hasattr(sequence, "_fields"):
        return type(sequence)(*items)
    return type(sequence)(items)


def _entry_name(path: tuple[str | int, ...], names: Structure, loss: losses.Loss) -> str:
    """The name of a loss in logs: the path to its output, whose own name stands for a number at the
    end; of a loss of all outputs their names.
    """
    if is_nested(names):
        flat = list(names) if isinstance(names, dict) else flatten(names)
        return "/".join(map(str, path)) or "_".join(map(str, flat))
    if not path:
        return names or loss.name
    if isinstance(path[-1], int):
        path = (*path[:-1], names or loss.name)
    return "/".join(map(str, path))


def _has_values(array, on_device):
    """Whether the values of an array can be looked at in this process."""
    if isinstance(array, jax.Array):
        return on_device and not isinstance(array, jax.core.Tracer) and array.is_fully_addressable
    return isinstance(array, np.ndarray)


class CompileLoss:
    """The total loss of a model: for each output its loss and weight; with several, a mean of each
    for the logs.
    """

    ends_are_known = False  # whether the graph of the model showed what gives its outputs
    has_masks = False  # whether the model may leave out labels of steps

    def __init__(
        self,
        loss: Structure,
        loss_weights: Structure = None,
        output_names: Sequence[str] | None = None,
    ) -> None:
        if loss_weights and not isinstance(loss_weights, (list, tuple, dict, float)):
            raise ValueError(
                "`loss_weights`: expected a number, or one for each output in a list, tuple or "
                f"dict. Received: loss_weights={loss_weights}"
            )
        self.loss = loss
        self.loss_weights = loss_weights
        self.output_names = output_names
        self.built = False
        self._only_builds = False
        self.metrics: list[metrics.Mean] = []

    # ------------------------------------------------------------ building

    def build(self, y_true: Structure, y_pred: Structure) -> None:
        """Resolves names and shapes once the outputs are known."""
        self.outputs = outputs = Outputs(y_pred, self.output_names)
        numbers = outputs.numbers(y_pred)
        given = self._weighted_losses()
        if not is_nested(given):
            given = jax.tree_util.tree_map(lambda _: given, numbers)
        found = list(self._walk(given, numbers, ()))
        self._active = {i for places, *_ in found for i in flatten(places)}
        predictions = outputs.pick(y_pred, "y_pred")
        labels = self._labels(y_true)
        self.entries: list[Entry] = []
        for places, weighted, path in found:
            y, predicted, names = (pick(v, places) for v in (labels, predictions, outputs.names))
            loss = resolve_loss(weighted.loss, y, predicted)
            name = _entry_name(path, names, loss)
            self.entries.append(Entry(places, loss, weighted.weight, name))
        if len(self.entries) > 1:
            self.metrics = [metrics.Mean(name=f"{entry.name}_loss") for entry in self.entries]
        self._ranges = [range_of(entry.loss) for entry in self.entries]
        self._classes = [
            classes_of(entry.loss, labels[entry.outputs], predictions[entry.outputs])
            if isinstance(entry.outputs, int)
            else None
            for entry in self.entries
        ]
        self.built = True

    def _weighted_losses(self) -> Structure:
        """The losses in the structure they were given in, each with its weight."""
        loss, weights = self._in_order_of_outputs()
        count = len(flatten(loss))
        if weights is None:
            return with_weights(loss, iter([None] * count))
        flat = flatten(weights)
        if len(flat) != count:
            raise ValueError(
                f"`loss_weights` must match the number of losses, got {count} losses and "
                f"{len(flat)} weights: loss={loss}, loss_weights={weights}."
            )
        return with_weights(loss, iter(flat))

    def _in_order_of_outputs(self) -> tuple[Structure, Structure]:
        """The losses and their weights: as lists, where they are dicts by the names of outputs that
        are no dict themselves.
        """
        loss, weights, outputs = self.loss, self.loss_weights, self.outputs
        is_list_of_named = outputs.keys is None and not outputs.is_deep and any(outputs.names)
        if not isinstance(loss, dict) or not is_list_of_named:
            return loss, weights
        if set(loss) != set(outputs.names):
            raise ArgumentError(
                f"Expected keys {outputs.names} in loss dict, but found loss.keys()={list(loss)}"
            )
        if isinstance(weights, dict):
            weights = self._weights_by_name(weights)
        return [loss[name] for name in outputs.names], weights

    def _weights_by_name(self, weights: dict) -> list:
        names = self.outputs.names
        missing = [name for name in names if name not in weights]
        if missing:
            raise KeyError(f"`loss_weights` has no weight for {missing}: the outputs are {names}.")
        return [weights[name] for name in names]

    def _walk(
        self, losses: Structure, outputs: Structure, path: tuple[str | int, ...]
    ) -> Iterator[tuple[Structure, WeightedLoss, tuple[str | int, ...]]]:
        """(numbers of the outputs, weighted loss, path to the outputs) of each loss, in the order
        of the losses.

        A list of as many losses as there are outputs has one for each. Any other sequence for what
        is no sequence of its type has losses of the same outputs.

        Args:
            outputs: the numbers of the outputs, in their structure.
        """
        if is_flat_list(losses) and len(losses) == len(flatten(outputs)):
            losses = jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(outputs), losses)
        elif isinstance(losses, (list, tuple)) and not isinstance(outputs, type(losses)):
            for one in losses:
                yield from self._walk(one, outputs, path)
            return
        if is_nested(losses):
            yield from self._walk_inside(losses, outputs, path)
        elif losses.loss is not None:
            yield outputs, losses, path

    def _walk_inside(
        self, losses: list | tuple | dict, outputs: Structure, path: tuple[str | int, ...]
    ) -> Iterator[tuple[Structure, WeightedLoss, tuple[str | int, ...]]]:
        """`_walk` for what lies in a list, tuple or dict of losses."""
        if isinstance(losses, (list, tuple)) and len(losses) < len(outputs):
            raise ValueError(
                f"`loss` is a list of {len(losses)}; the model has {len(outputs)} outputs "
                f"{self.outputs.names}. Give one loss for each output, None for an output "
                "without."
            )
        for key, one in losses.items() if isinstance(losses, dict) else enumerate(losses):
            if not is_nested(one) and one.loss is None:
                continue
            if not _has_output(outputs, key, type(losses)):
                raise KeyError(
                    f"The path {(*path, key)} in the `loss` argument, can't be found in either the "
                    f"model's output (`y_pred`) or its names, {self.outputs.names}."
                )
            yield from self._walk(one, outputs[key], (*path, key))

    def _labels(self, y_true: Structure) -> list:
        """The labels in the order of the outputs; those of outputs without a loss may be left
        out.
        """
        labels = self.outputs.pick(y_true, "y", missing_is_none=True)
        active = sorted(self._active)
        if len(labels) == self.outputs.count:
            return labels
        if len(labels) == len(active):
            filled = [None] * self.outputs.count
            for i, label in zip(active, labels):
                filled[i] = label
            return filled
        raise ValueError(
            f"y_true and y_pred have different structures: {len(labels)} array(s) of labels for "
            f"{self.outputs.count} output(s) {self.outputs.names}. Give one array for each "
            "output, in the outputs' order or as a dict by their names."
        )

    def set_weight(self, name: str, weight: float | jax.Array | None) -> None:
        """Gives the losses of a name, as of `entries`, another weight."""
        self.entries = [
            entry._replace(weight=weight) if entry.name == name else entry for entry in self.entries
        ]

    @contextlib.contextmanager
    def built_by_call(self) -> Iterator[None]:
        """Inside this block a call builds, and updates nothing."""
        self._only_builds = True
        try:
            yield
        finally:
            self._only_builds = False

    # ------------------------------------------------------------ calls

    def check_values(
        self, y_true: Structure, sample_weight: Structure = None, on_device: bool = False
    ) -> None:
        """Raises ValueError for labels that name no class, where they lie on the host; warns of
        other labels that a loss takes for what they are not.

        Args:
            on_device: look at labels on a device too, which waits for them.

        Those of the class that a loss ignores, and those with weight 0, may be anything.
        """
        if not self.built or y_true is None:
            return
        if not any(self._classes) and not any(self._ranges):
            return
        labels = self._labels(y_true)
        weights = self.outputs.pick_weights(sample_weight)
        for (i, loss, *_), classes, wanted in zip(self.entries, self._classes, self._ranges):
            is_checked = classes is not None or wanted is not None
            if not is_checked or not isinstance(i, int) or not _has_values(labels[i], on_device):
                continue
            y, name = np.asarray(labels[i]), self.outputs.names[i]
            if classes is not None:
                check_range(y, weights[i], loss, classes, name)
            elif not self.may_leave_out(y):
                warn_of_range(y, weights[i], loss, wanted, described(name))

    def may_leave_out(self, y: np.ndarray) -> bool:
        """Whether a mask may leave out some of these labels, which are anything then."""
        return self.has_masks and has_steps(y)

    def __call__(
        self, y_true: Structure, y_pred: Structure, sample_weight: Structure = None
    ) -> jax.Array | None:
        """The weighted sum of the losses; updates the means of the single ones."""
        if not self.built:
            self.build(y_true, y_pred)
        if self._only_builds:
            return None
        self._warn_of_list()
        labels = self._labels(y_true)
        predictions = self.outputs.pick(y_pred, "y_pred")
        weights = self.outputs.pick_weights(sample_weight)
        dtype = jnp.promote_types(floatx(), "float32")
        total = []
        for number, entry in enumerate(self.entries):
            chosen = (pick(v, entry.outputs) for v in (labels, predictions, weights))
            y, predicted, sample_weights = chosen
            if not is_nested(predicted):
                check_labels(y, predicted, entry.loss, self.outputs.names[entry.outputs])
                if not self.ends_are_known:
                    warn_of_end(end_in_pass(predicted), entry.loss)
            elif not is_nested(sample_weight):
                sample_weights = sample_weight
            value = jnp.asarray(entry.loss(y, predicted, sample_weights), dtype)
            if self.metrics:
                size = flatten(predicted)[0].shape[0]
                self._update_mean(self.metrics[number], value, size)
            total.append(value if entry.weight is None else value * entry.weight)
        return sum(total) if total else None

    def _warn_of_list(self) -> None:
        """Warns of several losses for one output."""
        if self.outputs.count == 1 and isinstance(self.loss, (list, tuple)) and len(self.loss) > 1:
            warnings.warn(
                f"`loss` is a list of {len(self.loss)} and the model has one output: the sum of "
                "the losses is minimized. Give one loss for one output.",
                stacklevel=3,
            )

    @staticmethod
    def _update_mean(metric: metrics.Mean, value: jax.Array, size: int) -> None:
        """Counts a loss in; that of a microbatch so that all of them make what the batch would."""
        microbatch = current_microbatch()
        if microbatch is None:
            metric.update_state(value, sample_weight=count_valid_rows(size))
        elif microbatch.batch_size is not None:
            count = microbatch.count
            metric.update_state(value * count, sample_weight=microbatch.batch_size / count)


def _has_output(outputs: Structure, key: str | int, kind: type) -> bool:
    """Whether outputs have a key of a dict or list of losses."""
    if issubclass(kind, dict):
        return isinstance(outputs, dict) and key in outputs
    return isinstance(outputs, (list, tuple)) and key < len(outputs)
