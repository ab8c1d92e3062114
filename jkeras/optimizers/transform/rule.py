"""The rule of a concrete optimizer, and the transform that follows it for each parameter."""

import typing
from collections.abc import Sequence

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

    def slot(self, name: str, p: typing.Any, leaf: Leaf) -> jax.Array | None:
        """The first value of a slot of parameter p (of which it may use shape and dtype); None: it
        has none.
        """
        return jnp.zeros(p.shape, p.dtype)

    scalar_names = ()  # of what the optimizer keeps once, not for each parameter; in Keras's order

    def scalars(self, leaves: Sequence[typing.Any]) -> Slots:
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
    """Moves each parameter that has a gradient by a rule. "slots" and "scalars" are its state."""

    def init(params: Tree, variables: Tree = None) -> State:
        leaves = describe(params, variables)

        def column(name: str) -> Tree:
            def first(p: typing.Any, leaf: Leaf) -> jax.Array | None:
                return None if leaf.overwritten else rule.slot(name, p, leaf)

            return over(first, params, leaves)

        slots = {name: column(name) for group in rule.slot_groups() for name in group}
        scalars = rule.scalars(jax.tree.leaves(params))
        return {"slots": slots, "scalars": scalars} if scalars else {"slots": slots}

    def step(
        grads: Tree,
        state: State,
        params: Tree,
        *,
        learning_rate: jax.Array,
        count: jax.Array,
        **extra: typing.Any,
    ):
        t = count + 1
        scalars = rule.advance(state.get("scalars", {}), t)
        # traced once for all parameters of one shape
        move = jax.jit(lambda *leaf: move_leaf(rule, *leaf))
        leaves, treedef = jax.tree.flatten(params)
        columns = {name: treedef.flatten_up_to(tree) for name, tree in state["slots"].items()}
        rows = [_row(columns, i) for i in range(len(leaves))]
        moved = [
            (p, row) if g is None else move(g, p, row, scalars, learning_rate, t)
            for g, p, row in zip(treedef.flatten_up_to(grads), leaves, rows)
        ]
        slots = {name: treedef.unflatten([row.get(name) for _, row in moved]) for name in columns}
        state = {**state, "slots": slots} | ({"scalars": scalars} if scalars else {})
        return treedef.unflatten([p for p, _ in moved]), state

    return stepping(init, step)


def _row(columns: dict[str, list], i: int) -> Slots:
    """The slots of one parameter."""
    return {name: column[i] for name, column in columns.items() if column[i] is not None}


def move_leaf(
    rule: Rule,
    g: jax.Array,
    p: jax.Array,
    row: Slots,
    scalars: Slots,
    lr: jax.Array,
    t: jax.Array,
) -> tuple[jax.Array, Slots]:
    """One parameter's step and its new slots, in the dtypes that they have."""
    new, slots = rule.rule(g.astype(p.dtype), p, {**row, **scalars}, lr.astype(p.dtype), t)
    return new.astype(p.dtype), {n: slots.get(n, s).astype(s.dtype) for n, s in row.items()}
