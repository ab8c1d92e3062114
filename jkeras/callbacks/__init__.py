"""Callbacks: what is told of the course of a training."""

from jkeras.callbacks.base import Callback, CallbackList
from jkeras.callbacks.checkpoint import ModelCheckpoint
from jkeras.callbacks.functions import LambdaCallback
from jkeras.callbacks.history import History
from jkeras.callbacks.logging import CSVLogger
from jkeras.callbacks.progress import ProgbarLogger
from jkeras.callbacks.schedule import LearningRateScheduler, ReduceLROnPlateau
from jkeras.callbacks.stopping import EarlyStopping, TerminateOnNaN

__all__ = ["CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback",
           "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "TerminateOnNaN"]
