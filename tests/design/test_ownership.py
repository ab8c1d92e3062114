"""During `fit` one state owns the arrays: it takes them without a copy, but for those that somebody
else holds.
"""

import functools
import threading

import jax
import numpy as np
import pytest

import jkeras

X, Y = np.ones((32, 4), "float32"), np.ones((32, 3), "float32")


@pytest.fixture
def model():
    net = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(3)])
    net.compile("adam", "mse")
    net.fit(X, Y, verbose=0)
    return net


def copies(net, monkeypatch):
    """The shapes of the arrays that a fit copies."""
    from jkeras.training.loop import ownership

    made = []
    monkeypatch.setattr(ownership, "copied", lambda x: (made.append(x.shape), x + 0)[1])
    net.fit(X, Y, verbose=0)
    monkeypatch.undo()
    # the number of the step and the key are the model's
    return [shape for shape in made if shape not in ((), (2,))]


def test_nothing_is_copied_that_nobody_holds(model, monkeypatch):
    assert copies(model, monkeypatch) == []


@pytest.mark.promise("What you hold, such as")
def test_what_somebody_holds_stays_his(model, monkeypatch):
    kernel = model.layers[0].kernel.value
    before = np.array(kernel)
    assert copies(model, monkeypatch) == [(4, 3)]
    np.testing.assert_array_equal(kernel, before)
    assert (np.asarray(model.layers[0].kernel.value) != before).any()


def test_views_of_numpy_keep_what_they_saw(model):
    view = np.asarray(model.layers[0].kernel.value)
    weights = model.get_weights()
    before = [np.array(w) for w in (view, *weights)]
    model.fit(X, Y, epochs=3, verbose=0)
    for now, then in zip((view, *weights), before):
        np.testing.assert_array_equal(now, then)


def test_what_a_callback_saw_stays(model):
    seen = []
    look = jkeras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(
            (model.layers[0].kernel.value, np.array(model.layers[0].kernel.value))
        )
    )
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[look])
    for array, value in seen:
        np.testing.assert_array_equal(array, value)
    assert len({value.tobytes() for _, value in seen}) == 8


def test_a_closure_that_was_compiled_with_a_weight_still_runs(model):
    apply = jax.jit(functools.partial(lambda kernel, x: x @ kernel, model.layers[0].kernel.value))
    before = apply(X)
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(apply(X), before)


def test_threads_that_predict_meanwhile(model):
    wrong, done = [], threading.Event()

    def predict():
        while not done.is_set():
            try:
                assert model.predict(X[:2], verbose=0).shape == (2, 3)
            except Exception as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=predict) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        model.fit(X, Y, batch_size=16, verbose=0)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
