"""Callbacks: what is told of the course of a training."""

from jkeras.core.exports import exported
from jkeras.callbacks.backup import BackupAndRestore
from jkeras.callbacks.base import Callback
from jkeras.callbacks.callback_list import CallbackList
from jkeras.callbacks.checkpoint import ModelCheckpoint
from jkeras.callbacks.history import History
from jkeras.callbacks.progress import ProgbarLogger
from jkeras.callbacks.schedule import LearningRateScheduler, ReduceLROnPlateau
from jkeras.callbacks.stopping import EarlyStopping, TerminateOnNaN

__all__ = exported(
    globals(),
    on_first_use={
        "CSVLogger": "jkeras.callbacks.logging",
        "LambdaCallback": "jkeras.callbacks.functions",
        "LivePlot": "jkeras.callbacks.live_plot",
        "OrbaxCheckpoint": "jkeras.callbacks.orbax_checkpoint",
        "ProfilerTrace": "jkeras.callbacks.profiler",
        "RemoteMonitor": "jkeras.callbacks.remote",
        "SwapEMAWeights": "jkeras.callbacks.averages",
        "TensorBoard": "jkeras.callbacks.tensorboard",
    },
)
