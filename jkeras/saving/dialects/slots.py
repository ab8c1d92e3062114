"""The variables of optimizers of Keras 2 and tf.keras, by the names or order they have in files, as
those of ours.
"""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.weights.assigning import assign_all
from jkeras.optimizers.variables import addressed_variables

if TYPE_CHECKING:
    from jkeras.core.weights.variable import Variable
    from jkeras.optimizers.base import Optimizer

SAME = {  # names of slots there: names here, of which an optimizer has one
    "moment": ("momentum",),
    "m": ("momentum",),
    "v": ("velocity", "norm"),
    "u": ("norm",),
    "vhat": ("velocity_hat",),
    "rms": ("velocity",),
    "mg": ("average_gradient",),
    "accumulator": ("accumulated_grad", "velocity"),
    "delta_accumulator": ("accumulated_delta_var",),
    "accum_grad": ("accumulated_grad",),
    "accum_var": ("accumulated_delta_var",),
    "average": ("ema",),
}
SCALARS = {
    "iterations": "iterations",
    "iter": "iterations",
    "iteration": "iterations",
    "learning_rate": "learning_rate",
    "current_learning_rate": "learning_rate",
    "m_schedule": "u_product",
    "momentum_cache": "u_product",
    "loss_scale": "dynamic_scale",
    "current_loss_scale": "dynamic_scale",
    "good_steps": "step_counter",
}

NEEDED = ("iterations", "slots", "ema")  # addresses of what every file has
OF_PARAMETERS = ("slots", "ema", "accumulators")
MOST_STEPS = 10**6  # after which a product is 0; the number of steps is a stranger's


def by_name(optimizer: "Optimizer", names: list[str]) -> "list[tuple[Variable, str]] | None":
    """[(variable, name)] for the variables that are in a file; None where slots are missing there.

    Args:
        names: of all arrays. Those of one slot are in the order of the parameters.
    """
    by_slot = {}
    for slot, name in zip(_slots(names), names):
        by_slot.setdefault(slot, []).append(name)
    pairs = []
    for address, variable in _addresses(optimizer):
        name = _name_at(address, by_slot)
        if name is not None:
            pairs.append((variable, name))
        elif address[0] in NEEDED:
            return None
    return pairs


def _name_at(address: tuple[str | int, ...], by_slot: dict[str, list[str]]) -> str | None:
    """The name, of {slot: names in order}, of the variable at an address; None if it has none."""
    number = address[-1] if isinstance(address[-1], int) else 0
    for slot, names in by_slot.items():
        if _is_same(slot, address) and number < len(names):
            return names[number]
    return None


def _slots(names: list[str]) -> Iterator[str]:
    """For each name that of its slot, or of the scalar: it comes last, with a number, or second, as
    the times were.
    """
    paths = [name.partition(":")[0].split("/") for name in names]
    second = ["iteration"] in paths  # 2.11 and later: "Adam/m/dense/kernel"
    for path in paths:
        if path[-1] in SCALARS:
            yield path[-1]
        elif second and len(path) > 2:
            yield path[1]
        else:
            yield re.sub(r"(_\d+)+$", "", path[-1])


def _addresses(optimizer: "Optimizer") -> "Iterator[tuple[tuple, Variable]]":
    """(address, variable) of all variables of an optimizer, and of one that it wraps."""
    yield from addressed_variables(optimizer).items()
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        yield from addressed_variables(inner).items()


def _is_same(slot: str, address: tuple[str | int, ...]) -> bool:
    """Whether a name there is that of an address here."""
    if address[0] in ("slots", "scalars"):
        here = address[1]
    else:
        here = address[0]
    return slot == here or SCALARS.get(slot) == here or here in SAME.get(slot, ())


def by_number(
    optimizer: "Optimizer", shapes: list[tuple[int, ...] | None]
) -> "list[tuple[Variable, int]] | None":
    """[(variable, number)] where the arrays of a file have an order only, and these shapes; None if
    they do not fit.

    Keras 2 saved no learning rate, nor Nadam's product, and momenta of SGD also where its momentum
    is 0. Early versions of Keras 3 had the product before the slots.
    """
    addressed = list(_addresses(optimizer))
    needed = [variable for address, variable in addressed if address[0] in NEEDED]
    slots_last = sorted(addressed, key=lambda pair: pair[0][0] in OF_PARAMETERS)
    early = [variable for _, variable in slots_last]
    momenta = []
    if len(needed) == 1:
        momenta = optimizer.built_for
    unused = set(momenta)
    for order in (optimizer.variables, needed, [*needed, *momenta], early):
        if [tuple(variable.shape) for variable in order] == shapes:
            return [(variable, i) for i, variable in enumerate(order) if variable not in unused]
    return None


def assign(
    optimizer: "Optimizer",
    pairs: "list[tuple[Variable, Any]]",
    read: Callable[[Any, tuple[int, ...]], Any],
) -> None:
    """Sets variables of an optimizer.

    Args:
        pairs: of `by_name` or `by_number`.
        read: gives the array of a name or number, which must have a shape.
    """
    values = [read(location, tuple(variable.shape)) for variable, location in pairs]
    assign_all((variable, value) for (variable, _), value in zip(pairs, values))
    product = addressed_variables(optimizer).get(("scalars", "u_product"))
    assigned = {variable for variable, _ in pairs}
    # it follows from the steps
    if product is not None and product not in assigned:
        steps = np.arange(1, min(int(optimizer.iterations), MOST_STEPS) + 1)
        product.assign(np.prod(optimizer.beta_1 * (1.0 - 0.5 * 0.96**steps)))
