"""The pure steps: `(TrainState, batch) -> (TrainState, logs)`. jit, vmap, scan, differentiate and
shard them.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.core import frame
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
from jkeras.training.types import Logs, Structure, Tree, Values

if TYPE_CHECKING:
    from jkeras.training.trainer import Trainer


def unpack(batch: Any) -> Batch:
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


class TrainStep:
    """One step: gradients of `compute_loss`, the optimizer's update, constraints, metrics."""

    def __init__(self, lazy_layout: "LazyLayout") -> None:
        self.lazy_layout, self.model = lazy_layout, lazy_layout.model

    def __call__(
        self, state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        self.layout = self.lazy_layout.of(batch)
        x, y, sample_weight = unpack(batch)
        rng = jax.random.fold_in(state.rng, state.step)

        def loss_of(params: Tree) -> tuple[jax.Array, tuple]:
            return self.loss(
                state._replace(params=params), x, y, sample_weight, rng, valid_rows=rows
            )

        grads, (loss, y_pred, _, kept, metrics) = jax.grad(loss_of, has_aux=True)(state.params)
        params, opt_state = self.layout.update(grads, state)
        params = self._constrain(params)
        values = self.layout.values(params, state.frozen, kept, metrics)
        logs, run = update_metrics(
            self.model, values, loss, x, y, y_pred, sample_weight, valid_rows=rows
        )
        metrics, kept = (
            self.layout.read(self.layout.metrics, run),
            self.layout.read(self.layout.state, run),
        )
        return state._replace(
            step=state.step + 1, params=params, state=kept, opt_state=opt_state, metrics=metrics
        ), logs

    def loss(
        self,
        state: TrainState,
        x: Structure,
        y: Structure,
        sample_weight: Structure,
        rng: jax.Array,
        training: bool = True,
        valid_rows: jax.Array | None = None,
        microbatch: Microbatch | None = None,
    ) -> tuple[jax.Array, tuple]:
        """The loss to differentiate, and what the forward pass left behind."""
        layout, model = self.layout, self.model
        values = layout.values(state.params, state.frozen, state.state, state.metrics)
        with frame.Run(
            model, values, rng=rng, training=training, valid_rows=valid_rows, microbatch=microbatch
        ) as run:
            y_pred = run.call(model, (x,), {})
            masks = masks_of(y_pred, run.mask_of)
            loss = compute_loss(model, x, y, y_pred, sample_weight, training)
            scaled = loss if not training else model.optimizer.scale_loss(loss, state.opt_state)
        return scaled, (
            loss,
            y_pred,
            masks,
            layout.read(layout.state, run),
            layout.read(layout.metrics, run),
        )

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
    model: "Trainer",
    values: Values,
    loss: jax.Array | None,
    x: Structure,
    y: Structure,
    y_pred: Structure,
    sample_weight: Structure,
    masks: Structure = None,
    valid_rows: jax.Array | None = None,
) -> tuple[Logs, frame.Run]:
    """(logs, run): the metrics after this batch. In training only the loss sees masks, as in Keras
    on JAX.
    """
    with frame.Run(model, values, valid_rows=valid_rows) as run:
        for value, mask in zip(flatten(y_pred), flatten(masks)) if masks is not None else ():
            if mask is not None:
                run.set_mask(
                    value, mask if valid_rows is None else mask & expand_like(valid_rows, mask)
                )
        if model._loss_tracker is not None and loss is not None:
            model._loss_tracker.update_state(loss, sample_weight=count_valid_rows(size_of(x)))
        logs = model.compute_metrics(x, y, y_pred, sample_weight)
    return flat_logs(logs), run


def flat_logs(logs: Logs) -> dict[str, Any]:
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
        x, y, sample_weight = unpack(batch)
        rng = jax.random.fold_in(state.rng, state.step)
        _, (loss, y_pred, masks, kept, metrics) = step.loss(
            state, x, y, sample_weight, rng, False, rows
        )
        values = layout.values(state.params, state.frozen, kept, metrics)
        logs, run = update_metrics(model, values, loss, x, y, y_pred, sample_weight, masks, rows)
        return state._replace(
            state=layout.read(layout.state, run), metrics=layout.read(layout.metrics, run)
        ), logs

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
        values = layout.values(state.params, state.frozen, state.state, state.metrics)
        with frame.Run(
            model, values, rng=jax.random.fold_in(state.rng, state.step), training=False
        ) as run:
            return run.call(model, (x,), {})

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
