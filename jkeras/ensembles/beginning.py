"""How a model becomes an ensemble, and goes on being one."""

from typing import TYPE_CHECKING

from jkeras.core.errors import explain
from jkeras.core.session.settings import default_seed
from jkeras.training.data import ArraySource
from jkeras.training.data.source import Source
from jkeras.training.loop.predictor import NO_PREDICTOR
from jkeras.training.step.layout import state_layout
from jkeras.ensembles.members import Members, hand_over

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def begin(
    model: "Trainer", size: int | None, source: Source, shuffle: bool | str, seed: int | None
) -> int | None:
    """The seed of a training of members. A model that is no ensemble becomes one.

    Args:
        size: number of the members; None: of those that there are.
        shuffle: as of `fit`.

    Raises:
        ValueError: `size` is no number of members, or another one than the model has; or the model
            is trained in a way that an ensemble does not support.
    """
    _check(model, size, shuffle)
    members = model.ensemble_members
    own_order = shuffle != "same" and isinstance(source, ArraySource) and bool(source.shuffle)
    own_order = own_order or model.compilation.privacy is not None
    if members is not None:
        members.own_order = own_order
        model.set_untracked(_last_layout=None, _predictor=NO_PREDICTOR)
        state_layout(model).activate()
        return seed
    seed = default_seed() if seed is None else seed
    hand_over(model, Members(size, own_order))
    layout = state_layout(model)
    try:
        layout.begin(seed)
    except BaseException:
        hand_over(model, None)
        layout.unguard()
        raise
    return seed


def _check(model: "Trainer", size: int | None, shuffle: bool | str) -> None:
    name = f"Model '{model.name}'"
    members = model.ensemble_members
    is_count = isinstance(size, int) and not isinstance(size, bool) and size >= 1
    if size is not None and not is_count:
        fix = "pass the number of members, such as `ensemble=8`"
        raise ValueError(explain("fit", "`ensemble` as an integer of at least 1", repr(size), fix))
    if members is not None and size not in (None, members.size):
        fix = f"leave `ensemble` out to go on with these {members.size}, or make a new model"
        raise ValueError(explain(name, f"`ensemble={members.size}`, its members", repr(size), fix))
    if model.compilation.privacy is not None and shuffle == "same":
        wanted = "members with coins of their own, which is what the account of `privacy` is of"
        raise ValueError(explain(name, wanted, "`shuffle='same'`", "leave `shuffle` out"))
