"""The metrics that `compile` was given, resolved for the outputs of the model."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from jkeras import metrics
from jkeras.core.errors import explain
from jkeras.core.names.registry import public_name
from jkeras.core.record import takes
from jkeras.kernel.scope import current_flow
from jkeras.kernel.valid_rows import current_valid_rows, expand_like
from jkeras.kernel.beside import mask_beside
from jkeras.training.step.outputs import Outputs, kind_of_labels, object_name
from jkeras.training.types import Structure

ACCURACY = {
    "binary": "BinaryAccuracy",
    "sparse": "SparseCategoricalAccuracy",
    "categorical": "CategoricalAccuracy",
}


def resolve_metric(identifier: Any, y_true: jax.Array, y_pred: jax.Array) -> metrics.Metric:
    """The metric of an identifier; "accuracy" by the shapes of labels and predictions."""
    if identifier is None:
        raise ValueError("Expected metric, received `None`")
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        metric = getattr(metrics, ACCURACY[kind_of_labels(y_true, y_pred)])()
    else:
        metric = metrics.get(identifier)
    name = identifier if isinstance(identifier, str) else object_name(metric)
    if not isinstance(metric, metrics.Metric):
        metric = metrics.MeanMetricWrapper(metric)
    metric.name = name
    return metric


class Group(NamedTuple):
    """The metrics of one output.

    Attributes:
        output: the number of the output.
        prefix: of their names in logs, or None.
        weighted: whether they take sample weights into account.
    """

    output: int
    prefix: str | None
    metrics: list[metrics.Metric]
    weighted: bool


class Compared(NamedTuple):
    """A metric, and what it compares."""

    metric: metrics.Metric
    output: int
    y_true: jax.Array | None
    y_pred: jax.Array
    weighted: bool


class CompileMetrics(metrics.Metric):
    """The metrics given to `compile`, as one metric whose result is a dict."""

    labels_checked = False

    def __init__(
        self,
        user_metrics: Structure,
        weighted_metrics: Structure,
        name: str = "compile_metrics",
        output_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name=name)
        for argument, value in (("metrics", user_metrics), ("weighted_metrics", weighted_metrics)):
            if value and not isinstance(value, (list, tuple, dict)):
                raise ValueError(
                    f"`{argument}`: expected a list, tuple or dict. Received: "
                    f"{argument}={value} of type {type(value)}. Write `{argument}=[…]`."
                )
        self.__dict__.update(
            _given=(user_metrics, weighted_metrics),
            output_names=output_names,
            built=False,
            _groups=[],
        )

    @property
    def metrics(self) -> list[metrics.Metric]:
        """All metrics in one list."""
        return [metric for group in self._groups for metric in group.metrics]

    def _named(self):
        return [(f"{i}/{key}", v) for i, m in enumerate(self.metrics) for key, v in m._named()]

    # ------------------------------------------------------------ building

    def build(self, y_true: Structure, y_pred: Structure) -> None:
        """Resolves names and shapes once the outputs are known."""
        outputs = Outputs(y_pred, self.output_names)
        predictions = outputs.pick(y_pred, "y_pred")
        labels = outputs.pick_labels(y_true)
        groups = []
        for argument, structure in zip(("metrics", "weighted_metrics"), self._given):
            for i, identifiers in enumerate(_per_output(structure, outputs, argument)):
                if identifiers:
                    resolved = [resolve_metric(m, labels[i], predictions[i]) for m in identifiers]
                    _make_variables(resolved, labels[i], predictions[i])
                    prefix = outputs.names[i] if outputs.count > 1 else None
                    groups.append(Group(i, prefix, resolved, argument == "weighted_metrics"))
        self.__dict__.update(_groups=groups, _outputs=outputs, built=True)

    # ------------------------------------------------------------ updates and results

    def update_state(
        self, y_true: Structure, y_pred: Structure, sample_weight: Structure = None
    ) -> None:
        """Updates every metric; the weighted ones with the sample weights."""
        if not self.built:
            self.build(y_true, y_pred)
        weights = self._outputs.pick_weights(sample_weight)
        for metric, i, truth, prediction, weighted in self.compared(y_true, y_pred):
            weight = weights[i] if weighted else None
            weight = _of_valid_rows(metric, weight, truth, prediction)
            if weighted or weight is not None:
                metric.update_state(truth, prediction, sample_weight=weight)
            else:
                metric.update_state(truth, prediction)

    def compared(self, y_true: Structure, y_pred: Structure) -> list[Compared]:
        """Each metric with the labels and predictions of its output."""
        labels = self._outputs.pick_labels(y_true)
        predictions = self._outputs.pick(y_pred, "y_pred")
        return [
            Compared(metric, i, labels[i], predictions[i], weighted)
            for i, _, group, weighted in self._groups
            for metric in group
        ]

    def with_labels(self, y_true: Structure) -> list[tuple[Any, int, Any]]:
        """Each metric with the number of its output and its labels, which are checked once."""
        vars(self).update(labels_checked=True)
        labels = self._outputs.pick_labels(y_true)
        return [(metric, i, labels[i]) for i, _, group, _ in self._groups for metric in group]

    def reset_state(self) -> None:
        """Forgets everything."""
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """{name: value}; a name that comes again gets a number, a weighted one the prefix
        "weighted_".
        """
        if not self.built:
            raise ValueError(
                "The metrics of `compile` have seen no batch, and so have not yet "
                "been built: there is no result()."
            )
        results: dict[str, Any] = {}
        counts: dict[str, int] = {}
        for _, prefix, group, weighted in self._groups:
            for metric in group:
                name = f"{prefix}_{metric.name}" if prefix else metric.name
                if name in counts and weighted:
                    name = "_".join(filter(None, (prefix, "weighted", metric.name)))
                count = counts.get(name, 0)
                counts[name] = count + 1
                results[f"{name}_{count}" if count else name] = metric.result()
        return results


def _as_list(value: Any) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _flat(structure: list | tuple | dict) -> list:
    """The identifiers for a single output, in one list."""
    values = structure.values() if isinstance(structure, dict) else structure
    return [metric for value in values for metric in _as_list(value)]


def _per_output(structure: Structure, outputs: Outputs, argument: str) -> list[list | None]:
    """The identifiers of the metrics of each output, or None."""
    if not structure:
        return [None] * outputs.count
    if outputs.count == 1:
        _warn_of_other_names(structure, outputs.names[0], argument)
        return [_flat(structure)]
    several = structure
    if isinstance(structure, dict) and set(structure) <= set(outputs.names):
        several = [structure.get(name) for name in outputs.names]
    if isinstance(several, (list, tuple)) and len(several) == outputs.count:
        return [None if metric is None else _as_list(metric) for metric in several]
    raise ValueError(
        f"Invalid `{argument}`: expected metrics in a dict by the outputs of the model, "
        f"{outputs.names}, or a list for each of them. Received: {argument}={structure}"
    )


def _warn_of_other_names(structure: Structure, name: str | None, argument: str) -> None:
    """Says that the keys of a dict are not the name of a model's only output."""
    if isinstance(structure, dict) and name is not None and set(structure) != {name}:
        warnings.warn(
            f"`{argument}` is a dict with the keys {list(structure)}, and the model's only output "
            f"is named '{name}': all of them are taken for it.",
            stacklevel=2,
        )


def _of_valid_rows(
    metric: metrics.Metric, weight: jax.Array | None, y_true: jax.Array, y_pred: jax.Array
) -> jax.Array | None:
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
    if public_name(type(metric)) is not None:
        return metric.weight_of_rows(valid_rows, y_true)
    weight = valid_rows.astype("int32")
    if hasattr(metric, "weight_of_rows"):
        weight = metric.weight_of_rows(valid_rows, y_true)
    if not _looks_at(metric, weight, y_true, y_pred):
        expected = "an `update_state(y_true, y_pred, sample_weight)` that uses its weights"
        received = f"{type(metric).__name__}, which does not"
        advice = "some rows of a batch are padding here, and have the weight 0: leave them out"
        raise ValueError(explain(f"Metric '{metric.name}'", expected, received, advice))
    return weight


def _looks_at(
    metric: metrics.Metric, weight: jax.Array, y_true: jax.Array, y_pred: jax.Array
) -> bool:
    """Whether what a metric of a user's counts depends on the weights of the rows."""
    if not takes(metric.update_state, "sample_weight"):
        return False
    state = metric.init()

    def update(weight: jax.Array) -> dict:
        return metric.update(state, y_true, y_pred, sample_weight=weight)

    program = jax.make_jaxpr(update)(weight).jaxpr
    (given,) = program.invars
    return any(given is operand for eqn in program.eqns for operand in eqn.invars)


def _make_variables(
    metrics_of_output: list[metrics.Metric], y_true: jax.Array | None, y_pred: jax.Array
) -> None:
    """Makes the variables that follow from the shapes of labels and predictions."""
    if y_true is not None and current_flow() is None:
        for metric in metrics_of_output:
            jax.eval_shape(lambda t, p, metric=metric: metric.init(t, p), y_true, y_pred)
