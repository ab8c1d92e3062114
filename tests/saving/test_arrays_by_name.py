"""`.safetensors` and `.npz`: arrays by name, for other libraries."""

import numpy as np
import pytest

import jkeras
from jkeras import layers

ENDINGS = (".safetensors", ".npz")
NAMES = {"first/kernel": "model.0.weight", "first/bias": "model.0.bias"}


def net():
    jkeras.utils.set_random_seed(0)
    return jkeras.Sequential(
        [
            jkeras.Input((3,)),
            layers.Dense(2, name="first"),
            layers.BatchNormalization(name="norm"),
        ]
    )


def arrays_in(path):
    """What the library of the format reads."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return {name: file[name] for name in file.files if name != "jkeras.crc32"}
    return pytest.importorskip("safetensors.numpy").load_file(path)


def by_path(model):
    return {
        f"{layer}/{name}": np.asarray(value)
        for tree in (model.params, model.state)
        for layer, values in tree.items()
        for name, value in values.items()
    }


def equal(found, wanted):
    assert sorted(found) == sorted(wanted)
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.promise("Arrays by name are called as in `model.params`")
@pytest.mark.promise("| `.safetensors`, `.npz` | yes | yes")
@pytest.mark.parametrize("ending", ENDINGS)
def test_names_are_paths(tmp_path, ending):
    model, path = net(), tmp_path / f"m{ending}"
    model.save_weights(path)
    wanted = by_path(model)
    equal(arrays_in(path), wanted)
    model.set_weights([value + 1 for value in model.get_weights()])
    model.load_weights(path)
    equal(by_path(model), wanted)


@pytest.mark.promise("`key_map`, a dict or a function, renames them")
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ["dict", "function"])
def test_names_are_mapped(tmp_path, ending, kind):
    model, path = net(), tmp_path / f"m{ending}"
    key_map = NAMES if kind == "dict" else lambda name: NAMES.get(name, name)
    model.save_weights(path, key_map=key_map)
    wanted = by_path(model)
    equal(arrays_in(path), {NAMES.get(name, name): value for name, value in wanted.items()})
    model.set_weights([value + 1 for value in model.get_weights()])
    with pytest.raises(ValueError, match="first/kernel"):
        model.load_weights(path)
    model.load_weights(path, key_map=key_map)
    equal(by_path(model), wanted)


def test_other_files_have_names_of_their_own(tmp_path):
    with pytest.raises(ValueError, match="`key_map` goes with"):
        net().save_weights(tmp_path / "m.weights.h5", key_map=NAMES)
