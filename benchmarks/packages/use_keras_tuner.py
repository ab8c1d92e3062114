"""Random search over a small network."""

import tempfile

import keras
import keras_tuner
import numpy as np

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = (x.sum(1) > 0).astype("int32")


def build(hp):
    model = keras.Sequential([keras.Input((4,))])
    model.add(
        keras.layers.Dense(
            hp.Int("units", 4, 8, step=4), activation=hp.Choice("activation", ["relu", "tanh"])
        )
    )
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile(
        optimizer=keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log")),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


for kind in (keras_tuner.RandomSearch, keras_tuner.BayesianOptimization):
    tuner = kind(
        build,
        objective="val_accuracy",
        max_trials=3,
        seed=0,
        directory=tempfile.mkdtemp(),
        project_name="p",
    )
    tuner.search(x, y, epochs=2, validation_data=(x, y), verbose=0)
    best = tuner.get_best_models(1)[0]
    best.build((None, 4))
    print(
        kind.__name__,
        sorted(tuner.get_best_hyperparameters()[0].values),
        best.predict(x, verbose=0).shape,
    )
tuner = keras_tuner.Hyperband(
    build,
    objective="val_accuracy",
    max_epochs=2,
    seed=0,
    directory=tempfile.mkdtemp(),
    project_name="p",
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
print("Hyperband", len(tuner.oracle.trials) > 0)
