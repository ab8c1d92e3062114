"""What a `fit` with `privacy` asks and tells: the noise of its steps, its account."""

import secrets
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.privacy.account import Account, Current, in_short, joined, run_of
from jkeras.privacy.accounting import noise_for
from jkeras.privacy.carrying import account_of, end_run, steps_of
from jkeras.privacy.checking import Checking
from jkeras.privacy.recorded import account_as_json, account_from_json
from jkeras.privacy.sampling import PoissonSource, SampledSource, overflow
from jkeras.privacy.sealing import of_state
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs

if typing.TYPE_CHECKING:
    from jkeras.privacy.dpsgd import DPSGD

WHERE = "privacy.DPSGD"
KEPT = {"account", "begun", "planned", "epsilon"}  # in a checkpoint
SEAL = "seal"  # beside them, where there is one


class PrivateFitting:
    """The account of a training that is going on.

    Args:
        source: of its rows.
        steps: that are planned.
    """

    def __init__(self, privacy: "DPSGD", model: Any, source: SampledSource, steps: int) -> None:
        self.privacy, self.model, self.source, self.steps = privacy, model, source, steps
        self._begun = 0  # the step of the model at which the `fit` began
        self._checking = Checking(privacy.check_ghosts, model)
        if privacy.bands > 1 and model.ensemble_members is not None:
            wanted = "an ensemble with independent noise"
            raise ValueError(explain(WHERE, wanted, f"bands={privacy.bands}"))
        if not privacy.delta < 1 / source.size:
            received = f"delta={privacy.delta} for {source.size} rows"
            raise ValueError(explain(WHERE, "a delta below 1 over the number of rows", received))

    def start(self, state: Callable[[], TrainState], stored: dict | None, resumes: bool) -> None:
        """Begins, or goes on from what a checkpoint has.

        Raises:
            ValueError: the checkpoint is of a training without, or the noise would show.
        """
        if resumes and stored is None:
            advice = "begin afresh in another folder"
            received = "a checkpoint of a training without `privacy`"
            raise ValueError(explain(WHERE, "its own checkpoint", received, advice))
        state = state()
        step = steps_of(state)
        self._begun = step
        account = account_of(self.model)
        if stored is not None:
            stored = self._unsealed(stored, state)
            saved, self._begun = self._saved(stored, step)
            account = Account(joined(account.runs, saved.runs), saved.current)
        if not self._goes_on(account.current, stored):
            account = account.end(step)
            account = account.begin(self._current(state, account))
        self.source.stream = (*account.current.key, account.current.first)
        self.model.set_untracked(privacy_account=account)
        self._checking.begin(state, self.source.peek())

    def _unsealed(self, stored: Any, state: TrainState) -> Any:
        """What a checkpoint has beside its seal.

        Raises:
            ValueError: it is not what was sealed.
        """
        if not isinstance(stored, dict):
            return stored
        kept = {name: value for name, value in stored.items() if name != SEAL}
        if self.privacy.seal is not None:
            self.privacy.seal.check(stored.get(SEAL), kept, of_state(state), "The checkpoint")
        return kept

    @staticmethod
    def _saved(stored: dict, step: int) -> tuple[Account, int]:
        """(account, step at which the `fit` began) of a checkpoint.

        Raises:
            ValueError: they cannot be those of a checkpoint of this step.
        """
        if not isinstance(stored, dict) or set(stored) != KEPT:
            wanted = f"a checkpoint whose account has {', '.join(sorted(KEPT))}"
            raise ValueError(explain(WHERE, wanted, repr(stored)[:80]))
        begun = stored["begun"]
        if not isinstance(begun, int) or not 0 <= begun <= step:
            wanted = f"a checkpoint whose `fit` began at a step from 0 to {step}"
            raise ValueError(explain(WHERE, wanted, repr(begun)[:80]))
        return account_from_json(stored["account"], begun, step), begun

    def _goes_on(self, current: Current | None, stored: dict | None) -> bool:
        """Whether a run that a checkpoint has goes on, rather than another after it."""
        if current is None:
            return False
        asked = self.privacy.noise_multiplier
        if asked is None and self.privacy.noise is None:
            # the noise was computed for so many steps
            if [stored["epsilon"], stored["planned"]] != [self.privacy.epsilon, self.steps]:
                return False
        elif asked is not None and asked != current.noise_multiplier:
            return False
        if [current.bands, current.members] != [self.privacy.bands, self._members()]:
            return False
        rate = current.q, current.steps_of_a_turn
        return rate == self._rate() and current.batch_size == self._batch_size()

    def _batch_size(self) -> int:
        return self.privacy.batch_size or self.source.expected

    def _rate(self) -> tuple[float, int]:
        """(q, steps of a turn) of a run."""
        if isinstance(self.source, PoissonSource):
            return self.source.q, 1
        return 1.0, self.source.num_batches

    def _current(self, state: TrainState, account: Account) -> Current:
        """The run that begins."""
        source, step = self.source, steps_of(state)
        q, turn = self._rate()
        too_few = 0.0
        if turn == 1 and q < 1:
            too_few = overflow(source.size, source.q, source.full_size)
        left = max(self.steps - (step - self._begun), 1)
        multiplier = self._multiplier(account, q, left, turn)
        key = tuple(int(word) for word in np.ravel(state.rng))
        return Current(
            multiplier,
            q,
            self._batch_size(),
            turn,
            too_few,
            key,
            step,
            secrets.token_hex(16),
            self.privacy.delta,
            self.privacy.bands,
            self._members(),
        )

    def _members(self) -> int:
        """How many models are trained side by side."""
        members = self.model.ensemble_members
        return 1 if members is None else members.size

    def _multiplier(self, account: Account, q: float, steps: int, turn: int) -> float:
        privacy = self.privacy
        if privacy.noise is not None:
            return 0.0
        if privacy.epsilon is None:
            return privacy.noise_multiplier
        run = run_of(1.0, q, steps, turn, privacy.bands)
        noise = noise_for(
            privacy.epsilon,
            privacy.delta,
            q,
            run.steps * self._members(),
            privacy.accountant,
            after=in_short(account.runs),
        )
        return noise / run.noise_multiplier

    def logs(self, state: Callable[[], TrainState]) -> Logs:
        """What is told after an epoch."""
        if not self._checking.is_done:
            self._checking.look(state(), self.source.peek())
        if self.privacy.noise is not None:
            return {}
        account, privacy = self.model.privacy_account, self.privacy
        spent = account.spent(steps_of(state()), privacy.delta, privacy.accountant)
        return {"epsilon": spent.epsilon}

    def kept(self, state: TrainState) -> dict:
        """What a checkpoint of a state keeps."""
        kept = {
            "account": account_as_json(self.model.privacy_account),
            "begun": self._begun,
            "planned": self.steps,
            "epsilon": self.privacy.epsilon,
        }
        if self.privacy.seal is None:
            return kept
        return {**kept, SEAL: self.privacy.seal.of(kept, of_state(state))}

    def end(self, step: Callable[[], int]) -> None:
        """Ends, at a step of the model; at the last that was planned where the state is lost, as by
        the third Ctrl-C within a step.
        """
        if self.model.privacy_account is None:
            return
        try:
            reached = step()
        except RuntimeError:
            reached = self._begun + self.steps
        account = end_run(self.model, self.model.privacy_account, reached)
        self.model.set_untracked(privacy_account=account)
