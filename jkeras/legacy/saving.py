"""`keras.legacy.saving`: the short configs of `keras.utils.legacy`, by their older path."""

from jkeras.utils.legacy import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
