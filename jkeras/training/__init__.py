"""Training as pure functions of one value, and the shell around them."""

from jkeras.core.names.exports import exported
from jkeras.training.step.state import TrainState

__all__ = exported(
    globals(),
    on_first_use={
        "jkeras.training.shell.lr_finder": "find_lr",
        "jkeras.training.step.initial_state": "init_train_state",
        "jkeras.plans.planning": "find_batch_size",
        "jkeras.search.recommending": "recommend",
        "jkeras.training.step.per_example": "per_example_grad",
        "jkeras.training.step.step": "make_eval_step make_predict_step make_train_step",
    },
)
