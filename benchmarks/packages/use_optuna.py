"""A search that prunes what does not promise much, and a bar of tqdm's."""

import keras
import numpy as np
import optuna
from optuna_integration import KerasPruningCallback
from tqdm.keras import TqdmCallback

optuna.logging.set_verbosity(optuna.logging.ERROR)
x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")


def objective(trial):
    """The loss after three epochs with a learning rate."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
    model.compile(keras.optimizers.SGD(rate), "mse")
    callbacks = [KerasPruningCallback(trial, "loss"), TqdmCallback(verbose=0, disable=True)]
    options = {"epochs": 3, "shuffle": False, "verbose": 0, "callbacks": callbacks}
    return model.fit(x, x.sum(axis=1), **options).history["loss"][-1]


study = optuna.create_study(
    sampler=optuna.samplers.TPESampler(seed=0), pruner=optuna.pruners.MedianPruner(2)
)
study.optimize(objective, n_trials=6)
print("best", round(study.best_value, 3), [trial.state.name for trial in study.trials])
