"""Models: Sequential, functional, subclassed; cloning and JSON."""

from jkeras.core.names.exports import exported
from jkeras.models.cloning import clone_model
from jkeras.models.functional import Functional
from jkeras.models.model import Model, model_from_json
from jkeras.models.sequential import Sequential

__all__ = exported(
    globals(),
    on_first_use={
        "jkeras.models.transformers.model": (
            "LanguageTransformer VisionTransformer ImageTextTransformer"
        ),
        "jkeras.saving.models": "load_model save_model",
    },
)
