"""The pure steps: `(TrainState, batch) -> (TrainState, logs)`. jit, vmap, scan, differentiate and
shard them.
"""

import inspect
import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.kernel.scope import Flow
from jkeras.core.call import masks_of
from jkeras.core.graph import flatten
from jkeras.kernel import tree
from jkeras.kernel.microbatch import Microbatch
from jkeras.kernel.valid_rows import count_valid_rows, expand_like
from jkeras.training import keras_contract
from jkeras.training.batch_independence import size_of
from jkeras.training.data.source import Batch
from jkeras.training.layout import LazyLayout, StateLayout
from jkeras.training.nonfinite import guarded
from jkeras.training.state import TrainState
from jkeras.training.types import Logs, Structure, Tree

if typing.TYPE_CHECKING:
    from jkeras.training.trainer import Trainer


def unpack(batch: typing.Any) -> Batch:
    """(x, y, sample_weight) of a batch given as x, (x,), (x, y) or (x, y, sample_weight)."""
    if isinstance(batch, list):
        batch = tuple(batch)
    if not isinstance(batch, tuple):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, "
            f"found a tuple of length {len(batch)}."
        )
    return (*batch, None, None)[:3]


def make_train_step(model: "Trainer") -> Callable[..., tuple[TrainState, Logs]]:
    """The training step of a compiled model, as a pure function.

    The model's `trainable` flags are read now. Overridden `compute_loss`, `compute_metrics` and
    `train_step` count.

    Returns:
        `step(state, batch, rows=None) -> (state, logs)`: `batch` is `(x, y)` or `(x, y,
        sample_weight)`; `logs` a dict of device scalars with "loss" and each metric, which are
        means since the metrics were reset. `rows`: which rows of the batch are valid, booleans,
        where some are padding; not for a `train_step` of your own.

    >>> import jkeras, jax, jax.numpy as jnp
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> state = jkeras.training.init_train_state(model, jax.random.key(0))
    >>> state, logs = jax.jit(make_train_step(model))(state, (jnp.ones((4, 3)), jnp.ones((4, 1))))
    >>> sorted(logs), int(state.step)
    (['loss'], 1)
    """
    _require(model, optimizer=True)
    return guarded(_unguarded(model), model)


def _unguarded(model: "Trainer") -> Callable[..., tuple[TrainState, Logs]]:
    own = getattr(model, "pure_train_step", None)
    if own is not None:
        return own
    if keras_contract.overrides(model, "train_step"):
        return keras_contract.train_step(model, LazyLayout(model))
    from jkeras.training.microbatches import MicrobatchStep

    if model.microbatches == 1:
        return TrainStep(LazyLayout(model))
    return MicrobatchStep(LazyLayout(model))


class Forward(typing.NamedTuple):
    """What a forward pass of a step leaves behind.

    Attributes:
        loss: before it is scaled.
        masks: of the outputs.
        state, metrics: as in `TrainState`.
    """

    loss: jax.Array
    y_pred: Structure
    masks: Structure
    state: Tree
    metrics: Tree


class TrainStep:
    """One step: gradients of `compute_loss`, the optimizer's update, constraints, metrics."""

    def __init__(self, lazy_layout: "LazyLayout") -> None:
        self.lazy_layout = lazy_layout
        self.model = lazy_layout.model

    def __call__(
        self, state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        self.layout = self.lazy_layout.of(batch)
        batch = unpack(batch)
        rng = jax.random.fold_in(state.rng, state.step)
        gradient = jax.grad(self.loss, has_aux=True)
        grads, forward = gradient(state.params, state, batch, rng, valid_rows=rows)
        params, opt_state = self.layout.update(grads, state)
        state = state._replace(
            step=state.step + 1,
            params=self._constrain(params),
            state=forward.state,
            opt_state=opt_state,
            metrics=forward.metrics,
        )
        run = self.layout.run(state, valid_rows=rows)
        logs = update_metrics(run, forward.loss, batch, forward.y_pred)
        return self.layout.updated(state, run), logs

    def loss(
        self,
        params: Tree,
        state: TrainState,
        batch: Batch,
        rng: jax.Array,
        training: bool = True,
        valid_rows: jax.Array | None = None,
        microbatch: Microbatch | None = None,
    ) -> tuple[jax.Array, Forward]:
        """The loss to differentiate, and what the forward pass left behind (`Forward`)."""
        model = self.model
        x, y, sample_weight = batch
        run = self.layout.run(
            state._replace(params=params),
            rng=rng,
            training=training,
            valid_rows=valid_rows,
            microbatch=microbatch,
        )
        with run:
            y_pred = run.forward(x)
            masks = masks_of(y_pred, run.mask_of)
            loss = scaled = compute_loss(model, x, y, y_pred, sample_weight, training)
            if training:
                scaled = model.optimizer.scale_loss(loss, state.opt_state)
        return scaled, Forward(loss, y_pred, masks, *self.layout.after(run))

    def _constrain(self, params: Tree) -> Tree:
        constraints = [(p, v.constraint) for p, v in self.layout.params if v.constraint is not None]
        if not constraints:
            return params
        leaves = dict(tree.flatten(params))
        for path, constraint in constraints:
            leaves[path] = constraint(leaves[path]).astype(leaves[path].dtype)
        return tree.unflatten(leaves.items())


def compute_loss(
    model: "Trainer",
    x: Structure,
    y: Structure,
    y_pred: Structure,
    sample_weight: Structure,
    training: bool,
) -> jax.Array:
    """The model's `compute_loss`, also one written before it had the `training` argument."""
    parameters = inspect.signature(model.compute_loss).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    more = {"training": training} if takes_any or "training" in parameters else {}
    loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **more)
    return jnp.zeros(()) if loss is None else loss


def update_metrics(
    run: Flow, loss: jax.Array | None, batch: Batch, y_pred: Structure, masks: Structure = None
) -> dict[str, typing.Any]:
    """The logs after a batch, whose metrics are updated in a run.

    Args:
        loss: for the loss tracker; None: it is left as it is.
        masks: of the outputs; in training only the loss sees masks, as in Keras on JAX.
    """
    model = run.root
    x, y, sample_weight = batch
    with run:
        if masks is not None:
            _set_masks(run, y_pred, masks)
        if model._loss_tracker is not None and loss is not None:
            model._loss_tracker.update_state(loss, sample_weight=count_valid_rows(size_of(x)))
        logs = model.compute_metrics(x, y, y_pred, sample_weight)
    return flat_logs(logs)


def _set_masks(run: Flow, y_pred: Structure, masks: Structure) -> None:
    """Lets masks travel beside outputs, without the rows that are not valid."""
    for value, mask in zip(flatten(y_pred), flatten(masks)):
        if mask is None:
            continue
        if run.valid_rows is not None:
            mask = mask & expand_like(run.valid_rows, mask)
        run.set_mask(value, mask)


def flat_logs(logs: Logs) -> dict[str, typing.Any]:
    """Logs as one flat dict in the order of the names; a metric whose result is a dict is taken
    apart.
    """
    flat = {}
    for name in sorted(logs):
        value = logs[name]
        flat |= value if isinstance(value, dict) else {name: value}
    return flat


def make_eval_step(model: "Trainer") -> Callable[..., tuple[TrainState, Logs]]:
    """The evaluation step of a compiled model: `step(state, batch, rows=None) -> (state, logs)`,
    which changes metrics only. `rows` as of `make_train_step`.

    >>> import jkeras, jax, jax.numpy as jnp
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> state = jkeras.training.init_train_state(model, jax.random.key(0))
    >>> state, logs = make_eval_step(model)(state, (jnp.ones((4, 3)), jnp.ones((4, 1))))
    >>> sorted(logs)
    ['loss']
    """
    _require(model)
    if keras_contract.overrides(model, "test_step"):
        return keras_contract.test_step(model, LazyLayout(model))
    step = TrainStep(LazyLayout(model))

    def eval_step(
        state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        step.layout = layout = step.lazy_layout.of(batch)
        batch = unpack(batch)
        rng = jax.random.fold_in(state.rng, state.step)
        _, forward = step.loss(state.params, state, batch, rng, training=False, valid_rows=rows)
        state = state._replace(state=forward.state, metrics=forward.metrics)
        run = layout.run(state, valid_rows=rows)
        logs = update_metrics(run, forward.loss, batch, forward.y_pred, forward.masks)
        return layout.updated(state, run), logs

    return eval_step


def make_predict_step(model: "Trainer") -> Callable[[TrainState, Structure], Structure]:
    """The forward pass of a model in inference: `step(state, x) -> y`.

    >>> import jkeras, jax, jax.numpy as jnp
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> make_predict_step(model)(jkeras.training.init_train_state(model), jnp.ones((4, 3))).shape
    (4, 1)
    """
    layout = StateLayout(model)

    def predict_step(state: TrainState, x: Structure) -> Structure:
        rng = jax.random.fold_in(state.rng, state.step)
        with layout.run(state, rng=rng, training=False) as run:
            return run.forward(x)

    return predict_step


def _require(model: "Trainer", optimizer: bool = False) -> None:
    """Raises unless the model is compiled."""
    from jkeras.core.errors import NotCompiledError

    lacks_optimizer = optimizer and model.optimizer is None
    if not model.compiled or lacks_optimizer:
        raise NotCompiledError(
            f"Model '{model.name}' must be compiled before training or evaluation: call "
            "`model.compile(optimizer=…, loss=…)`."
        )
