"""`jkeras.search`: many trainings with different numbers as one program."""

from jkeras.core.names.exports import exported
from jkeras.search.space import log, uniform

__all__ = exported(
    globals(),
    on_first_use={
        "jkeras.search.ask_tell": "optuna",
        "jkeras.search.strategies": "Halving PBT at_least at_most",
        "jkeras.search.result": "Result",
        "jkeras.search.sweeping": "sweep",
    },
)
