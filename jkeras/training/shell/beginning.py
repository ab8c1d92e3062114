"""What `fit` does before the first step: its arguments are checked, data becomes sources of
batches, the random numbers begin.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from jkeras.callbacks import BackupAndRestore, CallbackList
from jkeras.core.errors import about, check_whole
from jkeras.core.session.settings import settings
from jkeras.training import data
from jkeras.training.data.source import Source
from jkeras.training.loop.fitting import check_frequency
from jkeras.training.loop.resume import FitOptions
from jkeras.training.shell.arguments import (
    Callbacks,
    callback_list,
    checked,
    types_of_data,
    weighted,
)
from jkeras.training.step.building import build_for_source, require_compiled
from jkeras.training.step.layout import state_layout
from jkeras.training.loop.pace import steps_of_epoch
from jkeras.training.step.overrides import has_own_step, overrides
from jkeras.training.step.private_once import carry_on, require_said
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.saving.checkpointer import Checkpointer
    from jkeras.training.shell.trainer import Trainer


def begin_fit(model: "Trainer", epochs: int, initial_epoch: int, seed: int | None) -> int:
    """The number of the last epoch. Sees that the model may be trained so, and that nothing is left
    of the training before.

    Raises:
        RuntimeError, ValueError: it may not.
    """
    require_compiled(model, "fit")
    if model.asks_for_privacy:
        require_said(model, "fit")
    carry_on(model)
    check_whole("epochs", epochs)
    check_whole("initial_epoch", initial_epoch)
    if seed is not None:
        check_whole("seed", seed, at_least=0)
    model.stop_training = False  # which a user's class may have as a property
    model.set_untracked(compile_seconds=0.0, fit_timing=None)
    return min(epochs, settings.max_epochs or epochs)


# ---------------------------------------------------------------- sources


class Order(NamedTuple):
    """How rows are ordered.

    Attributes:
        shuffle: as of `fit`.
        draws: whether the order is drawn from what Keras draws it from.
    """

    shuffle: bool | str
    draws: bool


@contextlib.contextmanager
def sources(
    model: "Trainer",
    rows: tuple[Structure, Structure, Structure],
    validation_data: Any,
    class_weight: Any = None,
    *,
    batch_sizes: tuple[int | None, int | None],
    limits: tuple[int | None, int | None],
    order: Order,
) -> Iterator[tuple[Source, Source | None]]:
    """The sources of a training and of its validation, with labels that suit the losses, for which
    the model is built; they are closed at the end of the block.

    Args:
        rows: `(x, y, sample_weight)`.
        validation_data: None: there is none.
        batch_sizes, limits: rows of a batch, batches of an epoch: of each of both.
        order: of the rows to train on.
    """
    with contextlib.ExitStack() as opened:
        types = types_of_data(model)
        how = data.rows_shuffled(order.shuffle)
        source = data.make_source(*rows, batch_sizes[0], how, steps=limits[0], types=types)
        opened.enter_context(contextlib.closing(source))
        source = weighted(model, source, class_weight)
        validation = None
        if validation_data is not None:
            size = batch_sizes[1] or batch_sizes[0]
            with about("`validation_data`"):
                validation = _validation_source(model, validation_data, size, limits[1])
            opened.enter_context(contextlib.closing(validation))
        build_for_source(model, source, order.draws)
        has_weights = source.has_weights or model.compilation.losses is None
        source.reset()
        source = checked(model, source)
        model.warn_of_padding(has_weights)
        if validation is not None:
            with about("`validation_data`"):
                validation = checked(model, validation)
        yield source, validation


def split(
    model: "Trainer",
    rows: tuple[Structure, Structure, Structure],
    fraction: float,
    validation_data: Any,
    frequency: Any,
) -> tuple[tuple, Any]:
    """(rows to train on, what to validate on)."""
    x, y, sample_weight = rows
    rows = model.prepared(x), y, sample_weight
    if fraction and validation_data is None:
        rows, validation_data = data.split_validation(rows, fraction, types_of_data(model))
    if validation_data is not None:
        check_frequency(frequency)
    return rows, validation_data


def _validation_source(
    model: "Trainer", validation_data: Any, batch_size: int | None, steps: int | None
) -> Source:
    if isinstance(validation_data, (tuple, list)) and 1 <= len(validation_data) <= 3:
        x, y, sample_weight = (*validation_data, None, None)[:3]
        x = model.prepared(x)
    else:
        x, y, sample_weight = validation_data, None, None
        has_own = has_own_step(model, "test") or overrides(model, "compute_loss")
        if hasattr(x, "__array__") and model.compilation.losses is not None and not has_own:
            raise ValueError(
                f"an array of shape {tuple(x.shape)} without labels. Pass `validation_data=(x, y)`."
            )
    types = types_of_data(model)
    return data.make_source(x, y, sample_weight, batch_size, replays=True, steps=steps, types=types)


# ---------------------------------------------------------------- who looks on


def fit_callbacks(
    model: "Trainer",
    callbacks: Callbacks,
    source: Source,
    verbose: int | str,
    options: FitOptions,
) -> CallbackList:
    """The callbacks of a training."""
    steps = options.steps or source.num_batches
    rows = getattr(source, "size", None) if steps == source.num_batches else None
    return callback_list(
        model, callbacks, verbose, options.epochs, steps, add_history=True, rows=rows
    )


def backup_of(callbacks: CallbackList) -> "Checkpointer | None":
    """Where the first `BackupAndRestore` that has one keeps checkpoints, or None."""
    for callback in callbacks.callbacks:
        checkpointer = isinstance(callback, BackupAndRestore) and callback.checkpointer()
        if checkpointer:
            return checkpointer
    return None


# ---------------------------------------------------------------- random numbers


def begin_stream(
    model: "Trainer",
    options: FitOptions,
    source: Source,
    shuffle: bool | str,
    ensemble: int | None,
) -> FitOptions:
    """Lets the random numbers of a training follow from a seed and the numbers of its epochs alone,
    whatever was trained before. Without a seed they are Keras's, and noise of privacy is new. After
    an epoch of unknown length the training goes on from where it is.

    Returns:
        The options, their seed being that of the members where these are many.
    """
    seed = model.begin_ensemble(ensemble, source, shuffle, options.seed)
    if seed is not None:
        steps = steps_of_epoch(options.steps, source.num_batches, model.steps_per_execution)
        epoch = options.initial_epoch
        at = 0 if epoch == 0 else steps and epoch * steps
        state_layout(model, from_key=True).restart(seed, at)
    if model.compilation.privacy is not None and options.seed is None:
        model.compilation.privacy.renew_key(model)
    return options._replace(seed=seed)
