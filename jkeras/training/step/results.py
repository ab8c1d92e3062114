"""What steps give back: logs from metrics, logs as numbers, outputs of batches as one."""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.training.data import placement
from jkeras.training.step.compile_metrics import CompileMetrics
from jkeras.training.step.loss_and_logs import flat_logs
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs, Structure

if TYPE_CHECKING:
    from jkeras.training.step.layout import StateLayout
    from jkeras.training.shell.trainer import Trainer


def metric_logs(model: "Trainer", layout: "StateLayout", state: TrainState) -> Logs:
    """The logs that a state's metrics give."""
    with layout.run(state):
        return flat_logs(model.get_metrics_result())


def as_numbers(logs: Logs) -> dict[str, Any]:
    """Logs as Python numbers, in sorted order; arrays that are no scalars stay arrays."""

    numbers = {}
    for name, value in flat_logs(logs).items():
        array = placement.to_host(value)
        numbers[name] = array if array.ndim else array.item()
    return numbers


def concatenate(outputs: list[Structure]) -> Structure:
    """The outputs of several batches as one structure of numpy arrays."""
    if len(outputs) == 1:
        return jax.tree_util.tree_map(placement.to_host, outputs[0])
    return jax.tree_util.tree_map(
        lambda *parts: np.concatenate([placement.to_host(p) for p in parts]), *outputs
    )


def in_order(model: "Trainer", logs: Logs) -> Any:
    """Logs as a list: in the order of the metrics, then the rest; a single value alone."""
    logs = model.of_list(logs)
    names = []
    for metric in model.metrics:
        several = metric.metrics if isinstance(metric, CompileMetrics) else [metric]
        names += [m.name for m in several]
    values = [logs[n] for n in names if n in logs]
    values += [logs[k] for k in sorted(logs) if k not in names]
    return values[0] if len(values) == 1 else values
