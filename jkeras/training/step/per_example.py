"""Gradients of each sample of a batch by itself, as clipping for privacy and the choice of data
want them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax

from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import Batch, unpack
from jkeras.training.step.layout import LazyLayout
from jkeras.training.step.state import TrainState
from jkeras.training.step.batch_loss import BatchLoss
from jkeras.training.types import Tree
from jkeras.training.step.building import require_compiled

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def per_example_grad(model_or_loss: "Trainer | Callable[..., jax.Array]") -> Callable[..., Tree]:
    """The function that gives the gradient of each sample's loss, found in one pass by `jax.vmap`.

    What comes out is a tree like the params, with the samples along a first axis. For a loss that
    is a mean over the batch, the mean over that axis is the batch's gradient.

    Args:
        model_or_loss: a compiled model; or a function `loss(params, *sample)` of one sample without
            a batch axis, which gives a scalar.

    Returns:
        Of a model `grads(state, batch, training=True)`: `state` a `TrainState`, `batch` `(x, y)` or
        `(x, y, sample_weight)`. The loss of a sample is the model's for a batch of this one, with
        penalties on weights and, in training, a random key of its own; what the forward pass would
        update stays as it is. Of a function `grads(params, *batch)`. Both are pure.

    >>> import jax.numpy as jnp
    >>> grads = per_example_grad(lambda w, x, y: (w * x - y) ** 2)
    >>> grads(2.0, jnp.array([1.0, 3.0]), jnp.array([0.0, 6.0])).tolist()
    [4.0, 0.0]
    """
    if hasattr(model_or_loss, "compute_loss"):
        return _of_model(model_or_loss)

    def grads(params: Any, *batch: Any) -> Any:
        axes = None, *(0 for _ in batch)
        return jax.vmap(jax.grad(model_or_loss), axes)(params, *batch)

    return grads


def _of_model(model: "Trainer") -> Callable[..., Tree]:
    require_compiled(model, "per_example_grad")
    lazy_layout = LazyLayout(model)

    def grads(state: TrainState, batch: Batch, training: bool = True) -> Tree:
        loss_of_batch = BatchLoss(lazy_layout.of(batch))
        samples = unpack(batch)
        rng = jax.random.fold_in(state.rng, state.step)
        keys = jax.random.split(rng, size_of(samples[0]))

        def loss(params: Tree, sample: Batch, key: jax.Array) -> jax.Array:
            alone = jax.tree_util.tree_map(lambda v: v[None], sample)
            _, forward = loss_of_batch(params, state, alone, key, training)
            return forward.loss

        return jax.vmap(jax.grad(loss), (None, 0, 0))(state.params, samples, keys)

    return grads
