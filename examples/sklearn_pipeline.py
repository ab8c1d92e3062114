"""A network as the last step of a scikit-learn pipeline, whose sizes a grid search chooses by
cross-validation.

`SKLearnClassifier` takes a function that makes a compiled model for the data it is given, and is
then an estimator like any other: labels may be texts, `clone`, `Pipeline`, `GridSearchCV` and
scores work. Needs `pip install scikit-learn`. Run it with `python examples/sklearn_pipeline.py`.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import jkeras
from jkeras import layers
from jkeras.datasets import digits
from jkeras.wrappers import SKLearnClassifier

NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


def make_model(X, y, units=32, rate=3e-3):
    """A network for as many features and classes as there are."""
    model = jkeras.Sequential(
        [
            jkeras.Input(X.shape[1:]),
            layers.Dense(units, activation="relu"),
            layers.Dense(y.shape[1], activation="softmax"),
        ]
    )
    model.compile(jkeras.optimizers.Adam(rate), "categorical_crossentropy")
    return model


def main(epochs=20, images=600, sizes=(8, 32, 128)):
    """Searches; prints and returns the chosen size and the test accuracies of the search and of a
    linear pipeline.
    """
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    x = x.reshape(len(x), 64).astype("float32")[:images]
    x_test = x_test.reshape(len(x_test), 64).astype("float32")
    y, y_test = NAMES[y[:images]], NAMES[y_test]

    network = SKLearnClassifier(make_model, fit_kwargs={"epochs": epochs, "verbose": 0})
    pipeline = make_pipeline(StandardScaler(), PCA(30, random_state=0), network)
    search = GridSearchCV(
        pipeline, {"sklearnclassifier__model_kwargs": [{"units": units} for units in sizes]}, cv=3
    )
    search.fit(x, y)
    linear = make_pipeline(
        StandardScaler(), PCA(30, random_state=0), LogisticRegression(max_iter=1000)
    ).fit(x, y)
    best = search.best_params_["sklearnclassifier__model_kwargs"]["units"]
    accuracies = {"linear": linear.score(x_test, y_test), "network": search.score(x_test, y_test)}
    print(
        "accuracy in cross-validation:",
        dict(zip(sizes, search.cv_results_["mean_test_score"].round(4).tolist())),
    )
    print(
        f"chosen: {best} units;",
        ", ".join(f"{name}: test accuracy {a:.4f}" for name, a in accuracies.items()),
    )
    return best, accuracies


if __name__ == "__main__":
    main()
