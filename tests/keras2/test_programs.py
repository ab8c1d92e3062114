"""Old programs run on jkeras as they are: all of them in one process, since starting one takes
seconds.
"""

import ast
import json
import os
import pathlib
import subprocess
import sys
import textwrap
import types

import pytest

import jkeras
from jkeras.keras2.modernize import modernize
from tests.keras2.programs import PROGRAMS

ROOT = pathlib.Path(jkeras.__file__).parent.parent


def python(*arguments):
    """Runs this Python in the project's folder; returns what it did."""
    fast = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | fast,
        check=False,
    )


@pytest.fixture(scope="module")
def results():
    done = python("-m", "tests.keras2.zoo")
    # what the programs print themselves may begin with a bracket, too
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    rows = [json.loads(line.removeprefix("RESULT ")) for line in lines]
    found = {row[0]: row for row in rows if len(row) == 3}
    assert found, done.stderr
    return found


@pytest.mark.promise("TensorFlow | `from tensorflow.keras")
@pytest.mark.promise('logs | `"acc"` and `"val_acc"`')
@pytest.mark.promise("optimizers | `lr=`, `decay=`")
@pytest.mark.promise("`nb_epoch=`, `fit_generator`, `evaluate_generator`")
@pytest.mark.promise("`Convolution2D(32, 3, 3)`, `border_mode=`")
@pytest.mark.promise("and Keras 3 refuses them")
@pytest.mark.slow
@pytest.mark.parametrize("title", PROGRAMS)
def test_runs(title, results):
    _, error, _ = results[title]
    assert error is None, error


@pytest.mark.slow
def test_notes_say_what_was_translated(results):
    _, _, pairs = results["mnist_mlp of Keras 1"]
    assert ["Dense(output_dim=)", "Dense(units=)"] in pairs
    assert ["fit(nb_epoch=)", "fit(epochs=)"] in pairs
    assert results["conv_lstm and seq2seq"][2] == []


@pytest.mark.promise("One warning at the end of the program says what was translated")
def test_one_warning_at_the_end(tmp_path):
    path = tmp_path / "old.py"
    path.write_text(
        "from keras.layers import Dense\nDense(output_dim=2)\nDense(output_dim=3)\nprint('done')\n"
    )
    done = python("-m", "jkeras", "run", "--keras2", path)
    assert done.returncode == 0 and done.stdout == "done\n"
    assert done.stderr.count("Keras2Warning") == 1
    assert done.stderr.count("Dense(output_dim=)  ->  Dense(units=)") == 1


@pytest.mark.promise("Without `keras2` nothing changes")
def test_jkeras_itself_stays_as_it_is():
    """Making the modules of Keras 2 changes no class of today."""
    from jkeras.keras2 import namespace
    from jkeras.keras2.notes import Notes

    jkeras.layers.Dense(2)  # whose constructor is made when it is first used
    before = {name: vars(thing).copy() for name, thing in classes()}
    modules = namespace.modules(Notes())
    modules["keras.layers"].Dense(output_dim=2, input_dim=3)
    assert before == {name: vars(thing).copy() for name, thing in classes()}
    with pytest.raises((TypeError, ValueError)):
        jkeras.layers.Dense(output_dim=2)


def classes():
    packages = (jkeras.layers, jkeras.optimizers, jkeras.callbacks, jkeras.models)
    for package in packages:
        for name in package.__all__:
            thing = getattr(package, name)
            if isinstance(thing, type):
                yield f"{package.__name__}.{name}", thing


@pytest.mark.promise("What they make are objects")
def test_what_old_names_make_is_of_the_classes_of_today():
    from jkeras.keras2 import namespace
    from jkeras.keras2.notes import Notes

    layers = namespace.modules(Notes())["keras.layers"]
    layer = layers.Convolution2D(4, 3, 3, border_mode="same", dim_ordering="th")
    assert type(layer) is jkeras.layers.Conv2D and isinstance(layer, layers.Conv2D)
    assert (layer.kernel_size, layer.padding, layer.data_format) == (
        (3, 3),
        "same",
        "channels_first",
    )
    assert issubclass(layers.LSTM, layers.Layer) and not isinstance(layer, layers.Dense)


@pytest.mark.promise("Estimators, `tf.Module`, `tf.io`")
@pytest.mark.promise("modules | `keras.layers.core`")
def test_every_module_can_be_imported():
    from jkeras.keras2 import namespace
    from jkeras.keras2.notes import Notes

    modules = namespace.modules(Notes())
    for name in ("keras.layers.core", "keras.engine.topology", "tensorflow.keras.utils.np_utils"):
        assert isinstance(modules[name], types.ModuleType)
    assert modules["tensorflow"].keras is modules["keras"] is modules["tensorflow.keras"]
    with pytest.raises(AttributeError, match="stand-in"):
        modules["tensorflow"].Module  # noqa: B018


@pytest.mark.parametrize("title", PROGRAMS)
def test_modernized_programs_parse(title):
    text, _ = modernize(textwrap.dedent(PROGRAMS[title]))
    ast.parse(text)
    for gone in ("nb_epoch", "fit_generator", "keras.layers.core", "(lr=", "tensorflow.keras"):
        assert gone not in text
    assert modernize(text)[0] == text
