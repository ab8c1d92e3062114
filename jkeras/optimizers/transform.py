"""The functional core of all optimizers: pure `init` and `step` over trees of arrays.

    state = optimizer.init(params)
    params, state = optimizer.step(grads, state, params)

The state is a plain nested dict: "iterations", "learning_rate" (where the rate is a number),
"slots" (name -> tree like the parameters), and where they are used "ema", "accumulators" and
"scalars".
"""

import typing

import jax
import jax.numpy as jnp

from jkeras.core.policy import standardize_dtype
from jkeras.core.record import Any, Record
from jkeras.optimizers.schedules import LearningRateSchedule


class Leaf(typing.NamedTuple):
    """What is known of a parameter besides its value; `variable` is its Keras variable, where there
    is one.
    """

    name: str
    path: str
    variable: typing.Any = None

    @property
    def overwritten(self):
        """Whether the "gradient" is the new value itself, as for the scales of float8."""
        return getattr(self.variable, "overwrite_with_gradient", False)


class Transform(Record):
    """An optimizer as a gradient transformation. A concrete one says which slots it has, and gives
    one `rule`.
    """

    learning_rate: Any
    weight_decay: Any = None
    clipnorm: Any = None
    clipvalue: Any = None
    global_clipnorm: Any = None
    use_ema: Any = False
    ema_momentum: Any = 0.99
    ema_overwrite_frequency: Any = None
    loss_scale_factor: Any = None
    gradient_accumulation_steps: Any = None
    name: Any = None

    # ------------------------------------------------------------ what a concrete optimizer writes

    def slot_groups(self):
        """Names of the slots, in groups: Keras lists a group's slots variable by variable, group
        after group.
        """
        return ()

    def slot(self, name, p, leaf):
        """The first value of a slot of parameter p (of which it may use shape and dtype); None: it
        has none.
        """
        return jnp.zeros(p.shape, p.dtype)

    scalar_names = ()  # of what the optimizer keeps once, not for each parameter; in Keras's order

    def scalars(self, leaves):
        """First values of the scalars, by name."""
        return {}

    def advance(self, scalars, t):
        """The scalars of step t, before the rule is applied."""
        return scalars

    def rule(self, g, p, s, lr, t):
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

    def decay_of(self, row):
        """The weight decay of a parameter with these slots."""
        return self.weight_decay

    # ------------------------------------------------------------ the pure interface

    def init(self, params, variables=None):
        """The state before the first step.

        Args:
            params: nested dicts or lists of arrays.
            variables: a tree like params of Keras variables, or of anything with `name` and `path`;
                by default names come from the tree's keys.
        """
        leaves, treedef = jax.tree_util.tree_flatten(params)
        infos = describe(params, variables)
        state = {"iterations": jnp.zeros((), "int32")}
        if not callable(self._learning_rate):
            # a copy: may be donated
            state["learning_rate"] = jnp.array(self._learning_rate, standardize_dtype(None))
        if self.use_ema:
            state["ema"] = jax.tree_util.tree_map(lambda p: jnp.zeros(p.shape, p.dtype), params)
        if self.gradient_accumulation_steps:
            state["accumulators"] = jax.tree_util.tree_map(
                lambda p: jnp.zeros(p.shape, p.dtype), params
            )
        state["slots"] = {
            name: treedef.unflatten(
                [
                    None if leaf.overwritten else self.slot(name, p, leaf)
                    for p, leaf in zip(leaves, infos)
                ]
            )
            for group in self.slot_groups()
            for name in group
        }
        scalars = self.scalars(leaves)
        return {**state, "scalars": scalars} if scalars else state

    def step(self, grads, state, params, variables=None):
        """One step: (new params, new state). Everything but the constraints of variables.

        Args:
            grads: tree like params; None where there is no gradient: that parameter stays.
            variables: as for `init`; decides what is excluded from weight decay.
        """
        return self._step(grads, state, params, variables)

    def _step(self, grads, state, params, variables):
        leaves, treedef = jax.tree_util.tree_flatten(params)
        grads, infos = treedef.flatten_up_to(grads), describe(params, variables)
        if all(g is None for g in grads):
            raise ValueError(f"{self.name}: No gradients provided for any variable.")
        overwritten = {
            i: g
            for i, (g, leaf) in enumerate(zip(grads, infos))
            if leaf.overwritten and g is not None
        }
        grads = [None if i in overwritten else g for i, g in enumerate(grads)]
        if self.loss_scale_factor is not None:
            grads = [None if g is None else g / self.loss_scale_factor for g in grads]
        columns = {name: treedef.flatten_up_to(tree) for name, tree in state["slots"].items()}
        rows = [
            {n: c[i] for n, c in columns.items() if c[i] is not None} for i in range(len(leaves))
        ]
        scalars, count = state.get("scalars", {}), self._count(state["iterations"])

        def move(grads):
            return self._move(
                grads, leaves, rows, scalars, self.learning_rate_of(state), count, infos
            )

        state, steps = dict(state), self.gradient_accumulation_steps
        if steps:
            kept = treedef.flatten_up_to(state["accumulators"])
            moved, total = self._accumulate(
                move, grads, kept, (leaves, rows, scalars), state["iterations"]
            )
            state["accumulators"] = treedef.unflatten(total)
        else:
            moved = move(grads)
        leaves, rows, scalars = moved
        state["slots"] = {
            name: treedef.unflatten([row.get(name) for row in rows]) for name in columns
        }
        if scalars:
            state["scalars"] = scalars
        if self.use_ema:
            averages, leaves = self._average(treedef.flatten_up_to(state["ema"]), leaves, count)
            state["ema"] = treedef.unflatten(averages)
        state["iterations"] = state["iterations"] + 1
        return treedef.unflatten([overwritten.get(i, p) for i, p in enumerate(leaves)]), state

    def update(self, grads, state, params, **extra):
        """optax's interface: (updates, new state), where new params = params + updates."""
        new, state = self.step(grads, state, params)
        return jax.tree_util.tree_map(lambda a, b: a - b, new, params), state

    def finalize(self, state, params):
        """The parameters to keep after training: with `use_ema` their moving averages."""
        return state["ema"] if self.use_ema else params

    def learning_rate_of(self, state):
        """The learning rate of the step that comes after this state."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return jnp.asarray(self._learning_rate(state["iterations"]))
        return (
            jnp.asarray(self._learning_rate())
            if callable(self._learning_rate)
            else state["learning_rate"]
        )

    def with_learning_rate(self, state, learning_rate):
        """The state with another learning rate; a TypeError where the rate is a schedule."""
        if "learning_rate" not in state:
            raise TypeError(
                f"{self.name}: the learning rate follows a schedule, so it cannot be set. Make the "
                "optimizer with a float `learning_rate`."
            )
        return {**state, "learning_rate": jnp.asarray(learning_rate, state["learning_rate"].dtype)}

    # ------------------------------------------------------------ the parts of a step

    def _count(self, iterations):
        """Steps done; with accumulation several calls are one step."""
        return (
            iterations // self.gradient_accumulation_steps
            if self.gradient_accumulation_steps
            else iterations
        )

    def _accumulate(self, move, grads, kept, still, iterations):
        """Adds the gradients up; every n-th time moves along their mean. Returns (moved, new
        sums).
        """
        steps = self.gradient_accumulation_steps
        total = [a if g is None else (g + a).astype(a.dtype) for g, a in zip(grads, kept)]
        present = [g is not None for g in grads]

        def run():
            moved = move([a / steps if here else None for a, here in zip(total, present)])
            return moved, [jnp.zeros_like(a) if here else a for a, here in zip(total, present)]

        return jax.lax.cond((iterations + 1) % steps == 0, run, lambda: (still, total))

    def _move(self, grads, leaves, rows, scalars, lr, count, infos):
        """Clips, decays and applies the rule: (new leaves, new rows, new scalars)."""
        t = count + 1
        scalars = self.advance(scalars, t)
        # traced once for all parameters of one shape
        move = jax.jit(lambda *leaf: self._move_leaf(*leaf))
        done = [
            (p, row) if g is None else move(g, p, row, scalars, lr, t)
            for g, p, row in zip(
                self._clip(grads), self._decay(grads, leaves, rows, lr, infos), rows
            )
        ]
        return [p for p, _ in done], [row for _, row in done], scalars

    def _move_leaf(self, g, p, row, scalars, lr, t):
        new, slots = self.rule(g.astype(p.dtype), p, {**row, **scalars}, lr.astype(p.dtype), t)
        return new.astype(p.dtype), {
            n: slots[n].astype(s.dtype) if n in slots else s for n, s in row.items()
        }

    def _decay(self, grads, leaves, rows, lr, infos):
        def decay(g, p, row, leaf):
            rate = self.decay_of(row)
            if g is None or rate is None or self._excluded(leaf):
                return p
            return p - p * jnp.asarray(rate, p.dtype) * lr.astype(p.dtype)

        return [decay(*each) for each in zip(grads, leaves, rows, infos)]

    def _excluded(self, leaf):
        """Whether a parameter is exempt from weight decay."""
        return False

    def _clip(self, grads):
        if self.clipnorm and self.clipnorm > 0:
            return [
                g if g is None else g * self.clipnorm / jnp.maximum(safe_norm(g), self.clipnorm)
                for g in grads
            ]
        if self.global_clipnorm and self.global_clipnorm > 0:
            limit = self.global_clipnorm
            norm = jnp.sqrt(
                jnp.sum(jnp.stack([jnp.sum(jnp.square(g)) for g in grads if g is not None]))
            )
            # NaN for a norm that is not finite
            scale = limit * jnp.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
            return [g if g is None else g * scale for g in grads]
        if self.clipvalue and self.clipvalue > 0:
            return [g if g is None else jnp.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        return grads

    def _average(self, averages, leaves, count):
        """New moving averages, and the leaves, now and then overwritten with them."""

        def average(a, p):
            momentum = (count != 0).astype(p.dtype) * self.ema_momentum
            return (momentum * a + (1 - momentum) * p).astype(a.dtype)

        averages = [average(a, p) for a, p in zip(averages, leaves)]
        if self.ema_overwrite_frequency:
            now = (count + 1) % self.ema_overwrite_frequency == 0
            leaves = [jnp.where(now, a, p) for a, p in zip(averages, leaves)]
        return averages, leaves

    # ------------------------------------------------------------ state <-> Keras's list of
    # variables

    def addresses(self, state, order):
        """Paths into the state of all its arrays, in the order in which Keras lists the variables.

        Args:
            order: paths of the parameters (tuples of keys), in Keras's order.
        """
        yield ("iterations",)
        if "learning_rate" in state:
            yield ("learning_rate",)
        for part in ("ema", "accumulators"):
            for path in order if part in state else ():
                if at(state[part], path) is not None:
                    yield (part, *path)
        for group in self.slot_groups():
            for path in order:
                for name in group:
                    if at(state["slots"][name], path) is not None:
                        yield ("slots", name, *path)
        # JAX sorts the keys of dicts, so their order says nothing
        scalars = state.get("scalars", {})
        for name in (*self.scalar_names, *sorted(scalars.keys() - set(self.scalar_names))):
            yield ("scalars", name)

    def state_to_variables(self, state, order):
        """The state's arrays as the flat list that `optimizer.variables` is."""
        return [at(state, address) for address in self.addresses(state, order)]

    def variables_to_state(self, values, params, order, variables=None):
        """The state that a flat list stands for; the inverse of `state_to_variables`."""
        template = jax.eval_shape(lambda p: self.init(p, variables), params)
        found = dict(zip(self.addresses(template, order), values, strict=True))
        return jax.tree_util.tree_map_with_path(lambda path, _: found[keys_of(path)], template)


# ---------------------------------------------------------------- trees


def keys_of(path):
    """A path of JAX as a tuple of plain keys."""
    return tuple(
        next(getattr(k, name) for name in ("key", "idx", "name") if hasattr(k, name)) for k in path
    )


def at(tree, path):
    """What stands at a path in dicts, lists and named tuples."""
    for key in path:
        tree = (
            getattr(tree, key) if isinstance(key, str) and not isinstance(tree, dict) else tree[key]
        )
    return tree


def describe(params, variables):
    """A `Leaf` for each parameter."""
    if variables is not None:
        return [Leaf(v.name, v.path, v) for v in jax.tree_util.tree_leaves(variables)]
    paths = (keys_of(path) for path, _ in jax.tree_util.tree_flatten_with_path(params)[0])
    return [Leaf(str(path[-1]) if path else "", "/".join(map(str, path))) for path in paths]


def safe_norm(g):
    """The Euclidean norm, with derivative 0 at 0 instead of NaN."""
    square = jnp.sum(jnp.square(g), keepdims=True)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), square)
