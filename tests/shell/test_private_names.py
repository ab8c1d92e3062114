"""The table of Keras's private modules, beside the Keras that is installed."""

import os
import functools
import importlib

import numpy as np
import pytest
from keras.src.utils import argument_validation, dtype_utils, naming, python_utils

import jkeras
from jkeras import as_keras_private
from jkeras.as_keras_inside import EQUIVALENT
from jkeras.keras2.legacy import names_of
from jkeras.as_keras_names import find, lacking, private_modules
from tests.make_keras_names import module_names


def test_every_private_module_of_keras_is_in_the_table():
    there = {f"keras.src.{name}".rstrip(".") for name in module_names()}
    assert set(private_modules()) == there


def test_every_public_name_in_the_table_is_one_of_jkeras():
    for module, names in private_modules().items():
        for name, place in names.items():
            if place.startswith("="):
                path = place[1:].split(".")
                assert functools.reduce(getattr, path, jkeras) is find(module, name), (module, name)


def test_every_equivalent_is_there_and_stands_for_a_private_name():
    modules = private_modules()
    for path, place in EQUIVALENT.items():
        module, _, name = path.rpartition(".")
        assert modules[module].get(name) == "", path
        ours, _, attribute = place.partition(":")
        assert getattr(importlib.import_module(ours), attribute) is find(module, name)


@pytest.mark.parametrize("module", ["layers.core.dense", "backend", "ops", "saving.saving_lib"])
def test_names_are_those_of_keras(module):
    theirs = vars(importlib.import_module(f"keras.src.{module}"))
    names = private_modules()[f"keras.src.{module}"]
    assert names.keys() <= theirs.keys()
    assert {name for name in theirs if name[0].isupper()} <= names.keys() | {"Tracer"}


def test_what_is_lacking_names_itself():
    thing = lacking("keras.src.layers.layer.CallSpec")
    with pytest.raises(NotImplementedError, match="keras.src.layers.layer.CallSpec.*private="):
        thing()
    with pytest.raises(NotImplementedError, match="Asked for: .arguments_dict"):
        thing.arguments_dict  # noqa: B018
    with pytest.raises(NotImplementedError, match="CallSpec"):
        type("Mine", (thing,), {})
    assert not isinstance(thing, int) and not issubclass(int, thing)
    with pytest.raises(AttributeError, match="'Nothing'"):
        find("keras.src.layers.layer", "Nothing")


PATH = lacking("keras.src.applications.resnet.BASE_WEIGHTS_PATH")


@pytest.mark.parametrize(
    "use",
    [
        lambda: PATH + "resnet50.h5",
        lambda: "models/" + PATH,
        lambda: PATH % 50,
        lambda: PATH < 3,
        lambda: -PATH,
        lambda: int(PATH),
        lambda: os.path.join(PATH, "resnet50.h5"),
        lambda: [1, 2][PATH],
        lambda: list(PATH),
        lambda: 3 in PATH,
        lambda: bool(PATH),
    ],
)
def test_a_constant_that_is_lacking_names_itself_in_any_use(use):
    with pytest.raises(NotImplementedError, match="BASE_WEIGHTS_PATH"):
        use()


def test_a_name_that_is_lacking_can_be_printed_and_stand_in_an_annotation():
    assert "BASE_WEIGHTS_PATH" in f"{PATH}"
    assert (PATH | None) == (None | PATH)
    assert PATH != 3 and {PATH: 1}[PATH] == 1


# ---------------------------------------------------------------- small functions, beside Keras's


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("standardize_tuple", (3, 2, "kernel_size")),
        ("standardize_tuple", ([1, 2], 2, "strides")),
        ("standardize_tuple", (0, 2, "padding", True)),
        ("standardize_tuple", ((1, 2, 3), 2, "strides")),
        ("standardize_tuple", (0, 2, "strides")),
        ("standardize_tuple", ("a", 2, "strides")),
        ("standardize_tuple", (1.5, 2, "strides")),
        ("standardize_padding", ("SAME",)),
        ("standardize_padding", ("causal",)),
        ("standardize_padding", ("causal", True)),
        ("validate_string_arg", ("a", ("a", "b"), "layer", "mode")),
        ("validate_string_arg", ("c", ("a", "b"), "layer", "mode")),
        ("validate_string_arg", (None, ("a", "b"), "layer", "mode", True)),
        ("validate_string_arg", (len, ("a", "b"), "layer", "mode", False, True)),
    ],
)
def test_arguments_are_checked_as_in_keras(name, arguments):
    ours, theirs = getattr(as_keras_private, name), getattr(argument_validation, name)
    try:
        expected = theirs(*arguments)
    except ValueError:
        with pytest.raises(ValueError):
            ours(*arguments)
        return
    assert ours(*arguments) == expected


def test_numbers_and_texts_are_those_of_keras():
    logs = {"loss": np.float32(0.5), "b": {"a": 1}, "text": "x"}
    assert as_keras_private.pythonify_logs(logs) == python_utils.pythonify_logs(logs)
    for dtype in ("bfloat16", "float32", "bool", "int8"):
        assert as_keras_private.dtype_size(dtype) == dtype_utils.dtype_size(dtype)
    snake = find("keras.src.utils.naming", "to_snake_case")
    for name in ("Conv2DTranspose", "GRUCell", "my_layer", "BatchNormalization"):
        assert snake(name) == naming.to_snake_case(name)
    assert as_keras_private.to_list((1, 2)) == python_utils.to_list((1, 2))


@pytest.mark.parametrize("module", ["losses", "metrics", "preprocessing.text"])
def test_what_tf_keras_has_beside_keras(module):
    kept = importlib.import_module(f"keras._tf_keras.keras.{module}")
    today = getattr(jkeras, module, None)
    names = names_of(module)
    assert [n for n in vars(kept) if n[0] != "_" and n not in names and not hasattr(today, n)] == []
