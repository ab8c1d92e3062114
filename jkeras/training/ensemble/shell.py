"""What a model that may be an ensemble does; the code of ensembles is imported by the first one."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jkeras.core.errors import explain
from jkeras.training.data.source import Source
from jkeras.training.step.layout import StateLayout
from jkeras.training.loop.predictor import Predictor

if TYPE_CHECKING:
    from jkeras.training.ensemble.members import Members


class MaybeEnsemble:
    """A model that `fit(ensemble=…)` may make an ensemble.

    Attributes:
        ensemble_members: its `Members`; None: it is a single model.
    """

    name: str
    ensemble_members: "Members | None" = None

    def member(self, number: int) -> Any:
        """A member of an ensemble as a model of its own, compiled, with its optimizer's state.

        Raises:
            ValueError: the model is no ensemble, see `fit(ensemble=…)`, or has no such member.

        >>> import jkeras, numpy as np
        >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> _ = model.fit(np.ones((4, 3)), np.ones((4, 1)), ensemble=5, seed=0, verbose=0)
        >>> model.member(3).predict(np.ones((1, 3)), verbose=0).shape
        (1, 1)
        """
        from jkeras.training.ensemble.single import member

        return member(self, number)

    def refuse_ensemble(self, what: str) -> None:
        """Raises where the model is an ensemble and something works on a single model alone."""
        if self.ensemble_members is not None:
            fix = "take one of the members, `model.member(i)`, a model of its own"
            received = f"{what} of an ensemble"
            raise ValueError(explain(f"Model '{self.name}'", "a single model", received, fix))

    def other_members(self) -> Iterator[tuple[int, Any]]:
        """(number, model) of each member of an ensemble but the first; one model, whose weights
        change.
        """
        from jkeras.training.ensemble.single import others

        return others(self)

    def join_members(self, load: Callable[[Any], None], others: Sequence) -> None:
        """Makes the model an ensemble: the first member is what it holds, the others what it holds
        after `load(other)`, for each of some things that can be loaded.
        """
        from jkeras.training.ensemble.joining import join

        states = [StateLayout(self).gather()]
        for other in others:
            load(other)
            states.append(StateLayout(self).gather())
        join(self, states)

    def begin_ensemble(
        self, size: int | None, source: Source, shuffle: bool | str, seed: int | None
    ) -> int | None:
        """The seed of a training; makes the model an ensemble of some size, or goes on with its
        members.
        """
        if size is None and self.ensemble_members is None:
            if shuffle in ("each", "same"):
                expected = "`shuffle` of the members of an ensemble only with `ensemble`"
                fix = "pass `shuffle=True`, or the number of members as `ensemble`"
                received = f"`shuffle={shuffle!r}`"
                raise ValueError(explain(f"Model '{self.name}'", expected, received, fix))
            return seed
        from jkeras.training.ensemble.beginning import begin

        return begin(self, size, source, shuffle, seed)

    def new_layout(self) -> StateLayout:
        """Which variable is which leaf of the `TrainState`, of that of all members."""
        if self.ensemble_members is None:
            return StateLayout(self)
        from jkeras.training.ensemble.layout import MembersLayout

        return MembersLayout(self, self.ensemble_members)


def rows_shuffled(shuffle: bool | str) -> bool | str:
    """Whether and how the rows are shuffled, without what it says to an ensemble alone.

    >>> rows_shuffled("each"), rows_shuffled("batch"), rows_shuffled(False)
    (True, 'batch', False)
    """
    return True if shuffle in ("each", "same") else shuffle


def each_of(model: MaybeEnsemble) -> Predictor:
    """The predictor of each member of an ensemble.

    Raises:
        ValueError: the model is no ensemble.
    """
    if model.ensemble_members is None:
        expected = "an ensemble, to give the outputs of its members"
        fix = "train it with `fit(…, ensemble=8)`"
        raise ValueError(explain(f"Model '{model.name}'", expected, "`members=True`", fix))
    from jkeras.training.ensemble.predictor import EachPredictor

    return EachPredictor(model)
