"""`model.metrics_names`: what each number of `evaluate` is."""

from typing import Any

import jkeras


def names_of(outputs: list[str], loss: Any, metrics: Any) -> list[str]:
    """The names of the numbers that `evaluate` gives, in its order.

    Args:
        outputs: the names of the model's outputs.
        loss: as given to `compile`.
        metrics: as given to `compile`; for several outputs a list of lists, or a dict.

    >>> names_of(["a"], "mse", ["acc"])
    ['loss', 'acc']
    >>> names_of(["a", "b"], ["mse", None], {"a": "acc", "b": ["mae", "mse"]})
    ['loss', 'a_acc', 'b_mae', 'b_mse']
    """
    by_output = [_as_list(one) for one in _for_each(outputs, metrics)]
    if len(outputs) == 1:
        return ["loss", *(_name(metric) for metric in by_output[0])]
    has_loss = [one is not None for one in _for_each(outputs, loss, shared=True)]
    losses = [f"{name}_loss" for name, has in zip(outputs, has_loss) if has]
    if len(losses) == 1:
        losses = []
    of_outputs = [
        f"{name}_{_name(metric)}" for name, mine in zip(outputs, by_output) for metric in mine
    ]
    return ["loss", *losses, *of_outputs]


def _for_each(outputs: list[str], given: Any, shared: bool = False) -> list:
    """What is given for each output: of a dict, of a list, or the same for all."""
    if isinstance(given, dict):
        return [given.get(name) for name in outputs]
    if len(outputs) > 1 and isinstance(given, (list, tuple)) and len(given) == len(outputs):
        return list(given)
    if shared or len(outputs) == 1:
        return [given for _ in outputs]
    return [None for _ in outputs]


def _as_list(metrics: Any) -> list:
    if metrics is None:
        return []
    if isinstance(metrics, (list, tuple)):
        return [one for metric in metrics for one in _as_list(metric)]
    return [metrics]


def _name(metric: Any) -> str:
    if isinstance(metric, str):
        return metric
    if isinstance(metric, jkeras.metrics.Metric):
        return metric.name
    return getattr(metric, "__name__", "metric")
