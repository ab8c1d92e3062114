"""What `compile` was given, resolved for the model's outputs: which loss, weight and metrics each
output has.
"""

import dataclasses
import typing

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import losses, metrics
from jkeras.core import frame
from jkeras.core.graph import flatten
from jkeras.core.settings import floatx, snake_case
from jkeras.kernel.microbatch import current_microbatch
from jkeras.kernel.valid_rows import count_valid_rows, current_valid_rows, expand_like
from jkeras.losses.base import LossFunctionWrapper
from jkeras.losses.reduction import mask_beside


def is_nested(value):
    """Whether a value is a list, tuple or dict."""
    return isinstance(value, (list, tuple, dict))


def kind_of_labels(y_true, y_pred):
    """ "binary", "sparse" or "categorical": what "accuracy" and "crossentropy" stand for."""
    if y_pred.shape[-1:] == (1,):
        return "binary"
    sparse = len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1 and y_pred.shape[-1] > 1
    return "sparse" if sparse else "categorical"


ACCURACY = {
    "binary": "BinaryAccuracy",
    "sparse": "SparseCategoricalAccuracy",
    "categorical": "CategoricalAccuracy",
}
CROSSENTROPY = {
    "binary": "binary_crossentropy",
    "sparse": "sparse_categorical_crossentropy",
    "categorical": "categorical_crossentropy",
}


def object_name(thing):
    """The name under which a loss or metric object appears in logs."""
    return getattr(thing, "name", None) or snake_case(
        getattr(thing, "__name__", type(thing).__name__)
    )


def resolve_metric(identifier, y_true, y_pred):
    """The metric of an identifier; "accuracy" by the shapes of labels and predictions."""
    if identifier is None:
        raise ValueError("Expected metric, received `None`")
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        found = getattr(metrics, ACCURACY[kind_of_labels(y_true, y_pred)])()
    else:
        found = metrics.get(identifier)
    name = identifier if isinstance(identifier, str) else object_name(found)
    if not isinstance(found, metrics.Metric):
        found = metrics.MeanMetricWrapper(found)
    found.name = name
    return found


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


# ---------------------------------------------------------------- outputs as a flat list


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


# ---------------------------------------------------------------- losses


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
            or not any(_is_sparse(loss) for _, loss, *_ in self.entries)
        ):
            return
        labels = self._labels(y_true)
        weights = self.outputs.pick(sample_weight, "sample_weight", missing_is_none=True)
        weights = weights * self.outputs.count if len(weights) == 1 else weights
        for i, loss, _, _ in self.entries:
            if _is_sparse(loss) and isinstance(labels[i], np.ndarray):
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


def _as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def check_labels(y_true, y_pred, loss, name):
    """Raises ValueError where labels cannot belong to the predictions."""
    where = f"The labels{f' of output {name!r}' if name else ''}"
    if y_true is None:
        raise ValueError(
            f"{where} are missing (y is None), and the loss '{loss.name}' needs them. Pass `y`, "
            "or give no `loss` and use `add_loss`."
        )
    if y_true.ndim and y_pred.ndim and y_true.shape[0] != y_pred.shape[0]:
        raise ValueError(
            f"{where} have {y_true.shape[0]} rows and the predictions {y_pred.shape[0]}."
        )
    if (
        _is_sparse(loss)
        and y_true.ndim == y_pred.ndim
        and y_true.shape[-1] != 1
        and (loss.fn_kwargs().get("axis", -1) in (-1, y_pred.ndim - 1))
    ):
        raise ValueError(
            f"{where} have shape {y_true.shape} and the predictions {y_pred.shape}: "
            "'sparse_categorical_crossentropy' takes whole numbers, of the predictions' shape "
            "without the axis of classes. Use 'categorical_crossentropy' for one-hot labels."
        )
    if "categorical_crossentropy" in str(loss.name) and not str(loss.name).startswith(
        ("sparse", "binary")
    ):
        if (
            y_true.ndim == y_pred.ndim
            and y_true.shape[-1] != y_pred.shape[-1]
            or y_true.ndim < y_pred.ndim
        ):
            raise ValueError(
                f"{where} have shape {y_true.shape} and the predictions {y_pred.shape}: "
                f"'{loss.name}' takes one-hot labels. Use 'sparse_categorical_crossentropy' for "
                "whole numbers, or `to_categorical` on the labels."
            )


def _is_sparse(loss):
    """Whether a loss takes classes as whole numbers."""
    return getattr(loss, "fn", None) is losses.sparse_categorical_crossentropy


def check_range(y_true, sample_weight, loss, shape, name):
    """Raises ValueError where labels on the host lie outside [0, classes).

    Args:
        shape: of the predictions.
        name: of the output, or None.
    """
    arguments = loss.fn_kwargs()
    classes = shape[arguments.get("axis", -1)]
    outside = (y_true < 0) | (y_true >= classes)
    if not outside.any():
        return
    if arguments.get("ignore_class") is not None:
        outside &= y_true != arguments["ignore_class"]
    if sample_weight is not None:
        weight = np.asarray(sample_weight)
        outside &= weight.reshape(weight.shape + (1,) * (y_true.ndim - weight.ndim)) != 0
    if outside.any():
        raise ValueError(
            f"The labels{f' of output {name!r}' if name else ''} must be classes in [0, "
            f"{classes}), the size of the predictions' last axis, for the loss '{loss.name}'. "
            f"Received the label {y_true[outside][0]} ({outside.sum()} of {y_true.size} lie "
            "outside). Give the output more units, count the classes from 0, or set the loss's "
            "`ignore_class`."
        )


# ---------------------------------------------------------------- metrics


class CompileMetrics(metrics.Metric):
    """The metrics given to `compile`, as one metric whose result is a dict."""

    def __init__(self, user_metrics, weighted_metrics, name="compile_metrics", output_names=None):
        super().__init__(name=name)
        for argument, value in (("metrics", user_metrics), ("weighted_metrics", weighted_metrics)):
            if value and not isinstance(value, (list, tuple, dict)):
                raise ValueError(
                    f"Expected `{argument}` argument to be a list, tuple, or dict. "
                    f"Received instead: {argument}={value} of type {type(value)}"
                )
        self.__dict__.update(
            _given=(user_metrics, weighted_metrics),
            output_names=output_names,
            built=False,
            # _groups: (output number, prefix or None, [metrics], weighted)
            _groups=[],
        )

    @property
    def metrics(self):
        """All metrics in one list."""
        return [m for *_, found, _ in self._groups for m in found]

    def _named(self):
        return [(f"{i}/{key}", v) for i, m in enumerate(self.metrics) for key, v in m._named()]

    def build(self, y_true, y_pred):
        """Resolves names and shapes once the outputs are known."""
        outputs = Outputs(y_pred, self.output_names)
        predictions = outputs.pick(y_pred, "y_pred")
        labels = outputs.pick(y_true, "y", missing_is_none=True)
        labels = labels + [None] * (outputs.count - len(labels))
        groups = []
        for weighted, given in enumerate(self._given):
            per_output = self._per_output(given, outputs, ("metrics", "weighted_metrics")[weighted])
            for i, wanted in enumerate(per_output):
                if wanted:
                    found = [resolve_metric(m, labels[i], predictions[i]) for m in wanted]
                    _make_variables(found, labels[i], predictions[i])
                    groups.append(
                        (i, outputs.names[i] if outputs.count > 1 else None, found, bool(weighted))
                    )
        self.__dict__.update(_groups=groups, _outputs=outputs, built=True)

    @staticmethod
    def _per_output(given, outputs, argument):
        if not given:
            return [None] * outputs.count
        if outputs.count == 1:
            flat = [
                m
                for value in (given.values() if isinstance(given, dict) else given)
                for m in _as_list(value)
            ]
            return [flat]
        if isinstance(given, dict) and set(given) <= set(outputs.names):
            return [_as_list(given[n]) if given.get(n) is not None else None for n in outputs.names]
        if isinstance(given, (list, tuple)) and len(given) == outputs.count:
            return [_as_list(m) if m is not None else None for m in given]
        raise ValueError(
            f"Invalid `{argument}`. `{argument}` should contain metrics objects and either be a "
            f"dict or a list matching the outputs of the model {outputs.names}. Received: "
            f"{argument}={given}"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Updates every metric; the weighted ones with the sample weights."""
        if not self.built:
            self.build(y_true, y_pred)
        weights = self._outputs.pick(sample_weight, "sample_weight", missing_is_none=True)
        weights = weights * self._outputs.count if len(weights) == 1 else weights
        for metric, i, truth, prediction, weighted in self.compared(y_true, y_pred):
            weight = _of_valid_rows(metric, weights[i] if weighted else None, truth, prediction)
            kwargs = {"sample_weight": weight} if weighted or weight is not None else {}
            metric.update_state(truth, prediction, **kwargs)

    def compared(self, y_true, y_pred):
        """(metric, number of the output, its labels, its predictions, whether weighted) of each
        metric.
        """
        labels = self._outputs.pick(y_true, "y", missing_is_none=True)
        labels = labels + [None] * self._outputs.count
        predictions = self._outputs.pick(y_pred, "y_pred")
        return [
            (metric, i, labels[i], predictions[i], weighted)
            for i, _, found, weighted in self._groups
            for metric in found
        ]

    def reset_state(self):
        """Forgets everything."""
        for metric in self.metrics:
            metric.reset_state()

    def result(self):
        """{name: value}; a name that comes again gets a number, a weighted one the prefix
        "weighted_".
        """
        if not self.built:
            raise ValueError("Cannot get result() since the metric has not yet been built.")
        results, seen = {}, {}
        for _, prefix, found, weighted in self._groups:
            for metric in found:
                name = f"{prefix}_{metric.name}" if prefix else metric.name
                if name in seen and weighted:
                    name = (
                        f"{prefix}_weighted_{metric.name}" if prefix else f"weighted_{metric.name}"
                    )
                if name in seen:
                    seen[name] += 1
                    name = f"{name}_{seen[name] - 1}"
                else:
                    seen[name] = 1
                results[name] = metric.result()
        return results


def _of_valid_rows(metric, weight, y_true, y_pred):
    """The weights of a metric's update, 0 for rows that are padding; a mask that it takes leaves
    these out already.
    """
    valid_rows = current_valid_rows()
    if valid_rows is None:
        return weight
    if weight is not None:
        return weight * expand_like(valid_rows, weight)
    if metric.takes_mask and mask_beside(y_pred) is not None:
        return None
    return metric.weight_of_rows(valid_rows, y_true)


def _make_variables(found, y_true, y_pred):
    """Makes the variables that follow from the shapes of labels and predictions."""
    if y_true is not None and frame.current() is None:
        for metric in found:
            jax.eval_shape(lambda t, p, metric=metric: metric.init(t, p), y_true, y_pred)
