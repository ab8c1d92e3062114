"""Saving and loading: configs, custom objects, checkpoints, model files."""

from jkeras.core.names.exports import exported
from jkeras.core.names.registry import (
    CustomObjectScope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from jkeras.core.names.registry import deserialize as deserialize_keras_object
from jkeras.core.names.registry import serialize as serialize_keras_object

custom_object_scope = CustomObjectScope

__all__ = exported(
    globals(),
    on_first_use={
        "jkeras.saving.checkpointer": "Checkpointer",
        "jkeras.saving.file_editor": "KerasFileEditor",
        "jkeras.saving.hugging_face.reading": "from_transformers",
        "jkeras.saving.hugging_face.writing": "to_transformers",
        "jkeras.saving.models": "load_model save_model",
        "jkeras.saving.state_dicts": "from_state_dict",
        "jkeras.saving.weight_files": "load_weights save_weights",
    },
)
