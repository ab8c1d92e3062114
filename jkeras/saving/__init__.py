"""Saving and loading: configs, custom objects, checkpoints, model files."""

import typing

from jkeras.core.exports import exported
from jkeras.core.registry import (
    CustomObjectScope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from jkeras.core.registry import deserialize as deserialize_keras_object
from jkeras.core.registry import serialize as serialize_keras_object

if typing.TYPE_CHECKING:
    from jkeras.saving.checkpointer import Checkpointer
    from jkeras.saving.file_editor import KerasFileEditor
    from jkeras.saving.models import load_model, save_model
    from jkeras.saving.weight_files import load_weights, save_weights

custom_object_scope = CustomObjectScope

__all__ = exported(
    globals(),
    on_first_use={
        "Checkpointer": "jkeras.saving.checkpointer",
        "KerasFileEditor": "jkeras.saving.file_editor",
        "load_model": "jkeras.saving.models",
        "load_weights": "jkeras.saving.weight_files",
        "save_model": "jkeras.saving.models",
        "save_weights": "jkeras.saving.weight_files",
    },
)
