"""A classifier and a regressor of scikit-learn's, searched over, copied and pickled."""

import pickle

import keras
import numpy as np
from scikeras.wrappers import KerasClassifier, KerasRegressor
from sklearn.model_selection import GridSearchCV

rows = np.random.default_rng(0)
x = rows.normal(size=(60, 4)).astype("float32")
y = (x.sum(axis=1) > 0).astype(int)


def build(units=4):
    """A small network."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(units, "relu"), keras.layers.Dense(1, "sigmoid")]
    )


options = {"epochs": 3, "verbose": 0, "fit__shuffle": False, "optimizer": "adam"}
classifier = KerasClassifier(build, loss="binary_crossentropy", units=4, **options)
classifier.fit(x, y)
print("fit", np.round(classifier.predict_proba(x[:2]), 4).tolist())
again = pickle.loads(pickle.dumps(classifier))
print("pickle", np.array_equal(again.predict(x), classifier.predict(x)))
search = GridSearchCV(classifier, {"units": [2, 8]}, cv=2)
search.fit(x, y)
print("GridSearchCV", search.best_params_, round(search.best_score_, 4))
regressor = KerasRegressor(build, loss="mse", **options).fit(x, x[:, 0])
print("KerasRegressor", np.round(regressor.predict(x[:2]), 4).tolist())
