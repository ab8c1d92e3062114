"""The result of a sweep."""

import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.search.ledger import Ledger
from jkeras.search.making import Maker, end_training, load
from jkeras.search.population import Population, first_state
from jkeras.search.strategies import Objective
from jkeras.training.step.initial_state import init_train_state

if TYPE_CHECKING:
    from jkeras.visualization.two_runs import RunComparison
    from jkeras.training.shell.trainer import Trainer


class Member(typing.NamedTuple):
    """Where a trial was trained: in which population, as which one there."""

    population: Population
    number: int


class Result:
    """The trials of a sweep.

    Attributes:
        table: one dict for each trial, in their order: its number, its values, how many epochs it
            was trained, its last logs, and its "status", "done", "stopped" before the last epoch,
            or "failed" where its objective is no number. With constraints also whether it is
            "feasible", that is keeps all of them.
        history: {name: array (trials, epochs)} of the logs; NaN where a trial was not trained.
        numbers: the same of the numbers, which population-based training changes.
        objective: its name and whether it is a "min" or "max"; `objectives` all of them.
        callbacks: {trial: its copies of the callbacks}.
        compiles: how many programs were compiled.

    >>> import jkeras, numpy as np
    >>> def make():
    ...     model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> x = np.eye(3, dtype="float32")
    >>> space = {"learning_rate": [0.1, 1e-5]}
    >>> result = jkeras.search.sweep(make, x, x.sum(axis=1), space=space, epochs=2)
    >>> result, result.history["loss"].shape, result.table[1]["status"]
    (Result(2 trials, 2 done, objective=min of 'loss'), (2, 2), 'done')
    """

    def __init__(
        self,
        maker: Maker,
        rows: Sequence[dict[str, Any]],
        members: Sequence[Member],
        ledger: Ledger,
        objectives: Sequence[Objective],
        callbacks: Mapping[int, list],
    ) -> None:
        self.objective, self.objectives = objectives[0], list(objectives)
        self.callbacks = dict(callbacks)
        self.history = ledger.logs
        self.numbers = ledger.numbers
        self._maker = maker
        self._first_rows = rows
        self._rows = [_changed(row, ledger.last_numbers(i)) for i, row in enumerate(rows)]
        self._members = members
        self.table = [self._row(trial, ledger) for trial in range(len(rows))]

    def _row(self, trial: int, ledger: Ledger) -> dict[str, Any]:
        epochs, logs = ledger.epochs_of(trial), ledger.last(trial)
        status = "stopped"
        population, number = self._members[trial]
        if epochs == ledger.shape[1] or number in population.finished:
            status = "done"
        if not np.isfinite(logs[self.objective.name]):
            status = "failed"
        limits = {}
        if self.objective.limits:
            limits = {"feasible": bool(self.objective.violations(logs) == 0)}
        return {
            "trial": trial,
            **self._rows[trial],
            "epochs": epochs,
            **dict(sorted(logs.items())),
            **limits,
            "status": status,
        }

    def __repr__(self) -> str:
        name, mode, *_ = self.objective
        done = sum(row["status"] == "done" for row in self.table)
        return f"Result({len(self.table)} trials, {done} done, objective={mode} of {name!r})"

    @property
    def compiles(self) -> int:
        """How many programs were compiled."""
        populations = {id(member.population): member.population for member in self._members}
        return sum(population.compiles for population in populations.values())

    # ------------------------------------------------------------ the best

    @property
    def best(self) -> dict[str, Any]:
        """The row of the table of the best trial, of those that were trained to the end and keep
        all constraints.

        Raises:
            ValueError: all of them failed, or none keeps the constraints.
        """
        done = self._candidates()
        scores = self.objective.values(
            {self.objective.name: np.array([row[self.objective.name] for row in done])}
        )
        return done[int(np.argmax(scores))]

    @property
    def front(self) -> list[dict[str, Any]]:
        """The rows of those trials, of the same, that no other is better than in one objective
        without being worse in another: Pareto's front, in the order of the first objective.

        Raises:
            ValueError: as of `best`; an objective of several numbers.
        """
        done = self._candidates()
        columns = []
        for objective in self.objectives:
            column = np.array([row[objective.name] for row in done], "float64")
            columns.append(objective.values({objective.name: column}))
        scores = np.stack(columns, axis=1)
        is_as_good = (scores[:, None] >= scores).all(-1)
        is_better = is_as_good & (scores[:, None] > scores).any(-1)
        kept = np.flatnonzero(~is_better.any(axis=0))
        return [done[i] for i in kept[np.argsort(-scores[kept, 0], kind="stable")]]

    def _candidates(self) -> list[dict[str, Any]]:
        """The rows that may be the best."""
        done = [row for row in self.table if row["status"] == "done"]
        if not done:
            raise ValueError(
                f"No trial reached the last epoch with a finite {self.objective.name!r}. See "
                "`result.table`, and search lower learning rates."
            )
        feasible = [row for row in done if row.get("feasible", True)]
        if not feasible:
            limits = ", ".join(f"{name} {limit}" for name, limit in self.objective.limits)
            raise ValueError(f"No trial keeps the constraints {limits}. See `result.table`.")
        return feasible

    @property
    def best_model(self) -> "Trainer":
        """A compiled model with the weights and the numbers of the best trial."""
        return self.model(self.best["trial"])

    def model(self, trial: int) -> "Trainer":
        """A compiled model with the weights, the numbers and the optimizer's state that a trial had
        at the end: `predict` with it, or let `fit` go on.

        Raises:
            ValueError: the trial was stopped before, and its weights are gone.
        """
        population, number = self._members[trial]
        if number not in population.alive and number not in population.finished:
            expected = "the number of a trial whose weights were kept"
            raise ValueError(explain("Result.model", expected, f"{trial}, which was stopped"))
        model = self._with_numbers(trial, self._rows[trial])
        load(model, population.state_of(number))
        end_training(model)
        return model

    def start(self, trial: int) -> "Trainer":
        """A compiled model as a trial began, with its first weights and numbers: `fit` with the
        same data and options, and the trial's seed, is that training once more.
        """
        population = self._members[trial].population
        row = self._first_rows[trial]
        model = self._with_numbers(trial, row)
        if population.has_seeds:
            load(model, init_train_state(model, int(row["seed"])))
        else:
            load(model, first_state(population.model, None))
        return model

    def _with_numbers(self, trial: int, row: dict[str, Any]) -> "Trainer":
        population = self._members[trial].population
        shapes = population.shared.source.shapes()
        return self._maker.with_numbers(row, shapes, population.model)

    # ------------------------------------------------------------ pictures

    def compare(self, first: int, second: int) -> "RunComparison":
        """What differs between two trials: their values, and what they gave, as a table and a
        picture; see `jkeras.visualization.compare_runs`.
        """
        from jkeras.visualization.two_runs import of_values

        curves = []
        for trial in (first, second):
            epochs = self.table[trial]["epochs"]
            curves.append({name: v[trial, :epochs].tolist() for name, v in self.history.items()})
        rows = [
            {**self._rows[trial], "status": self.table[trial]["status"]}
            for trial in (first, second)
        ]
        return of_values((f"trial {first}", f"trial {second}"), rows, curves)

    def plot(self, number: str | None = None, ax: Any = None) -> Any:
        """Draws the objective: of all trials over the epochs, or over the values of a number; needs
        matplotlib.

        Args:
            number: a name of the space; None: over the epochs.
            ax: the matplotlib axes to draw in; None: those of a new figure.

        Returns:
            The axes.
        """
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots()[1]
        name = self.objective.name
        if number is None:
            epochs = np.arange(1, 1 + self.history[name].shape[1])
            for row, values in zip(self.table, self.history[name]):
                is_best = row is self.best
                ax.plot(epochs, values, alpha=1.0 if is_best else 0.3, lw=2 if is_best else 1)
            ax.set(xlabel="epoch", ylabel=name)
            return ax
        ax.scatter([row[number] for row in self.table], [row[name] for row in self.table])
        ax.set(xlabel=number, ylabel=name)
        return ax


def _changed(row: dict[str, Any], numbers: dict[str, float]) -> dict[str, Any]:
    """The values of a trial, with those numbers that were changed since it began."""
    changed = {n: v for n, v in numbers.items() if np.float32(row[n]) != np.float32(v)}
    return {**row, **changed}
