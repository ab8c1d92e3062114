# Written by `python -m tests.make_stubs`.
from jkeras.models.cloning import clone_model as clone_model
from jkeras.models.functional import Functional as Functional
from jkeras.models.model import Model as Model
from jkeras.models.model import model_from_json as model_from_json
from jkeras.models.sequential import Sequential as Sequential
from jkeras.saving.models import load_model as load_model
from jkeras.saving.models import save_model as save_model
