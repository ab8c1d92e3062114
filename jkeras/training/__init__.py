"""Training as pure functions of one value, and the shell around them."""

from jkeras.core.exports import exported
from jkeras.training.state import TrainState

__all__ = exported(
    globals(),
    on_first_use={
        "jkeras.training.lr_finder": "find_lr",
        "jkeras.training.initial_state": "init_train_state",
        "jkeras.training.plans.planning": "find_batch_size",
        "jkeras.training.per_example": "per_example_grad",
        "jkeras.training.step": "make_eval_step make_predict_step make_train_step",
    },
)
