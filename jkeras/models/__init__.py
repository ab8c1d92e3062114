"""Models: Sequential, functional, subclassed; cloning and JSON."""

from jkeras.models.cloning import clone_model
from jkeras.models.functional import Functional
from jkeras.models.model import Model, model_from_json
from jkeras.models.sequential import Sequential
from jkeras.saving import load_model, save_model

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
