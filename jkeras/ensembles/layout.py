"""Which variable of a model is which leaf of the `TrainState` of an ensemble."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.weights.rng import key_from_seed
from jkeras.core.session.settings import settings
from jkeras.core.session.spread import spread
from jkeras.core.weights.variable import Variable
from jkeras.kernel import tree
from jkeras.ops.kernels import on_cpu
from jkeras.training.data import placement
from jkeras.training.loop.recording import KEY
from jkeras.ensembles.members import ACTIVE, Members, OneOfMany
from jkeras.training.step.initial_state import fresh_array
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.state import TrainState, copied
from jkeras.training.types import Logs, Tree

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


class MembersLayout(StateLayout):
    """The `StateLayout` of a model that is an ensemble: its states have the members as their first
    axis. The model's variables hold the first member.
    """

    is_single = False

    def __init__(self, model: "Trainer", members: Members) -> None:
        super().__init__(model)
        self.members = members
        self._groups = self.key
        self.key = (self.key, members.size, members.own_order)
        self._frozen_ndims = {path: len(variable.shape) for path, variable in self.frozen}
        members.layout = self

    # ------------------------------------------------------------ the states of members

    def begin(self, seed: int) -> None:
        """Gives each member trainable weights of its own, those that `init_train_state` makes of
        the key of `seed + number`; all else is as the model holds it.
        """
        # one after the other, by what was compiled when the model was built: a program of all would
        # take longer to compile than they take to run
        params, opt_state = stacked([self._fresh(key) for key in self._single_keys(seed)])
        held = super().gather(copies=False)
        state = TrainState(
            self._for_each(np.zeros((), "int32")),
            params,
            held.frozen,
            self._for_each(held.state),
            opt_state,
            self.initial_metrics(),
            self._keys(seed),
        )
        self.scatter(copied(state))

    def restart(self, seed: int, step: int | None) -> None:
        """Lets the random numbers of the members follow from a seed, at a step; None: the one that
        they have reached.
        """
        state = self.gather(copies=False).replace(rng=self._keys(seed))
        if step is not None:
            state = state.replace(step=jax.device_put(np.full(self.members.size, step, "int32")))
        self.scatter(state)

    def activate(self) -> None:
        """Lets all members be trained, those too that a training before has stopped."""
        state = self.gather(copies=False)
        active = tree.unflatten([(ACTIVE, jax.device_put(np.ones(self.members.size, bool)))])
        self.scatter(state.replace(metrics=tree.merge(state.metrics, active)))

    def seeds(self, seed: int, kind: str) -> int | tuple[int, ...]:
        """The seeds of the orders of the data: one for each member, or one for all."""
        if not self._has_own_order(kind):
            return seed
        return tuple(seed + number for number in range(self.members.size))

    def _has_own_order(self, kind: str) -> bool:
        return self.members.own_order and kind == "train"

    def _keys(self, seed: int) -> jax.Array:
        return jax.device_put(np.stack(self._single_keys(seed)))

    def _single_keys(self, seed: int) -> list[jax.Array]:
        return [key_from_seed(seed + number) for number in range(self.members.size)]

    def _fresh(self, key: jax.Array) -> tuple[Tree, Any]:
        params = tree.unflatten((path, fresh_array(path, v, key)) for path, v in self.params)
        return params, self.initial_opt_state(params)

    def _for_each(self, values: Any) -> Any:
        """Values for each member the same."""
        size = self.members.size
        return jax.tree_util.tree_map(
            lambda v: jax.device_put(np.stack([placement.to_host(v)] * size)), values
        )

    # ------------------------------------------------------------ variables <-> state

    def gather(self, copies: bool = True) -> TrainState:
        """The state of the members, with what variables were set to since the first was put there.

        Raises:
            ValueError: a weight was assigned, which belongs to no member.
        """
        state = self.members.state
        if self.members.origin != self._origin():
            state = self._regrouped(state)
        if self.members.shown is None:
            self._take_note_of_copy(state)
        if any(variable.held is not value for variable, value in self.members.shown):
            assigned = self._arranged(map(_Assigned, self.leaves()))
            state = jax.tree_util.tree_map(self._with_assigned, state, assigned)
        state = self._placed(state)
        return copied(state) if copies else state

    def scatter(self, state: TrainState) -> None:
        """Takes the state of the members, and shows the first of them in the variables."""
        super().scatter(self.single(state))
        self.members.held = state
        self.members.origin = self._origin()
        self._take_note()
        refuse = OneOfMany(self.model.name)
        for _, variable in [*self.params, *self.state]:
            variable.guard = refuse
        for path, variable in self.frozen:
            variable.guard = None if self._is_shared(path, tree.get(state.frozen, path)) else refuse

    def unguard(self) -> None:
        """Lets the weights be assigned again."""
        for _, variable in [*self.params, *self.frozen, *self.state]:
            variable.guard = None

    def _take_note(self) -> None:
        """Remembers what the variables hold."""
        self.members.shown = ByVariable((v, v.own_value()) for v in super().variables())

    def _take_note_of_copy(self, state: TrainState) -> None:
        """The same for a copy of the model, whose variables may have been set since it was made."""
        now = [(variable, variable.own_value()) for variable in super().variables()]
        super().scatter(self.single(state))
        self._take_note()
        for variable, value in now:
            may_be_nan = jax.numpy.issubdtype(value.dtype, jax.numpy.floating)
            if not np.array_equal(value, variable.own_value(), equal_nan=may_be_nan):
                variable.held = value

    def store(self, state: TrainState) -> None:
        """Keeps metrics and state after an evaluation."""
        self.scatter(self.members.state.replace(metrics=state.metrics, state=state.state))

    def variables(self) -> list:
        """All that holds arrays which a state owns."""
        return [*super().variables(), self.members]

    def single(self, state: TrainState, number: int = 0) -> TrainState:
        """The state of one member."""
        shared = [(p, v) for p, v in tree.flatten(state.frozen) if self._is_shared(p, v)]
        paths = {path for path, _ in shared}
        of_each = tree.unflatten(p_v for p_v in tree.flatten(state.frozen) if p_v[0] not in paths)
        one = taken(state.replace(frozen=of_each), number)
        return one.replace(frozen=tree.merge(one.frozen, tree.unflatten(shared)))

    def axes(self, state: TrainState) -> TrainState:
        """The numbers of the members' axes in a state; -1 where they share an array."""
        frozen = [(p, -self._is_shared(p, v)) for p, v in tree.flatten(state.frozen)]
        return TrainState(0, 0, tree.unflatten(frozen), 0, 0, 0, 0)

    def _mapped_axes(self, state: TrainState) -> TrainState:
        """The same as `jax.vmap` takes them."""
        axes = self.axes(state)
        frozen = jax.tree_util.tree_map(lambda a: None if a < 0 else a, axes.frozen)
        return axes.replace(frozen=frozen)

    def _is_shared(self, path: tree.Path, value: jax.Array) -> bool:
        """Whether a frozen array is one for all members."""
        return value.ndim == self._frozen_ndims[path]

    def reset_metrics(self, state: TrainState) -> TrainState:
        """The state with all metrics as if they had seen nothing; who is active stays so."""
        active = tree.unflatten([(ACTIVE, tree.get(state.metrics, ACTIVE))])
        state = super().reset_metrics(state)
        return self._placed(state.replace(metrics=tree.merge(state.metrics, active)))

    def reset_by_model(self, state: TrainState) -> TrainState:
        """The state after the model's `reset_metrics` of each member."""
        reset = super().reset_by_model
        axes = self._mapped_axes(state)
        of_all = jax.vmap(lambda one: reset(one).replace(frozen=one.frozen), (axes,), axes)
        with placement.undistributed():
            return of_all(state)

    def first(self, variable: Variable) -> np.ndarray:
        """What the members have of a metric's variable before any update."""
        one = super().first(variable)
        return np.broadcast_to(one, (self.members.size, *one.shape))

    def finalize(self) -> None:
        """Gives each member its moving averages at the end of a training, with `use_ema`."""
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if not optimizer.use_ema:
            return
        state = self.gather(copies=False)
        params = []
        self.unguard()  # until the members' weights are scattered
        for number in range(self.members.size):
            super().scatter(self.single(state, number))
            super().finalize()
            params.append(super().gather(copies=False).params)
        self.scatter(state.replace(params=stacked(params)))

    def _with_assigned(self, members: jax.Array, variable: Any) -> jax.Array:
        """A leaf of the members' state where the variable that shows the first may have been
        assigned.
        """
        if not isinstance(variable, _Assigned) or variable.is_shown(self.members.shown):
            return members
        variable = variable.variable
        value = variable.own_value()
        if members.ndim == value.ndim:
            return value  # all members share it
        if any(variable is weight for _, weight in [*self.params, *self.state, *self.frozen]):
            OneOfMany(self.model.name)(variable)  # a model that shares a layer was trained
        return self._for_each(value)

    def _regrouped(self, state: TrainState) -> TrainState:
        """A state that was made for other `trainable` flags or another optimizer."""
        leaves = dict(tree.flatten(tree.merge(state.params, state.frozen, state.state)))

        def of_each(named: Any) -> Tree:
            pairs = [(path, leaves[path], len(variable.shape)) for path, variable in named]
            return tree.unflatten(
                (path, value if value.ndim > ndim else self._for_each(value))
                for path, value, ndim in pairs
            )

        params = of_each(self.params)
        frozen = tree.unflatten((path, leaves[path]) for path, _ in self.frozen)
        opt_state = state.opt_state
        if self.members.origin[1:] != self._origin()[1:]:
            opt_state = stacked([self.initial_opt_state(one) for one in self._apart(params)])
        metrics = self.initial_metrics()
        state = TrainState(
            state.step, params, frozen, of_each(self.state), opt_state, metrics, state.rng
        )
        self.scatter(state)
        return state

    def _apart(self, values: Any) -> list:
        """The values of each member."""
        return [taken(values, number) for number in range(self.members.size)]

    def _origin(self) -> tuple:
        """What a state is made for: (groups of paths, optimizer, paths of its variables)."""
        return self._groups, self.model.optimizer, tuple(self.order)

    def _placed(self, state: TrainState) -> TrainState:
        """The members over the devices of a distribution, where they can be cut evenly."""
        if settings.distribution is None:
            return state
        axes = self.axes(state)

        def put(value: jax.Array, axis: int = 0) -> jax.Array:
            if axis < 0:
                return placement.replicate(value)
            return spread(value, placement.layout_of(value.shape))

        frozen = jax.tree_util.tree_map(put, state.frozen, axes.frozen)
        return jax.tree_util.tree_map(put, state.replace(frozen={})).replace(frozen=frozen)

    # ------------------------------------------------------------ programs

    def mapped(self, function: Callable, kind: str, form: str) -> Callable:
        """A program of a single training as one of all members; see `programs.Programs.get`."""
        own = 0 if self._has_own_order(kind) else None
        data_axes = (own, None) if form == "one" else (None, own, None, None)

        def single(state: TrainState, *data: Any) -> tuple[TrainState, Logs]:
            new, logs = function(state, *data)
            return new.replace(frozen=state.frozen), logs  # which no step changes

        @functools.wraps(function)
        def of_all(state: TrainState, *data: Any) -> tuple[TrainState, Logs]:
            axes = self._mapped_axes(state)
            over_members = jax.vmap(single, (axes, *data_axes), (axes, 0))
            with placement.undistributed():
                state, logs = over_members(state, *data)
            return state, with_means(logs)

        return of_all


def taken(states: Any, number: int) -> Any:
    """What stands at an index of the first axis, in arrays of its own."""
    if not on_cpu() or settings.distribution is not None:
        return _taken(states, number)
    # a view would keep the training from consuming the array
    own = jax.tree_util.tree_map(lambda v: np.array(np.asarray(v)[number]), states)
    return jax.device_put(own)


@jax.jit
def _taken(states: Any, number: int) -> Any:
    return jax.tree_util.tree_map(
        lambda v: jax.lax.dynamic_index_in_dim(v, number, keepdims=False), states
    )


def stacked(values: list) -> Any:
    """The values of members, which become the first axis."""
    return jax.tree_util.tree_map(
        lambda *of_each: jax.device_put(np.stack([placement.to_host(v) for v in of_each])), *values
    )


class _Assigned:
    """Stands for a variable where its array would be."""

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def is_shown(self, shown: ByVariable) -> bool:
        """Whether the variable holds what was assigned."""
        return shown.has(self.variable) and shown.find(self.variable) is self.variable.held


def with_means(logs: Logs) -> Logs:
    """The means of logs over the members, and "…_members", the logs of each; records of steps as
    they are, with the members as their first axis.

    >>> sorted(with_means({"loss": np.ones(3)}))
    ['loss', 'loss_members']
    """
    logs = dict(logs)
    records = {KEY: logs.pop(KEY)} if KEY in logs else {}
    means = {name: jax.tree_util.tree_map(lambda v: v.mean(0), v) for name, v in logs.items()}
    return means | {f"{name}_members": value for name, value in logs.items()} | records
