# Written by `python -m tests.make_stubs`.
from jkeras.distillation.distiller import Distiller as Distiller
from jkeras.distillation.losses import DistillationLoss as DistillationLoss
from jkeras.distillation.losses import FeatureDistillation as FeatureDistillation
from jkeras.distillation.losses import LogitsDistillation as LogitsDistillation
