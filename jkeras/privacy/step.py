"""A training step in which a row adds a bounded amount to the gradient, and noise hides it."""

import functools
import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names.dtypes import wide
from jkeras.core.errors import explain
from jkeras.kernel.microbatch import cut
from jkeras.kernel.valid_rows import expand_like
from jkeras.ops.kernels import inside_loop
from jkeras.privacy.clipping import clipped_grad
from jkeras.privacy.correlated import weights
from jkeras.privacy.rows import check_rows
from jkeras.random.keys import sampling_key
from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import Batch, unpack
from jkeras.training.step.attack import perturbed
from jkeras.training.step.batch_loss import BatchLoss
from jkeras.training.step.layout import LazyLayout
from jkeras.training.step.loss_and_logs import update_metrics
from jkeras.training.step.state import TrainState
from jkeras.training.step.train_step import TrainStep, constrained
from jkeras.training.types import Logs, Structure, Tree

if typing.TYPE_CHECKING:
    from jkeras.privacy.dpsgd import DPSGD

OF_NOISE = 0x6E6F6973  # apart from the keys of rows

map_structure = jax.tree_util.tree_map


class OfRows(typing.NamedTuple):
    """What the forward passes of rows leave behind, each with the rows first.

    Attributes:
        losses, y_pred, metrics: as of a step.
    """

    losses: jax.Array
    y_pred: Structure
    metrics: Tree


class PrivateStep(TrainStep):
    """The step of a model with `privacy`: the loss of each row as of a batch of it alone, its
    gradient clipped, the sum of them with noise, divided by how many rows were expected.

    With `microbatches` the rows' gradients are computed in so many groups, one after the other.
    """

    def __init__(self, lazy_layout: LazyLayout, privacy: "DPSGD") -> None:
        super().__init__(lazy_layout)
        self.privacy = privacy
        self._is_checked = False  # a step that is not compiled is run many times

    def __call__(
        self, state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        layout = self.lazy_layout.of(batch)
        batch = unpack(batch)
        if not self._is_checked:
            check_rows(layout, state, batch)
            self._is_checked = True
        size = size_of(batch[0])
        valid = jnp.ones(size, bool) if rows is None else rows
        rng = jax.random.fold_in(state.rng, state.step)
        total, passed = self._summed(BatchLoss(layout), state, batch, valid, rng)
        grads = self._with_noise(total, size, state)
        if self.privacy.noise is None:  # sums and noise are wider than 16 bits
            grads = map_structure(lambda v, like: v.astype(like.dtype), grads, state.params)
        params, opt_state = layout.update(grads, state)
        metrics = map_structure(functools.partial(_added_up, valid), state.metrics, passed.metrics)
        state = state.replace(
            step=state.step + 1,
            params=constrained(layout, params),
            opt_state=opt_state,
            metrics=metrics,
        )
        loss = _sum_where(valid, passed.losses) / jnp.maximum(jnp.sum(valid), 1)
        run = layout.run(state, valid_rows=valid)
        logs = update_metrics(run, loss, batch, passed.y_pred)
        return layout.updated(state, run), logs

    # ------------------------------------------------------------ clipped gradients

    def _summed(
        self, loss: BatchLoss, state: TrainState, batch: Batch, valid: jax.Array, rng: jax.Array
    ) -> tuple[Tree, OfRows]:
        """(sum of the clipped gradients, what the rows leave behind)."""
        size, groups = len(valid), self.model.compilation.microbatches
        keys = jax.random.key_data(jax.random.split(jax.random.wrap_key_data(rng), size))
        privacy = self.privacy
        gradient = clipped_grad(
            loss_of_row(loss, state),
            privacy.clip,
            clipping=privacy.clipping,
            norms=privacy.norms,
            has_aux=True,
        )

        def of_group(batch: Batch, keys: jax.Array, valid: jax.Array) -> tuple[Tree, OfRows]:
            total, _, passed = gradient(state.params, batch, keys, valid)
            return total, passed

        if groups == 1 or size % groups:
            return of_group(batch, keys, valid)

        def joined(array: jax.Array) -> jax.Array:
            return jnp.swapaxes(array, 0, 1).reshape(size, *array.shape[2:])

        def one(total: Tree, group: tuple) -> tuple[Tree, OfRows]:
            more, passed = of_group(*group)
            return map_structure(jnp.add, total, more), passed

        start = map_structure(lambda v: jnp.zeros_like(wide(v)), state.params)
        microbatches = cut((batch, keys, valid), groups)
        total, passed = jax.lax.scan(inside_loop(one), start, microbatches)
        return total, map_structure(joined, passed)

    # ------------------------------------------------------------ noise

    def _with_noise(self, total: Tree, size: int, state: TrainState) -> Tree:
        """The gradient of the rows that were expected, from the sum of those that came."""
        if self.privacy.noise is not None:
            return total  # the optimizer goes on from there
        multiplier, batch_size, first = self._constants(size)
        stddev, coefficients = multiplier * self.privacy.clip, weights(self.privacy.bands)
        if len(coefficients) == 1:
            total = add_noise(total, _noise_key(state.rng, state.step), stddev)
        else:
            total = _with_correlated(total, state, stddev * np.array(coefficients), first)
        return map_structure(lambda v: v / batch_size, total)

    def _constants(self, size: int) -> tuple[float, int, int]:
        """(noise multiplier, what the sum is divided by, number of the first step): what `fit` has
        computed, or in a step of the user's own what was passed.
        """
        privacy, account = self.privacy, self.model.privacy_account
        if account is not None and account.current is not None:
            return account.constants()
        if privacy.epsilon is not None:
            wanted = "a noise_multiplier outside of `fit`, which alone knows how many steps follow"
            raise ValueError(
                explain(
                    "privacy.DPSGD",
                    wanted,
                    f"epsilon={privacy.epsilon}",
                    "find it with `privacy.noise_for`",
                )
            )
        return privacy.noise_multiplier, privacy.batch_size or size, 0


def _noise_key(rng: jax.Array, step: jax.Array) -> jax.Array:
    """Of the normal numbers of a step."""
    return jax.random.fold_in(jax.random.fold_in(rng, step), OF_NOISE)


def _with_correlated(total: Tree, state: TrainState, deviations: np.ndarray, first: int) -> Tree:
    """A tree with the sum of the normal numbers of the last steps in every number.

    Args:
        deviations: what those of each step are multiplied by, this one's first.
        first: number of the step before which there were none.
    """
    factors = jnp.asarray(deviations, "float32")

    def one(back: jax.Array, noisy: Tree) -> Tree:
        step = state.step - back
        deviation = jnp.where(step >= first, factors[back], 0)
        return add_noise(noisy, _noise_key(state.rng, step), deviation)

    return jax.lax.fori_loop(0, len(deviations), one, map_structure(wide, total))


def add_noise(total: Tree, key: jax.Array, stddev: float | jax.Array) -> Tree:
    """A tree with normal noise in every number.

    Args:
        key: two integers.

    >>> add_noise({"w": jnp.zeros(3)}, jax.random.key_data(jax.random.key(0)), 2.0)["w"].shape
    (3,)
    """
    leaves, treedef = jax.tree_util.tree_flatten(total)
    noisy = []
    for i, leaf in enumerate(leaves):
        dtype = jnp.promote_types(leaf.dtype, "float32")
        noise = stddev * jax.random.normal(
            sampling_key(jax.random.fold_in(key, i)), leaf.shape, dtype
        )
        noisy.append((leaf + noise).astype(leaf.dtype))
    return treedef.unflatten(noisy)


def _added_up(valid: jax.Array, before: jax.Array, after: jax.Array) -> jax.Array:
    """A total with what each row adds to it; what is no number, as who of an ensemble is active, as
    it is.
    """
    if before.dtype == jnp.bool_:
        return before
    return before + _sum_where(valid, after - before)


def _sum_where(valid: jax.Array, array: jax.Array) -> jax.Array:
    return jnp.sum(jnp.where(expand_like(valid, array), array, 0), 0)


def loss_of_row(batch_loss: BatchLoss, state: TrainState) -> Callable:
    """The loss of a row as of a batch of it alone, and what it leaves behind."""
    attack = batch_loss.model.compilation.adversarial

    def loss(params: Tree, row: Batch, key: jax.Array) -> tuple[jax.Array, OfRows]:
        alone = map_structure(lambda v: v[None], row)
        if attack is not None:
            alone = perturbed(attack, batch_loss, state, alone, key, None)
        value, forward = batch_loss(params, state, alone, key)
        y_pred = map_structure(lambda v: v[0], forward.y_pred)
        return value, OfRows(forward.loss, y_pred, forward.metrics)

    return loss
