# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.models.functional import Functional as Functional
from jkeras.models.model import Model as Model
from jkeras.models.sequential import Sequential as Sequential

def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Any = None,
    call_function: Any = None,
    recursive: Any = False,
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
def model_from_json(json_string: Any, custom_objects: Any = None) -> Any: ...
def save_model(
    model: Any,
    filepath: Any,
    overwrite: Any = True,
    zipped: Any = None,
    **kwargs: Any,
) -> Any: ...
