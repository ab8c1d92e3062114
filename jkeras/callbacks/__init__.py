"""Callbacks: what is told of the course of a training."""

from jkeras.core.exports import exported
from jkeras.callbacks.averages import SwapEMAWeights
from jkeras.callbacks.backup import BackupAndRestore
from jkeras.callbacks.base import Callback
from jkeras.callbacks.callback_list import CallbackList
from jkeras.callbacks.checkpoint import ModelCheckpoint
from jkeras.callbacks.functions import LambdaCallback
from jkeras.callbacks.history import History
from jkeras.callbacks.live_plot import LivePlot
from jkeras.callbacks.logging import CSVLogger
from jkeras.callbacks.orbax_checkpoint import OrbaxCheckpoint
from jkeras.callbacks.profiler import ProfilerTrace
from jkeras.callbacks.progress import ProgbarLogger
from jkeras.callbacks.remote import RemoteMonitor
from jkeras.callbacks.schedule import LearningRateScheduler, ReduceLROnPlateau
from jkeras.callbacks.stopping import EarlyStopping, TerminateOnNaN
from jkeras.callbacks.tensorboard import TensorBoard

__all__ = exported(globals())
