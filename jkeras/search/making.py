"""Models of the values of a trial."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.errors import explain
from jkeras.search.numbers import Numbers
from jkeras.search.population import first_state
from jkeras.search.space import Range, Space
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.state import TrainState
from jkeras.training.step.building import build_for_training

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


class Maker:
    """Makes compiled models from the values of trials.

    Args:
        make: a function that gives a new compiled model; those names of the space that are its
            arguments are passed to it.

    Raises:
        ValueError: a range for such an argument.
    """

    def __init__(self, make: Callable[..., "Trainer"], space: Space) -> None:
        self.make = make
        parameters = inspect.signature(make).parameters
        self.arguments = [name for name in space if name in parameters and name != "seed"]
        for name in self.arguments:
            if isinstance(space[name], Range):
                raise ValueError(
                    explain(
                        "sweep",
                        f"a list for {name!r}, which is an argument of the function that makes the "
                        "model: each of its values is a program of its own",
                        repr(space[name]),
                        "take it out of the function's arguments if it is a number of the model, "
                        "such as the learning rate",
                    )
                )

    def arguments_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The function's arguments for the values of a trial."""
        return {name: row[name] for name in self.arguments}

    def values_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The other values of a trial: numbers, and perhaps a seed."""
        return {name: value for name, value in row.items() if name not in self.arguments}

    def groups(self, rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        """The numbers of the trials that have models of one shape, for each shape."""
        groups: list[tuple[dict, list[int]]] = []
        for trial, row in enumerate(rows):
            arguments = self.arguments_of(row)
            for group, trials in groups:
                if group == arguments:
                    trials.append(trial)
                    break
            else:
                groups.append((arguments, [trial]))
        return [trials for _, trials in groups]

    def model(self, row: Mapping[str, Any]) -> "Trainer":
        """The compiled model of a trial, as the function makes it.

        Raises:
            ValueError: it cannot be trained as one of many.
        """
        model = self.make(**self.arguments_of(row))
        if not getattr(model, "compiled", False) or model.optimizer is None:
            needed = "a function that makes a compiled model"
            raise ValueError(explain("sweep", needed, repr(model), "call `model.compile(…)` in it"))
        if model.was_private:
            needed = "a model that is compiled without `privacy`"
            advice = "take `jkeras.privacy.best_of`, whose account has the choice among trainings"
            raise ValueError(explain("sweep", needed, f"'{model.name}'", advice))
        if not model.jit_compile:
            needed = "a model that is compiled without `run_eagerly`"
            raise ValueError(explain("sweep", needed, f"'{model.name}'"))
        return model

    def with_numbers(
        self, row: Mapping[str, Any], shapes: tuple, other_than: "Trainer"
    ) -> "Trainer":
        """A new model with the numbers of a trial.

        Args:
            shapes: of a batch.
            other_than: a model that the function has made, and must not make again.
        """
        model = self.model(row)
        if model is other_than:
            expected = "a function that makes a new model each time"
            raise ValueError(explain("sweep", expected, f"the model '{model.name}' again"))
        build_for_training(model, shapes)
        values = self.values_of(row)
        values.pop("seed", None)
        Numbers(model, values).assign(values)
        return model


def load(model: "Trainer", state: TrainState) -> None:
    """Gives a model the state of a trial: of the optimizer's state what it has, too, for a number
    of 0 needs less.
    """
    own = first_state(model, None).opt_state
    by_path = dict(jax.tree_util.tree_flatten_with_path(state.opt_state)[0])
    leaves = [by_path[path] for path, _ in jax.tree_util.tree_flatten_with_path(own)[0]]
    opt_state = jax.tree_util.tree_structure(own).unflatten(leaves)
    model.load_train_state(state.replace(opt_state=opt_state))


def end_training(model: "Trainer") -> None:
    """What `fit` does at its end: weights may become their moving averages."""
    if not model.compilation.has_own_opt_state:
        model.optimizer.finalize_variable_values(StateLayout(model).trainable)
