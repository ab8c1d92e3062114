"""The arguments of `fit`, `evaluate` and `predict` as what the loops take: sources, callbacks,
numbers of steps.
"""

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jkeras.callbacks import Callback, CallbackList
from jkeras.core.errors import ArgumentError, check_whole
from jkeras.core.session.settings import is_interactive_logging_enabled, settings
from jkeras.training import data
from jkeras.training.data.source import Batch, DataTypes, Source
from jkeras.training.shell.compilable import Compilable
from jkeras.training.step.building import build_as_keras
from jkeras.training.step.compile_loss import CompileLoss
from jkeras.training.step.compile_metrics import CompileMetrics
from jkeras.training.step.metric_checks import warn_of_accuracy
from jkeras.training.step.overrides import has_own_step
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

# methods that say what becomes of labels
DECIDING = operator.attrgetter("compute_loss", "train_step", "test_step")
Callbacks = Callback | Sequence[Callback] | CallbackList | None


def capped(steps: int | None, argument: str = "steps") -> int | None:
    """The number of steps of an epoch, 0 being all; below the session's limit for trial runs where
    one is set.
    """
    if steps is not None:
        check_whole(argument, steps, at_least=0)
    if settings.max_steps_per_epoch is None:
        return steps or None
    return min(settings.max_steps_per_epoch, steps or settings.max_steps_per_epoch)


def callback_list(
    model: "Trainer",
    callbacks: Callbacks,
    verbose: int | str,
    epochs: int,
    steps: int | None,
    **options: Any,
) -> CallbackList:
    """The callbacks as the list that calls them, with a progress bar unless it is silent."""
    if type(verbose) is not int:
        verbose = _verbosity(verbose)
    if isinstance(callbacks, CallbackList):
        return callbacks
    return CallbackList(
        callbacks,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
        model=model,
        **options,
    )


def _verbosity(verbose: int | str) -> int:
    if verbose == "auto":
        return 1 if is_interactive_logging_enabled() else 2
    try:
        return int(verbose)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"`verbose` must be 0, 1, 2 or 'auto'. Received: verbose={verbose!r}"
        ) from None


def types_of_data(model: "Trainer") -> DataTypes:
    """The dtypes that the parts of a batch go to. Losses and metrics compute in floats; what a step
    of the user's own does with labels is unknown.
    """
    of_labels = None
    if model.compiled and not has_own_step(model, "train", "test"):
        of_labels = "float32"
    return DataTypes(model.types_of_inputs(), of_labels)


def weighted(model: "Trainer", source: Source, class_weight: Any) -> Source:
    """A source with the weights of its classes, where there are any."""
    if class_weight is None:
        return source
    data.warn_of_strange(class_weight, getattr(model, "outputs", None))
    return data.weighted(source, class_weight, getattr(model, "output_names", None))


def checked(model: "Trainer", source: Source) -> Source:
    """The source, its labels checked against the losses where these are what training minimizes."""
    losses, metrics = model.compilation.losses, model.compilation.metrics
    is_own = DECIDING(type(model)) != DECIDING(Compilable) or hasattr(model, "pure_train_step")
    if losses is None or is_own:
        return source
    check = losses.check_values
    if metrics is not None and not metrics.labels_checked:
        check = functools.partial(_check_labels, losses, metrics)
    return data.checked(source, check)


def _check_labels(
    losses: CompileLoss,
    metrics: CompileMetrics,
    y: Structure,
    sample_weight: Structure,
    on_device: bool = False,
) -> None:
    """Looks at labels: whether the losses take them, and, once, whether the metrics do."""
    losses.check_values(y, sample_weight, on_device)
    are_new = metrics.built and losses.built and not metrics.labels_checked
    if are_new and y is not None and sample_weight is None:
        warn_of_accuracy(metrics, losses, y)


def single_batch(
    model: "Trainer",
    x: Structure,
    y: Structure,
    sample_weight: Structure,
    class_weight: Any = None,
) -> Batch:
    """The one batch of the `*_on_batch` methods, for which the model is built."""
    x = model.prepared(x)
    if not data.is_array_like(x):
        raise TypeError(
            f"The `*_on_batch` methods of model '{model.name}' take the arrays of one batch. "
            f"Received: x of type {type(x).__name__}. Pass sources of batches to `fit`, "
            "`evaluate` or `predict`."
        )
    source = data.OneBatch(x, y, sample_weight, types_of_data(model))
    source = weighted(model, source, class_weight)
    build_as_keras(model, source.data)
    return checked(model, source).data
