"""The Keras shell of optimizers: `apply_gradients`, `learning_rate`, configs over a transform. It
computes nothing itself.
"""

import dataclasses
import re
import warnings
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core import typed
from jkeras.core.record import Any, Record
from jkeras.core.registry import CustomObjectScope, deserialize, serialize
from jkeras.core.settings import auto_name, floatx
from jkeras.core.variable import Variable
from jkeras.optimizers import transform
from jkeras.optimizers.fields import optimizer
from jkeras.optimizers.lifting import lifted_apply, lifted_update_step
from jkeras.optimizers.schedules import LearningRateSchedule
from jkeras.optimizers.transform.constraining import constrain
from jkeras.optimizers.transform.leaves import Leaf
from jkeras.optimizers.transform.pair import State, Transform, Tree
from jkeras.optimizers.transform.rule import move_leaf
from jkeras.optimizers.transform.schedule import rate_of
from jkeras.optimizers.variables import StateVariables

CLIPPING = {
    "clipnorm": transform.clip_by_norm,
    "clipvalue": transform.clip_by_value,
    "global_clipnorm": transform.clip_by_global_norm,
}


@optimizer("keras.Optimizer")
class Optimizer(StateVariables, Record):
    """Base of all optimizers: Keras's methods on variables over a `transform` of trees.

    Pure: `state = init(params)`, `params, state = step(grads, state, params)`; both, and `update`,
        are those of `transform`, which stands wherever optax wants a transformation. Keras:
        `build`, `apply`, `apply_gradients`, `stateless_apply`, `variables`, `learning_rate`.

    A subclass of yours writes `build(variables)` with `add_optimizer_variables`, and
    `update_step(gradient, variable, learning_rate)` with `assign`; both forms then work.

    Args:
        learning_rate: float, `LearningRateSchedule`, or a callable without arguments.
        weight_decay: each step first takes `learning_rate * weight_decay * p` off a parameter p.
        clipnorm: largest norm of one gradient.
        clipvalue: largest absolute value of an element.
        global_clipnorm: largest norm of all gradients together. Only one of the three may be given.
        use_ema: keep exponential moving averages of the parameters; they replace them when training
            ends.
        ema_momentum: share of the old average, in [0, 1].
        ema_overwrite_frequency: every so many steps the averages overwrite the parameters.
        loss_scale_factor: gradients are divided by it; `scale_loss` multiplies.
        gradient_accumulation_steps: (2 or more) one update for the mean gradient of so many calls.
        name: default "adam", "adam_1", …
    Raises:
        ValueError: for unknown arguments or values outside these ranges.

    >>> class Plain(Optimizer):
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         self.assign_sub(variable, learning_rate * gradient)
    >>> v, sgd = Variable([1.0]), Plain(0.5)
    >>> _ = sgd.apply_gradients([(jnp.array([1.0]), v)])
    >>> print(v.value, int(sgd.iterations))
    [0.5] 1
    """

    learning_rate: typed.Rate
    _: dataclasses.KW_ONLY  # for type checkers: the common ones are given by name
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None
    loss_scale_factor: float | None = None
    gradient_accumulation_steps: int | None = None
    name: typed.Converted[str | None, str] = None

    _learning_rate = None  # until the constructor is given one
    _exempt = (frozenset(), None)  # from weight decay: variables, a pattern of names

    def __post_init__(self):
        rate = self._learning_rate
        if self.name is None:
            self.name = auto_name(type(self).__name__)
        elif not isinstance(self.name, str) or "/" in self.name:
            raise ValueError(
                f"Argument `name` should be a string without '/'. Received: name={self.name!r}"
            )
        self.built, self._variables, self._trainable_variables = False, [], []
        self._at, self._index, self._compiled = {}, {}, None
        self._iterations = self._own(np.int32(0), "iteration")
        if not callable(rate):
            rate = self._held_rate(rate)
        self._learning_rate = rate
        self._chain(transform.follow(self))  # each link checks its own arguments
        self.check()

    def _held_rate(self, rate: float) -> Variable:
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(
                f"{self.name}: `learning_rate` should be a float, a LearningRateSchedule, or a "
                f"callable without arguments. Received: learning_rate={rate!r}"
            )
        return self._own(np.asarray(rate, floatx()), "learning_rate")

    def check(self):
        """Checks of a concrete optimizer's own arguments."""

    # ------------------------------------------------------------ the transform

    @property
    def transform(self) -> Transform:
        """The optimizer as a pair of pure functions, for optax and `jkeras.optimizers.transform`.

        A chain of links, made from the hyper-parameters as they are now.
        """
        chain = self._chain(self._core)
        if self._overrides("apply"):
            return lifted_apply(self, chain)
        return chain

    @property
    def _core(self) -> Transform:
        """The innermost link: what moves the parameters."""
        if self._overrides("update_step"):
            return lifted_update_step(self)
        return transform.follow(self)

    def _overrides(self, name: str) -> bool:
        """Whether a method is a subclass's own."""
        return getattr(type(self), name) is not getattr(Optimizer, name)

    def _chain(self, link: Transform) -> Transform:
        """The links that the hyper-parameters ask for, around the innermost one."""
        link = transform.decay_weights(link, self.decay_of, self._excluded)
        link = transform.chain(*self._clipping(), link)
        steps = self.gradient_accumulation_steps
        if steps:
            link = transform.accumulate(link, steps)
        if self.use_ema:
            every = self.ema_overwrite_frequency
            link = transform.average(link, self.ema_momentum, every, steps)
        if self.loss_scale_factor is not None:
            link = transform.chain(transform.unscale(self.loss_scale_factor), link)
        return transform.overwrite(transform.scheduled(link, self._learning_rate, self.name))

    def _clipping(self) -> list[Transform]:
        """The link that clips gradients, if one does."""
        limits = {name: getattr(self, name) for name in CLIPPING}
        if sum(limit is not None for limit in limits.values()) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
                f"Received: {limits}"
            )
        return [CLIPPING[name](limit) for name, limit in limits.items() if (limit or 0) > 0]

    def init(self, params: Tree, variables: Tree = None) -> State:
        """The state before the first step.

        Args:
            params: nested dicts or lists of arrays.
            variables: a tree like params of Keras variables, or of anything with `name` and `path`;
                by default names come from the tree's keys.
        """
        return self.transform.init(params, variables)

    def step(self, grads: Tree, state: State, params: Tree, variables: Tree = None):
        """One step: (new params, new state). Everything but the constraints of variables.

        Args:
            grads: tree like params; None where there is no gradient: that parameter stays.
            variables: as for `init`; decides what is excluded from weight decay. A subclass of
                yours with its own `update_step` or `apply` needs it where the optimizer was built
                for a model's variables.
        """
        return self.transform.step(grads, state, params, variables=variables)

    def update(self, grads: Tree, state: State, params: Tree = None, **extra: Any):
        """optax's interface: (updates, new state), where new params = params + updates."""
        return self.transform.update(grads, state, params, **extra)

    def finalize(self, state: State, params: Tree) -> Tree:
        """The parameters to keep after training: with `use_ema` their moving averages."""
        if self.use_ema:
            return state["ema"]
        return params

    def scale_loss(self, loss: Any, state: State | None = None) -> Any:
        """The loss to differentiate. `state`: of the pure interface, where the scale is part of
        it.
        """
        if self.loss_scale_factor is None:
            return loss
        return loss * self.loss_scale_factor

    def decay_of(self, p: Any, leaf: Leaf) -> float | None:
        """The weight decay of a parameter."""
        return self.weight_decay

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ):
        """Exempts variables from weight decay.

        Args:
            var_list: variables.
            var_names: regular expressions, searched for in names such as "bias".
        """
        pattern = "|".join(var_names or ()) or None
        self._exempt = frozenset(var_list or ()), pattern

    def _excluded(self, leaf: Leaf) -> bool:
        exempt, pattern = self._exempt
        return leaf.variable in exempt or bool(pattern and re.search(pattern, leaf.name))

    # ------------------------------------------------------------ steps done, learning rate

    @property
    def iterations(self) -> Variable | jax.Array:
        """The number of updates so far."""
        steps = self.gradient_accumulation_steps
        if steps:
            return self._iterations.value // steps
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The rate now: a variable, or the value of the schedule. Assign a float to change it."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return rate(self._iterations.value)
        if callable(rate):
            return rate()
        return rate

    @learning_rate.setter
    def learning_rate(self, value: Any):
        rate = self._learning_rate
        if rate is None:  # in the constructor, which checks it later
            object.__setattr__(self, "_learning_rate", value)
        elif callable(value):
            self._at.pop(("learning_rate",), None)
            self._variables = [v for v in self._variables if v is not rate]
            self._learning_rate = value
        elif isinstance(rate, Variable):
            rate.assign(value)
        else:
            raise TypeError(
                f"{self.name} was made with a schedule as its `learning_rate`, so the rate is not "
                "settable. Make the optimizer with a float `learning_rate` instead."
            )

    def learning_rate_of(self, state: State) -> jax.Array:
        """The learning rate of the step that comes after this state."""
        return rate_of(self._learning_rate, state)

    def with_learning_rate(self, state: State, learning_rate: Any) -> State:
        """The state with another learning rate; a TypeError where the rate is a schedule."""
        if "learning_rate" not in state:
            raise TypeError(
                f"{self.name}: the learning rate follows a schedule, so it cannot be set. Make the "
                "optimizer with a float `learning_rate`."
            )
        return {**state, "learning_rate": jnp.asarray(learning_rate, state["learning_rate"].dtype)}

    # ------------------------------------------------------------ steps on variables

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any):
        """Updates one variable and its slots; what a subclass of yours writes."""
        i, held = self._index[variable], self._at.items()
        variables = {a[1]: v for a, v in held if a[0] == "slots" and a[2] == i}
        scalars = {a[1]: v.value for a, v in held if a[0] == "scalars"}
        slots = {name: v.value for name, v in variables.items()}
        t = jnp.asarray(self.iterations) + 1
        g, rate = jnp.asarray(gradient), jnp.asarray(learning_rate)
        new, slots = move_leaf(self, g, variable.value, slots, scalars, rate, t)
        variable.assign(new)
        for name, value in slots.items():
            variables[name].assign(value)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Updates variables from pairs (gradient, variable). Returns the number of iterations."""
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError("Expected pairs (gradient, variable), received none.")
        grads, variables = zip(*pairs)
        self.apply(list(grads), list(variables))
        return self._iterations

    def apply(self, grads: Sequence, trainable_variables: Iterable[Variable] | None = None):
        """Updates variables from a list of gradients.

        Args:
            trainable_variables: list; by default those the optimizer was built for.
        Raises:
            ValueError: not built, another number of gradients, or variables it was not built for.
        """
        grads = [jnp.asarray(g) if isinstance(g, (list, tuple)) else g for g in grads]
        if not grads:
            return
        known = self._match(len(grads), trainable_variables)
        gradients = dict(zip(known, grads))
        _warn_of_missing(gradients)
        full = dict.fromkeys(self._trainable_variables) | gradients
        trained, own = self._trainable_variables, self.variables
        values = [v.value for v in own], [v.value for v in trained]
        new = self._compiled_step()(list(full.values()), *values)
        for variable, value in zip(trained + own, new[0] + new[1]):
            variable.assign(value)

    def _match(self, count: int, variables: Iterable[Variable] | None) -> list[Variable]:
        """The variables of the gradients, checked; builds where that is still to do."""
        if variables is None:
            self._require_built("apply(grads)")
            if count != len(self._trainable_variables):
                raise ValueError(
                    f"{self.name}: expected {len(self._trainable_variables)} gradients, one for "
                    f"each variable it was built for. Received {count}."
                )
            return self._trainable_variables
        variables = list(variables)
        if not self.built:
            self.build(variables)
        for v in variables:
            if v not in self._index:
                raise ValueError(
                    f"Unknown variable: {v}. {self.name} can only be called for the variables it "
                    "was built with; make a new optimizer for other variables."
                )
        return variables

    def _compiled_step(self) -> Callable:
        """The step on flat lists, compiled; made anew when a hyper-parameter was changed."""
        if self._overrides("update_step"):
            return self._flat_step
        constants = self.constants()
        if self._compiled is None or self._compiled[0] != constants:
            self._compiled = constants, jax.jit(self._flat_step)
        return self._compiled[1]

    def constants(self) -> tuple:
        """What a compiled step depends on besides arrays."""
        others = ("learning_rate", "inner_optimizer", "optimizer_map")
        fields = [repr(getattr(self, f.name)) for f in self._fields if f.name not in others]
        rate = self._learning_rate
        if isinstance(rate, Variable):
            rate = None
        return fields, rate, self._exempt, [v.constraint for v in self._trainable_variables]

    def _flat_step(
        self, grads: list, optimizer_variables: list, values: list, whole: Transform | None = None
    ):
        """One step on flat lists, with the constraints: (new values, new optimizer values)."""
        order, variables = self._order(), self._trainable_variables
        state = self.variables_to_state(optimizer_variables, values, order, variables)
        whole = whole or constrain(self._chain(self._core))
        new, state = whole.step(grads, state, values, variables=variables)
        return new, self.state_to_variables(state, order)

    def stateless_apply(
        self, optimizer_variables: Sequence, grads: Sequence, trainable_variables: Sequence
    ) -> tuple[list, list]:
        """The pure form on flat lists: (new trainable values, new optimizer values).

        Raises ValueError when not built, or for lists of another length than `optimizer.variables`
        and the list the optimizer was built with.
        """
        self._require_built("stateless_apply")
        want = len(self.variables), len(self._trainable_variables)
        if (len(optimizer_variables), len(trainable_variables)) != want:
            raise ValueError(
                f"{self.name}: expected lists of {want[0]} `optimizer_variables` and {want[1]} "
                f"`trainable_variables`. Received {len(optimizer_variables)} and "
                f"{len(trainable_variables)}."
            )
        lists = list(grads), list(optimizer_variables), list(trainable_variables)
        if self._overrides("apply"):  # which sees to the constraints
            return self._flat_step(*lists, self.transform)
        return self._flat_step(*lists)

    def finalize_variable_values(self, var_list: Iterable[Variable]):
        """With `use_ema`, gives variables their moving averages; at the end of training."""
        if not self.use_ema:
            return
        for v in var_list:
            v.assign(self._at["ema", self._index[v]].value)

    # ------------------------------------------------------------ configs and files

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the rate as a float or the config of its schedule."""
        rate = self._learning_rate
        fields = [f for f in self._fields if f.name != "learning_rate"]
        config = {f.name: f.kind.write(getattr(self, f.name)) for f in fields}
        if isinstance(rate, Variable):
            written = float(rate)
        else:
            written = serialize(rate)
        return {**config, "learning_rate": written}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Optimizer":
        """A new optimizer from `get_config()`."""
        config = dict(config)
        with CustomObjectScope(custom_objects):
            if isinstance(config.get("learning_rate"), dict):
                config["learning_rate"] = deserialize(config["learning_rate"])
            return cls(**config)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_compiled": None}


def _warn_of_missing(gradients: dict[Variable, Any]):
    missing = [v.path for v, g in gradients.items() if g is None]
    if 0 < len(missing) < len(gradients):
        warnings.warn(
            f"Gradients do not exist for variables {missing} when minimizing the loss. If "
            "using `model.compile()`, did you forget to provide a `loss` argument?",
            stacklevel=3,
        )
