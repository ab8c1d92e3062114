"""Optimizers written the Keras way, with `build` and `update_step` on variables, lifted to the pure
interface.

The values of the variables are those of the state while the subclass's own method runs.
"""

import jax
import jax.numpy as jnp

from jkeras.core import frame
from jkeras.core.variable import Variable
from jkeras.optimizers.transform import Transform, describe, keys_of


class Lifted(Transform):
    """A `Transform` whose step may be a subclass's own `update_step` or `apply`."""

    _plain = None  # the class whose methods are not a subclass's own

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable and its slots; what a subclass of yours writes."""
        slots = {
            a[1]: v
            for a, v in self._at.items()
            if a[0] == "slots" and a[2] == self._index[id(variable)]
        }
        scalars = {a[1]: v.value for a, v in self._at.items() if a[0] == "scalars"}
        count = self._iterations.value if not self.gradient_accumulation_steps else self.iterations
        new, row = self._move_leaf(
            jnp.asarray(gradient),
            variable.value,
            {n: v.value for n, v in slots.items()},
            scalars,
            jnp.asarray(learning_rate),
            count + 1,
        )
        variable.assign(new)
        for name, value in row.items():
            slots[name].assign(value)

    def _overrides(self, name):
        return getattr(type(self), name) is not getattr(self._plain, name)

    @property
    def _custom(self):
        return self._overrides("update_step")

    def _init(self, params, variables=None):
        return Transform.init(self, params, variables)

    def init(self, params, variables=None):
        """The state before the first step.

        Args:
            params: nested dicts or lists of arrays.
            variables: a tree like params of Keras variables, or of anything with `name` and `path`;
                by default names come from the tree's keys.
        """
        state = self._init(params, variables)
        if self._custom or self._overrides("apply"):
            if not self.built:
                self._from_stand_ins = variables is None
                self.build(
                    jax.tree_util.tree_leaves(
                        self._stand_ins(params) if variables is None else variables
                    )
                )
            extra = {name: jnp.asarray(v.value) for name, v in self._extra().items()}
            state["scalars"] = {**state.get("scalars", {}), **extra}
        return state

    def _stand_ins(self, params):
        return jax.tree_util.tree_map(lambda p: Variable(jnp.zeros(p.shape, p.dtype)), params)

    def _extra(self):
        """The variables that a subclass added itself."""
        known = {id(v) for v in self._at.values()}
        return {
            f"extra_{i:05d}": v
            for i, v in enumerate(v for v in self._variables if id(v) not in known)
        }

    def _targets(self, infos):
        """The variables that a subclass's `update_step` is called with."""
        if all(leaf.variable is not None for leaf in infos):
            return [leaf.variable for leaf in infos]
        if not self._from_stand_ins:
            raise ValueError(
                f"{self.name}: {type(self).__name__} has its own `update_step`, which works on "
                "variables, and the optimizer was built for variables of a model. Pass "
                "`variables=`, a tree like the parameters of these variables, to `init` and "
                "`step`."
            )
        return self._trainable_variables

    # built by `init` for parameters without variables, in the order of the tree
    _from_stand_ins = False

    def _scalar_variables(self):
        return {**{a[1]: v for a, v in self._at.items() if a[0] == "scalars"}, **self._extra()}

    def _move(self, grads, leaves, rows, scalars, lr, count, infos):
        if not self._custom:
            return super()._move(grads, leaves, rows, scalars, lr, count, infos)
        targets = self._targets(infos)
        slots = [
            {n: self._at[("slots", n, self._index[id(v)])] for n in row}
            for v, row in zip(targets, rows)
        ]
        named = self._scalar_variables()
        values = {id(v): p for v, p in zip(targets, self._decay(grads, leaves, rows, lr, infos))}
        values |= {id(s[n]): row[n] for s, row in zip(slots, rows) for n in row}
        values |= {id(named[n]): x for n, x in self.advance(scalars, count + 1).items()}
        values[id(self._iterations)] = count * (self.gradient_accumulation_steps or 1)
        if isinstance(self._learning_rate, Variable):
            values[id(self._learning_rate)] = lr
        with frame.Run(values=values) as run:
            for g, v in zip(self._clip(grads), targets):
                if g is not None:
                    self.update_step(g, v, lr)
        values = run.values
        return (
            [values[id(v)] for v in targets],
            [{n: values[id(s[n])] for n in s} for s in slots],
            {n: values[id(named[n])] for n in scalars},
        )

    def step(self, grads, state, params, variables=None):
        """One step: (new params, new state). Everything but the constraints of variables.

        Args:
            grads: tree like params; None where there is no gradient: that parameter stays.
            variables: as for `init`; decides what is excluded from weight decay. A subclass of
                yours with its own `update_step` or `apply` needs it where the optimizer was built
                for a model's variables.
        """
        if not self._overrides("apply"):
            return self._step(grads, state, params, variables)
        leaves, treedef = jax.tree_util.tree_flatten(params)
        owners = self._targets(describe(params, variables))
        place = [self._index[id(v)] for v in owners]  # of each leaf among the variables
        order = [path for _, path in sorted(zip(place, _paths(params)))]
        flat = [
            x
            for _, x in sorted(
                zip(place, zip(treedef.flatten_up_to(grads), leaves)), key=lambda pair: pair[0]
            )
        ]
        new, values = self._through_apply(
            [g for g, _ in flat], self.state_to_variables(state, order), [p for _, p in flat]
        )
        return (
            treedef.unflatten([new[i] for i in place]),
            self.variables_to_state(values, params, order, variables),
        )

    def _through_apply(self, grads, optimizer_variables, values):
        """Runs a subclass's own `apply` on given values."""
        both = self._trainable_variables + self.variables
        with frame.Run(
            values={id(v): x for v, x in zip(both, values + optimizer_variables)}
        ) as run:
            self.apply(grads, self._trainable_variables)
        new = [run.values[id(v)] for v in both]
        return new[: len(values)], new[len(values) :]


def _paths(params):
    return [keys_of(path) for path, _ in jax.tree_util.tree_flatten_with_path(params)[0]]
