"""Which variable of a model is which leaf of its `TrainState`."""

import collections
import functools
import itertools
import math
import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.core.layer import Layer
from jkeras.core.say.warning import warn
from jkeras.core.system.signals import whole
from jkeras.core.weights.by_variable import ByVariable, among, without
from jkeras.core.weights.first_values import first_array, put, zeros
from jkeras.core.weights.paths import named_variables, walk
from jkeras.core.weights.rng import SeedGenerator, key_from_seed
from jkeras.core.weights.structure import all_built, named_weights
from jkeras.core.weights.variable import Variable, values_of
from jkeras.kernel import losses, tree
from jkeras.kernel.scope import Flow
from jkeras.metrics.base import Metric
from jkeras.optimizers.by_path import build_by_path, takes_loss
from jkeras.training.step import nonfinite
from jkeras.training.data import placement
from jkeras.training.data.source import Batch
from jkeras.training.step.building import build_for_training
from jkeras.training.step.overrides import overrides
from jkeras.training.step.state import TrainState, copied, train_key
from jkeras.training.types import NamedVariables, Tree

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


METRICS = "/metrics"  # where they are beside a model's state: no layer has a slash in its name


class StateLayout:
    """Which variable of a model is which leaf of its `TrainState`. Made anew when `trainable` flags
    changed.

    Attributes:
        params, frozen, state, metrics: (path, variable) pairs of the parts of a state.
        counters: those pairs of `metrics` that count something beside the metrics.
        inner_metrics: those pairs of `state` that metrics inside layers count in.
        trainable: the variables that gradients reach, in Keras's order, the optimizer's.
        key: equal for layouts that compiled functions may share.
        stacked: the layout of states in which equal layers are stacked, once somebody asked for it.
        has_slots: whether the state of the optimizer lies in its variables, as the library's does.
        is_single: whether its states are those of one model, as a step is given them.

    Args:
        counts: whether seed generators count, as Keras's do: their states are in `state`. False:
            what is drawn follows from the state's `rng` and from paths.
    """

    is_single = True
    run_type: Any = None  # of passes on its states; None: as of any pass of the model

    def __init__(self, model: "Trainer", counts: bool = False) -> None:
        self.model = model
        self.counts = counts
        weights = self._named()
        self.trainable = model.trainable_variables
        self.params, self.frozen, self.state = _grouped(model, weights, self.trainable)
        self.counters = _counters(model)
        self.metrics = _metric_variables(model, weights) + self.counters
        inner = {id(v) for metric in model.metrics_of_layers() for v in metric.variables}
        self.inner_metrics = [(path, v) for path, v in self.state if id(v) in inner]
        self._places = self._initial = self.stacked = None
        self._line_up_optimizer(ByVariable((variable, path) for path, variable in weights))
        groups = (self.params, self.frozen, self.state, self.metrics)
        paths = [tuple(path for path, _ in group) for group in groups]
        self.key = (tuple(self.order), counts, *paths)

    def _named(self) -> NamedVariables:
        """(path, variable) of all that a state has of the model, generators where they count."""
        if self.counts:
            return named_variables(self.model)
        return named_weights(self.model)

    def _line_up_optimizer(self, paths: ByVariable) -> None:
        """`order`: the paths of the optimizer's variables; `resting`: those of them that are frozen
        now.
        """
        has_own = self.model.compilation.has_own_opt_state
        self.has_slots = self.model.optimizer is not None and not has_own
        self.optimized = among(self._known_to_optimizer(paths), paths)
        self.order = paths.of(self.optimized)
        moving = {path for path, _ in self.params}
        pairs = list(zip(self.order, self.optimized))
        self.resting = [(path, variable) for path, variable in pairs if path not in moving]
        self.variable_tree = tree.unflatten(pairs)

    def _known_to_optimizer(self, paths: ByVariable) -> list[Variable]:
        """The variables that the optimizer is built for; it is built again where layers were
        unfrozen since, or weights are gone.
        """
        optimizer = self.model.optimizer
        if not self.has_slots or not optimizer.built:
            return self.trainable
        known = optimizer.built_for
        # then it was built by hand as well
        by_hand = overrides(self.model, "train_step")
        has_changed = without(self.trainable, known) or len(among(known, paths)) < len(known)
        if not by_hand and has_changed:
            build_by_path(optimizer, self.trainable, paths.of(self.trainable))
            return self.trainable
        return known

    @functools.cached_property
    def generators(self) -> list[tuple[tuple[str, ...], SeedGenerator]]:
        """(path, seed generator) pairs."""
        return [(p, m) for p, m in walk(self.model) if isinstance(m, SeedGenerator)]

    @functools.cached_property
    def convolves(self) -> bool:
        """Whether a layer computes convolutions."""
        return any(isinstance(m, Layer) and m.traits.convolves for _, m in walk(self.model))

    @functools.cached_property
    def count_of_parameters(self) -> int:
        """The number of elements of the weights that are trained."""
        return sum(math.prod(variable.shape) for _, variable in self.params)

    @property
    def count_of_arrays(self) -> int:
        """The number of arrays in which a state has the weights."""
        return len(self.params) + len(self.frozen) + len(self.state)

    @staticmethod
    def signature(model: "Trainer") -> tuple:
        """What a layout depends on: the same signature, the same layout."""
        optimizer = model.optimizer
        weights = list(map(operator.itemgetter(1), named_weights(model)))
        return (
            list(map(id, weights)),
            list(map(operator.attrgetter("trainable"), weights)),
            model._trainable,
            id(optimizer),
            id(model.compilation.nonfinite_steps),
            getattr(optimizer, "built", False),
            tuple(map(id, model.compiled_metrics())),
        )

    def groups(self, state: TrainState) -> tuple[tuple[NamedVariables, Tree], ...]:
        """((path, variable) pairs, tree) for each part of a state that holds variables."""
        return (
            (self.params, state.params),
            (self.frozen, state.frozen),
            (self.state, state.state),
            (self.metrics, state.metrics),
        )

    # ------------------------------------------------------------ runs on a state

    def run(self, state: TrainState, **options: Any) -> Any:
        """A run of the model on the values of a state.

        Args:
            options: of the run; where generators count, the key that is its `rng` is for what is
                drawn without one, as in a `Lambda`.
        """
        run_type = self.run_type or self.model.flow_type
        run = run_type(
            self.model,
            params=tree.merge(state.params, state.frozen),
            state={**state.state, METRICS: state.metrics},
            is_built=True,
            **options,
        )
        run.counting = self.counts
        for path, variable in self.metrics:
            run.place(variable, (METRICS, *path))
        return run

    def after(self, run: Flow) -> tuple[Tree, Tree]:
        """(state, metrics): what a run left behind."""
        self._warn_of_dropped(run)
        state, _ = losses.split(run.new_state())
        metrics = state.pop(METRICS)
        return state, metrics

    def _warn_of_dropped(self, run: Flow) -> None:
        """Warns of frozen weights that their layers set: states carry none of them."""
        for (*owner, name), variable in self.frozen:
            if variable.learnable and name in run.updates.get(tuple(owner), ()):
                warn(
                    f"The weight '{variable.path}' is frozen, and its layer sets it in `call`: in "
                    "training its new value is dropped, where Keras carries it on. Make it with "
                    "`add_weight(…, trainable=False)`, which is carried on, or unfreeze it."
                )

    def updated(self, state: TrainState, run: Flow) -> TrainState:
        """A state with what a run changed in it."""
        kept, metrics = self.after(run)
        return state.replace(state=kept, metrics=metrics)

    # ------------------------------------------------------------ what other layouts do otherwise

    def mapped(self, function: Callable, kind: str, form: str) -> Callable:
        """A program of a step on the states that this layout describes."""
        return function

    def single(self, state: TrainState) -> TrainState:
        """The state of one model."""
        return state

    def of_step(self) -> "LazyLayout":
        """The layout of the states that a single step is given."""
        return LazyLayout(self.model, counts=self.counts)

    def whole(self, state: TrainState) -> TrainState:
        """A state as checkpoints have it, of one as loops have it."""
        return state

    def in_loops(self, state: TrainState) -> TrainState:
        """A state as loops have it, of one as checkpoints have it."""
        return state

    def seeds(self, seed: int, kind: str) -> int | tuple[int, ...]:
        """The seeds of the order of the data, for steps of a kind."""
        return seed

    def restart(self, seed: int, step: int | None) -> None:
        """Lets the random numbers of the training follow from a seed, at a step; None: the one that
        it has reached.
        """
        self.model.__dict__["_train_key"] = key_from_seed(seed)
        if step is not None:
            self.model.__dict__["_step"] = step

    # ------------------------------------------------------------ variables <-> state

    def gather(self, copies: bool = True) -> TrainState:
        """The state that the model's variables hold now; as copies, which a step may consume."""
        if self.has_slots:
            self.build_optimizer()
        state = placement.replicate(self._arranged(values_of(self.leaves())))
        return copied(state) if copies else state

    def abstract(self) -> TrainState:
        """The state as shapes, with how they lie over devices: for compiling without making any
        array.
        """
        if self.has_slots:
            self.build_optimizer()
        return self._arranged(
            [jax.ShapeDtypeStruct(v.shape, v.dtype, sharding=v.sharding) for v in self.leaves()]
        )

    def _arranged(self, arrays: Iterable[Any]) -> TrainState:
        """The state in which these arrays are those of `leaves()`, in that order."""
        arrays = list(arrays)
        parts = jax.tree_util.tree_map(arrays.__getitem__, self._places_of_parts)
        count = sum(map(len, (self.params, self.frozen, self.state, self.metrics)))
        optimizer = self._arranged_optimizer(arrays[count:])
        return TrainState(self._step(), *parts[:3], optimizer, parts[3], train_key(self.model))

    @functools.cached_property
    def _places_of_parts(self) -> list[Tree]:
        """Params, frozen, state and metrics of a state, with numbers in `leaves()` for arrays."""
        numbers, parts = itertools.count(), []
        for named in (self.params, self.frozen, self.state, self.metrics):
            parts.append(tree.unflatten(zip(map(operator.itemgetter(0), named), numbers)))
        return parts

    def _step(self) -> jax.Array:
        """The number of steps that the model has taken."""
        step = self.model._step
        return step if isinstance(step, jax.Array) else put(step, "int32")

    def _arranged_optimizer(self, arrays: list) -> Any:
        """The optimizer's state, with arrays for its variables."""
        model = self.model
        if model.optimizer is None:
            return ()
        if model.compilation.has_own_opt_state:
            state = model._opt_state
            if state is None:
                params = tree.unflatten((p, v.own_value()) for p, v in self.params)
                state = model.init_opt_state(params)
                model.set_untracked(_opt_state=state)
            return state
        # which variable stands where in the state: found by placing numbers instead of values
        if self._places is None:
            shapes = tree.unflatten(
                (p, jax.ShapeDtypeStruct(v.shape, v.dtype))
                for p, v in zip(self.order, self.optimized)
            )
            self._places = model.optimizer.variables_to_state(
                range(len(arrays)), shapes, self.order, self.variable_tree
            )
        return jax.tree_util.tree_map(arrays.__getitem__, self._places)

    def scatter(self, state: TrainState) -> None:
        """Puts a state's arrays into the variables; all of them are found before the first.

        Raises:
            ValueError: the state lacks some; nothing is changed.
        """
        values: list = []
        for named, arrays in self.groups(state):
            if named:
                paths = map(operator.itemgetter(0), named)
                values += zip(map(operator.itemgetter(1), named), tree.get_all(arrays, paths))
        if any(map(operator.is_, map(operator.itemgetter(1), values), itertools.repeat(None))):
            missing = [variable.path for variable, value in values if value is None]
            raise ValueError(
                f"The state lacks the values of the variables {missing[:5]} of model "
                f"'{self.model.name}'. Expected one of this model, as `init_train_state` makes."
            )
        values += self._optimizer_values(state)
        for variable, value in values:
            variable.held = value
        self.model.__dict__.update(_step=state.step, _train_key=state.rng)
        if self.model.optimizer is not None and self.model.compilation.has_own_opt_state:
            self.model.__dict__["_opt_state"] = state.opt_state

    def _optimizer_values(self, state: TrainState) -> list[tuple[Variable, Any]]:
        """(variable, array) pairs of an optimizer that keeps its state in variables."""
        if not self.has_slots:
            return []
        if self._places is None:
            self.build_optimizer()
        optimizer = self.model.optimizer
        arrays, treedef = jax.tree_util.tree_flatten(state.opt_state)
        places, of_places = jax.tree_util.tree_flatten(self._places)
        if of_places == treedef:
            values = list(arrays)
            for place, array in zip(places, arrays):
                values[place] = array
        else:
            values = optimizer.state_to_variables(state.opt_state, self.order)
        return list(zip(optimizer.variables, values, strict=True))

    def finalize(self) -> None:
        """Gives variables their moving averages at the end of a training, with `use_ema`."""
        self.model.optimizer.finalize_variable_values(self.trainable)

    def store(self, state: TrainState) -> None:
        """Keeps what an evaluation changes: metrics, and what the forward pass updates."""
        for named, values in ((self.metrics, state.metrics), (self.state, state.state)):
            for path, variable in named:
                variable.store(tree.get(values, path))

    def variables(self) -> list[Variable]:
        """All that holds arrays which a state owns."""
        return self.leaves()

    def leaves(self) -> list[Variable]:
        """The variables whose arrays a state has, in its order."""
        groups = self.params, self.frozen, self.state, self.metrics
        variables = list(map(operator.itemgetter(1), itertools.chain(*groups)))
        if self.has_slots:
            variables += self.model.optimizer.variables
        return variables

    def build_optimizer(self) -> None:
        """Builds the optimizer for the variables that it trains."""
        build_by_path(self.model.optimizer, self.optimized, self.order)

    def initial_opt_state(self, params: Tree) -> Any:
        """The optimizer's state before the first step."""
        if self.model.compilation.has_own_opt_state:
            return self.model.init_opt_state(params)
        resting = tree.unflatten((p, v.own_value()) for p, v in self.resting)
        return self.model.optimizer.init(tree.merge(params, resting), self.variable_tree)

    def update(
        self,
        grads: Tree,
        state: TrainState,
        loss: jax.Array | None = None,
        loss_of: Callable[[Tree], jax.Array] | None = None,
    ) -> tuple[Tree, Any]:
        """(new params, new optimizer state) for gradients of a state's params; frozen arrays that
        the optimizer knows stay as they are.

        Args:
            loss: the value whose gradients these are; None: the optimizer is not told.
            loss_of: the same loss of other params, for a line search.
        """
        if not self.params:
            return state.params, state.opt_state
        params = state.params
        if self.resting:
            still = tree.unflatten((p, tree.get(state.frozen, p)) for p, _ in self.resting)
            grads = tree.merge(grads, tree.unflatten((p, None) for p, _ in self.resting))
            params = tree.merge(params, still)
        told = {}
        if loss_of is not None and takes_loss(self.model.optimizer):
            told = {"value": loss, "value_fn": lambda params: loss_of(self._moving(params))}
        new, opt_state = self.model.optimizer.step(
            grads, state.opt_state, params, self.variables_of_step, **told
        )
        return self._moving(new), opt_state

    @property
    def variables_of_step(self) -> Tree:
        """The variables that a step updates, a tree like the params that it is given."""
        return self.variable_tree

    def _moving(self, params: Tree) -> Tree:
        """Without those that are frozen now."""
        if not self.resting:
            return params
        return tree.unflatten((p, tree.get(params, p)) for p, _ in self.params)

    def initial_metrics(self) -> Tree:
        """The totals of metrics that have seen nothing."""
        if self._initial is None:
            with jax.ensure_compile_time_eval():
                self._initial = tree.unflatten((p, self.first(v)) for p, v in self.metrics)
        return self._initial

    def first(self, variable: Variable) -> np.ndarray:
        """What a state has of a metric's variable before any update: zeros, which `reset_state`
        writes, as in Keras, whatever the initializer is; that where a reset of the user's is to
        come.
        """
        if self.resets_itself or among([variable], self._counting):
            return np.asarray(first_value(variable))
        return np.zeros(variable.shape, variable.dtype)

    @functools.cached_property
    def _counting(self) -> list[Variable]:
        """The variables of `counters`."""
        return [variable for _, variable in self.counters]

    @functools.cached_property
    def resets_itself(self) -> bool:
        """Whether the model, or one of its metrics, is reset by a method of the user's."""
        metrics = [*self.model.compiled_metrics(), *self.model.metrics_of_layers()]
        is_own = [type(metric).reset_state is not Metric.reset_state for metric in metrics]
        return overrides(self.model, "reset_metrics") or any(is_own)

    def reset_metrics(self, state: TrainState) -> TrainState:
        """The state with all metrics reset, those inside layers too: as if they had seen nothing,
        or as methods of the user's leave them.
        """
        fresh = self.initial_metrics()
        if self.resets_itself:
            state = self.reset_by_model(state)
            counters = tree.unflatten((path, tree.get(fresh, path)) for path, _ in self.counters)
            return state.replace(metrics=tree.merge(state.metrics, counters))
        state = state.replace(metrics=fresh)
        if not self.inner_metrics:
            return state
        kept = dict(tree.flatten(state.state))
        kept |= {path: self.first(v) for path, v in self.inner_metrics}
        return state.replace(state=tree.unflatten(kept.items()))

    def reset_by_model(self, state: TrainState) -> TrainState:
        """The state after the model's `reset_metrics`."""
        with self.run(state) as run:
            self.model.reset_metrics()
        return self.updated(state, run)


def _grouped(
    model: "Trainer", weights: NamedVariables, trainable: list[Variable]
) -> tuple[NamedVariables, NamedVariables, NamedVariables]:
    """(path, variable) pairs of the weights that gradients reach, of those that stay as they are,
    and of those that the forward pass updates.
    """
    chosen = set(map(id, trainable))
    carried = set(map(id, model.variables))
    for metric in model.metrics:
        carried.update(map(id, metric.variables))
    params, frozen, state = [], [], []
    for path, variable in weights:
        if id(variable) in chosen:
            params.append((path, variable))
        elif id(variable) in carried and _is_updated(variable):
            state.append((path, variable))
        else:
            # what a stateful RNN remembers is given to every step and not carried on, as in Keras
            # on JAX
            frozen.append((path, variable))
    return params, frozen, state


def _is_updated(variable: Variable) -> bool:
    """Whether the forward pass sets a variable that gradients do not reach."""
    return variable.is_updated or not variable.learnable


def _metric_variables(model: "Trainer", weights: NamedVariables) -> NamedVariables:
    """(path, variable) pairs of what the metrics of `compile` count in, but for those that are
    parts of the model.
    """
    inside = [variable for _, variable in weights]
    named = []
    counts = collections.Counter()
    for metric in model.compiled_metrics():
        name = metric.name
        if counts[name]:
            name = f"{name}_{counts[name]}"
        counts[metric.name] += 1
        outside = without(metric.variables, inside)
        named += [((name, *path), v) for path, v in metric.named_variables() if among([v], outside)]
    return named


def _counters(model: "Trainer") -> NamedVariables:
    """(path, variable) pairs of what counts beside the metrics."""
    counters = model.extra_counters()
    if model.compilation.nonfinite is not None:
        counters = [(nonfinite.COUNT, model.compilation.nonfinite_steps), *counters]
    return counters


def first_value(variable: Variable) -> jax.Array:
    """What a metric's variable holds before any update."""
    if variable.initializer is not None:
        return first_array(variable.initializer, variable.shape, variable.dtype)
    return zeros(variable.shape, variable.dtype)


class LazyLayout:
    """The `StateLayout` of a model: a given one, or made at once where its shapes are known, else
    with the first batch.
    """

    def __init__(
        self, model: "Trainer", layout: StateLayout | None = None, counts: bool = False
    ) -> None:
        self.model, self.layout, self.counts = model, layout, counts
        if layout is None and model.built and all_built(model):
            build_for_training(model)
            self.layout = StateLayout(model, counts)

    def of(self, batch: Batch) -> StateLayout:
        """The layout, for a batch of this form."""
        if self.layout is None:
            build_for_training(self.model, batch)
            self.layout = StateLayout(self.model, self.counts)
        return self.layout


def state_layout(model: "Trainer", from_key: bool = False) -> StateLayout:
    """Which variable of a model is which leaf of its `TrainState` now: of an ensemble, of that of
    all members.

    Args:
        from_key: whether what layers draw follows from a key; else it does of an ensemble and of a
            private training alone.
    """
    counts = not from_key and model.draws_as_keras
    last = model._last_layout
    signature = StateLayout.signature(model), counts
    if last is None or last[0] != signature:
        return _make_layout(model, counts)
    return last[1]


@whole
def _make_layout(model: "Trainer", counts: bool) -> StateLayout:
    layout = model.new_layout(counts)
    if layout.has_slots:
        layout.build_optimizer()
    model.set_untracked(_last_layout=((StateLayout.signature(model), counts), layout))
    return layout
