# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.optimizers.schedules.decays import CosineDecay as CosineDecay
from jkeras.optimizers.schedules.decays import CosineDecayRestarts as CosineDecayRestarts
from jkeras.optimizers.schedules.decays import ExponentialDecay as ExponentialDecay
from jkeras.optimizers.schedules.decays import InverseTimeDecay as InverseTimeDecay
from jkeras.optimizers.schedules.decays import LearningRateSchedule as LearningRateSchedule
from jkeras.optimizers.schedules.decays import PiecewiseConstantDecay as PiecewiseConstantDecay
from jkeras.optimizers.schedules.decays import PolynomialDecay as PolynomialDecay
from jkeras.optimizers.schedules.serialization import deserialize as deserialize
from jkeras.optimizers.schedules.serialization import serialize as serialize
