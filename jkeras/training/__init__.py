"""Training as pure functions of one value, and the shell around them."""

from jkeras.core.exports import exported
from jkeras.training.find_lr import find_lr
from jkeras.training.initial_state import init_train_state
from jkeras.training.per_example import per_example_grad
from jkeras.training.state import TrainState
from jkeras.training.step import make_eval_step, make_predict_step, make_train_step

__all__ = exported(globals())
