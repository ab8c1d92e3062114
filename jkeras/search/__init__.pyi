# Written by `python -m tests.make_stubs`.
from jkeras.search.ask_tell import optuna as optuna
from jkeras.search.result import Result as Result
from jkeras.search.space import log as log
from jkeras.search.space import uniform as uniform
from jkeras.search.strategies import Halving as Halving
from jkeras.search.strategies import PBT as PBT
from jkeras.search.sweeping import sweep as sweep
