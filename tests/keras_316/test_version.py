"""The switch: what it takes, what follows it, what files say."""

import json
import zipfile

import jax
import numpy as np
import pytest

import jkeras
from jkeras.config import keras_version, set_keras_version


def test_it_is_315_and_refuses_what_there_is_not():
    assert keras_version() == "3.15"
    for wrong in ("3.14", "3.16.0", 3.16, None, "3.17"):
        with pytest.raises(ValueError, match=r"version.*'3\.15', '3\.16'"):
            set_keras_version(wrong)
    assert keras_version() == "3.15"


Y, P = np.array([[1.0, 0.0, 1.0]]), np.array([[0.5, 0.5, 0.25]])


def test_programs_of_one_version_do_not_run_under_the_other():
    loss = jax.jit(lambda y, p: jkeras.losses.tversky(y, p, alpha=0.9, beta=0.1))
    inner = jax.jit(lambda y, p: loss(y, p) * 2)
    before, plain = float(inner(Y, P)), float(loss(Y, P))
    set_keras_version("3.16")
    try:
        assert float(loss(Y, P)) == pytest.approx(1 - 0.75 / (0.75 + 0.9 * 0.5 + 0.1 * 1.25))
        assert float(inner(Y, P)) != before
    finally:
        set_keras_version("3.15")
    assert (float(inner(Y, P)), float(loss(Y, P))) == (before, plain)


def test_a_compiled_model_follows_it():
    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Activation("sigmoid")])
    model.compile(loss=jkeras.losses.Tversky(alpha=0.9, beta=0.1))
    before = model.evaluate(Y, Y, verbose=0)
    set_keras_version("3.16")
    try:
        other = model.evaluate(Y, Y, verbose=0)
    finally:
        set_keras_version("3.15")
    assert before == model.evaluate(Y, Y, verbose=0) != other


@pytest.mark.filterwarnings("ignore:Skipping variable loading")  # of an optimizer without steps
def test_files_say_which_they_were_written_with(tmp_path, keras_316):
    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    model.compile(loss=jkeras.losses.Huber(delta=2.0))
    model.save(tmp_path / "new.keras")
    set_keras_version("3.15")
    with pytest.warns(UserWarning, match=r"Keras 3\.15 does not write delta=2\.0"):
        model.save(tmp_path / "old.keras")
    said = {}
    for name in ("new", "old"):
        with zipfile.ZipFile(tmp_path / f"{name}.keras") as file:
            said[name] = json.loads(file.read("metadata.json"))["keras_version"]
    assert said == {"new": "3.16.0", "old": "3.15.1"}
    for version in ("3.15", "3.16"):
        set_keras_version(version)
        for name, delta in (("new", 2.0), ("old", 1.0)):
            loaded = jkeras.models.load_model(tmp_path / f"{name}.keras")
            assert loaded.loss.delta == delta


def test_what_nobody_can_want_is_mended_in_both():
    assert jkeras.layers.CategoryEncoding(3, sparse=True).get_config()["sparse"] is True
    score = jkeras.metrics.FBetaScore()
    assert np.isfinite(score([[1.0, 0.0]], [[0.9, 0.1]], sample_weight=0.5)).all()
    for order in (1, 2, 3):
        of_zero = jax.grad(lambda x: jkeras.ops.normalize(x, order=order).sum())(np.zeros((2, 3)))  # noqa: B023
        assert np.isfinite(of_zero).all()
