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
from jkeras.saving.models import load_model as load_model
from jkeras.saving.models import save_model as save_model
from jkeras.saving.state_dicts import from_state_dict as from_state_dict
from jkeras.saving.weight_files import load_weights as load_weights
from jkeras.saving.weight_files import save_weights as save_weights

custom_object_scope = _custom_object_scope
def deserialize_keras_object(
    config: Any,
    custom_objects: Any = None,
    safe_mode: Any = True,
    **kwargs: Any,
) -> Any: ...
def serialize_keras_object(obj: Any) -> Any: ...
