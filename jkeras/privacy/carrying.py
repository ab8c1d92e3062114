"""The account goes with the weights: each layer and variable remembers the runs that trained it, so
that a model knows what its parts had in others; and files of models have it. Layers remember for
weights that take the place of others, as those in few bits, or with an adapter merged into them.
"""

from typing import Any

import numpy as np

from jkeras.privacy.account import Account, Trained, joined
from jkeras.privacy.recorded import run_as_json, runs_of_file
from jkeras.privacy.sealing import of_model
from jkeras.core.layer.view import variables_and_layers


def account_of(model: Any) -> Account:
    """What the trainings of a model and those of its layers, in whichever model, have revealed."""
    account = model.privacy_account or Account()
    runs = account.runs
    for part in variables_and_layers(model):
        runs = joined(runs, part.private_runs)
    return account._replace(runs=runs)


def step_of(model: Any) -> int:
    """How many steps a model was trained for; of an ensemble, the member that took most."""
    members = model.ensemble_members
    if members is not None:
        return steps_of(members.state)
    return int(model._step)


def steps_of(state: Any) -> int:
    """The number of steps in a `TrainState`, of an ensemble the largest."""
    return int(np.max(state.step))


def end_run(model: Any, account: Account, step: int) -> Account:
    """The account with its run ended at a step of the model; the weights that it trained remember
    it, and all others: what was trained follows from all that the model knew.
    """
    ended = account.end(step)
    if account.current is not None:
        _remember_trained(model, ended.runs)
    return ended


def carry_on(model: Any) -> None:
    """Before a training without privacy: what it trains follows from all weights of the model, and
    so has the runs of those that had privacy.
    """
    _remember_trained(model, account_of(model).runs)


def _remember_trained(model: Any, runs: tuple[Trained, ...]) -> None:
    for part in variables_and_layers(model):
        if part.trainable and getattr(part, "trainable_variables", True):
            _remember(part, runs)


def _remember(part: Any, runs: tuple[Trained, ...]) -> None:
    if runs:
        vars(part)["private_runs"] = joined(part.private_runs, runs)


def hand_on(model: Any, other: Any) -> None:
    """Gives a model that has the weights of another one, as a member of an ensemble, its account:
    all of it, since the members were trained on the same rows.
    """
    runs = account_of(model).at(step_of(model))
    for part in variables_and_layers(other):
        _remember(part, runs)
    other.set_untracked(privacy_account=Account(runs))


def take_place(model: Any, run: Trained) -> None:
    """Puts one run in the place of all that a model and its weights remember."""
    for part in variables_and_layers(model):
        if part.private_runs:
            vars(part)["private_runs"] = (run,)
    model.set_untracked(privacy_account=Account((run,)))


def record_of(model: Any) -> list[dict] | dict | None:
    """The account of a model as plain data, for a file, with a seal where its training has one;
    None where it has none. The keys of random numbers, with which noise could be taken off, are not
    in it.
    """
    runs = [run_as_json(run) for run in account_of(model).at(step_of(model))]
    privacy = model.compilation.privacy
    if not runs or privacy is None or privacy.seal is None:
        return runs or None
    return {"runs": runs, "seal": privacy.seal.of(runs, of_model(model))}


def take_up(model: Any, record: Any) -> None:
    """Gives a model, and all of its weights, the account of a file.

    Raises:
        ValueError: it is none.
    """
    runs = runs_of_file(record)
    for part in variables_and_layers(model):
        _remember(part, runs)
    account = model.privacy_account or Account()
    runs = joined(account.runs, runs)
    model.set_untracked(privacy_account=account._replace(runs=runs), record_of_file=record)
