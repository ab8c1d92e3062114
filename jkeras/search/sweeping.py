"""`sweep`: trainings with different numbers, as one program for each shape of the model."""

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.search.ledger import Ledger
from jkeras.search.making import Maker
from jkeras.search.objective import objective_of
from jkeras.search.population import SweepData, Population
from jkeras.search.result import Member, Result
from jkeras.search.saved import Saved
from jkeras.search.space import Space, sampled
from jkeras.search.strategies import Objective, Random, strategy_of
from jkeras.training.data import ArraySource, make_source

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def sweep(
    make: Callable[..., "Trainer"],
    x: Any,
    y: Any = None,
    *,
    space: Space,
    trials: int | None = None,
    strategy: str | Random = "random",
    epochs: int = 1,
    validation_data: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: bool | str = True,
    objective: str | None = None,
    mode: str = "auto",
    seed: int = 0,
    chunk: int | None = None,
    checkpoint: str | os.PathLike | None = None,
) -> Result:
    """Trains a model with many values of its numbers, all at the same time.

    What is searched are numbers that need not be constants of a compiled step: the optimizer's
    ("learning_rate", "weight_decay", "momentum", "beta_1", …), "dropout", the factors of
    regularizers ("l2", or "dense.kernel_regularizer.l2" of one alone), "label_smoothing",
    "loss_weights.<output>", any float of a layer ("block/dropout.rate"), and "seed". All trials
    are then one `jax.vmap`: one program is compiled, the data lies on the device once. Names that
    are arguments of `make`, such as widths, make groups of trials, with one program each.

    Each trial is what `fit` with these numbers and this seed gives. Without "seed" in the space all
    begin with the weights that `make` gives, and see the data in the same order; with it, weights
    are new ones from the seed, from which order and dropout follow too.

    Args:
        make: gives a new compiled model.
        x, y, sample_weight, batch_size, shuffle: arrays and options as of `fit`.
        space: {name: list of values, `log(low, high)` or `uniform(low, high)`}.
        trials: how many; None, where all are lists: one of each combination.
        strategy: "random", "halving" or "pbt"; or a `Halving` or `PBT` with its options. Groups are
            halved, or bred, each for itself.
        epochs: of a trial that is not stopped before.
        validation_data: `(x, y)` or `(x, y, sample_weight)`, for the logs "val_…".
        objective: what to reach, a name in the logs; None: the loss, "val_loss" if there is a
            validation.
        mode: "min" or "max" of it; "auto": by the metric's own direction.
        seed: of what is sampled; of order and dropout too where the space has no "seed".
        chunk: how many trials are trained at the same time; None: all, or as many as there is
            memory for.
        checkpoint: a folder: the sweep is saved there after each epoch, and goes on from there to
            the same bits.

    Returns:
        A `Result`: `best`, `best_model`, `table`, `history`, `plot()`.

    Raises:
        ValueError: a name that the model has no number for (all are listed), a value that cannot be
            its, or data that is not arrays.
        MemoryError: there is no memory for one trial beside the states of all.

    >>> import jkeras, numpy as np
    >>> def make():
    ...     model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> x = np.eye(3, dtype="float32").repeat(20, axis=0)
    >>> space = {"learning_rate": [1e-5, 0.1]}
    >>> result = sweep(make, x, x.sum(axis=1), space=space, epochs=2)
    >>> result.best["learning_rate"], result.compiles
    (0.1, 1)
    """
    _check_counts(epochs=epochs, chunk=chunk)
    strategy = strategy_of(strategy)
    rows = sampled(space, trials, seed)
    maker = Maker(make, space)
    ledger = Ledger(len(rows), epochs)
    members: list[Member | None] = [None] * len(rows)
    with contextlib.ExitStack() as opened:
        data = data_of((x, y, sample_weight), batch_size, shuffle, validation_data, seed, chunk)
        opened.enter_context(contextlib.closing(data.source))
        for number, group in enumerate(maker.groups(rows)):
            model = maker.model(rows[group[0]])
            validates = data.validation is not None
            reached = objective_of(model, objective, mode, validates)
            values = [maker.values_of(rows[trial]) for trial in group]
            turn = strategy.turn(space, reached)
            population = Population(model, data, values, turn)
            folder = None if checkpoint is None else os.path.join(checkpoint, str(number))
            what = [[rows[trial] for trial in group], epochs, str(strategy), reached, seed]
            with Saved(folder, what) as saved:
                _train(population, strategy, reached, ledger, group, saved)
            for index, trial in enumerate(group):
                members[trial] = Member(population, index)
    return Result(maker, rows, members, ledger, reached)


def _train(
    population: Population,
    strategy: Random,
    objective: Objective,
    ledger: Ledger,
    group: Sequence[int],
    saved: Saved,
) -> None:
    """Trains the trials of a group, from rung to rung.

    Args:
        group: their numbers in the ledger.
    """
    group = np.asarray(group)
    epochs = ledger.shape[1]
    rungs = strategy.rungs(len(group), epochs)
    saved.restore(population, ledger, group, rungs)
    for rung in rungs:
        for until in saved.stops(population.epoch, rung):
            begin, trials = population.epoch, group[population.alive]
            results = population.train_until(until, strategy.turns(epochs))
            objective.check(results["logs"])
            ledger.add(trials, begin, results)
            if until == rung.epoch and rung.keep < len(trials):
                population.keep(_best(objective, results["logs"], rung.keep))
            saved.save(population, ledger, group)


def _best(objective: Objective, logs: dict[str, np.ndarray], count: int) -> np.ndarray:
    """The indices of the best trials, in their order."""
    scores = objective.scores({name: values[-1] for name, values in logs.items()})
    return np.sort(np.argsort(-scores, kind="stable")[:count])


def data_of(
    arrays: tuple[Any, Any, Any],
    batch_size: int | None,
    shuffle: bool | str,
    validation_data: Any,
    seed: int,
    chunk: int | None,
) -> SweepData:
    """What all trials share, from the arguments of `sweep`; `arrays`: x, y, sample_weight."""
    source = _arrays(*arrays, batch_size, shuffle)
    validation = None
    if validation_data is not None:
        validation = _arrays(*(*validation_data, None, None)[:3], batch_size)
    return SweepData(source, validation, seed, chunk)


def _arrays(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, shuffle: bool | str = False
) -> ArraySource:
    source = make_source(x, y, sample_weight, batch_size, shuffle)
    if not isinstance(source, ArraySource):
        raise ValueError(
            explain("sweep", "arrays, which are put on the device once", f"{type(x).__name__}")
        )
    return source


def _check_counts(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(explain("sweep", f"a positive `{name}`", f"{name}={count}"))
