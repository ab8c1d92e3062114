"""Keras's own contract for JAX: a model's `train_step(self, state, data)` over flat lists of
values.

`state` is (trainable, non-trainable, optimizer, metrics variables); a step returns `(logs, state)`.
Models that override a step are run through here; the default steps below serve those that call
`super()`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.run.scopes import with_outer_values
from jkeras.core.weights.by_variable import ByVariable, among, without
from jkeras.core.weights.variable import Variable
from jkeras.kernel import tree
from jkeras.kernel.keys import key_of_path
from jkeras.training.data.source import Batch, unpack
from jkeras.training.step.loss_and_logs import compute_loss, update_metrics
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs, Structure, Values

if TYPE_CHECKING:
    from jkeras.training.step.compile_loss import CompileLoss
    from jkeras.training.step.layout import LazyLayout, StateLayout
    from jkeras.training.shell.trainer import Trainer


class Lists:
    """A `TrainState` as Keras's flat lists, and back."""

    def __init__(self, model: "Trainer", layout: "StateLayout") -> None:
        self.model, self.layout = model, layout
        self.trainable, self.fixed = model.trainable_variables, model.non_trainable_variables
        self.metrics = model.metrics_variables

    def values(self, state: TrainState) -> Values:
        """All variables' values; seed generators that do not count start from the step's key."""
        values = ByVariable(
            (variable, tree.get(group, path))
            for named, group in self.layout.groups(state)
            for path, variable in named
        )
        if self.layout.counts:
            return values
        rng = jax.random.fold_in(state.rng, state.step)
        for path, generator in self.layout.generators:
            key = key_of_path(rng, "/".join(path))
            if jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key):
                key = jax.random.key_data(key)
            values.set(generator.state, key)
        return values

    def split(self, values: Values, opt_state: Any) -> tuple[list[jax.Array], ...]:
        """(trainable, non-trainable, optimizer, metrics) lists."""
        optimizer = self.model.optimizer
        slots = []
        if optimizer is not None:
            slots = optimizer.state_to_variables(opt_state, self.layout.order)
        trainable, fixed = values.of(self.trainable), values.of(self.fixed)
        return trainable, fixed, slots, values.of(self.metrics)

    def join(
        self,
        state: TrainState,
        trainable: list[jax.Array],
        fixed: list[jax.Array],
        metrics: list[jax.Array],
        slots: list[jax.Array] | None = None,
        step: int = 0,
    ) -> "TrainState":
        """The state with the lists' values in it."""
        values = mapping((self.trainable, trainable), (self.fixed, fixed), (self.metrics, metrics))
        trees = []
        for named, old in self.layout.groups(state):
            new = ((path, values.find(variable)) for path, variable in named)
            trees.append(tree.unflatten((p, tree.get(old, p) if x is None else x) for p, x in new))
        opt_state = state.opt_state
        if slots is not None:
            shapes = tree.unflatten(
                (p, jax.ShapeDtypeStruct(v.shape, v.dtype))
                for p, v in zip(self.layout.order, self.layout.optimized)
            )
            opt_state = self.model.optimizer.variables_to_state(
                slots, shapes, self.layout.order, self.layout.variable_tree
            )
        params, frozen, kept, metrics = trees
        return state.replace(
            step=state.step + step,
            params=params,
            frozen=frozen,
            state=kept,
            opt_state=opt_state,
            metrics=metrics,
        )


def train_step(model: "Trainer", lazy_layout: "LazyLayout") -> Callable:
    """The pure step of a model that overrides `train_step`."""

    def step(state: TrainState, batch: Batch) -> tuple["TrainState", Logs]:
        lists = Lists(model, lazy_layout.of(batch))
        values = lists.values(state)
        with model.flow_type(model, ByVariable(values), training=True):
            logs, (trainable, fixed, slots, metrics) = model.train_step(
                lists.split(values, state.opt_state), _shortest(batch)
            )
        return lists.join(state, trainable, fixed, metrics, slots, step=1), logs

    return step


def test_step(model: "Trainer", lazy_layout: "LazyLayout") -> Callable:
    """The pure step of a model that overrides `test_step`."""

    def step(state: TrainState, batch: Batch) -> tuple["TrainState", Logs]:
        lists = Lists(model, lazy_layout.of(batch))
        values = lists.values(state)
        trainable, fixed, _, metrics = lists.split(values, state.opt_state)
        with model.flow_type(model, ByVariable(values), training=False):
            logs, (trainable, fixed, metrics) = model.test_step(
                (trainable, fixed, metrics), _shortest(batch)
            )
        return lists.join(state, trainable, fixed, metrics), logs

    return step


def predict_step(
    model: "Trainer", variables: list[Variable], values: list[jax.Array], x: Structure
) -> Structure:
    """The outputs that a model's own `predict_step` gives for values of its variables."""
    chosen = model.trainable_variables
    values = ByVariable(zip(variables, values))
    trainable = values.of(among(variables, chosen))
    fixed = values.of(without(variables, chosen))
    with model.flow_type(model, values, training=False):
        return model.predict_step((trainable, fixed), (x,))[0]


def _shortest(batch: Batch) -> tuple:
    """A batch as the user's step expects it: `(x, y)` where there are no weights, `(x,)` where
    there are no labels.
    """
    batch = tuple(batch)
    while len(batch) > 1 and batch[-1] is None:
        batch = batch[:-1]
    return batch


# ---------------------------------------------------------------- the default steps, on lists


def default_train_step(
    model: "Trainer", state: tuple[list, ...], data: Structure
) -> tuple[Logs, tuple]:
    """What `super().train_step(state, data)` does."""
    trainable, fixed, slots, metrics = state
    x, y, sample_weight = unpack(data)

    def loss_of(trainable: list[jax.Array]) -> tuple[jax.Array, tuple]:
        return loss_and_updates(model, (trainable, fixed, metrics), (x, y, sample_weight), True)

    grads, (loss, y_pred, fixed, metrics) = jax.grad(loss_of, has_aux=True)(trainable)
    trainable, slots = model.optimizer.stateless_apply(slots, grads, trainable)
    logs, metrics = metric_updates(model, metrics, loss, x, y, y_pred, sample_weight)
    return logs, (trainable, fixed, slots, metrics)


def default_test_step(
    model: "Trainer", state: tuple[list, ...], data: Structure
) -> tuple[Logs, tuple]:
    """What `super().test_step(state, data)` does."""
    trainable = state[0]
    x, y, sample_weight = unpack(data)
    _, (loss, y_pred, fixed, metrics) = loss_and_updates(model, state, (x, y, sample_weight))
    logs, metrics = metric_updates(model, metrics, loss, x, y, y_pred, sample_weight)
    return logs, (trainable, fixed, metrics)


def loss_and_updates(
    model: "Trainer",
    state: tuple[list, list, list],
    batch: tuple[Structure, Structure, Structure],
    training: bool = False,
) -> tuple[jax.Array, tuple]:
    """The loss on flat lists: `(loss, (loss, y_pred, non-trainable values, metric values))`.

    Args:
        state: (trainable, non-trainable, metrics).
        batch: (x, y, sample_weight).
    """
    x, y, sample_weight = batch
    with model.flow_type(model, _values_of(model, state), training=training) as run:
        y_pred = run.call(model, (x,), {}, bare=True)
        loss = compute_loss(model, x, y, y_pred, sample_weight, training)
    kept = run.values.of(model.non_trainable_variables)
    return loss, (loss, y_pred, kept, metric_values(model, run))


def _values_of(model: "Trainer", state: tuple[list, list, list]) -> Values:
    """The values of a model's variables, of flat lists."""
    trainable, fixed, metrics = state
    return mapping(
        (model.trainable_variables, trainable),
        (model.non_trainable_variables, fixed),
        (model.metrics_variables, metrics),
    )


def metric_updates(
    model: "Trainer",
    metrics: list[jax.Array],
    loss: jax.Array,
    x: Structure,
    y: Structure,
    y_pred: Structure,
    sample_weight: Structure,
) -> tuple[Logs, list[jax.Array]]:
    """(logs, metric values) after a batch."""
    values = with_outer_values(mapping((model.metrics_variables, metrics)))
    run = model.flow_type(model, values)
    logs = update_metrics(run, loss, (x, y, sample_weight), y_pred)
    return logs, metric_values(model, run)


def metric_values(model: "Trainer", run: Any) -> list[jax.Array]:
    """The values of the metrics after a run."""
    variables = model.metrics_variables
    if without(variables, run.values):
        raise ValueError(
            f"The metrics of model '{model.name}' were made only in this step, so the state that "
            f"it was given lacks their values: it has {len(variables)} `metrics_variables` now. "
            "Call `test_on_batch` once before the state is collected."
        )
    return run.values.of(variables)


def mapping(*pairs) -> Values:
    """Values by variable, of lists of variables and values."""
    return ByVariable(entry for variables, values in pairs for entry in zip(variables, values))


def build_losses_by_call(
    model: "Trainer", losses: "CompileLoss", x: Structure, y: Structure, y_pred: Structure
) -> None:
    """Builds the compiled losses for what the model's own `compute_loss` gives them, which need not
    be the labels and outputs as they are.

    Args:
        losses: the compiled ones.
        x, y, y_pred: shapes.
    """

    def call(x, y, y_pred):
        with model.flow_type(model, mapping(), training=True), losses.built_by_call():
            return compute_loss(model, x, y, y_pred, None, True)

    jax.eval_shape(call, x, y, y_pred)


def stateless_compute_loss(
    model: "Trainer",
    state: tuple[list, list, list],
    batch: tuple[Structure, Structure, Structure],
    y_pred: Structure,
    training: bool,
) -> tuple[jax.Array, tuple[list, list, list]]:
    """`compute_loss` on flat lists: `(loss, (trainable, non-trainable, metrics))`.

    Args:
        state: (trainable, non-trainable, metrics).
        batch: (x, y, sample_weight).
    """
    x, y, sample_weight = batch
    with model.flow_type(model, _values_of(model, state), training=training) as run:
        loss = compute_loss(model, x, y, y_pred, sample_weight, training)
    return loss, (
        list(state[0]),
        run.values.of(model.non_trainable_variables),
        run.values.of(model.metrics_variables),
    )
