"""`load_weights` by name, by order, with and without what does not fit: as in Keras, but nothing is
half loaded.
"""

import warnings

import h5py
import keras
import numpy as np
import pytest

import jkeras


def net(k, hidden=4, names=("a", "b", "c"), outputs=2):
    model = k.Sequential(
        [
            k.Input((3,)),
            k.layers.Dense(hidden, name=names[0]),
            k.layers.BatchNormalization(name=names[1]),
            k.layers.Dense(outputs, name=names[2]),
        ]
    )
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same weights in each format, written by Keras."""
    path, model = tmp_path_factory.mktemp("weights"), net(keras)
    model.set_weights([np.arange(w.size).reshape(w.shape) * 0.1 + 1 for w in model.get_weights()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls .h5 legacy
        model.save(path / "s.h5")
    model.save(path / "s.keras")
    model.save_weights(path / "s.weights.h5")
    return path


CASES = {  # arguments of `net`, the file, arguments of `load_weights`
    "another name": (dict(names=("a", "x", "c")), "s.h5", dict(by_name=True)),
    "by name, all skipped": (dict(hidden=5), "s.h5", dict(by_name=True, skip_mismatch=True)),
    "by name, one skipped": (dict(outputs=3), "s.h5", dict(by_name=True, skip_mismatch=True)),
    "by order, one skipped": (dict(outputs=3), "s.h5", dict(skip_mismatch=True)),
    "new format, one skipped": (dict(outputs=3), "s.weights.h5", dict(skip_mismatch=True)),
    "whole model, one skipped": (dict(outputs=3), "s.keras", dict(skip_mismatch=True)),
    "new format, other names": (dict(names=("p", "q", "r")), "s.weights.h5", {}),
}


@pytest.mark.promise("`by_name=True` matches the")
@pytest.mark.promise("`load_weights(..., skip_mismatch=True)` leaves")
@pytest.mark.parametrize("model, file, arguments", CASES.values(), ids=CASES)
def test_what_is_loaded(folder, model, file, arguments):
    loaded = []
    for k in (keras, jkeras):
        loaded.append(net(k, **model))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            loaded[-1].load_weights(folder / file, **arguments)
        assert bool(said) == ("skip_mismatch" in arguments)
    for theirs, ours in zip(*(m.get_weights() for m in loaded), strict=True):
        np.testing.assert_array_equal(theirs, ours)


WRONG = {
    "by name, another shape": (dict(hidden=5), "s.h5", dict(by_name=True)),
    "by order, another shape": (dict(outputs=3), "s.h5", {}),
    "new format, another shape": (dict(outputs=3), "s.weights.h5", {}),
    "by name in an archive": ({}, "s.keras", dict(by_name=True)),
    "by name in the new format": ({}, "s.weights.h5", dict(by_name=True)),
    "no file": ({}, "none.weights.h5", {}),
    "no older file": ({}, "none.h5", {}),
    "another ending": ({}, "s.foo", {}),
}


@pytest.mark.parametrize("model, file, arguments", WRONG.values(), ids=WRONG)
def test_what_is_refused(folder, model, file, arguments):
    with pytest.raises(Exception) as theirs:
        net(keras, **model).load_weights(folder / file, **arguments)
    ours = net(jkeras, **model)
    with pytest.raises(theirs.type):
        ours.load_weights(folder / file, **arguments)
    assert not any(w.any() for w in ours.get_weights())  # Keras has loaded some layers by now


@pytest.mark.parametrize("arguments", [{}, dict(skip_mismatch=True)], ids=["strict", "skipping"])
def test_another_number_of_layers(folder, arguments):
    for k in (keras, jkeras):
        model = k.Sequential([k.Input((3,)), k.layers.Dense(4, name="a")])
        with pytest.raises(ValueError, match="Layer count mismatch"):
            model.load_weights(folder / "s.h5", **arguments)
        model.load_weights(folder / "s.h5", by_name=True)
        np.testing.assert_allclose(model.get_weights()[1], np.arange(4) * 0.1 + 1)


@pytest.mark.parametrize("name", ["none.keras", "none.h5"])
def test_a_model_that_is_not_there(tmp_path, name):
    with pytest.raises(Exception) as theirs:
        keras.saving.load_model(tmp_path / name)
    with pytest.raises(theirs.type, match=name):
        jkeras.saving.load_model(tmp_path / name)


def test_an_array_that_is_listed_and_not_there(folder, tmp_path):
    """The layer's name and what is wrong are said; with `skip_mismatch` the others are loaded."""
    path = tmp_path / "s.h5"
    path.write_bytes((folder / "s.h5").read_bytes())
    with h5py.File(path, "a") as file:
        group = file["model_weights/a"]
        del group[group.attrs["weight_names"][0]]
    model = net(jkeras)
    with pytest.raises(ValueError, match="layer 'a', in the file 'a': .* is missing"):
        model.load_weights(path)
    with pytest.warns(UserWarning, match="layer 'a'"):
        model.load_weights(path, skip_mismatch=True)
    assert not model.get_weights()[0].any() and model.get_layer("c").get_weights()[0].any()


@pytest.mark.parametrize("name", ["skip_mismatch", "by_name", "key_map", "objects_to_skip"])
def test_what_does_not_go_with_a_folder_of_checkpoints(tmp_path, name):
    """All of one is restored, so nothing that asks for less is taken without a word."""
    model = net(jkeras)
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0, checkpoint=tmp_path / "run")
    given = {"key_map": {"a/kernel": "w"}, "objects_to_skip": model.layers[:1]}.get(name, True)
    before = net(jkeras)
    with pytest.raises(ValueError, match=f"`{name}` does not go with a folder"):
        before.load_weights(tmp_path / "run", **{name: given})
    assert not any(w.any() for w in before.get_weights())
