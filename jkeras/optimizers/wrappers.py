"""Optimizers made of other optimizers: dynamic loss scaling, and one optimizer for each part of a
model.
"""

import collections.abc
import re

import jax
import jax.numpy as jnp

from jkeras.core.record import Any, FamilyKind, Kind, Record, record
from jkeras.core.registry import CustomObjectScope, deserialize, serialize
from jkeras.optimizers.base import COMMON, Optimizer, optimizer
from jkeras.optimizers.transform import Transform, describe


def refuse_common(self, **kwargs):
    """Takes common arguments only where they have their default value, as older files hold them."""
    object.__setattr__(self, "_learning_rate", 0.0)
    if not kwargs.pop("dynamic", True):
        raise ValueError(
            f"{type(self).__name__} does not support `dynamic=False`. Set `loss_scale_factor` on "
            "the inner optimizer instead."
        )
    for name in kwargs:
        if name not in COMMON or kwargs[name] != getattr(Transform, name):
            raise ValueError(
                f"{type(self).__name__} does not support `{name}`. Set it on the inner optimizer."
            )


@optimizer(
    "keras.mixed_precision.LossScaleOptimizer",
    only="inner_optimizer, initial_scale, dynamic_growth_steps, name",
    base_init=refuse_common,
)
class LossScaleOptimizer(Optimizer):
    """Scales the loss so that float16 gradients do not vanish, and adjusts the scale.

    A step whose gradients are not all finite is skipped and halves the scale; after
    `dynamic_growth_steps` good steps the scale doubles.

    Args:
        inner_optimizer: the optimizer that is given the unscaled gradients.
        initial_scale: the first scale.
        dynamic_growth_steps: good steps until the scale grows.

    >>> from jkeras.optimizers import SGD
    >>> LossScaleOptimizer(SGD(0.1), initial_scale=8.0).scale_loss(2.0)
    16.0
    """

    inner_optimizer: FamilyKind("optimizers")
    initial_scale: Any = 2.0**15
    dynamic_growth_steps: Any = 2000

    def check(self):
        self.inner_optimizer.loss_scale_factor = None

    scalar_names = ("step_counter", "dynamic_scale")

    def scalars(self, leaves):
        return {
            "step_counter": jnp.zeros((), "int32"),
            "dynamic_scale": jnp.asarray(self.initial_scale, "float32"),
        }

    def _init(self, params, variables=None):
        return {
            **super()._init(params, variables),
            "inner": self.inner_optimizer.init(params, variables),
        }

    def _step(self, grads, state, params, variables):
        """One step of the inner optimizer, or none where a gradient is not finite: (new params, new
        state).
        """
        counter, scale = state["scalars"]["step_counter"], state["scalars"]["dynamic_scale"]

        def good():
            new, inner = self.inner_optimizer.step(
                _unscaled(grads, scale, params, variables), state["inner"], params, variables
            )
            grow = counter == self.dynamic_growth_steps - 1
            return new, inner, jnp.where(grow, 0, counter + 1), jnp.where(grow, scale * 2.0, scale)

        def bad():
            return params, state["inner"], jnp.zeros_like(counter), scale * 0.5

        finite = jnp.all(
            jnp.stack([jnp.all(jnp.isfinite(g)) for g in jax.tree_util.tree_leaves(grads)])
        )
        new, inner, counter, scale = jax.lax.cond(finite, good, bad)
        return new, {
            **state,
            "inner": inner,
            "scalars": {"step_counter": counter, "dynamic_scale": scale},
        }

    def addresses(self, state, order):
        yield from super().addresses(state, order)
        for address in self.inner_optimizer.addresses(state["inner"], order):
            yield ("inner", *address)

    def build(self, variables):
        """Creates the variables, those of the inner optimizer too."""
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self):
        """Its own variables, then those of the inner optimizer."""
        return self._variables + self.inner_optimizer.variables

    iterations = property(
        lambda self: self.inner_optimizer.iterations, doc="The inner optimizer's updates so far."
    )

    @property
    def learning_rate(self):
        """The inner optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.inner_optimizer.learning_rate = value

    def learning_rate_of(self, state):
        return self.inner_optimizer.learning_rate_of(state["inner"])

    def with_learning_rate(self, state, learning_rate):
        return {
            **state,
            "inner": self.inner_optimizer.with_learning_rate(state["inner"], learning_rate),
        }

    def finalize(self, state, params):
        return self.inner_optimizer.finalize(state["inner"], params)

    def finalize_variable_values(self, var_list):
        self.inner_optimizer.finalize_variable_values(var_list)

    def scale_loss(self, loss, state=None):
        """The loss times the scale: that of `state`, else of the variables."""
        if state is not None:
            return loss * state["scalars"]["dynamic_scale"]
        return loss * (
            self._at[("scalars", "dynamic_scale")].value if self.built else self.initial_scale
        )

    def constants(self):
        return (*super().constants(), self.inner_optimizer.constants())

    def get_config(self):
        return self.field_config()


def _unscaled(grads, scale, params, variables):
    """Gradients divided by the scale, but for those that are no gradients of the loss but new
    values.
    """
    treedef = jax.tree_util.tree_structure(params)
    return treedef.unflatten(
        [
            g if g is None or leaf.overwritten else g / scale
            for g, leaf in zip(treedef.flatten_up_to(grads), describe(params, variables))
        ]
    )


@record("keras.optimizers")
class OptimizerMap(Record, collections.abc.MutableMapping):
    """Which optimizer updates which variable: by regular expressions that match the whole path.

    Args:
        default_optimizer: for variables that nothing matches.
        optimizer_map: dict from patterns to optimizers.
    Raises:
        TypeError: for other types. ValueError: for a pattern set twice, or a path that several
            patterns match.

    >>> from jkeras.optimizers import SGD
    >>> OptimizerMap(SGD(name="slow"), {".*bias": SGD(name="fast")})["dense/bias"].name
    'fast'
    """

    default_optimizer: Any
    optimizer_map: Any = None

    def __post_init__(self):
        if not isinstance(self.default_optimizer, Optimizer):
            raise TypeError(
                f"default_optimizer must be an Optimizer. Received: {self.default_optimizer!r}"
            )
        if not isinstance(self.optimizer_map, (dict, type(None))):
            raise TypeError(f"optimizer_map must be a dictionary. Received: {self.optimizer_map!r}")
        self.optimizer_map = self.optimizer_map or {}

    def __getitem__(self, key):
        if key in self.optimizer_map:
            return self.optimizer_map[key]
        found = [pattern for pattern in self.optimizer_map if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise ValueError(
                f"Multiple optimizers assigned to variable {key}: the patterns {found} match."
            )
        return self.optimizer_map[found[0]] if found else self.default_optimizer

    def __setitem__(self, key, value):
        if not isinstance(key, str) or key in self.optimizer_map:
            raise ValueError(
                f"Expected a new pattern, a string. Received: {key!r}; known: "
                f"{list(self.optimizer_map)}"
            )
        if not isinstance(value, Optimizer) or isinstance(
            value, (LossScaleOptimizer, MultiOptimizer)
        ):
            raise ValueError(
                "Expected an Optimizer that is no LossScaleOptimizer or MultiOptimizer. "
                f"Received: {value!r}"
            )
        self.optimizer_map[key] = value

    def __delitem__(self, key):
        del self.optimizer_map[key]

    def __len__(self):
        return len(self.optimizer_map)

    def __iter__(self):
        return iter(self.optimizer_map)

    def __call__(self, variable):
        return self[variable.path]

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The map of a config."""
        with CustomObjectScope(custom_objects):
            return cls(
                deserialize(config["default_optimizer"]), deserialize(config["optimizer_map"])
            )


class MapKind(Kind):
    """A map of optimizers, read from its config."""

    def read(self, value):
        return deserialize(value) if isinstance(value, dict) and "class_name" in value else value

    def write(self, value):
        return serialize(value)


@optimizer(only="optimizer_map, loss_scale_factor, name", base_init=refuse_common)
class MultiOptimizer(Optimizer):
    """Several optimizers, each for some of the variables.

    Args:
        optimizer_map: an `OptimizerMap`, or a callable from a variable (with `name` and `path`) to
            its optimizer.
        loss_scale_factor: given to all of them.

    >>> from jkeras.optimizers import SGD, Adam
    >>> multi = MultiOptimizer(OptimizerMap(Adam(), {".*bias": SGD()}))
    >>> [type(o).__name__ for o in multi.optimizers]
    ['SGD', 'Adam']
    """

    optimizer_map: MapKind()

    def check(self):
        values = getattr(self.optimizer_map, "values", tuple)()
        default = getattr(self.optimizer_map, "default_optimizer", None)
        self.optimizers = []
        for inner in (*values, *([] if default is None else [default])):
            self._join(inner)

    def _join(self, inner):
        """The index of an inner optimizer, which is added where it is new."""
        if not isinstance(inner, Optimizer) or isinstance(
            inner, (LossScaleOptimizer, MultiOptimizer)
        ):
            raise ValueError(
                "MultiOptimizer: expected an Optimizer for each variable, no LossScaleOptimizer or "
                f"MultiOptimizer. Received: {inner!r}"
            )
        if not any(inner is o for o in self.optimizers):
            inner.loss_scale_factor = self.loss_scale_factor
            self.optimizers.append(inner)
        return next(i for i, o in enumerate(self.optimizers) if o is inner)

    def _split(self, params, variables):
        """For each leaf the index of its optimizer, and a function that gives an optimizer's part
        of a tree.
        """
        owner = [
            self._join(self.optimizer_map(leaf.variable if leaf.variable is not None else leaf))
            for leaf in describe(params, variables)
        ]
        treedef = jax.tree_util.tree_structure(params)

        def part(tree, index):
            leaves = treedef.flatten_up_to(tree)
            return treedef.unflatten([x if o == index else None for x, o in zip(leaves, owner)])

        return owner, part

    def _init(self, params, variables=None):
        state = super()._init(params, variables)
        owner, part = self._split(params, variables)
        return {
            **state,
            "inner": {
                str(i): o.init(part(params, i), None if variables is None else part(variables, i))
                for i, o in enumerate(self.optimizers)
            },
        }

    def _step(self, grads, state, params, variables):
        """One step of each optimizer on its part: (new params, new state)."""
        owner, part = self._split(params, variables)
        treedef = jax.tree_util.tree_structure(params)
        new, inner = treedef.flatten_up_to(params), dict(state["inner"])
        for i, o in enumerate(self.optimizers):
            if i in owner:
                moved, inner[str(i)] = o.step(
                    part(grads, i),
                    inner[str(i)],
                    part(params, i),
                    None if variables is None else part(variables, i),
                )
                new = [x if m is None else m for m, x in zip(treedef.flatten_up_to(moved), new)]
        return treedef.unflatten(new), {
            **state,
            "inner": inner,
            "iterations": state["iterations"] + 1,
        }

    def addresses(self, state, order):
        yield from super().addresses(state, order)
        for i, o in enumerate(self.optimizers):
            for address in o.addresses(state["inner"][str(i)], order):
                yield ("inner", str(i), *address)

    def build(self, variables):
        """Creates the variables of all optimizers."""
        if self.built:
            return
        variables = list(variables)
        owner, _ = self._split(variables, variables)
        for i, o in enumerate(self.optimizers):
            mine = [v for v, k in zip(variables, owner) if k == i]
            if mine:
                o.build(mine)
        super().build(variables)

    @property
    def variables(self):
        """Its own variables, then those of each optimizer."""
        return [*self._variables, *(v for o in self.optimizers for v in o.variables)]

    @property
    def learning_rate(self):
        """There is none; each of `optimizers` has its own."""
        raise AttributeError(
            "A MultiOptimizer has no learning rate. Use that of each of `multi.optimizers`."
        )

    @learning_rate.setter
    def learning_rate(self, value):
        raise AttributeError(
            "A MultiOptimizer has no learning rate. Set that of each of `multi.optimizers`."
        )

    def finalize(self, state, params):
        return params

    def finalize_variable_values(self, var_list):
        for o in self.optimizers:
            o.finalize_variable_values([v for v in var_list if id(v) in o._index])

    def constants(self):
        return (*super().constants(), *(o.constants() for o in self.optimizers))

    def get_config(self):
        return self.field_config()
