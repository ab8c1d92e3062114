"""`import keras` gives jkeras: in processes of their own, since it changes the process."""

import pathlib
import subprocess
import sys
import textwrap

import pytest

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parent.parent


def python(*arguments, **options):
    """Runs this Python in the project's folder; returns what it did."""
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, **options)


def said(program, *, before="import jkeras; jkeras.install_as_keras()"):
    """What a program prints when jkeras plays Keras."""
    done = python("-W", "error", "-c", f"{before}\n{textwrap.dedent(program)}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_form_of_import_gives_the_same_objects():
    assert said("""
        import importlib, pickle, sys, types
        import keras
        import keras.ops as ops
        import keras.applications.imagenet_utils
        import keras.utils.bounding_boxes, keras.optimizers.schedules, keras.ops.numpy as knp
        from keras import saving, tree, distribution, layers
        from keras.layers import Dense
        from keras import *

        assert ops is jkeras.ops and knp is jkeras.ops.numpy and keras.layers is layers is jkeras.layers
        assert saving is jkeras.saving and tree is jkeras.tree and Sequential is jkeras.Sequential
        assert keras.optimizers.schedules is jkeras.optimizers.schedules
        assert distribution.initialize is jkeras.distribution.initialize
        assert isinstance(Dense(2), keras.Layer) and isinstance(jkeras.layers.Dense(2), keras.layers.Layer)
        assert set(dir(keras)) >= set(jkeras.__all__) and not hasattr(keras, "core")

        def public(name, here):
            for child in getattr(here, '__all__', ()):
                if isinstance(getattr(here, child), types.ModuleType):
                    assert importlib.import_module(f"{name}.{child}") is getattr(here, child), f"{name}.{child}"
                    public(f"{name}.{child}", getattr(here, child))
        public("keras", jkeras)

        @keras.saving.register_keras_serializable("mine")
        class Twice(keras.layers.Layer):
            def call(self, x):
                return 2 * x
        assert jkeras.saving.get_registered_object("mine>Twice") is Twice
        assert pickle.loads(pickle.dumps(keras.layers.Dense)) is Dense
        assert pickle.loads(pickle.dumps(keras.losses.mean_squared_error)) is jkeras.losses.mean_squared_error
        assert jkeras.layers.__name__ == "jkeras.layers" == jkeras.layers.__spec__.name
        print("done")""") == "done"


def test_versions_and_backend():
    assert said("""
        import importlib.metadata, importlib.util
        import keras
        print(keras.__version__, keras.version(), importlib.metadata.version("keras"), keras.backend.backend(),
              keras.config.backend(), importlib.util.find_spec("keras").name,
              importlib.metadata.version("jax") != "3.15.1")
        """) == "3.15.1 3.15.1 3.15.1 jax jax keras True"


def test_what_keras_does_not_have_is_an_import_error():
    assert said("""
        import keras
        for line in ("import keras.nothing", "import keras.core", "import keras.layers.dense", "import keras.saving.x",
                     "from keras import nothing", "import keras.src", "from keras.src.layers import Dense"):
            try:
                exec(line)
            except ImportError as error:
                print(line.split()[1], "private={" in str(error), sep=": ")
        try:
            keras.src
        except AttributeError as error:
            print("private={" in str(error))
        """).splitlines() == ["keras.nothing: False", "keras.core: False", "keras.layers.dense: False",
                              "keras.saving.x: False", "keras: False", "keras.src: True", "keras.src.layers: True",
                              "True"]


def test_a_stand_in_for_a_private_module():
    assert said("""
        import types
        jkeras.install_as_keras(private={"keras.src.callbacks": jkeras.callbacks})
        jkeras.install_as_keras({"keras.src.utils.naming": types.SimpleNamespace(auto_name=len)})
        import keras.src.callbacks
        from keras.src.callbacks import History
        from keras.src.utils import naming
        assert History is keras.src.callbacks.History is jkeras.callbacks.History and naming.auto_name is len
        try:
            import keras.src.layers
        except ImportError as error:
            print("private={'keras.src.layers': ...}" in str(error))
        """) == "True"


def test_twice_is_once():
    assert said("""
        import sys
        import keras
        before = len(sys.meta_path)
        jkeras.install_as_keras()
        import keras as again
        print(again is keras, len(sys.meta_path) - before)
        """) == "True 0"


def test_refuses_where_keras_itself_is_loaded():
    assert "python -m jkeras run" in said("""
        try:
            jkeras.install_as_keras()
        except ImportError as error:
            print(error)
        """, before="import sys, types; sys.modules['keras'] = types.ModuleType('keras'); import jkeras")


def test_a_model_goes_through_a_file():
    assert said("""
        import numpy as np, os, tempfile
        import keras
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="d")])
        path = os.path.join(tempfile.mkdtemp(), "m.keras")
        model.save(path)
        again = keras.models.load_model(path)
        np.testing.assert_array_equal(again.get_layer("d").kernel, model.get_layer("d").kernel)
        print(type(again) is jkeras.Sequential)
        """) == "True"


@pytest.fixture
def program(tmp_path):
    """A script for Keras that imports a module beside it."""
    (tmp_path / "beside.py").write_text("NUMBER = 7\n")
    path = tmp_path / "script.py"
    path.write_text("import sys, keras, beside\nfrom keras.layers import Dense\n"
                    "print(Dense.__module__, __name__, beside.NUMBER, sys.argv[1:])\nsys.exit(3)\n")
    return path


def test_run_a_script(program):
    done = python("-m", "jkeras", "run", program, "--epochs", "2")
    assert done.stdout.strip() == "jkeras.layers.dense __main__ 7 ['--epochs', '2']", done.stderr
    assert done.returncode == 3


def test_run_a_module(program, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{program.parent}:{ROOT}")
    done = python("-m", "jkeras", "run", "-m", "script", "-x")
    assert (done.stdout.strip(), done.returncode) == ("jkeras.layers.dense __main__ 7 ['-x']", 3), done.stderr


def test_examples_are_listed_and_found():
    done = python("-m", "jkeras", "examples")
    assert {line.split()[0] for line in done.stdout.splitlines()} == {
        path.stem for path in (ROOT / "examples").glob("*.py")}, done.stderr
    assert "Did you mean 'digits_quickstart'?" in python("-m", "jkeras", "examples", "digit_quickstart").stderr
