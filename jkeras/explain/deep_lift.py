"""DeepLIFT: how the difference from a baseline comes about, operation by operation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.say.warning import warn
from jkeras.explain import baselines
from jkeras.explain.running import as_array, attribute
from jkeras.explain.score import Scored, Structure, Target
from jkeras.explain.several import of_members
from jkeras.explain.unknown import refusing_unknown
from jkeras.programs.loops import through_loop
from jkeras.programs.primitives import Kind
from jkeras.programs.tape import Entry, Recording, Tape, gradient
from jkeras.programs.walk import Unreadable

ROUNDINGS = 4  # of a difference: what they may hide of it
MISSING = 0.01  # of a difference: what attributions may miss without a warning
OF_SUM = 1e-5  # of the sizes of attributions: what their sum rounds


@of_members
def deep_lift(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    baseline: Structure = None,
    background: Structure = None,
    **options: Any,
) -> Structure:
    """The share of each input in the difference of a score from that of a baseline, by the rescale
    rule of DeepLIFT (Shrikumar et al. 2017, arXiv:1704.02685): a function of one number counts by
    the ratio of the differences of its output and its input. The attributions of a row add up to
    the difference.

    Of products of two values that both depend on the input, as in attention, each has half of what
    they do together; a maximum goes to what is the largest.

    Args:
        model, x, target, options: as for `saliency`.
        baseline: as of `integrated_gradients`.
        background: rows to compare each row with, in place of one baseline; the mean over them is
            DeepSHAP (Lundberg and Lee 2017, arXiv:1705.07874).

    Returns:
        As `x`.

    Raises:
        ValueError: a layer has an operation that there is no rule for; it is named.

    >>> import jax, jax.numpy as jnp
    >>> score = lambda x: jax.nn.relu(x.sum(1, keepdims=True) - 1.0)
    >>> deep_lift(score, [[2.0, 3.0]]).round(4)
    array([[1.6, 2.4]], dtype=float32)
    """
    x = as_array(x)
    if background is not None:
        shared = {"background": jax.tree_util.tree_map(jnp.asarray, background)}
        return attribute(_deep_shap, model, x, target, {}, shared, rounds=False, **options)
    arrays, shared = baselines.split(baseline, x, model, **options)
    return attribute(_deep_lift, model, x, target, arrays, shared, rounds=False, **options)


def _deep_lift(score: Scored, at_once: int, baseline: Structure) -> Structure:
    return _from(score, baselines.filled(baseline, score.start))


def _deep_shap(score: Scored, at_once: int, background: Structure) -> Structure:
    baselines.check_rows("deep_lift of a `background`", background, score.start)

    def add_one(total: Any, row: Any) -> tuple[Any, None]:
        added = _from(score, baselines.filled(row, score.start))
        return jax.tree_util.tree_map(jnp.add, total, added), None

    begin = jax.tree_util.tree_map(jnp.zeros_like, score.start)
    count = len(jax.tree_util.tree_leaves(background)[0])
    total = jax.lax.scan(add_one, begin, background)[0]
    return jax.tree_util.tree_map(lambda v: v / count, total)


def _from(score: Scored, begin: Structure) -> Structure:
    tape = Tape(score, score.start, begin)
    with refusing_unknown(score):
        multipliers = tape.backwards(_rule, jnp.ones_like(tape.values[tape.output]))
    attributions = jax.tree_util.tree_map(baselines.shares, multipliers, score.start, begin)
    difference = tape.values[tape.output] - tape.other_values[0][tape.output]
    jax.debug.callback(_look_at_sums, _missing(attributions, difference))
    return attributions


def _missing(attributions: Structure, difference: jax.Array) -> jax.Array:
    """The largest share of a row's difference by which its attributions miss it; 0 where that is
    what summing them rounds.
    """
    by_row = [
        (rows.sum(1), jnp.abs(rows).sum(1))
        for rows in (v.reshape(len(v), -1) for v in jax.tree_util.tree_leaves(attributions))
    ]
    total, size = (sum(each) for each in zip(*by_row))
    missing = jnp.abs(total - difference)
    share = missing / jnp.maximum(jnp.abs(difference), jnp.finfo(missing.dtype).tiny)
    return jnp.where(missing > OF_SUM * size, share, 0).max()


def _look_at_sums(missing: np.ndarray) -> None:
    """Warns of attributions that do not add up."""
    if np.max(missing) > MISSING:
        warn(
            f"deep_lift: attributions miss the difference from the baseline by "
            f"{np.max(missing):.1%}, since the model's numbers are too large or too small for its "
            "dtype here. Scale the inputs as for training, or compute in float64."
        )


def _rule(tape: Recording, entry: Entry, coming: list[Any]) -> Any:
    name, facts = entry.primitive.name, entry.facts
    has_slopes = has_all_slopes(tape, entry)
    if has_slopes and name == "stop_gradient":
        return coming
    if is_linear(tape, entry):
        return gradient(tape, entry, coming)
    if has_slopes and facts.extreme:
        return _of_maximum(tape, entry, coming)
    if facts.is_elementwise:
        origin = tape.origin(entry)
        if origin is not None:
            return {origin: _of_curve(tape, entry, origin, coming[0])}
    rule = _rule_of_two(entry)
    if has_slopes and rule is not None:
        return rule(tape, entry, coming)
    if facts.kind is Kind.SCAN:
        return through_loop(tape, entry, coming, lambda _: _rule)
    raise Unreadable(name, entry.place)


def _rule_of_two(entry: Entry) -> Callable | None:
    """The rule of a product or a ratio."""
    if entry.facts.is_bilinear:
        return _of_product
    return _of_ratio if entry.primitive.name == "div" else None


def has_all_slopes(tape: Recording, entry: Entry) -> bool:
    """Whether there is a gradient by each input that depends on the variable: by no integer does
    it.
    """
    return [tape.moves(slot) for slot in entry.inputs] == entry.active


def is_linear(tape: Recording, entry: Entry) -> bool:
    """Whether an operation is linear in all that depends on the variable."""
    name, facts, moving = entry.primitive.name, entry.facts, entry.active
    if not has_all_slopes(tape, entry):
        return False
    if facts.is_linear:
        return True
    if facts.is_bilinear:
        return sum(moving) == 1
    if name == "div":
        return moving == [True, False]
    return name == "select_n" and not moving[0]


def _of_curve(tape: Recording, entry: Entry, origin: int, coming: jax.Array) -> jax.Array:
    """A function of one number: the ratio of differences, or its slope where rounding hides in what
    they differ.
    """
    x, before = tape.values[origin], tape.other_values[0][origin]
    y, y_before = tape.results(entry)[0], tape.results(entry, 0)[0]
    step, rise = x - before, y - y_before
    (slope,) = jax.vjp(tape.since(origin, entry), x)[1](jnp.ones_like(y))
    sizes = jnp.maximum(jnp.abs(y), jnp.abs(y_before))
    sizes += jnp.abs(slope) * jnp.maximum(jnp.abs(x), jnp.abs(before))
    hidden = ROUNDINGS * float(jnp.finfo(y.dtype).eps) * sizes
    is_straight = (step == 0) | (jnp.abs(rise - slope * step) <= hidden)
    return coming * jnp.where(is_straight, slope, rise / jnp.where(step == 0, 1, step))


def _of_product(tape: Recording, entry: Entry, coming: list[Any]) -> list[jax.Array]:
    """Each factor times the mean of the other, at the input and at the baseline: what it does alone
    and half of what they do together.
    """
    now, before = tape.inputs(entry), tape.inputs(entry, 0)
    mean = [(a + b) / 2 if active else a for a, b, active in zip(now, before, entry.active)]
    return gradient(tape, entry, coming, mean)


def _of_ratio(tape: Recording, entry: Entry, coming: list[Any]) -> list[jax.Array]:
    """A numerator times the inverse of a denominator."""
    (above, below), (above_0, below_0) = tape.inputs(entry), tape.inputs(entry, 0)
    slope = -1 / (below * below_0)  # of the inverse: its difference over that of the denominator
    return [
        _as(coming[0] * (1 / below + 1 / below_0) / 2, above),
        _as(coming[0] * (above + above_0) / 2 * slope, below),
    ]


def _as(cotangent: jax.Array, value: jax.Array) -> jax.Array:
    """A cotangent summed over the axes along which a value was broadcast."""
    wide = [i for i, size in enumerate(value.shape) if size != cotangent.shape[i]]
    return cotangent.sum(wide, keepdims=True)


def _of_maximum(tape: Recording, entry: Entry, coming: list[Any]) -> list[jax.Array]:
    """The largest of a window: what it gains goes to where it is, what it loses to where it was; of
    the smallest what it loses goes to where it is.
    """
    x, before = tape.inputs(entry)[0], tape.inputs(entry, 0)[0]
    y, y_before = tape.results(entry)[0], tape.results(entry, 0)[0]
    extreme = jnp.minimum if entry.facts.extreme == "min" else jnp.maximum
    between = extreme(y, y_before)
    gained = to_extremes(tape, entry, coming[0] * (between - y_before), x)
    lost = to_extremes(tape, entry, coming[0] * (y - between), before)
    tangent = to_extremes(tape, entry, coming[0], x)
    step = x - before
    ratio = (gained + lost) / jnp.where(step == 0, 1, step)
    return [jnp.where(step == 0, tangent, ratio)]


def to_extremes(tape: Recording, entry: Entry, coming: jax.Array, x: jax.Array) -> jax.Array:
    """What comes back of a maximum to where its input is the largest, or of a minimum the smallest.

    Over whole axes that is one place, found by its number: the gradient of JAX looks for what is
    equal to the maximum, which is nothing, and then divides by 0, where a compiled program rounds
    the two in different ways.
    """
    if entry.facts.kind is not Kind.REDUCTION:
        return gradient(tape, entry, [coming], [x])[0]
    axes = entry.params["axes"]
    ends = range(x.ndim - len(axes), x.ndim)
    last = jnp.moveaxis(x, axes, ends)  # the axes that are reduced behind the others
    flat = last.reshape(*coming.shape, -1)
    index = jnp.argmax(flat, -1) if entry.facts.extreme == "max" else jnp.argmin(flat, -1)
    is_chosen = jnp.arange(flat.shape[-1]) == index[..., None]
    back = jnp.where(is_chosen, coming[..., None], 0).reshape(last.shape)
    return jnp.moveaxis(back, ends, axes)


__all__ = ["deep_lift"]
