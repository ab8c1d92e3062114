"""The Keras shell of optimizers: `apply_gradients`, `learning_rate`, configs over a transform. It
computes nothing itself.
"""

import dataclasses
import re
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.say import shown
from jkeras.core.names import typed
from jkeras.core.errors import check_number
from jkeras.core.record import Any, Record
from jkeras.core.names.registry import deserialize, in_scope, serialize
from jkeras.core.session.settings import auto_name, floatx
from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.weights.variable import Variable
from jkeras.optimizers import applying, transform
from jkeras.optimizers.fields import optimizer
from jkeras.optimizers.lifting import lifted_apply, lifted_update_step
from jkeras.optimizers.schedules import LearningRateSchedule
from jkeras.optimizers.transform.leaves import Leaf
from jkeras.optimizers.transform.pair import State, Transform, Tree
from jkeras.optimizers.transform.schedule import rate_of, wrong_rate
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
        global_clipnorm: largest norm of all gradients together. Only one of the three may be set.
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
    _: dataclasses.KW_ONLY  # for type checkers: the common ones are passed by name
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

    _internal = shown.OPTIMIZER
    _learning_rate = None  # until the constructor gets one
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
        self._at, self._index, self._compiled = {}, ByVariable(), None
        self._iterations = self._own(np.int32(0), "iteration")
        if not callable(rate):
            rate = self._held_rate(rate)
        self._learning_rate = rate
        self._chain(transform.follow(self))  # each link checks its own arguments
        self.check()

    def _held_rate(self, rate: float) -> Variable:
        if not isinstance(rate, (float, np.floating)):
            raise wrong_rate(rate, self.name)
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

    def is_elementwise(self) -> bool:
        """Whether what a step does to an element of a parameter depends on no other element of it,
        nor on which parameter it is.
        """
        knows_parameters = self.clipnorm is not None or any(self._exempt)
        has_own = self._overrides("apply") or self._overrides("update_step")
        return self.rule_is_elementwise and not knows_parameters and not has_own

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
        link = transform.overwrite(link, steps)
        return transform.scheduled(link, self._learning_rate, self.name)

    def _clipping(self) -> list[Transform]:
        """The link that clips gradients, if one does."""
        limits = {name: getattr(self, name) for name in CLIPPING}
        if sum(limit is not None for limit in limits.values()) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
                f"Received: {limits}"
            )
        return [CLIPPING[name](limit) for name, limit in limits.items() if _limits(limit)]

    def init(self, params: Tree, variables: Tree = None) -> State:
        """The state before the first step.

        Args:
            params: nested dicts or lists of arrays.
            variables: a tree like params of Keras variables, or of anything with `name` and `path`;
                by default names come from the tree's keys.
        """
        return self.transform.init(params, variables)

    def step(self, grads: Tree, state: State, params: Tree, variables: Tree = None, **extra: Any):
        """One step: (new params, new state). Everything but the constraints of variables.

        Args:
            grads: tree like params; None where there is no gradient: that parameter stays.
            variables: as for `init`; decides what is excluded from weight decay. A subclass of
                yours with its own `update_step` or `apply` needs it where the optimizer was built
                for a model's variables.
            extra: what an optax transformation inside wants besides, such as `value=`.
        """
        return self.transform.step(grads, state, params, variables=variables, **extra)

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
        if leaf.variable in exempt:
            return True
        return pattern is not None and re.search(pattern, leaf.name) is not None

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
                "This optimizer was created with a `LearningRateSchedule` as its `learning_rate`, "
                f"so the rate of {self.name} is not settable. Make it with a float `learning_rate`."
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

    update_step = applying.update_step
    apply_gradients = applying.apply_gradients
    apply = applying.apply
    stateless_apply = applying.stateless_apply
    constants = applying.constants
    flat_step = applying.flat_step
    finalize_variable_values = applying.finalize_variable_values

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
        with in_scope(custom_objects or None):
            if isinstance(config.get("learning_rate"), dict):
                config["learning_rate"] = deserialize(config["learning_rate"])
            return cls(**config)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_compiled": None}


def _limits(limit: float | None) -> bool:
    """Whether a number is one to clip by; a traced one is."""
    if isinstance(limit, jax.core.Tracer):
        return True
    if limit is not None:
        check_number("the limit of a clip", limit)
    return limit is not None and limit > 0
