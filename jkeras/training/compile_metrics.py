"""The metrics that `compile` was given, resolved for the outputs of the model."""

import jax

from jkeras import metrics
from jkeras.core import frame
from jkeras.kernel.valid_rows import current_valid_rows, expand_like
from jkeras.losses.reduction import mask_beside
from jkeras.training.outputs import Outputs, kind_of_labels, object_name

ACCURACY = {
    "binary": "BinaryAccuracy",
    "sparse": "SparseCategoricalAccuracy",
    "categorical": "CategoricalAccuracy",
}


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


def _as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


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
