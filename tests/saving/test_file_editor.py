"""`KerasFileEditor` edits files that both libraries read, and says what Keras's says."""

import os

import h5py
import keras
import numpy as np
import pytest

import jkeras


def model_of(k, second=2):
    return k.Sequential(
        [
            k.Input((3,)),
            k.layers.Dense(4, name="a"),
            k.layers.BatchNormalization(name="bn"),
            k.layers.Dense(second, name="b"),
        ]
    )


def editors(path):
    return keras.saving.KerasFileEditor(str(path)), jkeras.saving.KerasFileEditor(path)


def arrays_of(path):
    """{place: array} of a file."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda place, data: (
                found.update({place: data[()]}) if isinstance(data, h5py.Dataset) else None
            )
        )
    return found


@pytest.fixture
def path(tmp_path):
    model_of(jkeras).save_weights(tmp_path / "w.weights.h5")
    return tmp_path / "w.weights.h5"


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_what_is_in_a_file(tmp_path, capsys, ending):
    model = model_of(keras)
    path = str(tmp_path / f"m{ending}")
    (model.save if ending == ".keras" else model.save_weights)(path)
    editor = jkeras.saving.KerasFileEditor(path)
    assert list(editor.weights_dict) == [
        "layers/batch_normalization",
        "layers/dense",
        "layers/dense_1",
    ]
    np.testing.assert_array_equal(editor.weights_dict["layers/dense"]["0"], model.layers[0].kernel)
    assert editor.object_metadata["layers/dense"] == "a"
    editor.summary()
    said = capsys.readouterr().out
    assert "layers/dense\n    0: (3, 4) float32" in said and ("Keras 3.15.1" in said) == (
        ending == ".keras"
    )


def test_editing_gives_what_keras_gives(path, tmp_path):
    for editor, name in zip(editors(path), ("keras", "jkeras")):
        editor.rename_object("dense_1", "head")
        editor.delete_object("layers/batch_normalization")
        editor.delete_weight("dense", "1")
        editor.add_weights(
            "layers/dense", {"1": np.ones(4, "float32"), "2": np.zeros(2, "float32")}
        )
        editor.add_object("layers/new", {"0": np.arange(3.0)})
        editor.save(str(tmp_path / f"{name}.weights.h5"))
    theirs, ours = (arrays_of(tmp_path / f"{name}.weights.h5") for name in ("keras", "jkeras"))
    assert theirs.keys() == ours.keys() and "layers/head/vars/1" in ours
    for place in theirs:
        np.testing.assert_array_equal(theirs[place], ours[place])


def test_an_edited_file_loads_in_both(path, tmp_path):
    editor = jkeras.saving.KerasFileEditor(path)
    editor.delete_object("dense_1")
    editor.add_object(
        "layers/dense_1", {"0": np.ones((4, 5), "float32"), "1": np.zeros(5, "float32")}
    )
    editor.save(tmp_path / "new.weights.h5")
    for k in (keras, jkeras):
        model = model_of(k, second=5)
        model.load_weights(tmp_path / "new.weights.h5")
        np.testing.assert_array_equal(model.get_weights()[-2], np.ones((4, 5)))


@pytest.mark.parametrize("second, status", [(2, "success"), (5, "error")])
def test_comparing(path, capsys, second, status):
    model = model_of(keras, second)
    theirs = keras.saving.KerasFileEditor(str(path)).compare(model)
    ours = jkeras.saving.KerasFileEditor(path).compare(model_of(jkeras, second))
    assert ours["status"] == theirs["status"] == status
    assert ours["match_count"] + ours["error_count"] == 8 and ours["error_count"] == (
        0 if second == 2 else 2
    )
    if second == 5:
        assert (
            "layers/dense_1, 0: shape (4, 2) in the file, shape (4, 5) in the model"
            in capsys.readouterr().out
        )


MISTAKES = {
    "no object": lambda e: e.rename_object("none", "b"),
    "no path": lambda e: e.delete_object("layers/none"),
    "a path as name": lambda e: e.rename_object("dense", "a/b"),
    "no weight": lambda e: e.delete_weight("dense", "7"),
    "no dict": lambda e: e.add_object("layers/x", np.ones(3)),
    "nowhere": lambda e: e.add_object("none/x", {}),
    "no dict of weights": lambda e: e.add_weights("dense", [1.0]),
    "another ending": lambda e: e.save("w.h5"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_raise_as_in_keras(path, mistake):
    for editor in editors(path):
        with pytest.raises(ValueError):
            mistake(editor)


def test_names_that_are_not_clear(tmp_path):
    inner = lambda: jkeras.Sequential([jkeras.layers.Dense(3)])
    model = jkeras.Sequential([jkeras.Input((3,)), inner(), inner()])
    model.save_weights(tmp_path / "n.weights.h5")
    editor = jkeras.saving.KerasFileEditor(tmp_path / "n.weights.h5")
    with pytest.raises(
        ValueError, match="several objects 'dense'.*layers/sequential/layers/dense.*the whole path"
    ):
        editor.delete_object("dense")
    with pytest.raises(ValueError, match="has an object 'layers/sequential_1' already"):
        editor.rename_object("sequential", "sequential_1")
    editor.rename_object("sequential", "first")
    assert "layers/first/layers/dense" in editor.weights_dict
    with pytest.raises(ValueError, match="must end in `.keras` or `.weights.h5`"):
        jkeras.saving.KerasFileEditor("model.h5")


def test_groups_that_go_round_and_links_end(tmp_path):
    with h5py.File(tmp_path / "round.weights.h5", "w") as file:
        file.create_group("layers/dense/vars")["0"] = np.ones(2)
        file["layers/dense/again"] = file["layers"]
    editor = jkeras.saving.KerasFileEditor(tmp_path / "round.weights.h5")
    assert list(editor.weights_dict) == ["layers/dense"]
    with h5py.File(tmp_path / "link.weights.h5", "w") as file:
        file["layers"] = h5py.ExternalLink(str(tmp_path / "round.weights.h5"), "/layers")
    with pytest.raises(ValueError, match="link.weights.h5.*an external link"):
        jkeras.saving.KerasFileEditor(tmp_path / "link.weights.h5")
    assert sorted(os.listdir(tmp_path)) == ["link.weights.h5", "round.weights.h5"]
