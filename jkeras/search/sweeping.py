"""`sweep`: trainings with different numbers, as one program for each shape of the model."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.core.errors import explain
from jkeras.search.ledger import Ledger
from jkeras.search.making import Maker
from jkeras.search.objective import objectives_of
from jkeras.search.population import SweepData, Population
from jkeras.search.result import Member, Result
from jkeras.search.saved import Saved
from jkeras.search.space import Space, sampled
from jkeras.search.strategies import PBT, Limit, Objective, Random, strategy_of
from jkeras.search.streamed import Streamed, check_stream
from jkeras.search.watching import Watch
from jkeras.training.data import ArraySource, make_source

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

PARTS = 4  # into which trials that callbacks may end are cut: those that are left are one or more


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
    objective: str | Sequence[str] | None = None,
    mode: str | Sequence[str] = "auto",
    seed: int = 0,
    chunk: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    constraints: Mapping[str, Limit] | None = None,
    callbacks: Sequence[Callback] = (),
    steps_per_epoch: int | None = None,
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
        x, y, sample_weight, batch_size, shuffle: data and options as of `fit`. Of a source of
            batches each epoch is read once, with the order of `seed`, for all trials.
        space: {name: list of values, `log(low, high)` or `uniform(low, high)`}.
        trials: how many; None, where all are lists: one of each combination.
        strategy: "random", "halving" or "pbt"; or a `Halving` or `PBT` with its options. Groups are
            halved, or bred, each for itself.
        epochs: of a trial that is not stopped before.
        validation_data: `(x, y)` or `(x, y, sample_weight)`, for the logs "val_…"; or a data set,
            which is read once.
        objective: what to reach, a name in the logs; None: the loss, "val_loss" if there is a
            validation. Of several names the first decides which trial is the best, and which go
            on; `Result.front` goes by all.
        mode: "min" or "max" of it, or of each; "auto": by the metric's own direction.
        seed: of what is sampled; of order and dropout too where the space has no "seed".
        chunk: how many trials are trained at the same time; None: all, or as many as there is
            memory for.
        checkpoint: a folder: the sweep is saved there after each epoch, and goes on from there to
            the same bits.
        constraints: {name in the logs: `at_least(number)` or `at_most(number)`}: trials that keep
            all of them come before those that do not.
        callbacks: of which each trial has copies, `Result.callbacks`. They see its results after
            each epoch, and may set `model.optimizer.learning_rate`, or `model.stop_training`; then
            the trial is done. Not with "pbt".
        steps_per_epoch: of a source of batches.

    Returns:
        A `Result`: `best`, `best_model`, `table`, `history`, `plot()`.

    Raises:
        ValueError: a name that the model has no number for (all are listed), a value that cannot be
            its, data that cannot be read as often as it would have to be; a callback that asks for
            more than results and rates.
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
    _check_counts(epochs=epochs, chunk=chunk, steps_per_epoch=steps_per_epoch)
    strategy = strategy_of(strategy)
    _check_callbacks(callbacks, strategy, checkpoint)
    rows = sampled(space, trials, seed)
    maker = Maker(make, space)
    ledger = Ledger(len(rows), epochs)
    members: list[Member | None] = [None] * len(rows)
    watched: dict[int, list[Callback]] = {}
    with contextlib.ExitStack() as opened:
        arrays = x, y, sample_weight
        data = data_of(arrays, batch_size, shuffle, validation_data, seed, chunk, steps_per_epoch)
        opened.enter_context(contextlib.closing(data.source))
        groups = maker.groups(rows)
        check_stream(data.source, len(groups), checkpoint is not None)
        for number, group in enumerate(groups):
            model = maker.model(rows[group[0]])
            validates = data.validation is not None
            reached = objectives_of(model, objective, mode, validates, constraints)
            values = [maker.values_of(rows[trial]) for trial in group]
            turn = strategy.turn(space, reached[0])
            population = Population(model, data, values, turn)
            folder = None if checkpoint is None else os.path.join(checkpoint, str(number))
            what = [[rows[trial] for trial in group], epochs, str(strategy), reached[0], seed]
            watch = None
            if callbacks:
                watch = Watch(callbacks, group, population, epochs)
                watched |= watch.of_trials
            with Saved(folder, what) as saved:
                _train(population, strategy, reached, ledger, group, saved, watch)
            for index, trial in enumerate(group):
                members[trial] = Member(population, index)
    return Result(maker, rows, members, ledger, reached, watched)


def _check_callbacks(callbacks: Sequence[Callback], strategy: Random, checkpoint: Any) -> None:
    if not callbacks:
        return
    if isinstance(strategy, PBT):
        wanted = "no callbacks with 'pbt', in which trials become copies of others"
        raise ValueError(explain("sweep", wanted, f"{len(callbacks)}"))
    if checkpoint is not None:
        wanted = "no callbacks with `checkpoint`, which does not keep what they remember"
        raise ValueError(explain("sweep", wanted, f"{len(callbacks)}"))


def _train(
    population: Population,
    strategy: Random,
    objectives: Sequence[Objective],
    ledger: Ledger,
    group: Sequence[int],
    saved: Saved,
    watch: Watch | None,
) -> None:
    """Trains the trials of a group, from rung to rung.

    Args:
        group: their numbers in the ledger.
    """
    group = np.asarray(group)
    epochs = ledger.shape[1]
    rungs = strategy.rungs(len(group), epochs)
    counts = [len(group), *(rung.keep for rung in rungs[:-1])]
    if watch is not None:
        counts.append(-(-len(group) // PARTS))  # trials may end at any time
    population.plan([rung.epoch for rung in rungs], counts)
    saved.restore(population, ledger, group, rungs)
    for rung in rungs:
        for until in saved.stops(population.epoch, rung, each=watch is not None):
            begin, trials = population.epoch, group[population.alive]
            if not len(trials):
                break
            if watch is not None:
                watch.before(begin, trials)
            results = population.train_until(until, strategy.turns(epochs))
            for objective in objectives:
                objective.check(results["logs"])
            ledger.add(trials, begin, results)
            logs = results["logs"]
            if watch is not None:
                logs = _of_those_left(watch, population, begin, trials, logs)
            if until == rung.epoch and rung.keep < len(population.alive):
                population.keep(_best(objectives[0], logs, rung.keep))
            saved.save(population, ledger, group)
    _end(watch)


def _end(watch: Watch | None) -> None:
    if watch is not None:
        watch.end()


def _of_those_left(
    watch: Watch, population: Population, epoch: int, trials: Sequence[int], logs: dict
) -> dict[str, np.ndarray]:
    """The logs of the trials that callbacks do not end."""
    last = {name: values[-1] for name, values in logs.items()}
    ends = watch.after(epoch, trials, last)
    population.finish(ends)
    return {name: values[:, ~ends] for name, values in logs.items()}


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
    steps: int | None = None,
) -> SweepData:
    """What all trials share, from the arguments of `sweep`; `arrays`: x, y, sample_weight."""
    source = make_source(*arrays, batch_size, shuffle)
    if not isinstance(source, ArraySource):
        source = Streamed(source, steps, seed)
    elif steps is not None:
        fix = "leave it out, or give a source of batches"
        raise ValueError(explain("sweep", "no `steps_per_epoch` of arrays", f"{steps}", fix))
    validation = None
    if validation_data is not None:
        validation = _validation(validation_data, batch_size)
    return SweepData(source, validation, seed, chunk)


def _validation(data: Any, batch_size: int | None) -> ArraySource:
    """The rows of a validation: arrays, or what a data set gives in one pass."""
    if isinstance(data, (tuple, list)):
        source = make_source(*(*data, None, None)[:3], batch_size)
    else:
        source = make_source(data, batch_size=batch_size)
    if isinstance(source, ArraySource):
        return source
    with contextlib.closing(Streamed(source, None, 0)) as streamed:
        return streamed.epoch(0)


def _check_counts(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(explain("sweep", f"a positive `{name}`", f"{name}={count}"))
