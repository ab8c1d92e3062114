"""Distillation: a small model learns from a large one."""

from jkeras.core.names.exports import exported
from jkeras.distillation.distiller import Distiller
from jkeras.distillation.losses import DistillationLoss, FeatureDistillation, LogitsDistillation

__all__ = exported(globals())
