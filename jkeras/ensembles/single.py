"""A member of an ensemble as a model of its own."""

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jkeras.core.names import registry
from jkeras.core.errors import explain
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.private_once import carrying, has_account
from jkeras.training.step.state import copied
from jkeras.training.step.building import build_for_training

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def member(model: "Trainer", number: int) -> "Trainer":
    """A member of an ensemble as a compiled model of its own, with its optimizer's state.

    Raises:
        ValueError: the model is no ensemble, or has no such member.
    """
    members = model.ensemble_members
    name = f"Model '{model.name}'"
    if members is None:
        fix = "train it with `fit(…, ensemble=8)`"
        raise ValueError(explain(name, "an ensemble, to take a member", "a single model", fix))
    number = operator.index(number)
    if not -members.size <= number < members.size:
        fix = "count from 0"
        raise ValueError(explain(name, f"one of its {members.size} members", repr(number), fix))
    alone = plain_copy(model)
    put(alone, model, number)
    if has_account(model):
        carrying().hand_on(model, alone)
    return alone


def others(model: "Trainer") -> Iterator[tuple[int, "Trainer"]]:
    """(number, model) of each member but the first; one model, whose weights change."""
    alone = plain_copy(model)
    for number in range(1, model.ensemble_members.size):
        put(alone, model, number)
        yield number, alone


def plain_copy(model: "Trainer") -> "Trainer":
    """A model of the same config, compiled likewise, with weights of its own."""
    with registry.in_process(), registry.sharing():
        alone = registry.deserialize(registry.serialize(model))
    build_for_training(alone)
    return alone


def put(alone: "Trainer", model: "Trainer", number: int) -> None:
    """Gives a plain copy of a model what a member of it has."""
    state = model.ensemble_members.layout
    one = state.single(state.gather(copies=False), number)
    own = StateLayout(alone)
    own.build_optimizer()
    metrics = own.initial_metrics()
    own.scatter(copied(one.replace(metrics=metrics)))
