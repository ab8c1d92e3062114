"""Building a model for its training: layers, losses and metrics, from the shapes of a batch."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import ArgumentError, NotCompiledError, explain
from jkeras.core.run.building import as_specs
from jkeras.core.say.warning import warn
from jkeras.core.system.signals import whole
from jkeras.core.weights.paths import walk
from jkeras.core.weights.structure import all_built
from jkeras.training.data.source import Source, shapes_of, unpack
from jkeras.training.step import keras_contract
from jkeras.training.step.label_checks import guess_labels
from jkeras.training.step.masked_labels import has_masks
from jkeras.training.step.model_ends import warn_of_logits
from jkeras.training.step.overrides import overrides
from jkeras.training.step.state import new_key
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def require_compiled(model: "Trainer", method: str) -> None:
    """Raises `NotCompiledError` for a model that is not compiled."""
    if not model.compiled:
        raise NotCompiledError(
            f"You must call `compile()` before calling `{method}()` on model '{model.name}'."
        )


def is_new(model: "Trainer") -> bool:
    """Whether Keras would build layers, losses or metrics, for which it looks at a batch."""
    containers = model.compilation.losses, model.compilation.metrics
    is_unseen = not model.was_seen and containers != (None, None)
    return is_unseen or not is_built(model)


def is_built(model: "Trainer") -> bool:
    """Whether the model and all its layers are built."""
    return model.built and all_built(model)


def build_as_keras(model: "Trainer", batch: tuple[Any, ...]) -> None:
    """Builds a model for a batch where Keras does: in `fit`, `evaluate` and the methods of one
    batch.
    """
    build_for_training(model, batch)
    if not model.was_seen and not _unbuilt_containers(model):
        model.set_untracked(was_seen=True)


def build_for_source(model: "Trainer", source: Source, looks_ahead: bool) -> None:
    """Builds a model for the batches of a source, where anything of it is new.

    Args:
        looks_ahead: whether a source draws what Keras draws to look at its first batch.
    """
    is_unknown = is_new(model)
    if is_unknown and looks_ahead:
        source.look_ahead()
    if is_unknown or model.lora_to_come is not None:
        build_as_keras(model, source.shapes())


def build_for_training(model: "Trainer", batch: tuple[Any, ...] | None = None) -> None:
    """Builds layers, losses and metrics for a batch `(x, y, sample_weight)`; afterwards shapes are
    known.
    """
    waiting = _unbuilt_containers(model)
    if waiting or not is_built(model):
        _build_parts(model, batch, waiting)
    if model.lora_to_come is not None:
        attach_lora(model)


@whole
def _build_parts(model: "Trainer", batch: tuple[Any, ...] | None, waiting: list) -> None:
    if batch is None:
        x, y = input_shapes(model), None
    else:
        x, y, _ = unpack(shapes_of(batch))
    y_pred = predicted_shapes(model, x)
    if y_pred is None:
        raise ArgumentError(
            explain(f"Model '{model.name}'", "outputs", "None of its `call`", "`return` them")
        )
    if y is None and batch is not None:
        return  # the step explains that labels are missing
    for container in waiting:
        labels = guess_labels(model, y_pred) if y is None else y
        try:
            container.build(labels, y_pred)
        except ValueError:
            if container is not model.compilation.losses or not overrides(model, "compute_loss"):
                raise
            keras_contract.build_losses_by_call(model, container, x, labels, y_pred)
    _warn_of_uncompiled(model)
    if model.compilation.losses in waiting:
        model.compilation.losses.has_masks = has_masks(model)
        if not _has_own_loss(model):
            warn_of_logits(model, model.compilation.losses)


def _warn_of_uncompiled(model: "Trainer") -> None:
    """Warns of layers that say, as Keras asks, that they cannot be compiled, and are."""
    if not model.jit_compile:
        return
    names = [x.name for _, x in walk(model) if not getattr(x, "supports_jit", True)]
    if names:
        warn(
            f"The layers {names} of model '{model.name}' have `supports_jit = False`, and are "
            "compiled all the same. To run them as they are, pass `jit_compile=False` to `compile`."
        )


def _has_own_loss(model: "Trainer") -> bool:
    """Whether what training minimizes is the user's own."""
    return any(overrides(model, name) for name in ("compute_loss", "train_step", "test_step"))


def _unbuilt_containers(model: "Trainer") -> list:
    containers = model.compilation.losses, model.compilation.metrics
    return [c for c in containers if c is not None and not c.built]


def attach_lora(model: "Trainer") -> None:
    """Gives the model the adapter that `compile` was asked for, once it has kernels."""
    if not is_built(model):
        return
    from jkeras.lora.attaching import adapt

    adapt(model, model.lora_to_come, new_key())
    model.set_untracked(lora_to_come=None)


# ---------------------------------------------------------------- shapes


def input_shapes(model: "Trainer") -> Structure:
    """Shapes of inputs of a built model, with one row and 1 for each size that is not known."""
    return jax.tree_util.tree_map(
        lambda s: jax.ShapeDtypeStruct([1 if d is None else d for d in s.shape], s.dtype),
        input_specs(model),
        is_leaf=lambda s: hasattr(s, "dtype"),
    )


def input_specs(model: "Trainer") -> Structure:
    """The symbolic inputs of a built graph, else specs of the shapes it was built with."""
    if model.built and getattr(model, "inputs", None) is not None:
        return model.input
    shapes_by_name = model._build_shapes or {}
    shapes = shapes_by_name.get("input_shape") or next(iter(shapes_by_name.values()), None)
    if shapes is None:
        raise ValueError(
            f"Model '{model.name}' is not built, so its shapes are not known: call it on "
            "data once, or pass `batch=(x, y)`."
        )
    return as_specs(shapes, model._input_type)


def predicted_shapes(model: "Trainer", x: Structure) -> Structure:
    """The shapes of the outputs for shapes of inputs; builds layers on the way."""
    recorded = model.recorded_shapes(x)
    if recorded is not None:
        return recorded
    try:
        return jax.eval_shape(lambda x: model.run_abstract((x,), {}, training=False), x)
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        if model.jit_compile:
            raise
        # run eagerly, user code may do what depends on values: it gets some
        zeros = jax.tree_util.tree_map(lambda v: jnp.zeros(v.shape, v.dtype), x)
        return shapes_of(model(zeros))


def build_for_prediction(model: "Trainer", batch: tuple) -> None:
    """Builds the layers for a batch `(x, ...)`."""
    if not is_built(model):
        predicted_shapes(model, shapes_of(batch)[0])
