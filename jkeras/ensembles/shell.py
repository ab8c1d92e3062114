"""What a model that may be an ensemble does; the code of ensembles is imported by the first one."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.training.data.source import Source
from jkeras.training.loop.predictor import Predictor
from jkeras.training.shell.extensions import Extensions
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.links import Link
from jkeras.training.types import Logs, NamedVariables

if TYPE_CHECKING:
    from jkeras.ensembles.members import Members


class MaybeEnsemble(Extensions):
    """A model that `fit(ensemble=…)` may make an ensemble.

    Attributes:
        ensemble_members: its `Members`; None: it is a single model.
    """

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
        from jkeras.ensembles.single import member

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
        from jkeras.ensembles.single import others

        return others(self)

    def join_members(self, load: Callable[[Any], None], others: Sequence) -> None:
        """Makes the model an ensemble: the first member is what it holds, the others what it holds
        after `load(other)`, for each of some things that can be loaded.
        """
        from jkeras.ensembles.joining import stack_members

        states = [StateLayout(self).gather()]
        for other in others:
            load(other)
            states.append(StateLayout(self).gather())
        stack_members(self, states)

    # ------------------------------------------------------------ what training asks

    @property
    def draws_as_keras(self) -> bool:
        """Whether a training draws what Keras's does; one of an ensemble does not."""
        return self.ensemble_members is None and self.compilation.privacy is None

    def begin_ensemble(
        self, size: int | None, source: Source, shuffle: bool | str, seed: int | None
    ) -> int | None:
        """The seed of a training; makes the model an ensemble of some size, or goes on with its
        members.
        """
        if size is None and self.ensemble_members is None:
            return super().begin_ensemble(size, source, shuffle, seed)
        from jkeras.ensembles.beginning import begin

        return begin(self, size, source, shuffle, seed)

    def new_layout(self, counts: bool) -> StateLayout:
        """Which variable is which leaf of the `TrainState`, of that of all members."""
        if self.ensemble_members is None:
            return super().new_layout(counts)
        from jkeras.ensembles.layout import MembersLayout

        return MembersLayout(self, self.ensemble_members)

    def new_predictor(self) -> Predictor:
        """What `predict` runs: of an ensemble it gives the mean of the members."""
        if self.ensemble_members is None:
            return Predictor(self)
        from jkeras.ensembles.predictor import MembersPredictor

        return MembersPredictor(self)

    def predictor_of_each(self) -> Predictor:
        """The predictor of each member of an ensemble."""
        if self.ensemble_members is None:
            return super().predictor_of_each()
        from jkeras.ensembles.predictor import EachPredictor

        return EachPredictor(self)

    def extra_links(self) -> Sequence[Link]:
        """What leaves members that were stopped as they are."""
        if self.ensemble_members is None:
            return ()
        from jkeras.ensembles.members import frozen_where_stopped

        return (frozen_where_stopped,)

    def extra_counters(self) -> NamedVariables:
        """The variable that says which members are trained."""
        if self.ensemble_members is None:
            return []
        from jkeras.ensembles.members import ACTIVE

        return [(ACTIVE, self.ensemble_members.active)]

    def end_where(self, has_failed: np.ndarray) -> bool:
        """Ends the training of the members that met NaN or infinity; whether that is news."""
        members = self.ensemble_members
        if members is None:
            return super().end_where(has_failed)
        is_news = bool((has_failed & members.is_active).any())
        if is_news:
            members.stop(has_failed)
        self.stop_training = not members.is_active.any()
        return is_news

    def of_list(self, logs: Logs) -> Logs:
        """The results without those of single members."""
        logs = super().of_list(logs)
        if self.ensemble_members is None:
            return logs
        of_members = {f"{name}_members" for name in logs}
        return {name: value for name, value in logs.items() if name not in of_members}
