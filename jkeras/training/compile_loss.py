"""The losses that `compile` was given, resolved for the outputs of the model."""

import dataclasses
import typing

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import losses, metrics
from jkeras.core.graph import flatten
from jkeras.core.settings import floatx
from jkeras.kernel.microbatch import current_microbatch
from jkeras.kernel.valid_rows import count_valid_rows
from jkeras.losses.base import LossFunctionWrapper
from jkeras.training.label_checks import check_labels, check_range, takes_classes
from jkeras.training.outputs import Outputs, is_nested, kind_of_labels, object_name

CROSSENTROPY = {
    "binary": "binary_crossentropy",
    "sparse": "sparse_categorical_crossentropy",
    "categorical": "categorical_crossentropy",
}


def resolve_loss(identifier, y_true, y_pred):
    """The `Loss` of an identifier; "crossentropy" by the shapes of labels and predictions."""
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        found = losses.get(CROSSENTROPY[kind_of_labels(y_true, y_pred)])
    else:
        found = losses.get(identifier)
    if isinstance(found, losses.Loss):
        return found
    name = identifier if isinstance(identifier, str) else object_name(found)
    return LossFunctionWrapper(found, name=name)


@dataclasses.dataclass(frozen=True)
class WeightedLoss:
    """A loss as the user gave it, and its weight or None."""

    loss: typing.Any
    weight: typing.Any


def with_weights(loss, weights):
    """The losses with the weights that an iterator gives; names of a dict take theirs in
    alphabetical order.
    """
    if isinstance(loss, dict):
        made = {k: with_weights(loss[k], weights) for k in sorted(loss)}
        return {k: made[k] for k in loss}
    if isinstance(loss, (list, tuple)):
        return [with_weights(one, weights) for one in loss]
    return WeightedLoss(loss, next(weights))


def _entry_name(path, name):
    """The name of a loss in logs: the path to its output, whose own name stands for a number at the
    end.
    """
    if not path:
        return name
    return "/".join(map(str, (*path[:-1], name) if isinstance(path[-1], int) else path))


class CompileLoss:
    """The total loss of a model: for each output its loss and weight; with several, a mean of each
    for the logs.
    """

    def __init__(self, loss, loss_weights=None, output_names=None):
        if loss_weights and not isinstance(loss_weights, (list, tuple, dict, float, int)):
            raise ValueError(
                "Expected `loss_weights` argument to be a float (single output case) or a list, "
                "tuple, or dict (multiple output case). Received instead: "
                f"loss_weights={loss_weights}"
            )
        self.loss, self.loss_weights, self.output_names = loss, loss_weights, output_names
        self.built, self.metrics = False, []

    def build(self, y_true, y_pred):
        """Resolves names and shapes once the outputs are known."""
        self.outputs = outputs = Outputs(y_pred, self.output_names)
        wanted = list(self._walk(self._weighted_losses(outputs), outputs.numbers(y_pred), ()))
        self._active = {i for i, *_ in wanted}
        predictions, labels = outputs.pick(y_pred, "y_pred"), self._labels(y_true)
        self.entries = []  # (output number, loss, weight, name)
        for i, one, path in wanted:
            found = resolve_loss(one.loss, labels[i], predictions[i])
            self.entries.append(
                (i, found, one.weight, _entry_name(path, outputs.names[i] or found.name))
            )
        if len(self.entries) > 1:
            self.metrics = [metrics.Mean(name=f"{name}_loss") for *_, name in self.entries]
        self._shapes = [tuple(p.shape) for p in predictions]
        self.built = True

    def _weighted_losses(self, outputs):
        """The losses in the structure they were given in, each with its weight."""
        loss, weights = self.loss, self.loss_weights
        if (
            isinstance(loss, dict)
            and outputs.keys is None
            and any(outputs.names)
            and not outputs.nested
        ):
            if set(loss) != set(outputs.names):
                raise ValueError(
                    f"Expected keys {outputs.names} in loss dict, but found "
                    f"loss.keys()={list(loss)}"
                )
            loss = [loss[name] for name in outputs.names]
            if isinstance(weights, dict):
                missing = [name for name in outputs.names if name not in weights]
                if missing:
                    raise KeyError(
                        f"`loss_weights` has no weight for {missing}: the outputs are "
                        f"{outputs.names}."
                    )
                weights = [weights[name] for name in outputs.names]
        count, flat = len(flatten(loss)), flatten(weights)
        if weights is not None and len(flat) != count:
            raise ValueError(
                f"`loss_weights` must match the number of losses, got {count} losses and "
                f"{len(flat)} weights: loss={loss}, loss_weights={weights}."
            )
        return with_weights(loss, iter([None] * count if weights is None else flat))

    def _walk(self, losses, outputs, path):
        """(number of the output, weighted loss, path to the output) of each loss, in the order of
        the losses.

        Args:
            outputs: the numbers of the outputs, in their structure.
        """
        flat = flatten(outputs)
        if isinstance(losses, (list, tuple)) and not any(map(is_nested, losses)):
            if len(losses) == len(flat):
                losses = jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(outputs), losses)
            elif not isinstance(outputs, (list, tuple)):
                for one in losses:
                    yield from self._walk(one, outputs, path)
                return
        if not is_nested(losses):
            if is_nested(outputs) and path:
                raise ValueError(
                    f"The one loss '{losses.loss}' stands for {len(flat)} outputs at {path}. Give "
                    "each output its own."
                )
            if is_nested(outputs):
                losses = jax.tree_util.tree_map(lambda _: losses, outputs)
            elif losses.loss is not None:
                yield outputs, losses, path
        if is_nested(losses):
            if isinstance(losses, (list, tuple)) and len(losses) < len(outputs):
                raise ValueError(
                    f"`loss` is a list of {len(losses)}; the model has {len(outputs)} outputs "
                    f"{self.outputs.names}. Give one loss for each output, None for an output "
                    "without."
                )
            for key, one in losses.items() if isinstance(losses, dict) else enumerate(losses):
                inside = (
                    isinstance(outputs, dict) and key in outputs
                    if isinstance(losses, dict)
                    else (isinstance(outputs, (list, tuple)) and key < len(outputs))
                )
                if not inside:
                    raise KeyError(
                        f"The path {(*path, key)} in the `loss` argument can't be found in the "
                        f"model's output (`y_pred`), whose names are {self.outputs.names}."
                    )
                yield from self._walk(one, outputs[key], (*path, key))

    def _labels(self, y_true):
        """The labels in the order of the outputs; those of outputs without a loss may be left
        out.
        """
        labels, active = self.outputs.pick(y_true, "y", missing_is_none=True), sorted(self._active)
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

    def check_values(self, y_true, sample_weight=None):
        """Raises ValueError for whole-number labels that name no class, where the labels lie on the
        host.

        Those of the class that a loss ignores, and those with weight 0, may be anything.
        """
        if (
            not self.built
            or y_true is None
            or not any(takes_classes(loss) for _, loss, *_ in self.entries)
        ):
            return
        labels = self._labels(y_true)
        weights = self.outputs.pick(sample_weight, "sample_weight", missing_is_none=True)
        weights = weights * self.outputs.count if len(weights) == 1 else weights
        for i, loss, _, _ in self.entries:
            if takes_classes(loss) and isinstance(labels[i], np.ndarray):
                check_range(labels[i], weights[i], loss, self._shapes[i], self.outputs.names[i])

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The weighted sum of the losses; updates the means of the single ones."""
        if not self.built:
            self.build(y_true, y_pred)
        labels, predictions = self._labels(y_true), self.outputs.pick(y_pred, "y_pred")
        weights = self.outputs.pick(sample_weight, "sample_weight", missing_is_none=True)
        weights = weights * self.outputs.count if len(weights) == 1 else weights
        total = []
        for number, (i, loss, weight, _) in enumerate(self.entries):
            check_labels(labels[i], predictions[i], loss, self.outputs.names[i])
            value = jnp.asarray(
                loss(labels[i], predictions[i], weights[i]), jnp.promote_types(floatx(), "float32")
            )
            if self.metrics:
                self._update_mean(self.metrics[number], value, predictions[i].shape[0])
            total.append(value if weight is None else value * weight)
        return sum(total) if total else None

    @staticmethod
    def _update_mean(metric, value, size):
        """Counts a loss in; that of a microbatch so that all of them make what the batch would."""
        microbatch = current_microbatch()
        if microbatch is None:
            metric.update_state(value, sample_weight=count_valid_rows(size))
        elif microbatch.batch_size is not None:
            count = microbatch.count
            metric.update_state(value * count, sample_weight=microbatch.batch_size / count)
