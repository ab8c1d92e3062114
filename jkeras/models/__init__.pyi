# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.models.functional import Functional as Functional
from jkeras.models.model import Model as Model
from jkeras.models.sequential import Sequential as Sequential
from jkeras.saving.models import load_model as load_model
from jkeras.saving.models import save_model as save_model

def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Any = None,
    call_function: Any = None,
    recursive: Any = False,
    **kwargs: Any,
) -> Any: ...
def model_from_json(json_string: Any, custom_objects: Any = None) -> Any: ...
