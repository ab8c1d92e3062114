"""The pure steps: `(TrainState, batch) -> (TrainState, logs)`. jit, vmap, scan, differentiate and
shard them.
"""

import typing
from collections.abc import Callable

import jax

from jkeras.core.errors import NotCompiledError
from jkeras.training.step import keras_contract
from jkeras.training.data.source import Batch, unpack
from jkeras.training.step.layout import LazyLayout, StateLayout
from jkeras.training.step.batch_loss import BatchLoss
from jkeras.training.step.links import Step, chained, gradient_links, links_of, own_links_of
from jkeras.training.step.loss_and_logs import update_metrics
from jkeras.training.step.overrides import overrides
from jkeras.training.step.private_once import carry_on, require_said
from jkeras.training.step.state import TrainState
from jkeras.training.step.train_step import TrainStep
from jkeras.training.types import Logs, Structure

if typing.TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def make_train_step(model: "Trainer") -> Step:
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
    return train_step_on(model, LazyLayout(model))


def train_step_on(model: "Trainer", lazy_layout: LazyLayout) -> Step:
    """`make_train_step` for the states of a layout."""
    _require(model, optimizer=True)
    require_said(model, "training")
    carry_on(model)

    return chained(_innermost(model, lazy_layout), links_of(model))


def bare_step_on(model: "Trainer", lazy_layout: LazyLayout) -> Step:
    """The training step with the user's own links, and without what leaves steps out."""
    return chained(_innermost(model, lazy_layout), own_links_of(model))


def _innermost(model: "Trainer", lazy_layout: LazyLayout) -> Step:
    """The step without what stands around it."""
    own = getattr(model, "pure_train_step", None)
    if own is not None:
        return own
    if overrides(model, "train_step"):
        return keras_contract.train_step(model, lazy_layout)
    if model.compilation.privacy is not None:
        return model.compilation.privacy.train_step(model)
    return TrainStep(lazy_layout, gradient_links(model))


def make_eval_step(model: "Trainer") -> Step:
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
    return eval_step_on(model, LazyLayout(model))


def eval_step_on(model: "Trainer", lazy_layout: LazyLayout) -> Step:
    """`make_eval_step` for the states of a layout."""
    _require(model)
    if overrides(model, "test_step"):
        return keras_contract.test_step(model, lazy_layout)

    def eval_step(
        state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        layout = lazy_layout.of(batch)
        batch = unpack(batch)
        rng = jax.random.fold_in(state.rng, state.step)
        loss = BatchLoss(layout)
        _, forward = loss(state.params, state, batch, rng, training=False, valid_rows=rows)
        state = state.replace(state=forward.state, metrics=forward.metrics)
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
    lacks_optimizer = optimizer and model.optimizer is None
    if not model.compiled or lacks_optimizer:
        raise NotCompiledError(
            f"Model '{model.name}' must be compiled before training or evaluation: call "
            "`model.compile(optimizer=…, loss=…)`."
        )
