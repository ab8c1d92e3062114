# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.training.plans.planning import find_batch_size as find_batch_size
from jkeras.training.shell.lr_finder import find_lr as find_lr
from jkeras.training.step.initial_state import init_train_state as init_train_state
from jkeras.training.step.per_example import per_example_grad as per_example_grad
from jkeras.training.step.state import TrainState as TrainState
from jkeras.training.step.step import make_eval_step as make_eval_step
from jkeras.training.step.step import make_predict_step as make_predict_step
from jkeras.training.step.step import make_train_step as make_train_step
