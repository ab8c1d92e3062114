"""Callbacks: what is called as a training goes on."""

from jkeras.core.names.exports import exported
from jkeras.callbacks.base import Callback
from jkeras.callbacks.callback_list import CallbackList
from jkeras.callbacks.history import History
from jkeras.callbacks.progress import ProgbarLogger

__all__ = exported(
    globals(),
    on_first_use={
        "jkeras.callbacks.averages": "SwapEMAWeights",
        "jkeras.callbacks.backup": "BackupAndRestore",
        "jkeras.callbacks.checkpoint": "ModelCheckpoint",
        "jkeras.callbacks.functions": "LambdaCallback",
        "jkeras.callbacks.live_plot": "LivePlot",
        "jkeras.callbacks.logging": "CSVLogger",
        "jkeras.callbacks.orbax_checkpoint": "OrbaxCheckpoint",
        "jkeras.callbacks.profiler": "ProfilerTrace",
        "jkeras.callbacks.remote": "RemoteMonitor",
        "jkeras.callbacks.schedule": "LearningRateScheduler ReduceLROnPlateau",
        "jkeras.callbacks.stopping": "EarlyStopping TerminateOnNaN",
        "jkeras.callbacks.tensorboard": "TensorBoard",
        "jkeras.callbacks.throughput": "ThroughputMonitor",
        "jkeras.callbacks.tracking.tracker": "Tracker",
    },
)
