"""Utilities: seeds, labels, data sets of batches, configs."""

from jkeras.core.registry import (
    CustomObjectScope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from jkeras.core.settings import clear_session, set_random_seed
from jkeras.saving import custom_object_scope, deserialize_keras_object, serialize_keras_object
from jkeras.utils.batches import (
    PyDataset,
    Sequence,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from jkeras.utils.labels import to_categorical

__all__ = ["CustomObjectScope", "PyDataset", "Sequence", "clear_session", "custom_object_scope",
           "deserialize_keras_object", "get_custom_objects", "get_registered_name", "get_registered_object",
           "pack_x_y_sample_weight", "register_keras_serializable", "serialize_keras_object", "set_random_seed",
           "to_categorical", "unpack_x_y_sample_weight"]
