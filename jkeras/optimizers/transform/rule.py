"""The rule of a concrete optimizer, and the transform that follows it for each parameter."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.optimizers.transform.leaves import Leaf, describe, over
from jkeras.optimizers.transform.pair import State, Transform, Tree, stepping

Slots = dict[str, jax.Array]  # of one parameter, by name


class Rule:
    """What a concrete optimizer writes: which slots it has, and how one parameter moves.

    >>> class Descent(Rule):
    ...     def rule(self, g, p, s, lr, t):
    ...         return p - lr * g, {}
    >>> descent, params = follow(Descent()), {"w": jnp.ones(1)}
    >>> state, now = descent.init(params), {"learning_rate": jnp.array(0.1), "count": jnp.array(0)}
    >>> print(descent.step(params, state, params, **now)[0]["w"])
    [0.9]
    """

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """Names of the slots, in groups: Keras lists a group's slots variable by variable, group
        after group.
        """
        return ()

    def slot(self, name: str, p: Any, leaf: Leaf) -> jax.Array | None:
        """The first value of a slot of parameter p (of which it may use shape and dtype); None: it
        has none.
        """
        return jnp.zeros(p.shape, p.dtype)

    # whether `rule` does to each element of a parameter what depends on no other element of it
    rule_is_elementwise = False

    scalar_names = ()  # of what the optimizer keeps once, not for each parameter; in Keras's order

    def scalars(self, leaves: Sequence[Any]) -> Slots:
        """First values of the scalars, by name."""
        return {}

    def advance(self, scalars: Slots, t: jax.Array) -> Slots:
        """The scalars of step t, before the rule is applied."""
        return scalars

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        """One parameter's step.

        Args:
            g, p, lr: gradient, parameter and learning rate, all of the parameter's dtype.
            s: dict with the parameter's slots and the scalars.
            t: number of this step, from 1.
        Returns:
            (new parameter, dict of new slots)
        """
        raise NotImplementedError(
            f"{type(self).__name__} must implement `update_step(gradient, variable, "
            "learning_rate)`."
        )


def follow(rule: Rule) -> Transform:
    """Moves each parameter that has a gradient by a rule. "slots" and "scalars" are its state.

    Args:
        rule: a `Rule`, which every optimizer of this package is.
    Returns:
        A `Transform`; its `update` wants `learning_rate=` and `count=`, which `scheduled` passes.

    >>> from jkeras.optimizers import Adam
    >>> sorted(follow(Adam()).init({"w": jnp.ones(1)})["slots"])
    ['momentum', 'velocity']
    """

    def init(params: Tree, variables: Tree = None) -> State:
        names = [name for group in rule.slot_groups() for name in group]
        leaves = describe(params, variables)
        state = {"slots": {name: _first_slots(rule, name, params, leaves) for name in names}}
        scalars = rule.scalars(jax.tree.leaves(params))
        if scalars:
            return {**state, "scalars": scalars}
        return state

    def step(
        grads: Tree,
        state: State,
        params: Tree,
        *,
        learning_rate: jax.Array,
        count: jax.Array,
        **extra: Any,
    ):
        t = count + 1
        scalars = rule.advance(state.get("scalars", {}), t)
        # traced once for all parameters of one shape
        move = jax.jit(lambda *leaf: move_leaf(rule, *leaf))
        leaves, treedef = jax.tree.flatten(params)
        columns = {name: treedef.flatten_up_to(tree) for name, tree in state["slots"].items()}
        new = []
        for i, (p, g) in enumerate(zip(leaves, treedef.flatten_up_to(grads))):
            slots = {n: column[i] for n, column in columns.items() if column[i] is not None}
            if g is not None:
                p, slots = move(g, p, slots, scalars, learning_rate, t)
            new.append(p)
            for n, slot in slots.items():
                columns[n][i] = slot
        state = {**state, "slots": {n: treedef.unflatten(c) for n, c in columns.items()}}
        if scalars:
            state["scalars"] = scalars
        return treedef.unflatten(new), state

    return stepping(init, step)


def _first_slots(rule: Rule, name: str, params: Tree, leaves: Tree) -> Tree:
    """The first values of one slot of all parameters."""

    def first(p: Any, leaf: Leaf) -> jax.Array | None:
        if leaf.overwritten:
            return None
        return rule.slot(name, p, leaf)

    return over(first, params, leaves)


def move_leaf(
    rule: Rule,
    g: jax.Array,
    p: jax.Array,
    slots: Slots,
    scalars: Slots,
    lr: jax.Array,
    t: jax.Array,
) -> tuple[jax.Array, Slots]:
    """One parameter's step and its new slots, in the dtypes that they have."""
    new, changed = rule.rule(g.astype(p.dtype), p, {**slots, **scalars}, lr.astype(p.dtype), t)
    return new.astype(p.dtype), {n: changed.get(n, s).astype(s.dtype) for n, s in slots.items()}
