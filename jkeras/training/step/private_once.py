"""Models that were compiled with `privacy` once, here or before they were saved or cloned, and
whose last `compile` said nothing of it: none of them is trained without privacy by oversight.
"""

import importlib
import operator
from typing import Any

from jkeras.core.errors import explain
from jkeras.core.weights.paths import variables_of, walk

UNSAID = "unsaid"  # the default of `compile(privacy=)`
# in the arguments of `compile` as plain data, where a model had `privacy`: it is in no file itself
TO_BE_SAID = "to be said"


def carrying() -> Any:
    """What keeps accounts: a package that comes later, for models that have one alone."""
    return importlib.import_module("jkeras.privacy.carrying")


def has_account(model: Any) -> bool:
    """Whether a model or any of its layers was trained with privacy."""
    if model.privacy_account is not None:
        return True
    modules = walk(model)
    parts = map(operator.itemgetter(1), [*modules, *variables_of(modules)])
    return any(map(operator.attrgetter("private_runs"), parts))


def carry_on(model: Any) -> None:
    """Before a training: what it trains has the account of all that it follows from."""
    if has_account(model):
        carrying().carry_on(model)


def require_said(model: Any, method: str) -> None:
    """Sees that a model that had privacy once is told with or without.

    Raises:
        ValueError: it is not.
    """
    if model.asks_for_privacy:
        wanted = (
            "`compile(privacy=…)` before it is trained on, since it was compiled with `privacy` "
            "once, in this program or before it was saved or cloned"
        )
        fix = (
            "compile it with `privacy=jkeras.privacy.DPSGD(…)`, or with `privacy=None` to train on "
            "without: the guarantee then ends for the rows of this training"
        )
        raise ValueError(
            explain(f"Model '{model.name}'", wanted, f"`{method}` after a `compile` without", fix)
        )


def refuse_private(model: Any, method: str) -> None:
    """Raises ValueError for a model with `privacy`, where how rows are sampled is unknown."""
    if model.compilation.privacy is not None:
        expected = "`fit` for a model with `privacy`, which alone samples rows as its account says"
        fix = "train with `fit`, or with `make_train_step` and an account of your own"
        raise ValueError(explain(f"Model '{model.name}'", expected, f"`{method}`", fix))
