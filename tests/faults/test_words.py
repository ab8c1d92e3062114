"""What a checkpoint says beside its arrays, changed and its list of files sealed again: one error
with the path, or the training goes on as it was.
"""

import copy
import json
import shutil

import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.saving import Checkpointer, steps
from tests.faults.tools import BATCH, STEPS, X, Y, assert_same, everything, plain
from tests.thinning import every, some_slow

EPOCHS = 2


def callbacks():
    return [
        jkeras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True),
        jkeras.callbacks.ReduceLROnPlateau("loss"),
    ]


def train(folder, epochs, **options):
    model = plain()
    model.fit(
        X,
        Y,
        batch_size=BATCH,
        epochs=epochs,
        seed=3,
        checkpoint=folder,
        callbacks=callbacks(),
        verbose=0,
        **options,
    )
    return model


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder of a training of some epochs."""
    folder = tmp_path_factory.mktemp("words") / "run"
    train(folder, EPOCHS)
    return folder


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A local folder of such a training."""
    folder = tmp_path_factory.mktemp("words") / "run"
    train(Checkpointer(folder / "durable", local=folder / "local", every="epoch"), EPOCHS)
    shutil.rmtree(folder / "durable")
    return folder / "local"


def seal(step):
    """Writes the list of the files of a step anew, as who changes them can."""
    (step / steps.MANIFEST).unlink()
    files = {name: steps._measured(step / name) for name in steps._walk(step)}
    (step / steps.MANIFEST).write_text(
        json.dumps({"files": files, "check": steps._check_of(files)})
    )


def changed(good, folder, change, name="metadata"):
    """A copy of a folder in which the words of the newest step are changed."""
    shutil.copytree(good, folder)
    step = folder / str(EPOCHS * STEPS)
    path = step / "extra" / name
    text = change(json.loads(path.read_text()))
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    seal(step)
    return folder


def in_data(**words):
    def change(text):
        text["data"] |= words
        return text

    return change


def without(key):
    def change(text):
        del text["data"][key]
        return text

    return change


def position(*words):
    return in_data(position=list(words))


def in_callback(name, **words):
    def change(text):
        text["data"]["callbacks"][name] |= words
        return text

    return change


def other(value):
    return lambda text: value


def put(key, value):
    return lambda text: text | {key: value}


CHANGES = {
    "epoch huge": position(10**9, 0, {}, False),
    "epoch more": position(EPOCHS + 1, 0, {}, False),
    "epoch less": position(EPOCHS - 1, 0, {}, False),
    "epoch huger": position(10**19, 0, {}, False),
    "epoch a text": position("2", 0, {}, False),
    "epoch a float": position(2.0, 0, {}, False),
    "epoch true": position(True, 0, {}, False),
    "epoch negative": position(-1, 0, {}, False),
    "epoch null": position(None, 0, {}, False),
    "step more": position(EPOCHS, 1, {}, False),
    "step a float": position(EPOCHS, 0.0, {}, False),
    "logs a list": position(EPOCHS, 0, [], False),
    "logs of texts": position(EPOCHS, 0, {"loss": "1"}, False),
    "ended a number": position(EPOCHS, 0, {}, 1),
    "position a dict": in_data(position={"epoch": EPOCHS}),
    "position empty": in_data(position=[]),
    "position too long": position(EPOCHS, 0, {}, False, 0),
    "seed huge": in_data(seed=10**30),
    "seed huge, few digits": in_data(seed=2**63),
    "seed negative": in_data(seed=-1),
    "seed a text": in_data(seed="3"),
    "seed a float": in_data(seed=3.5),
    "seed null": in_data(seed=None),
    "taken negative": in_data(taken=-8),
    "taken a text": in_data(taken="8"),
    "pass a number": in_data(**{"pass": 1}),
    "pass of texts": in_data(**{"pass": ["0", "1"]}),
    "batches a text": in_data(batches="4"),
    "validated a list": in_data(validated=[]),
    "states a dict": in_data(states={}),
    "states of numbers": in_data(states=[[1, 2, 3]], rows=8),
    "states without rows": in_data(states=[["A", "json", "{}"]]),
    "callbacks a list": in_data(callbacks=[]),
    "callbacks of lists": in_data(callbacks={"EarlyStopping_1": []}),
    "callbacks null": in_data(callbacks=None),
    "best a text": in_callback("EarlyStopping_1", best="0"),
    "wait a list": in_callback("EarlyStopping_1", wait=[0]),
    "wait null": in_callback("EarlyStopping_1", wait=None),
    "wait negative": in_callback("EarlyStopping_1", wait=-1),
    "best true": in_callback("EarlyStopping_1", best=True),
    "an attribute": in_callback("EarlyStopping_1", monitor="accuracy"),
    "a method": in_callback("ReduceLROnPlateau_1", on_epoch_end=1),
    "cooldown a text": in_callback("ReduceLROnPlateau_1", cooldown_counter="\x1b[2J"),
    "best weights a text": in_callback("EarlyStopping_1", best_weights="w"),
    "best weights of objects": in_callback("EarlyStopping_1", best_weights=[[[1], "object"]]),
    "history a list": in_callback("History_1", history=[]),
    "history without epochs": in_data(callbacks={"History_1": {"history": {}}}),
    "privacy a list": in_data(privacy=[]),
    "course a list": in_data(course=[0]),
    "course of another": in_data(course=[1, 0, 0, 4]),
    "unknown": in_data(more=1),
    "control characters": in_data(**{"\x1b[2J": 1}),
    "no position": without("position"),
    "no seed": without("seed"),
    "no callbacks": without("callbacks"),
    "data empty": put("data", {}),
    "data a list": put("data", []),
    "data null": put("data", None),
    "value a text": put("value", "0.5"),
    "arrays a dict": put("arrays", {}),
    "arrays of texts": put("arrays", ["a"]),
    "arrays of no dtype": put("arrays", [[["a"], [1], "junk"]]),
    "arrays of objects": put("arrays", [[["a"], [1], "object"]]),
    "unknown beside": put("more", 1),
    "empty": other({}),
    "a list": other([]),
    "a number": other(1),
    "NaN": other("NaN"),
    "deep": other("[" * 100_000 + "]" * 100_000),
    "deep beside": lambda text: json.dumps(text)[:-1] + ', "a": ' + "[" * 999 + "]" * 999 + "}",
    "twice": lambda text: json.dumps(text)[:-1] + ', "data": {}}',
    "no JSON": other("{"),
    "no text": other(""),
}


@pytest.mark.promise("anything else is refused before it counts")
@pytest.mark.parametrize("name", every(3, CHANGES, slow=1))
def test_changed_words(good, tmp_path, name):
    folder = changed(good, tmp_path / "run", CHANGES[name])
    with pytest.raises(SerializationError) as error:
        train(folder, EPOCHS + 1)
    text = str(error.value)
    assert text.startswith(str(folder)) and len(text) < 3000 and text.isprintable()


@pytest.mark.parametrize(
    "name", some_slow(["epoch huge", "seed a text", "empty", "deep", "arrays a dict"], "epoch huge")
)
def test_changed_words_in_a_local_folder(local, tmp_path, name):
    folder = changed(local, tmp_path / "run", CHANGES[name], "text.json")
    with pytest.raises(SerializationError, match=f"^{folder}"):
        train(Checkpointer(tmp_path / "durable", local=folder), EPOCHS + 1)


def out_of_the_file(rows):
    rows[-1][-1] = 10**12
    return rows


INDICES = {
    "a dict": other({}),
    "of texts": other(["a"]),
    "a text as place": lambda rows: [[*row[:-1], "0"] for row in rows],
    "a negative place": lambda rows: [[*row[:-1], -4] for row in rows],
    "out of the file": out_of_the_file,
    "deep": CHANGES["deep"],
}


@pytest.mark.parametrize("name", some_slow(INDICES, "out of the file", "of texts"))
def test_a_changed_list_of_parts(local, tmp_path, name):
    folder = tmp_path / "run"
    shutil.copytree(local, folder)
    step = folder / str(EPOCHS * STEPS)
    path = step / "state" / "index.json"
    text = INDICES[name](json.loads(path.read_text()))
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    seal(step)
    with pytest.raises(SerializationError, match=str(folder)):
        train(Checkpointer(tmp_path / "durable", local=folder), EPOCHS + 1)


def same(text):
    return copy.deepcopy(text)


def older(text):
    """As before there was a course."""
    del text["data"]["course"]
    return text


@pytest.mark.parametrize("change", [same, older])
def test_words_as_they_were(good, tmp_path, change):
    """Sealed by another hand, or written before: the training goes on, to the same bits."""
    folder = changed(good, tmp_path / "run", change)
    assert_same(everything(train(folder, EPOCHS + 1)), everything(train(None, EPOCHS + 1)))


def test_a_course_that_is_not_known(tmp_path):
    """An epoch that gives less than was said, steps that are left out, another number of steps."""

    def batches():
        yield from [(X[:BATCH], Y[:BATCH])] * 30

    model = plain()
    model.fit(batches(), epochs=2, steps_per_epoch=3, checkpoint=tmp_path / "a", verbose=0)
    model = plain()
    options = dict(checkpoint=tmp_path / "a", verbose=0, resume="skip")
    model.fit(batches(), epochs=3, steps_per_epoch=5, **options)
    model.fit(batches(), epochs=5, steps_per_epoch=2, **options)
    assert model._step == 6 + 5 + 4
    x = np.copy(X)
    x[0] = np.nan
    for epochs in (1, 2):
        model = plain(nonfinite="skip")
        with pytest.warns(UserWarning, match="NaN"):
            options = dict(batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0)
            model.fit(x, Y, checkpoint=tmp_path / "b", **options)
    assert model._step == 2 * STEPS  # those that are left out are counted


def test_a_seed_that_no_checkpoint_keeps(tmp_path):
    with pytest.raises(ValueError, match="`seed` must be a whole number.*below"):
        plain().fit(X, Y, seed=2**70, checkpoint=tmp_path, verbose=0)
    plain().fit(X, Y, seed=2**70, verbose=0)
    plain().fit(X, Y, seed=np.int64(3), checkpoint=tmp_path, verbose=0)
