"""Saving and loading: configs, custom objects, checkpoints, model files."""

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
