"""A learning-rate range test: which rate to train a model with, found in about a hundred steps."""

import contextlib
import itertools
import math
import typing

import jax
import numpy as np

from jkeras.training import data, placement
from jkeras.training.rows import size_of
from jkeras.training.state import Plan, init_train_state
from jkeras.training.step import make_train_step

SMOOTHING = 0.9  # of the moving average of the losses
DIVERGED = 4.0  # times the lowest smoothed loss, and the test ends


class RangeTest(typing.NamedTuple):
    """What `find_lr` found.

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

    def plot(self, ax=None):
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


def find_lr(model, x, y=None, sample_weight=None, batch_size=None, start=1e-7, end=10.0, steps=100):
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
    >>> found = find_lr(model, x, x.sum(axis=1), start=1e-4)
    >>> 1e-4 < found.suggestion < 10
    True
    """
    if not 0 < start < end or steps < 2:
        raise ValueError(
            "`find_lr` needs 0 < start < end and at least 2 steps. "
            f"Received: start={start}, end={end}, steps={steps}"
        )
    model._assert_compiled("find_lr")
    rates = np.geomspace(start, end, steps).astype("float32")
    with contextlib.closing(
        data.make_source(x, y, sample_weight, batch_size, shuffle=True)
    ) as source:
        first = source.peek()
        state = placement.spread(init_train_state(model, batch=first))
        losses = _losses(
            _make_step(model, state), state, rates, _batches(source, size_of(first[0]))
        )
    smoothed = smooth(losses)
    return RangeTest(
        rates[: len(losses)], losses, smoothed, steepest(rates[: len(losses)], smoothed)
    )


def _make_step(model, state):
    """`step(state, rate, batch) -> (state, loss of this batch)`."""
    plan, step, optimizer = Plan(model), make_train_step(model), model.optimizer
    if model._has_own_opt_state or hasattr(
        getattr(optimizer, "inner_optimizer", optimizer), "optimizers"
    ):
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

    def one(state, rate, batch):
        state = plan.reset_metrics(
            state._replace(opt_state=optimizer.with_learning_rate(state.opt_state, rate))
        )
        state, logs = step(state, batch)
        return state, logs["loss"]

    return jax.jit(one, donate_argnums=0) if model.jit_compile else one


def _batches(source, rows):
    """Batches of one size, one epoch after another, as long as the source has any."""
    for epoch in itertools.count():
        found = False
        for batch in source.batches(0, epoch):
            if size_of(batch[0]) == rows:
                found = True
                yield placement.place(batch)
        if not found:
            return


def _losses(step, state, rates, batches):
    """The losses, up to the first that is no number or far above the lowest."""
    losses, lowest = [], math.inf
    for rate, batch in zip(rates, batches):
        state, loss = step(state, rate, batch)
        losses.append(float(loss))
        latest = smooth(losses)[-1]
        if not math.isfinite(losses[-1]) or latest > DIVERGED * lowest:
            break
        lowest = min(lowest, latest)
    return np.array(losses)


def smooth(losses):
    """The moving average of losses, each as if those before the first were like the others.

    >>> smooth([2.0, 2.0, 2.0]).tolist()
    [2.0, 2.0, 2.0]
    """
    weights = SMOOTHING ** np.arange(len(losses))
    return np.convolve(losses, weights)[: len(losses)] / np.cumsum(weights)


def steepest(rates, losses):
    """The rate around which the losses fall fastest, on the way to the lowest; None where they
    never fall.

    What counts is the fall over a fifth of the test: from one step to the next the losses of
    batches differ too much.

    >>> steepest(np.array([1.0, 10, 100, 1000]), np.array([5.0, 4.5, 1.0, 9.0]))
    10.0
    """
    near = max(1, len(losses) // 10)
    end = int(np.nanargmin(losses)) + 1 if np.isfinite(losses).any() else 0
    falls = losses[:end][: -2 * near] - losses[:end][2 * near :]
    return float(rates[near + np.argmax(falls)]) if falls.size and falls.max() > 0 else None
