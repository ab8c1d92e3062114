"""What messages show of files, configs and addresses: no commands to a terminal, no book, no
password, and a word where Python would say that it is too deep.
"""

import json
import types
import warnings
import zipfile

import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.core.system.web import without_password
from jkeras.saving import deserialize_keras_object
from jkeras.saving.steps import StepFolder
from jkeras.utils.files import get_file

ESCAPE = "\x1b[2J\x1b[1A"
LONG = "x" * 200_709
DENSE = {"module": "keras.layers", "class_name": "Dense", "registered_name": None}


def deep(levels=100_000, kind=list):
    inside = 1
    for _ in range(levels):
        inside = [inside] if kind is list else {"a": inside}
    return inside


def cycle(kind=list):
    if kind is list:
        around = []
        around.append(around)
    else:
        around = {}
        around["a"] = around
    return around


def of_itself():
    config = {**DENSE, "class_name": "Bidirectional", "config": {}}
    config["config"]["layer"] = config
    return config


CONFIGS = {
    "module_long": {**DENSE, "module": LONG, "config": {}},
    "class_long": {**DENSE, "class_name": LONG, "config": {}},
    "registered_long": {**DENSE, "registered_name": LONG, "config": {"units": 1}},
    "registered_control": {**DENSE, "registered_name": ESCAPE, "config": {"units": 1}},
    "module_control": {**DENSE, "module": ESCAPE, "config": {}},
    "class_control": {**DENSE, "class_name": ESCAPE, "config": {}},
    "config_control": {**DENSE, "config": {"units": ESCAPE}},
    "config_long": {**DENSE, "config": {"units": LONG}},
    "unknown_argument": {**DENSE, "config": {ESCAPE: 1}},
    "config_text": {**DENSE, "config": ESCAPE + LONG},
    "activation": {**DENSE, "config": {"units": 1, "activation": ESCAPE + LONG}},
    "name": {**DENSE, "config": {"units": 1, "name": ESCAPE}},
    "special": {**DENSE, "class_name": f"__{ESCAPE}{LONG}__", "config": {}},
    "function": {"class_name": "function", "config": ESCAPE + LONG, "module": "builtins"},
    "function_dict": {"class_name": "function", "config": {ESCAPE: LONG}},
    "class_list": {**DENSE, "class_name": [ESCAPE, LONG], "config": {}},
    "deep": deep(),
    "deep dicts": deep(kind=dict),
    "deep config": {**DENSE, "config": {"units": deep()}},
    "cycle": cycle(),
    "cycle of dicts": cycle(dict),
    "cycle in a config": {**DENSE, "config": {"units": cycle()}},
    "of itself": of_itself(),
    "a set": {1, 2},
    "an object": types.SimpleNamespace(text=ESCAPE),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_by_hand(name):
    with pytest.raises((SerializationError, TypeError, ValueError)) as error:
        deserialize_keras_object(CONFIGS[name])
    text = str(error.value)
    assert len(text) < 3000 and text.replace("\n", "").isprintable()


@pytest.mark.promise("JSON has at most 64 MiB and 500 levels")
@pytest.mark.parametrize("name", ["deep", "cycle", "of itself", "cycle of dicts"])
def test_words_for_what_is_too_deep(name):
    with pytest.raises(SerializationError, match="nested too deeply, or contains itself"):
        deserialize_keras_object(CONFIGS[name])


@pytest.mark.promise("Names of layers in a file")
@pytest.mark.parametrize("place", ["model", "layer"])
def test_a_summary_gives_no_commands(tmp_path, place):
    model = jkeras.Sequential(
        [jkeras.Input((2,)), jkeras.layers.Dense(1, name="PLACE_layer")], name="PLACE_model"
    )
    model.save(tmp_path / "a.keras")
    with (
        zipfile.ZipFile(tmp_path / "a.keras") as old,
        zipfile.ZipFile(tmp_path / "b.keras", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                words = json.dumps(ESCAPE)[1:-1].encode()
                content = content.replace(f"PLACE_{place}".encode(), words)
            new.writestr(name, content)
    with pytest.raises(SerializationError, match="b.keras.*control characters"):
        jkeras.models.load_model(tmp_path / "b.keras")


def test_the_editor_shows_no_commands(tmp_path, capsys):
    model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
    model.save_weights(tmp_path / "a.weights.h5")
    editor = jkeras.saving.KerasFileEditor(tmp_path / "a.weights.h5")
    editor.rename_object("dense", ESCAPE)
    editor.save(tmp_path / "b.weights.h5")
    editor = jkeras.saving.KerasFileEditor(tmp_path / "b.weights.h5")
    editor.summary()
    editor.compare(model)
    assert "\x1b" not in capsys.readouterr().out


def test_a_file_in_a_checkpoint_whose_name_is_commands(tmp_path):
    with jkeras.saving.Checkpointer(tmp_path) as checkpoints:
        for step in (1, 2):
            checkpoints.save({"a": np.ones(2)}, step=step)
        checkpoints.wait()
        (tmp_path / "2" / ESCAPE).write_text("")
        assert "\x1b" not in StepFolder(tmp_path).problem(2)
        with pytest.warns(UserWarning, match="does not belong to it") as caught:
            checkpoints.restore({"a": np.ones(2)})
    assert "\x1b" not in str(caught[0].message)


# ---------------------------------------------------------------- addresses

ADDRESSES = [
    "http://me:secret@localhost:1/a.txt",
    "http://me:secret@localhost:x/a.txt",
    "http://me:se%20secret@[::1/a.txt",
    "ftp://me:secret@localhost/a.txt",
    "http://me:secret@localhost",
    "http://me:secret@ /a.txt",
]


@pytest.mark.promise("of an address not its password")
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_password_stays_out_of_messages(address, tmp_path, capsys):
    jkeras.config.enable_interactive_logging()
    with pytest.raises((OSError, ValueError)) as error:
        get_file(origin=address, cache_dir=tmp_path)
    shown = str(error.value) + capsys.readouterr().out
    assert "secret" not in shown and "me:" not in shown
    chained = error.value.__cause__
    assert chained is None or "secret" not in str(chained)


def test_a_password_that_a_server_sends_back():
    text = "the server sends us on to 'ftp://me:secret@host/a' from http://a:b@c/d@e"
    assert without_password(text) == (
        "the server sends us on to 'ftp://…@host/a' from http://…@c/d@e"
    )


# ---------------------------------------------------------------- names of classes


def defined(module, package="messages"):
    class Mine(jkeras.layers.Layer):
        pass

    Mine.__module__ = module
    return jkeras.saving.register_keras_serializable(package)(Mine)


def test_a_name_that_two_modules_register():
    first = defined("library_a")
    with pytest.warns(UserWarning, match="'messages>Mine'.*library_a.*taken over by library_b"):
        second = defined("library_b")
    assert jkeras.saving.get_registered_object("messages>Mine") is second is not first


def test_a_name_that_two_classes_have():
    class One(jkeras.layers.Layer):
        pass

    class Two(jkeras.layers.Layer):
        pass

    jkeras.saving.register_keras_serializable("twice", "Same")(One)
    with pytest.warns(UserWarning, match="'twice>Same' was the name of .*One.*taken over by.*Two"):
        jkeras.saving.register_keras_serializable("twice", "Same")(Two)


def test_what_is_defined_again_is_no_other():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = defined("notebook", "again")
        second = defined("notebook", "again")
        jkeras.saving.register_keras_serializable("again")(second)
    assert jkeras.saving.get_registered_object("again>Mine") is second is not first


@pytest.mark.parametrize("name", ["\x1b[2J\n.keras", "\x1b[2J\0.keras", "\x1b[2J.h5"])
def test_a_path_is_shown_without_codes(name):
    with pytest.raises(SerializationError) as caught:
        jkeras.saving.load_model(name)
    assert str(caught.value).startswith("\\x1b[2J") and str(caught.value).isprintable()


def test_paths_of_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(b"model.keras")
    model.save_weights(b"model.weights.h5")
    model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0, report=b"report.json")
    jkeras.saving.load_model(b"model.keras").load_weights(b"model.weights.h5")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "model.keras",
        "model.weights.h5",
        "report.json",
    ]
