"""Distillation: a small model learns from a large one."""

from jkeras.distillation.distiller import Distiller
from jkeras.distillation.losses import DistillationLoss, FeatureDistillation, LogitsDistillation

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]
