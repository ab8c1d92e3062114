"""Checks of attributions, beside captum and closed forms, and what they say of the methods."""

import numpy as np
import pytest

import jkeras
from jkeras import explain, layers
from tests.explain.oracle import TARGETS, X, close, in_torch, network, tensor

CHANGES = 0.1 * np.random.default_rng(5).normal(size=(6, *X.shape)).astype("float32")


def test_infidelity_as_captum():
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("captum.metrics")
    said = explain.saliency(network(), X, TARGETS)
    changes = iter(CHANGES)

    def perturb(inputs):
        change = tensor(next(changes)).detach()
        return change, inputs - change

    wanted = metrics.infidelity(
        in_torch(),
        perturb,
        tensor(X).detach(),
        tensor(said).detach(),
        target=torch.tensor(TARGETS),
        n_perturb_samples=1,
        max_examples_per_batch=5,
    )
    ours = explain.infidelity(network(), X, said, TARGETS, perturbations=CHANGES[:1], batch_size=2)
    close(ours, wanted.numpy(), 1e-4)


def test_infidelity_by_definition():
    said = explain.saliency(network(), X, TARGETS)
    scores = lambda x: network().predict(x, verbose=0)[np.arange(5), TARGETS]  # noqa: E731
    wanted = np.mean(
        [((c * said).sum((1, 2, 3)) - (scores(X) - scores(X - c))) ** 2 for c in CHANGES], axis=0
    )
    ours = explain.infidelity(network(), X, said, TARGETS, perturbations=CHANGES)
    close(ours, wanted, 1e-4)


def test_curves_by_definition():
    said = explain.saliency(network(), X, TARGETS)
    scores = lambda x: network().predict(x, verbose=0)[np.arange(5), TARGETS]  # noqa: E731
    order = (-said.reshape(5, -1)).argsort(1)
    for inserts in (False, True):
        values = []
        for count in (0, 16, 32, 48, 64):
            flat = (np.full_like(X, 0.25) if inserts else X).reshape(5, -1).copy()
            for row in range(5):
                other = X[row].ravel() if inserts else np.full(64, 0.25)
                flat[row, order[row, :count]] = other[order[row, :count]]
            values.append(scores(flat.reshape(X.shape)))
        values = np.array(values)
        wanted = ((values[1:] + values[:-1]) / 2).mean(0)
        method = explain.insertion if inserts else explain.deletion
        ours = method(network(), X, said, TARGETS, steps=4, baseline=0.25, batch_size=3)
        close(ours, wanted, 1e-5)


@pytest.mark.promise("`grad_cam` passes the first")
@pytest.mark.promise("and `guided_backprop` keep")
@pytest.mark.promise("`deconvnet` keeps nothing")
@pytest.mark.slow
def test_who_passes_the_randomization_of_parameters():
    """Maps of Grad-CAM change with the upper layers, those of guided backpropagation hardly."""
    (x, y), (x_test, y_test) = jkeras.datasets.digits.load_data()
    x, x_test = (np.float32(v[..., None]) / 16 for v in (x, x_test))
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, name="out"),
        ]
    )
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(x, y, epochs=40, verbose=0)
    # 0.90 to 0.94 by the seed: the bits of a training are those of the processor
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.85
    given = {"target": y_test[:40], "rng": 1}
    images = x_test[:40]
    of_maps = explain.randomization(explain.grad_cam, model, images, at="conv", **given)
    guided = explain.randomization(explain.guided_backprop, model, images, **given)
    assert next(iter(of_maps)) == "out"
    assert abs(of_maps["out"]) < guided["out"] - 0.2


def test_a_layer_that_does_not_matter_changes_nothing():
    inputs = jkeras.Input((5,))
    used = layers.Dense(1, name="used")(inputs)
    idle = layers.Dense(1, name="idle")(used)
    model = jkeras.Model(inputs, used + 0.0 * idle)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    found = explain.randomization(explain.saliency, model, x, rng=3)
    assert list(found) == ["idle", "used"]
    assert found["idle"] == pytest.approx(1.0) and found["used"] < 0.9
