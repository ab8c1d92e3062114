"""One epoch of one trial as a pure function: steps on rows of data that lies on the device, and a
validation. It does what an epoch of `fit` does, in the same order.
"""

import typing
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jkeras.search.numbers import Numbers
from jkeras.training.data.sizes import size_of
from jkeras.training.data import ArraySource
from jkeras.training.data.arrays import take
from jkeras.training.data.source import Batch
from jkeras.training.step.layout import LazyLayout, StateLayout
from jkeras.training.step.overrides import has_own_logs
from jkeras.training.step.padding import may_pad
from jkeras.training.step.results import metric_logs
from jkeras.training.step.state import TrainState
from jkeras.training.step.step import make_eval_step, make_train_step
from jkeras.training.types import Logs

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

Step = Callable[..., tuple[TrainState, Logs]]


class Trial(typing.NamedTuple):
    """A training and its numbers: a pytree; many of them have a leading axis.

    Attributes:
        numbers: by the names of the space.
    """

    state: TrainState
    numbers: dict[str, jax.Array]


class Order(typing.NamedTuple):
    """Which rows the steps of an epoch take.

    Attributes:
        steps: numbers of rows (steps, rows of a batch); those past the end are padding.
        rest: rows of a smaller batch behind them, which may not be padded.
    """

    steps: jax.Array
    rest: jax.Array


class Part(typing.NamedTuple):
    """Data of one kind, "train" or "test", and how its batches are made.

    Attributes:
        padded_size: rows of a batch that may be padded; None: none may.
    """

    kind: str
    source: ArraySource
    padded_size: int | None

    def order(self, seed: int, epoch: int) -> Order:
        """The rows of an epoch, as `fit` with this seed takes them."""
        return Order(*self.source.steps(seed, epoch, self.padded_size))


def part_of(model: "Trainer", kind: str, source: ArraySource, state: TrainState) -> Part:
    """The data of a kind, padded where `fit` pads it."""
    if source.size % min(source.batch_size, source.size) == 0:
        return Part(kind, source, None)
    shapes = source.shapes()
    padded_size = None
    if may_pad(LazyLayout(model), kind, state, shapes):
        padded_size = size_of(shapes[0])
    return Part(kind, source, padded_size)


class Epoch:
    """`epoch(trial, data, order, validation) -> (trial, logs)`, pure.

    Args:
        test: None: there is no validation.
    """

    def __init__(self, model: "Trainer", swept: Numbers, train: Part, test: Part | None) -> None:
        self.model = model
        self.layout = StateLayout(model)
        self.swept = swept
        self.train = train
        self.test = test

    def __call__(
        self, trial: Trial, data: Batch, order: Order, validation: tuple[Batch, Order] | None
    ) -> tuple[Trial, Logs]:
        with self.swept.substituted(trial.numbers):
            opt_state = self.swept.into(trial.state.opt_state, trial.numbers)
            state = trial.state.replace(opt_state=opt_state)
            state, logs = self._pass(self.train, state, data, order)
            if validation is not None:
                state, results = self._pass(self.test, state, *validation)
                logs = logs | {f"val_{name}": value for name, value in results.items()}
        return trial._replace(state=state), logs

    def _pass(
        self, part: Part, state: TrainState, data: Batch, order: Order
    ) -> tuple[TrainState, Logs]:
        """(the state, the logs) after one pass over data, whose metrics begin anew."""
        make = make_train_step if part.kind == "train" else make_eval_step
        own = has_own_logs(self.model, part.kind)  # its logs are those of the last step
        state = self.layout.reset_metrics(state)
        state, logs = _over(make(self.model), state, data, order, own)
        return state, logs if own else metric_logs(self.model, self.layout, state)


def _over(
    step: Step, state: TrainState, data: Batch, order: Order, keeps_logs: bool
) -> tuple[TrainState, Logs | None]:
    """The state after all steps of an order; with `keeps_logs` the logs of the last one."""
    size = size_of(data[0])
    is_padded = order.steps.size > size

    def body(state: TrainState, rows: jax.Array) -> tuple[TrainState, Logs | None]:
        valid = (rows < size,) if is_padded else ()
        state, logs = step(state, take(data, jnp.minimum(rows, size - 1)), *valid)
        return state, logs if keeps_logs else None

    logs = None
    if len(order.steps):
        state, logs = jax.lax.scan(body, state, order.steps)
        logs = jax.tree_util.tree_map(lambda values: values[-1], logs)
    if order.rest.size:
        state, logs = step(state, take(data, order.rest))
    return state, logs
