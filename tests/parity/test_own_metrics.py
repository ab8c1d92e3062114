"""Metrics that a user writes, in `fit`: what their own `reset_state` does, a model's own
`reset_metrics`, `metrics` and `compute_metrics`; beside Keras.
"""

import numpy as np
import pytest

import jkeras
from tests.parity.both import LIBRARIES

X = np.arange(400.0).reshape(100, 4) / 400
Y = np.ones((100, 1))


def metrics_of(library):
    """Metrics by name that are reset by methods of their own, or begin above 0."""

    class Never(library.metrics.MeanSquaredError):
        def reset_state(self):
            pass

    class Half(library.metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            return super().update_state(library.ops.mean(y_true - y_pred))

        def reset_state(self):
            self.total.assign(self.total * 0.5)
            self.count.assign(self.count * 0.5)

    class Nested(library.metrics.Metric):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.outputs, self.errors = library.metrics.Mean(), library.metrics.Mean()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.outputs.update_state(y_pred)
            self.errors.update_state(y_true - y_pred)

        def result(self):
            return {"outputs": self.outputs.result(), "errors": self.errors.result()}

        def reset_state(self):
            self.outputs.reset_state()

    class Count(library.metrics.Metric):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.number = self.add_weight(name="number", initializer="ones")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.number.assign_add(1.0)

        def result(self):
            return self.number + 0.0

    class FromFive(Count):
        def reset_state(self):
            self.number.assign(5.0)

    named = {"never": Never, "half": Half, "nested": Nested, "count": Count}
    return named | {"five": FromFive}


def sequential(library, names, **options):
    model = library.Sequential([library.layers.Dense(1, kernel_initializer="ones")])
    metrics = [cls(name=name) for name, cls in metrics_of(library).items() if name in names]
    model.compile("sgd", "mse", metrics=metrics, **options)
    return model


def agree(of_each):
    ours, theirs = of_each
    assert sorted(ours) == sorted(theirs)
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("names", [["never"], ["half", "five"], ["count"], ["nested", "five"]])
@pytest.mark.parametrize("execution", [1, 3])
def test_what_their_reset_does_in_every_loop(names, execution):
    found = []
    for library in LIBRARIES:
        model = sequential(library, names, steps_per_execution=execution)
        training = model.fit(
            *(X, Y),
            batch_size=20,
            epochs=3,
            shuffle=False,
            verbose=0,
            validation_data=(X, Y),
            validation_batch_size=50,
        )
        numbers = dict(training.history)
        for call in range(2):
            scores = model.evaluate(X, Y, verbose=0, return_dict=True)
            numbers |= {f"evaluated {call} {name}": value for name, value in scores.items()}
        for step in range(2):
            scores = model.train_on_batch(X, Y, return_dict=True)
            numbers |= {f"trained {step} {name}": value for name, value in scores.items()}
        scores = model.test_on_batch(X, Y, return_dict=True)
        found.append(numbers | {f"tested {name}": value for name, value in scores.items()})
    agree(found)


def own_model(library, listed):
    """A model with `compute_metrics` of its own, that lists some of its metrics."""

    class Own(library.Model):
        def __init__(self):
            super().__init__()
            self.dense = library.layers.Dense(1, kernel_initializer="ones")
            self.first = metrics_of(library)["count"](name="first")
            self.mean = library.metrics.Mean(name="mean")

        def call(self, x):
            return self.dense(x)

        @property
        def metrics(self):
            if listed is None:
                return super().metrics
            return [getattr(self, name) for name in listed]

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            self.first.update_state(y, y_pred)
            self.mean.update_state(library.ops.mean(y_pred))
            return {"first": self.first.result(), "mean": self.mean.result()}

    return Own()


@pytest.mark.parametrize("listed", [None, [], ["first"], ["mean", "first"]])
def test_the_logs_are_those_of_the_models_own_compute_metrics(listed):
    found = []
    for library in LIBRARIES:
        model = own_model(library, listed)
        model.compile("sgd", "mse")
        training = model.fit(X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0)
        found.append(training.history | model.evaluate(X, Y, verbose=0, return_dict=True))
    agree(found)


def test_a_models_own_reset_metrics():
    found = []
    for library in LIBRARIES:
        base = type(own_model(library, None))
        cls = type("Resets", (base,), {"reset_metrics": lambda self: self.mean.reset_state()})
        model = cls()
        model.compile("sgd", "mse")
        training = model.fit(X, Y, batch_size=20, epochs=3, shuffle=False, verbose=0)
        found.append(dict(training.history))
    agree(found)


def test_members_of_an_ensemble_reset_as_one_model_does():
    members = sequential(jkeras, ["half", "five"])
    members.build((None, 4))
    training = members.fit(X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0, ensemble=2)
    assert training.history["five"] == [10.0, 10.0]
    counts = members.ensemble_members.state.metrics["half"]["count"]
    assert np.asarray(counts).tolist() == [5 + 0.5 * 5] * 2


def test_metrics_within_layers_too():
    class Counts(jkeras.layers.Layer):
        def __init__(self, cls):
            super().__init__()
            self.counted = cls(name="counted")
            self.dense = jkeras.layers.Dense(1)

        def call(self, x):
            y = self.dense(x)
            self.counted.update_state(y, y)
            return y

    for name, expected in (("count", 5.0), ("five", 10.0)):
        model = jkeras.Sequential([Counts(metrics_of(jkeras)[name])])
        model.compile("sgd", "mse")
        training = model.fit(X, Y, batch_size=20, epochs=2, verbose=0)
        assert training.history["counted"] == [expected, expected]
