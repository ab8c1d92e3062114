"""Where a tape normalizes numbers: by softmax, and by a norm or a standard deviation of them.

Both are found by what they compute, whoever wrote it: `exp` over a sum of it, and something times
the inverse root of a sum of squares of it.
"""

import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.explain.deep_lift import has_all_slopes, is_linear
from jkeras.programs.primitives import Kind
from jkeras.programs.tape import Entry, Recording

LARGEST = ("reduce_max", "stop_gradient", "max", "select_n")  # what a softmax takes off first


class Softmax(typing.NamedTuple):
    """A softmax on a tape.

    Attributes:
        entry: the ratio.
        logits: the slot of what it is of.
        summed: that of what is added up along some axes.
    """

    entry: Entry
    logits: int
    summed: int
    axes: tuple[int, ...]

    def back(self, tape: Recording, coming: jax.Array) -> jax.Array:
        """Its gradient by the logits; some of the numbers may be left out of the sum."""
        (y,) = tape.results(self.entry)
        shares = tape.values[self.summed] / tape.values[self.entry.inputs[1]]
        return coming * y - shares * (coming * y).sum(self.axes, keepdims=True)


def softmax_of(tape: Recording, entry: Entry) -> Softmax | None:
    """The softmax that a ratio gives; None: it is another one."""
    if entry.primitive.name != "div" or entry.active != [True, True]:
        return None
    above, below = entry.inputs
    total = tape.maker(_back(tape, below, _lays_out))
    if total is None or total.primitive.name != "reduce_sum":
        return None
    axes = tuple(total.params["axes"])
    of = {_exponent(tape, slot) for slot in (above, total.inputs[0])}
    if None in of or len(of) > 1 or not _is_along(tape, below, total, axes):
        return None
    return Softmax(entry, _unshifted(tape, of.pop()), total.inputs[0], axes)


def _exponent(tape: Recording, slot: int) -> int | None:
    """What an exponential is of, times constants; None: it is none."""
    entry = tape.maker(_back(tape, slot, _scales_zero))
    is_known = entry is not None and entry.primitive.name == "exp"
    return entry.inputs[0] if is_known else None


def _is_along(tape: Recording, below: int, total: Entry, axes: tuple[int, ...]) -> bool:
    """Whether a sum lies beside what it is of, the same number along the axes that it is over."""
    shape = jnp.shape(tape.values[total.inputs[0]])
    last = _back(tape, below, lambda tape, entry: _keeps_axes(tape, entry, len(shape)))
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    if jnp.shape(tape.values[last]) != kept:
        return False
    laid_out = tape.maker(last)
    others = tuple(axis for axis in range(len(shape)) if axis not in axes)
    return laid_out.params.get("broadcast_dimensions", others) == others


def _keeps_axes(tape: Recording, entry: Entry, axes: int) -> bool:
    """Whether an operation leaves numbers on their axes."""
    if _casts(tape, entry):
        return True
    dimensions = entry.params.get("broadcast_dimensions")
    return entry.facts.kind is Kind.BROADCAST and dimensions == tuple(range(axes))


def _unshifted(tape: Recording, slot: int) -> int:
    """What the largest of it was taken off from, which changes nothing."""
    entry = tape.maker(slot)
    if entry is None or entry.primitive.name != "sub":
        return slot
    logits, shift = entry.inputs
    source = _back(tape, shift, _takes_largest)
    is_largest = tape.maker(_back(tape, shift, _lays_out_largest))
    if source != logits or is_largest is None or is_largest.primitive.name != "reduce_max":
        return slot
    return logits


def is_scaled(tape: Recording, entry: Entry) -> int | None:
    """Which input of a product or a ratio is normalized by the other one, a norm or a standard
    deviation of it, or its inverse; None: none is.
    """
    name = entry.primitive.name
    if name not in ("mul", "div") or entry.active != [True, True]:
        return None
    places = (0, 1) if name == "mul" else (0,)
    for place in places:
        numbers, scale = entry.inputs[place], entry.inputs[1 - place]
        squared = _squared(tape, scale, is_inverse=name == "mul")
        if squared is not None and _sources(tape, numbers) <= _sources(tape, squared):
            return place
    return None


def _squared(tape: Recording, slot: int, is_inverse: bool) -> int | None:
    """What a root of a sum of squares is of, or an inverse one; None: it is none."""
    root = tape.maker(_back(tape, slot, _scales))
    if root is not None and is_inverse and root.primitive.name == "div":
        above, below = root.inputs  # one over a root
        if tape.moves(above):
            return None
        return _squared(tape, below, is_inverse=False)
    if root is None or root.primitive.name != ("rsqrt" if is_inverse else "sqrt"):
        return None
    return _summed_square(tape, root.inputs[0])


def _summed_square(tape: Recording, slot: int) -> int | None:
    """What a sum of squares is of; None: it is none."""
    total = tape.maker(_back(tape, slot, _shifts))
    if total is None or total.primitive.name != "reduce_sum":
        return None
    square = tape.maker(_back(tape, total.inputs[0], _scales))
    if square is None:
        return None
    name = square.primitive.name
    is_power = name == "integer_pow" and square.params["y"] == 2
    is_product = name == "mul" and len(set(square.inputs)) == 1
    return square.inputs[0] if name == "square" or is_power or is_product else None


def _sources(tape: Recording, slot: int) -> set[int]:
    """The values that one follows from by operations which are linear in them."""
    found, waiting, seen = set(), [slot], set()
    while waiting:
        slot = waiting.pop()
        if slot in seen:
            continue
        seen.add(slot)
        entry = tape.maker(slot)
        if entry is not None and is_linear(tape, entry):
            waiting += [s for s in entry.inputs if tape.moves(s)]
        else:
            found.add(slot)
    return found


# ---------------------------------------------------------------- going back


def _back(tape: Recording, slot: int, passes: Callable[[Recording, Entry], bool]) -> int:
    """The value that one comes from by operations of some kind, each of one value that depends on
    the variable.
    """
    while (entry := tape.maker(slot)) is not None:
        moving = [s for s in entry.inputs if tape.moves(s)]
        if len(moving) != 1 or not passes(tape, entry):
            break
        (slot,) = moving
    return slot


def _casts(tape: Recording, entry: Entry) -> bool:
    return entry.facts.is_linear and entry.facts.passes_on and entry.facts.is_elementwise


def _lays_out(tape: Recording, entry: Entry) -> bool:
    return _casts(tape, entry) or entry.facts.arranges


def _scales(tape: Recording, entry: Entry) -> bool:
    """Whether an operation scales numbers by constants, or keeps them above one."""
    is_product = entry.primitive.name in ("mul", "div") and is_linear(tape, entry)
    return _lays_out(tape, entry) or is_product or entry.primitive.name == "max"


def _shifts(tape: Recording, entry: Entry) -> bool:
    """Whether an operation scales numbers, and adds constants or chooses between them."""
    if entry.primitive.name in ("add", "select_n"):
        return has_all_slopes(tape, entry)
    return _scales(tape, entry)


def _scales_zero(tape: Recording, entry: Entry) -> bool:
    """Whether an operation scales each number, or puts 0 in its place."""
    if entry.primitive.name == "select_n":
        return all(tape.moves(slot) or tape.is_zero(slot) for slot in entry.inputs[1:])
    is_product = entry.primitive.name == "mul" and is_linear(tape, entry)
    return _casts(tape, entry) or is_product


def _lays_out_largest(tape: Recording, entry: Entry) -> bool:
    is_bound = entry.primitive.name in LARGEST and entry.primitive.name != "reduce_max"
    return _lays_out(tape, entry) or is_bound


def _takes_largest(tape: Recording, entry: Entry) -> bool:
    return _lays_out_largest(tape, entry) or entry.primitive.name == "reduce_max"
