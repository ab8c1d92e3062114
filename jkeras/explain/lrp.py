"""Layer-wise relevance propagation: a score handed back from layer to layer, to the inputs."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.graph.by_identity import ByIdentity
from jkeras.core.errors import check_choice
from jkeras.explain.deep_lift import has_all_slopes, is_linear, to_extremes
from jkeras.explain.normalizing import is_scaled, softmax_of
from jkeras.explain.running import as_array, attribute
from jkeras.explain.score import Scored, Structure, Target
from jkeras.explain.several import of_members
from jkeras.explain.unknown import refusing_unknown
from jkeras.programs.loops import through_loop
from jkeras.programs.primitives import Kind
from jkeras.programs.tape import Entry, Recording, Tape, gradient
from jkeras.programs.walk import Unreadable

RULES = ("epsilon", "gamma", "z_plus")


@of_members
def lrp(
    model: Any,
    x: Structure,
    target: Target = None,
    *,
    rule: str = "epsilon",
    epsilon: float = 1e-6,
    gamma: float = 0.25,
    **options: Any,
) -> Structure:
    """The relevance of each input, where each layer divides what it is given among its inputs by
    what they add to its output (Bach et al. 2015; the rules as in Montavon et al. 2019).

    The layers are dense and convolutional ones, with the normalization behind them folded in, and
    pooling; an activation function hands on what it is given. What attention has besides goes by
    AttnLRP (Achtibat et al. 2024, arXiv:2402.05602): of a product of two values that both depend
    on the input each has a half, a softmax is linear around its logits, which does not keep all of
    the relevance, and what is divided by its own norm or standard deviation has all of it.

    Args:
        model, x, target, options: as for `saliency`.
        rule: "epsilon": by what the inputs add, zero signs apart; "gamma": what speaks for counts
            more; "z_plus": only what speaks for counts.
        epsilon: added to each output that is divided by, away from zero.
        gamma: of that rule, by how much.

    Returns:
        As `x`.

    Raises:
        ValueError: a layer has an operation that there is no rule for, such as a ratio of two
            things that both depend on the input; it is named.

    >>> import jax, jax.numpy as jnp
    >>> score = lambda x: jax.nn.relu(x @ jnp.array([[1.0], [2.0], [-1.0]]))
    >>> lrp(score, [[1.0, 2.0, 3.0]]).round(3).tolist()
    [[1.0, 4.0, -3.0]]
    >>> lrp(score, [[1.0, 2.0, 3.0]], rule="z_plus").round(3)
    array([[0.4, 1.6, 0. ]], dtype=float32)
    """
    check_choice("rule", rule, RULES, "lrp")
    weights = {"epsilon": (1.0, 0.0), "gamma": (1.0, gamma), "z_plus": (0.0, 1.0)}[rule]
    options = {"rounds": False, "weights": weights, "epsilon": float(epsilon), **options}
    return attribute(_lrp, model, as_array(x), target, **options)


def _lrp(score: Scored, at_once: int, weights: tuple[float, float], epsilon: float) -> Structure:
    tape = Tape(score, score.start)
    # what comes back is the relevance of an input for each unit of it
    with refusing_unknown(score):
        rule = _rule_of(tape, weights, epsilon)
        shares = tape.backwards(rule, jnp.ones_like(tape.values[tape.output]))
    return jax.tree_util.tree_map(jnp.multiply, shares, score.start)


def _rule_of(tape: Recording, weights: tuple[float, float], epsilon: float) -> Callable:
    """The rule for what is on a tape."""
    affine = ByIdentity((layer.entries[-1], layer) for layer in _affine_layers(tape))

    def rule(tape: Recording, entry: Entry, coming: list) -> list | dict:
        layer = affine.find(entry)
        if layer is not None:
            return {layer.source: _through(tape, layer, coming[0], weights, epsilon)}
        if entry.facts.kind is Kind.SCAN:
            return through_loop(tape, entry, coming, lambda step: _rule_of(step, weights, epsilon))
        return _hand_on(tape, entry, coming)

    return rule


def _hand_on(tape: Recording, entry: Entry, coming: list[Any]) -> Any:
    """The rule of what is no layer with weights."""
    softmax = softmax_of(tape, entry)
    if softmax is not None:
        return {softmax.logits: softmax.back(tape, coming[0])}
    scaled = is_scaled(tape, entry)
    if scaled is not None:  # as by a constant
        slot = entry.inputs[scaled]
        return {slot: gradient(tape, entry, coming)[scaled]}
    if entry.facts.extreme and has_all_slopes(tape, entry):
        return [to_extremes(tape, entry, coming[0], tape.inputs(entry)[0])]
    if is_linear(tape, entry):
        return gradient(tape, entry, coming)
    if entry.facts.is_elementwise:
        origin = tape.origin(entry)
        if origin is not None:
            x, y = tape.values[origin], tape.results(entry)[0]
            return {origin: coming[0] * y / jnp.where(x == 0, 1, x)}
    if entry.facts.is_bilinear and has_all_slopes(tape, entry):
        return [half / 2 for half in gradient(tape, entry, coming)]
    raise Unreadable(entry.primitive.name, entry.place)


# ---------------------------------------------------------------- layers with weights


@dataclasses.dataclass
class _Affine:
    """A product with a kernel and what follows of the same layer.

    Attributes:
        source: the slot of what the kernel is multiplied with.
        kernel: the slot of the kernel.
        entries: the product first.
    """

    source: int
    kernel: int
    entries: list[Entry]

    def run(self, tape: Recording, source: jax.Array, kernel: jax.Array, adds: bool) -> jax.Array:
        """Its output for another input and another kernel.

        Args:
            adds: whether what is added counts.
        """
        values = {self.source: source, self.kernel: kernel}
        for entry in self.entries:
            inputs = [values.get(slot, tape.values[slot]) for slot in entry.inputs]
            if not adds and entry.primitive.name in ("add", "sub"):
                inputs = [
                    value if slot in values else jnp.zeros_like(value)
                    for value, slot in zip(inputs, entry.inputs)
                ]
            values[entry.outputs[0]] = entry.run(*inputs)[0]
        return values[self.entries[-1].outputs[0]]


def _affine_layers(tape: Recording) -> list[_Affine]:
    """The layers with weights of a tape."""
    readers: dict[int, list[Entry]] = {}
    for entry in tape.entries:
        for slot in entry.inputs:
            readers.setdefault(slot, []).append(entry)
    parts = []
    for entry in tape.entries:
        if not entry.facts.is_product or not is_linear(tape, entry):
            continue
        source, kernel = (entry.inputs[entry.active.index(is_in)] for is_in in (True, False))
        entries = [entry]
        while (following := _next(tape, readers, entries[-1])) is not None:
            entries.append(following)
        parts.append(_Affine(source, kernel, entries))
    return parts


def _next(tape: Recording, readers: dict[int, list[Entry]], entry: Entry) -> Entry | None:
    """What goes on with an affine function: the only reader of its output, if it is affine too."""
    slot = entry.outputs[0]
    after = readers.get(slot, [])
    if len(after) != 1 or slot in tape.outputs or not after[0].facts.is_affine:
        return None
    if sum(after[0].active) != 1 or not is_linear(tape, after[0]):
        return None
    return after[0]


def _through(
    tape: Recording, layer: _Affine, coming: jax.Array, weights: tuple[float, float], epsilon: float
) -> jax.Array:
    """What comes back through a layer with weights.

    Args:
        coming: relevance for each unit of its output.
        weights: how much all counts that is added to an output, and how much what speaks for it.
    """
    of_all, of_positive = weights
    x, kernel = tape.values[layer.source], tape.values[layer.kernel]
    scale = _scale(tape, layer, x, kernel)

    def total(x: jax.Array) -> jax.Array:
        result = 0.0
        if of_all:
            result = of_all * layer.run(tape, x, kernel, False)
        if of_positive:
            above = layer.run(tape, x, jnp.maximum(kernel, 0), False)
            below = layer.run(tape, x, jnp.minimum(kernel, 0), False)
            result += of_positive * jnp.where(scale > 0, above, below)
        return result

    added = layer.run(tape, jnp.zeros_like(x), kernel, True)
    divided, pull = jax.vjp(total, x)
    divided = divided + of_all * added + of_positive * jnp.maximum(added, 0)
    divided = divided + jnp.where(divided >= 0, epsilon, -epsilon)
    relevance = coming * tape.results(layer.entries[-1])[0]
    return pull(relevance / divided)[0]


def _scale(tape: Recording, layer: _Affine, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """What the product of a layer is multiplied with on its way to the output."""
    after: Callable = _Affine(-1, layer.entries[0].outputs[0], layer.entries[1:]).run
    ones = jnp.ones_like(tape.results(layer.entries[0])[0])
    return after(tape, None, ones, False) if layer.entries[1:] else ones


__all__ = ["lrp"]
