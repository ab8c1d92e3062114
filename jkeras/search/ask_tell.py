"""Sweeps that a study of optuna proposes: trials are asked for, trained together, and reported."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.search.making import Maker
from jkeras.search.objective import objective_of
from jkeras.search.population import Population
from jkeras.search.space import Range, Space
from jkeras.search.streamed import Streamed
from jkeras.search.sweeping import data_of

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def optuna(
    study: Any,
    make: Callable[..., "Trainer"],
    x: Any,
    y: Any = None,
    *,
    space: Space,
    trials: int,
    batch: int = 16,
    epochs: int = 1,
    rungs: int = 1,
    validation_data: Any = None,
    batch_size: int | None = None,
    objective: str | None = None,
    seed: int = 0,
) -> Any:
    """Lets a study of optuna choose the numbers: it is asked for several trials, which are one
    program, and their results reported.

    The study's pruner is asked after each rung. A trial without a finite objective is reported as
    failed; so are those that are under way where an error, or Ctrl-C, ends the search.

    Several processes may share a study by its storage, each with a call of its own: they are asked
    for different trials, and learn from those of all.

    Args:
        study: of `optuna.create_study` or `optuna.load_study`, with one direction, that of the
            objective.
        make, x, y, space, validation_data, batch_size, objective, seed: as of `sweep`. Arguments of
            `make` make programs of their own.
        trials: how many this call trains.
        batch: how many are asked for at a time.
        epochs: of a trial that is not pruned.
        rungs: into how many equal parts the epochs are cut.

    Returns:
        The study.
    """
    maker = Maker(make, space)
    data = data_of((x, y, None), batch_size, True, validation_data, seed, None)
    if isinstance(data.source, Streamed):
        raise ValueError(
            explain(
                "search.optuna",
                "arrays, for one batch of trials after the other",
                f"{type(x).__name__}",
            )
        )
    if len(study.directions) > 1:
        wanted = "a study with one direction"
        raise ValueError(explain("search.optuna", wanted, f"{len(study.directions)}"))
    mode = {"MINIMIZE": "min", "MAXIMIZE": "max"}[study.direction.name]
    stops = np.unique(np.linspace(0, epochs, rungs + 1).astype(int))[1:]
    populations: dict[str, Population] = {}
    validates = validation_data is not None
    for first in range(0, trials, batch):
        asked = [study.ask() for _ in range(min(batch, trials - first))]
        with _failed_by_errors(study, asked):
            rows = [{name: _suggested(one, name, space[name]) for name in space} for one in asked]
            for group in maker.groups(rows):
                values = [maker.values_of(rows[i]) for i in group]
                key = str(maker.arguments_of(rows[group[0]]))
                if key in populations:
                    populations[key].start(values)
                else:
                    populations[key] = Population(maker.model(rows[group[0]]), data, values)
                population = populations[key]
                name = objective_of(population.model, objective, mode, validates).name
                _train(study, population, [asked[i] for i in group], stops, name)
    return study


@contextlib.contextmanager
def _failed_by_errors(study: Any, trials: list) -> Iterator[None]:
    """In the block an error lets no trial be under way for ever, for other processes to see."""
    try:
        yield
    except BaseException:
        ended = {one.number for one in study.get_trials(deepcopy=False) if one.state.is_finished()}
        for trial in trials:
            if trial.number not in ended:
                study.tell(trial, state=_state("FAIL"))
        raise


def _train(
    study: Any, population: Population, trials: list, stops: np.ndarray, objective: str
) -> None:
    """Trains what was asked for, from rung to rung, and tells the study.

    Trials that are reported stay in the program until all are: one of another size would have to be
    compiled.
    """
    waiting = dict(enumerate(trials))
    for stop in stops.tolist():
        values = population.train_until(stop)["logs"][objective][-1]
        for index, trial in list(waiting.items()):
            value = float(values[index])
            if not np.isfinite(value):
                study.tell(trial, state=_state("FAIL"))
            elif stop == stops[-1]:
                study.tell(trial, value)
            else:
                trial.report(value, stop)
                if not trial.should_prune():
                    continue
                study.tell(trial, state=_state("PRUNED"))
            del waiting[index]
        if not waiting:
            return


def _suggested(trial: Any, name: str, among: Any) -> Any:
    """The value of a name that a trial of optuna suggests."""
    if isinstance(among, Range):
        return trial.suggest_float(name, among.low, among.high, log=among.is_log)
    return trial.suggest_categorical(name, list(among))


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]
