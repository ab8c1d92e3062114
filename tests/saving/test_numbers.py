"""Every number of a config, a header and a list in turn is of another kind or size: the file is
refused by the one error, or loads, within its bounds.
"""

import json
import signal
import warnings
import zipfile

import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.errors import SerializationError
from tests.thinning import some_slow

SECONDS = 20
VALUES = {
    "text": "7",
    "half": 0.5,
    "none": None,
    "list": [1],
    "dict": {"a": 1},
    "true": True,
    "negative": -3,
    "zero": 0,
    "large": 10**6,
    "huge": 2**63,
    "real": 1e300,
    "small": 1e-300,
    "control": "\x1b[2J",
}


@pytest.fixture(autouse=True)
def bounded():
    def stop(number, frame):
        raise TimeoutError(f"more than {SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def rich():
    x = jkeras.Input((8, 4), name="x")
    y = layers.Conv1D(3, 2, padding="same", name="conv")(x)
    y = layers.BatchNormalization(name="norm")(y)
    y = layers.MultiHeadAttention(2, 3, name="attention")(y, y)
    y = layers.MaxPooling1D(2, name="pool")(y)
    y = layers.LSTM(3, dropout=0.1, name="lstm")(y)
    y = jkeras.ops.reshape(y, (-1, 3, 1))
    y = layers.UpSampling1D(2, name="up")(y)
    y = layers.Flatten(name="flat")(y)
    y = layers.Dropout(0.2, seed=3, name="drop")(y)
    y = layers.Dense(2, kernel_regularizer=jkeras.regularizers.L2(0.1), name="dense")(y)
    model = jkeras.Model(x, y, name="net")
    schedule = jkeras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    model.compile(jkeras.optimizers.Adam(schedule, use_ema=True), "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    return model


def numbers(value, path=()):
    """The paths to all numbers."""
    if isinstance(value, dict):
        value = list(value.items())
    elif isinstance(value, list):
        value = list(enumerate(value))
    elif type(value) in (int, float):
        yield path
        return
    else:
        return
    for key, inner in value:
        yield from numbers(inner, (*path, key))


def replaced(value, path, new):
    """A copy with another value at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("numbers") / "m.keras"
    rich().save(path)
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def loads(load, path):
    """Whether a file loads; else it is refused by the one error."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load(path)
    except SerializationError as error:
        text = str(error)
        assert text.startswith(str(path)) and len(text) < 5000
        assert text.replace("\n", "").isprintable()
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return True


def check(good, tmp_path, value, step=1):
    config = json.loads(good["config.json"])
    path, refused = tmp_path / "m.keras", 0
    places = list(numbers(config))
    assert len(places) > 80
    for place in places[::step]:
        with zipfile.ZipFile(path, "w") as file:
            for name, content in good.items():
                if name == "config.json":
                    content = json.dumps(replaced(config, place, value))
                file.writestr(name, content)
        refused += not loads(jkeras.models.load_model, path)
    return refused, len(places)


@pytest.mark.parametrize("name", some_slow(["text", "negative", "huge"], "huge"))
def test_some_numbers_of_a_config(good, tmp_path, name):
    check(good, tmp_path, VALUES[name], step=20)


@pytest.mark.slow
@pytest.mark.parametrize("name", VALUES)
def test_numbers_of_a_config(good, tmp_path, name):
    refused, count = check(good, tmp_path, VALUES[name])
    assert refused > count / 3 or name not in ("text", "dict", "negative", "huge")


@pytest.mark.parametrize("name", some_slow(VALUES, "text", "huge"))
def test_numbers_of_a_header(tmp_path, name):
    model = rich()
    path = tmp_path / "m.safetensors"
    model.save_weights(path)
    content, before = path.read_bytes(), model.get_weights()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    for place in list(numbers(header))[:40]:
        text = json.dumps(replaced(header, place, VALUES[name])).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
        if loads(model.load_weights, path):
            for one, other in zip(before, model.get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("length", [0, 1, 7, 2**31, 2**40, 2**63, 2**64 - 1])
def test_length_of_a_header(tmp_path, length):
    model = rich()
    path = tmp_path / "m.safetensors"
    model.save_weights(path)
    content = path.read_bytes()
    path.write_bytes(length.to_bytes(8, "little") + content[8:])
    assert not loads(model.load_weights, path)
