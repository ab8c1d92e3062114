"""A learning-rate range test: which rate to train a model with, in about a hundred steps."""

import collections.abc
import contextlib
import itertools
import math
import typing

import jax
import numpy as np

from jkeras.training import data
from jkeras.training.data import placement
from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import Batch
from jkeras.training.step.initial_state import init_train_state
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.state import TrainState
from jkeras.training.step.step import make_train_step
from jkeras.training.shell.arguments import types_of_data
from jkeras.training.step.building import require_compiled
from jkeras.training.step.private_once import refuse_private

SMOOTHING = 0.9  # of the moving average of the losses
DIVERGED = 4.0  # times the lowest smoothed loss, and the test ends


class RangeTest(typing.NamedTuple):
    """The result of `find_lr`.

    Attributes:
        rates: the learning rates, rising.
        losses: the loss of one batch at each.
        smoothed: their moving average.
        suggestion: the rate around which it falls fastest; None where it never falls.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None

    def plot(self, ax: typing.Any = None) -> typing.Any:
        """Draws the losses over the rates; needs matplotlib.

        Args:
            ax: the matplotlib axes to draw in; None: those of a new figure.

        Returns:
            The axes.
        """
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots()[1]
        ax.plot(self.rates, self.losses, alpha=0.3, label="loss of a batch")
        ax.plot(self.rates, self.smoothed, label="smoothed")
        if self.suggestion is not None:
            ax.axvline(self.suggestion, linestyle="--", label=f"suggestion: {self.suggestion:.2g}")
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        ax.legend()
        return ax


def find_lr(
    model: typing.Any,
    x: typing.Any,
    y: typing.Any = None,
    sample_weight: typing.Any = None,
    batch_size: int | None = None,
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
) -> RangeTest:
    """Trains a copy of a model for some steps while the learning rate rises exponentially.

    With a rate that is too low the loss hardly moves, with one that is too high it explodes; in
    between lies the rate to train with. The model, its optimizer and its metrics keep their values.
    It ends early where the loss explodes.

    Args:
        model: compiled.
        x, y, sample_weight, batch_size: as for `fit`; batches smaller than the first are left out.
            Batches of a generator are used up.
        start, end: the lowest and the highest rate.
        steps: number of steps at most.

    Returns:
        A `RangeTest`: `rates`, `losses`, `smoothed`, `suggestion`, and `plot()`.

    Raises:
        ValueError: rates that do not rise from above 0, fewer than two steps, or an optimizer whose
            rate cannot be set: a schedule, several optimizers, a state that the model itself keeps.

    Reference: Smith, Cyclical Learning Rates for Training Neural Networks (2015),
        https://arxiv.org/abs/1506.01186.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.eye(3, dtype="float32").repeat(20, axis=0)
    >>> test = find_lr(model, x, x.sum(axis=1), start=1e-4)
    >>> 1e-4 < test.suggestion < 10
    True
    """
    if not 0 < start < end or steps < 2:
        raise ValueError(
            "`find_lr` needs 0 < start < end and at least 2 steps. "
            f"Received: start={start}, end={end}, steps={steps}"
        )
    require_compiled(model, "find_lr")
    refuse_private(model, "find_lr")
    rates = np.geomspace(start, end, steps).astype("float32")
    source = data.make_source(
        x, y, sample_weight, batch_size, shuffle=True, types=types_of_data(model)
    )
    with contextlib.closing(source):
        batch = source.peek()
        state = placement.replicate(init_train_state(model, batch=batch))
        batches = _batches(source, size_of(batch[0]))
        losses = _losses(_make_step(model, state), state, rates, batches)
    rates = rates[: len(losses)]
    smoothed = smooth(losses)
    return RangeTest(rates, losses, smoothed, steepest(rates, smoothed))


def _make_step(model: typing.Any, state: TrainState) -> collections.abc.Callable:
    """`step(state, rate, batch) -> (state, loss of this batch)`."""
    layout = StateLayout(model)
    step = make_train_step(model)
    optimizer = model.optimizer
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if model.compilation.has_own_opt_state or hasattr(inner, "optimizers"):
        raise ValueError(
            f"`find_lr` cannot set the learning rate of '{model.name}', which has several. "
            "Compile a copy of the model with one optimizer."
        )
    try:
        optimizer.with_learning_rate(state.opt_state, np.float32(0))
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"`find_lr` cannot set the learning rate of {optimizer.name}: {error}"
        ) from error

    def step_at(state: TrainState, rate: jax.Array, batch: Batch) -> tuple[TrainState, jax.Array]:
        opt_state = optimizer.with_learning_rate(state.opt_state, rate)
        state = layout.reset_metrics(state.replace(opt_state=opt_state))
        state, logs = step(state, batch)
        return state, logs["loss"]

    if model.jit_compile:
        return jax.jit(step_at, donate_argnums=0)
    return step_at


def _batches(source: data.source.Source, rows: int) -> collections.abc.Iterator[Batch]:
    """Batches of one size, one epoch after another, as long as the source has any."""
    for epoch in itertools.count():
        is_exhausted = True
        source.begin_epoch()
        for batch in source.batches(0, epoch):
            if size_of(batch[0]) == rows:
                is_exhausted = False
                yield placement.place(batch)
        source.end_epoch()
        if is_exhausted:
            return


def _losses(
    step: collections.abc.Callable,
    state: TrainState,
    rates: np.ndarray,
    batches: collections.abc.Iterator[Batch],
) -> np.ndarray:
    """The losses, up to the first that is no number or far above the lowest."""
    losses = []
    lowest = math.inf
    for rate, batch in zip(rates, batches):
        state, loss = step(state, rate, batch)
        losses.append(float(loss))
        latest = smooth(losses)[-1]
        if not math.isfinite(losses[-1]) or latest > DIVERGED * lowest:
            break
        lowest = min(lowest, latest)
    return np.array(losses)


def smooth(losses: collections.abc.Sequence[float] | np.ndarray) -> np.ndarray:
    """The moving average of losses, each as if those before the first were like the others.

    >>> smooth([2.0, 2.0, 2.0]).tolist()
    [2.0, 2.0, 2.0]
    """
    weights = SMOOTHING ** np.arange(len(losses))
    return np.convolve(losses, weights)[: len(losses)] / np.cumsum(weights)


def steepest(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """The rate around which the losses fall fastest, on the way to the lowest; None where they
    never fall.

    What counts is the fall over a fifth of the test: from one step to the next the losses of
    batches differ too much.

    >>> steepest(np.array([1.0, 10, 100, 1000]), np.array([5.0, 4.5, 1.0, 9.0]))
    10.0
    """
    if not np.isfinite(losses).any():
        return None
    near = max(1, len(losses) // 10)
    until_lowest = losses[: int(np.nanargmin(losses)) + 1]
    falls = until_lowest[: -2 * near] - until_lowest[2 * near :]
    if not falls.size or not falls.max() > 0:
        return None
    return float(rates[near + np.argmax(falls)])
