# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.core.names.registry import CustomObjectScope as CustomObjectScope
from jkeras.core.names.registry import CustomObjectScope as _custom_object_scope
from jkeras.core.names.registry import get_custom_objects as get_custom_objects
from jkeras.core.names.registry import get_registered_name as get_registered_name
from jkeras.core.names.registry import get_registered_object as get_registered_object
from jkeras.core.names.registry import register_keras_serializable as register_keras_serializable
from jkeras.saving.checkpointer import Checkpointer as Checkpointer
from jkeras.saving.file_editor import KerasFileEditor as KerasFileEditor
from jkeras.saving.hugging_face.reading import from_transformers as from_transformers
from jkeras.saving.hugging_face.writing import to_transformers as to_transformers

custom_object_scope = _custom_object_scope
def deserialize_keras_object(
    config: Any,
    custom_objects: Any = None,
    safe_mode: Any = True,
    **kwargs: Any,
) -> Any: ...
def load_model(
    filepath: Any,
    custom_objects: Any = None,
    compile: Any = True,
    safe_mode: Any = True,
    *,
    optimizer: Any = None,
) -> Any: ...
def load_weights(
    model: Any,
    filepath: Any,
    skip_mismatch: Any = False,
    *,
    by_name: Any = False,
    key_map: Any = None,
    objects_to_skip: Any = ...,
    **kwargs: Any,
) -> Any: ...
def save_model(
    model: Any,
    filepath: Any,
    overwrite: Any = True,
    zipped: Any = None,
    **kwargs: Any,
) -> Any: ...
def save_weights(
    model: Any,
    filepath: Any,
    overwrite: Any = True,
    max_shard_size: Any = None,
    *,
    key_map: Any = None,
    objects_to_skip: Any = ...,
    **kwargs: Any,
) -> Any: ...
def serialize_keras_object(obj: Any) -> Any: ...
