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


@pytest.mark.promise("configuration decides when it is made it keeps")
def test_what_is_decided_when_something_is_made_stays(keras_316):
    layer, config = jkeras.layers.LSTM(2), jkeras.quantizers.AWQConfig(None, None)
    set_keras_version("3.15")
    assert not layer.supports_masking and config.apply_clip
    assert jkeras.layers.LSTM(2).supports_masking
    assert not jkeras.quantizers.AWQConfig(None, None).apply_clip


def model_of_two_kinds():
    inside = [jkeras.layers.Dense(4), jkeras.layers.ReLU(), jkeras.layers.Dropout(0.1)]
    return jkeras.Sequential([jkeras.Input((4,)), *inside])


def test_one_warning_and_a_printed_report(keras_316, capsys):
    model = model_of_two_kinds()
    with pytest.warns(UserWarning, match=r"2 layer\(s\) were skipped.*support") as warned:
        report = model.quantize("int8")
    assert len(warned) == 1 and report.num_quantized == 1
    assert "int8_from_float32" in capsys.readouterr().out
    with pytest.warns(UserWarning, match="support"):
        again = model.quantize("int8", verbose=False)
    assert again.skipped_by_reason(again.SKIP_ALREADY_QUANTIZED) == [model.layers[0].path]
    assert capsys.readouterr().out == ""


def test_a_warning_for_each_and_a_refusal_before(capsys):
    model = model_of_two_kinds()
    with pytest.warns(UserWarning, match="does not have a `quantize`") as warned:
        model.quantize("int8")
    assert len(warned) == 2 and capsys.readouterr().out == ""  # not of the input layer
    with pytest.raises(ValueError, match="already quantized"):
        model.quantize("int8", filters="dense")


def test_2_bits_are_read_as_they_were_written(tmp_path, keras_316):
    """Files of both versions, in both: the same numbers, in the form of who reads."""

    def made():
        model = jkeras.Sequential([jkeras.Input((6,)), jkeras.layers.Dense(7, name="d")])
        model.build((None, 6))
        model.set_weights([np.random.default_rng(0).normal(size=w.shape) for w in model.weights])
        config = jkeras.quantizers.GPTQConfig(
            [np.ones((1, 6), "int32")],
            list,
            weight_bits=2,
            group_size=3,
            num_samples=1,
            sequence_length=6,
            quantization_layer_structure={
                "pre_block_layers": [jkeras.layers.Lambda(lambda x: x[None] * 1.0)],
                "sequential_blocks": model.layers,
            },
        )
        model.quantize(config=config, verbose=False)
        return model

    written = {}
    for version, rows in (("3.16", 2), ("3.15", 7)):
        set_keras_version(version)
        model = made()
        assert model.layers[0].quantized_kernel.shape == (rows, 6)
        model.save(tmp_path / f"{version}.keras")
        written[version] = model(np.eye(6))
    for version, rows in (("3.15", 7), ("3.16", 2)):
        set_keras_version(version)
        for name, expected in written.items():
            loaded = jkeras.models.load_model(tmp_path / f"{name}.keras")
            assert loaded.layers[0].quantized_kernel.shape == (rows, 6)
            np.testing.assert_allclose(loaded(np.eye(6)), expected, rtol=1e-6)


def test_what_nobody_can_want_is_mended_in_both():
    assert jkeras.layers.CategoryEncoding(3, sparse=True).get_config()["sparse"] is True
    score = jkeras.metrics.FBetaScore()
    assert np.isfinite(score([[1.0, 0.0]], [[0.9, 0.1]], sample_weight=0.5)).all()
    for order in (1, 2, 3):
        of_zero = jax.grad(lambda x: jkeras.ops.normalize(x, order=order).sum())(np.zeros((2, 3)))  # noqa: B023
        assert np.isfinite(of_zero).all()


def test_the_layers_of_a_model_are_shown_not_set():
    x = jkeras.Input((2,))
    graph = jkeras.Model(x, jkeras.layers.Dense(1)(x))
    for model, said in ((graph, "reserved"), (jkeras.Sequential([x]), r"`add\(\)` and `pop\(\)`")):
        with pytest.raises(AttributeError, match=said):
            model.layers = []


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize`")
@pytest.mark.parametrize("kind", [jkeras.layers.Dense, jkeras.layers.TernaryDense])
def test_trits_along_the_other_axis_are_read(kind, tmp_path):
    """As jkeras wrote them before it was seen how Keras 3.16 does."""

    def made():
        model = jkeras.Sequential([jkeras.Input((7,)), kind(6)])
        model.quantize("ternary", filters="dense")
        return model

    pack, unpack = jkeras.quantizers.pack_ternary, jkeras.quantizers.unpack_ternary
    model, other = made(), made()
    store = {}
    model.layers[0].save_own_variables(store)
    store["0"] = np.asarray(pack(unpack(store["0"], 7, 0), -1)[0])
    assert store["0"].shape == (7, 2)
    other.layers[0].load_own_variables(store)
    np.testing.assert_array_equal(other(np.eye(7)), model(np.eye(7)))
    model.save(tmp_path / "m.keras")
    again = jkeras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(np.eye(7)), model(np.eye(7)))
