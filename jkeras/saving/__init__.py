"""Saving and loading: configs, custom objects, checkpoints, model files."""

from jkeras.core.registry import (
    CustomObjectScope,
    deserialize,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    public,
    register_keras_serializable,
    serialize,
)
from jkeras.saving.archive import load_model, load_weights, save_model, save_weights
from jkeras.saving.checkpointer import Checkpointer

serialize_keras_object = public("keras.saving.serialize_keras_object", "keras.utils.serialize_keras_object")(serialize)
deserialize_keras_object = public("keras.saving.deserialize_keras_object",
                                  "keras.utils.deserialize_keras_object")(deserialize)
custom_object_scope = CustomObjectScope

__all__ = ["Checkpointer", "CustomObjectScope", "custom_object_scope", "deserialize_keras_object",
           "get_custom_objects", "get_registered_name", "get_registered_object", "load_model", "load_weights",
           "register_keras_serializable", "save_model", "save_weights", "serialize_keras_object"]
