"""`import keras` gives jkeras: in processes of their own, since it changes the process."""

import importlib.util
import json
import pathlib
import subprocess
import sys
import textwrap
import types

import keras
import numpy as np
import pytest
from keras.src.saving.saving_lib import H5IOStore

import jkeras
from jkeras import __main__ as commands
from jkeras.as_keras_store import ArrayStore
from jkeras.core.errors import SerializationError

ROOT = pathlib.Path(jkeras.__file__).parent.parent


def python(*arguments, **options):
    """Runs this Python in the project's folder; returns what it did."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, **options
    )


# What a program sees once jkeras plays Keras; all run in one process, since starting one takes
# seconds.
PROGRAMS = {
    "every form of import gives the same objects": """
        import importlib, pickle, types
        import keras
        import keras.ops as ops
        import keras.applications.imagenet_utils
        import keras.utils.bounding_boxes, keras.optimizers.schedules, keras.ops.numpy as knp
        from keras import saving, tree, distribution, layers
        from keras.layers import Dense
        from keras import *

        assert ops is jkeras.ops and knp is jkeras.ops.numpy
        assert keras.layers is layers is jkeras.layers
        assert saving is jkeras.saving and tree is jkeras.tree and Sequential is jkeras.Sequential
        assert keras.optimizers.schedules is jkeras.optimizers.schedules
        assert distribution.initialize is jkeras.distribution.initialize
        assert isinstance(Dense(2), keras.Layer)
        assert isinstance(jkeras.layers.Dense(2), keras.layers.Layer)
        assert set(dir(keras)) >= set(jkeras.__all__) and not hasattr(keras, "core")
        assert pickle.loads(pickle.dumps(keras.layers.Dense)) is Dense
        again = pickle.loads(pickle.dumps(keras.losses.mean_squared_error))
        assert again is jkeras.losses.mean_squared_error
        assert jkeras.layers.__name__ == "jkeras.layers" == jkeras.layers.__spec__.name
        """,
    "every public module": """
        import importlib, types

        def look(name, here):
            for child in getattr(here, "__all__", ()):
                module, path = getattr(here, child), f"{name}.{child}"
                if isinstance(module, types.ModuleType):
                    assert importlib.import_module(path) is module, path
                    look(path, module)

        look("keras", jkeras)
        """,
    "versions and backend": """
        import importlib.metadata, importlib.util
        import keras
        assert keras.__version__ == keras.version() == "3.15.1"
        assert importlib.metadata.version("keras") == "3.15.1"
        assert keras.backend.backend() == keras.config.backend() == "jax"
        assert importlib.util.find_spec("keras").name == "keras"
        assert importlib.metadata.version("jax") != "3.15.1"
        """,
    "what Keras does not have is an ImportError": """
        import keras
        lines = [
            "import keras.nothing",
            "import keras.core",
            "import keras.layers.dense",
            "import keras.saving.x",
            "from keras import nothing",
            "import keras.src.core",
            "import keras.src.layers.core.densest",
            "from keras.src.layers.core.densest import Dense",
        ]
        for line in lines:
            try:
                exec(line)
            except ImportError as error:
                private = "install_as_keras(private={" in str(error)
                assert private == ("keras.src" in line), (line, error)
            else:
                raise AssertionError(line)
        try:
            keras.nothing
        except AttributeError as error:
            assert "'nothing'" in str(error)
        """,
    "private modules with a public namesake have its names": """
        import sys
        import keras
        assert keras.src.layers.Dense is jkeras.layers.Dense  # without an import of it
        from keras.src import ops
        from keras.src.datasets import mnist
        import keras.src.utils as utils
        assert ops.add is jkeras.ops.add and mnist.load_data is jkeras.datasets.mnist.load_data
        assert utils is not jkeras.utils and utils.to_categorical is jkeras.utils.to_categorical
        """,
    "a stand-in for a private module": """
        import types
        jkeras.install_as_keras(private={"keras.src.callbacks": jkeras.callbacks})
        jkeras.install_as_keras({"keras.src.utils.naming": types.SimpleNamespace(auto_name=len)})
        import keras
        assert keras.src.utils.naming.auto_name is len  # without an import of it
        assert not hasattr(jkeras.utils, "naming")
        import keras.src.callbacks
        from keras.src.callbacks import History
        from keras.src.utils import naming
        assert History is keras.src.callbacks.History is jkeras.callbacks.History
        assert naming.auto_name is len
        try:
            import keras.src.layers.nothing
        except ImportError as error:
            assert "private={'keras.src.layers.nothing': ...}" in str(error)
        else:
            raise AssertionError("there is no keras.src.layers.nothing")
        """,
    "what libraries take from inside Keras is there for them": """
        import keras
        mark = keras.src.utils.tracking.no_automatic_dependency_tracking
        assert mark(len) is len
        from keras.src import backend
        assert backend.standardize_shape([2, None]) == (2, None)
        assert backend.result_type is jkeras.backend.result_type
        from keras.src.backend import get_keras_mask
        from keras.src.distribution import distribution_lib
        from keras.src.saving import serialization_lib
        assert get_keras_mask(keras.ops.ones(2)) is None
        assert distribution_lib.distribution() is None
        assert not serialization_lib.in_safe_mode()
        assert keras.src.saving.saving_lib.H5IOStore.__name__ == "ArrayStore"
        from keras.src.layers.core.dense import Dense, activations, ops
        assert Dense is jkeras.layers.Dense and ops.add is jkeras.ops.add
        assert activations.relu is jkeras.activations.relu
        import keras.src.layers.convolutional.base_conv as base_conv
        assert base_conv.InputSpec is jkeras.InputSpec
        assert keras.src.models.functional.Functional is jkeras.models.Functional
        taken = {}
        exec("from keras.src.layers.core.dense import *", taken)
        assert taken["Dense"] is Dense and taken["ops"] is ops
        from keras.src.backend import numpy as knp
        assert knp.matmul is jkeras.ops.matmul and backend.nn.relu is jkeras.ops.relu
        """,
    "as scikeras, kimm and keras-aug import": """
        import io
        import numpy as np
        import keras
        from keras.src.saving.saving_lib import load_model, save_model
        from keras.src.utils.argument_validation import standardize_tuple
        from keras.src.utils.backend_utils import in_tf_graph
        from keras.src.utils.module_utils import LazyModule, tensorflow as tf
        from keras.src.applications import imagenet_utils
        from keras.src.backend import standardize_data_format
        from keras.src.backend.torch import convert_to_tensor, to_torch_dtype
        import keras.src.backend.jax as module
        assert not in_tf_graph() and standardize_tuple(2, 2, "n") == (2, 2)
        assert standardize_data_format(None) == "channels_last"
        shape = imagenet_utils.obtain_input_shape(None, 8, 4, "channels_last", True, weights=None)
        assert shape == (8, 8, 3)
        assert keras.random.SeedGenerator(3, backend=module).state.shape == (2,)
        assert isinstance(tf, LazyModule)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="d")])
        file = io.BytesIO()
        save_model(model, file)
        file.seek(0)
        again = load_model(file)
        np.testing.assert_array_equal(again.get_layer("d").kernel, model.get_layer("d").kernel)
        try:
            to_torch_dtype("float32")
        except NotImplementedError as error:
            assert "keras.src.backend.torch.core.to_torch_dtype" in str(error)
        else:
            raise AssertionError("used")
        """,
    "what jkeras lacks of a private module says so when it is used": """
        import keras
        from keras.src.layers.convolutional.base_conv import BaseConv
        from keras.src.ops.numpy import Add
        hint: BaseConv | None = None
        assert not isinstance(3, BaseConv) and "BaseConv" in repr(BaseConv)
        def sub():
            class Mine(BaseConv):
                pass
        for use in (lambda: BaseConv(2), lambda: Add.call, sub):
            try:
                use()
            except NotImplementedError as error:
                assert "keras.src." in str(error) and "private=" in str(error), error
            else:
                raise AssertionError("used")
        try:
            from keras.src.ops.numpy import AddUp
        except ImportError as error:
            assert "AddUp" in str(error)
        else:
            raise AssertionError("Keras has no AddUp")
        """,
    "tf.keras, as TensorFlow takes it": """
        import importlib
        tf_keras = importlib.import_module("keras._tf_keras.keras")
        import keras
        assert tf_keras.__version__ == "3.15.1"
        assert tf_keras.layers.Dense is keras.layers.Dense and tf_keras.utils is keras.utils
        assert tf_keras.Sequential is keras.Sequential
        assert tf_keras.losses.mse is keras.losses.mean_squared_error
        assert tf_keras.losses.Reduction.SUM == "sum" and not hasattr(keras.losses, "Reduction")
        layer = tf_keras.layers.ThresholdedReLU(1.0)
        assert layer(keras.ops.array([0.5, 2.0])).tolist() == [0.0, 2.0]
        assert tf_keras.backend.mean(keras.ops.array([1.0, 3.0])).item() == 2.0
        assert tf_keras.preprocessing.text.Tokenizer().fit_on_texts is not None
        assert tf_keras.preprocessing.sequence.pad_sequences([[1]], 2).tolist() == [[0, 1]]
        from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator
        from keras.src.legacy.preprocessing.text import Tokenizer
        from keras.src.legacy.backend import mean
        assert Tokenizer is tf_keras.preprocessing.text.Tokenizer
        try:
            tf_keras.layers.nothing
        except AttributeError as error:
            assert "nothing" in str(error)
        """,
    "tf.keras of a package that finds it as TensorFlow does": """
        import pathlib, sys, tempfile
        folder = pathlib.Path(tempfile.mkdtemp())
        (folder / "tensorflow").mkdir()
        source = (
            "import importlib\\n"
            "def __getattr__(name):\\n"
            "    if name == 'keras':\\n"
            "        return importlib.import_module('keras._tf_keras.keras')\\n"
            "    raise AttributeError(name)\\n"
            "def reverse(x):\\n"
            "    return x[::-1]\\n"
        )
        (folder / "tensorflow" / "__init__.py").write_text(source)
        sys.path.insert(0, str(folder))
        try:
            import tensorflow as tf
            from tensorflow import keras
            from tensorflow.keras import layers
            from tensorflow.keras.layers import Dense
            import tensorflow.keras.backend as K
            import keras as plain
            assert Dense is plain.layers.Dense is tf.keras.layers.Dense and layers.Dense is Dense
            assert tf.reverse([1, 2]) == [2, 1] and K.epsilon() == plain.backend.epsilon()
            assert keras.Model is plain.Model is jkeras.Model
            assert {"Dense", "ThresholdedReLU"} <= set(dir(layers)) and "Model" in dir(keras)
            assert keras.losses.logcosh is plain.losses.log_cosh
        finally:
            sys.path.remove(str(folder))
            for name in [name for name in sys.modules if name.startswith("tensorflow")]:
                del sys.modules[name]
        """,
    "twice is once": """
        import sys
        import keras
        before = len(sys.meta_path)
        jkeras.install_as_keras()
        import keras as again
        assert again is keras and len(sys.meta_path) == before
        """,
    "custom objects and files": """
        import os, tempfile
        import numpy as np
        import keras

        @keras.saving.register_keras_serializable("mine")
        class Twice(keras.layers.Layer):
            def call(self, x):
                return 2 * x

        model = keras.Sequential([keras.Input((3,)), Twice(), keras.layers.Dense(2, name="d")])
        path = os.path.join(tempfile.mkdtemp(), "m.keras")
        model.save(path)
        again = keras.models.load_model(path)
        np.testing.assert_array_equal(again.get_layer("d").kernel, model.get_layer("d").kernel)
        assert type(again) is jkeras.Sequential and type(again.layers[0]) is Twice
        """,
}
RUNNER = """
import json, sys, traceback
import jkeras
jkeras.install_as_keras()
said = {}
for name, program in json.load(sys.stdin).items():
    try:
        exec(program, {"__name__": "__main__", "jkeras": jkeras})
        said[name] = ""
    except BaseException:
        said[name] = traceback.format_exc()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said():
    """What went wrong in each program."""
    programs = {name: textwrap.dedent(program) for name, program in PROGRAMS.items()}
    done = python("-W", "error", "-c", RUNNER, input=json.dumps(programs))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.promise("A library that says `import keras`")
@pytest.mark.promise("Every module that is under `keras.src`")
@pytest.mark.promise("What Keras gives publicly under another name")
@pytest.mark.promise("Some private functions have an equivalent")
@pytest.mark.promise("The rest can be imported")
@pytest.mark.promise("A name that Keras 3.15 does not have either")
@pytest.mark.promise("The little that Keras 3 keeps of Keras 2")
@pytest.mark.promise("`tf.keras` is jkeras in such a process")
@pytest.mark.promise("give the same objects as `import keras`")
@pytest.mark.promise("TensorFlow itself stays what it is")
@pytest.mark.promise("and ran with Keras 3 runs")
@pytest.mark.promise("`import keras.src...` | not")
@pytest.mark.promise("`keras.__version__`, `keras.version()` and")
@pytest.mark.promise("the value may be anything")
@pytest.mark.promise("and are jkeras's own: the same objects")
@pytest.mark.parametrize("name", PROGRAMS)
def test_as_keras(name, said):
    assert not said[name], said[name]


@pytest.mark.promise("`install_as_keras` raises `ImportError`")
def test_refuses_where_keras_itself_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", types.ModuleType("keras"))
    before = list(sys.meta_path)
    with pytest.raises(ImportError, match="python -m jkeras run"):
        jkeras.install_as_keras()
    assert sys.meta_path == before


@pytest.fixture
def program(tmp_path):
    """A script for Keras that imports a module beside it."""
    (tmp_path / "beside.py").write_text("NUMBER = 7\n")
    path = tmp_path / "script.py"
    path.write_text(
        "import sys, keras, beside\nfrom keras.layers import Dense\n"
        "print(Dense.__module__, __name__, beside.NUMBER, sys.argv[1:])\nsys.exit(3)\n"
    )
    return path


@pytest.mark.promise("From the command line a program runs so")
@pytest.mark.promise("`python -m jkeras run program.py` runs")
def test_run_a_script(program):
    done = python(
        "-m", "jkeras", "run", "--private", "keras.src.tree=jkeras.tree", program, "--epochs", "2"
    )
    assert done.stdout.strip() == "jkeras.layers.dense __main__ 7 ['--epochs', '2']", done.stderr
    assert done.returncode == 3


@pytest.mark.promise("From the command line a program runs so")
def test_run_a_module(program, monkeypatch, capsys):
    """In this process, up to the point where Keras would be replaced."""
    monkeypatch.setattr(
        jkeras, "install_as_keras", lambda private, keras2: print("installed", private, keras2)
    )
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", [str(program.parent), *sys.path])
    (program.parent / "other.py").write_text("import sys\nprint(__name__, sys.argv[1:])\n")
    commands.main(["run", "-m", "other", "-x"])
    assert capsys.readouterr().out.split("\n")[:2] == ["installed {} False", "__main__ ['-x']"]


def test_examples_are_listed_and_found(capsys):
    commands.main(["examples"])
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert listed == {path.stem for path in (ROOT / "examples").glob("*.py")}
    with pytest.raises(SystemExit, match="2"):
        commands.main(["examples", "digit_quickstart"])
    assert "Did you mean 'digits_quickstart'?" in capsys.readouterr().err


# ---------------------------------------------------------------- TensorFlow


@pytest.mark.promise("`python -m jkeras run` says in one line which line")
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="it is installed")
def test_tensorflow_that_is_not_installed_is_said_in_one_line(tmp_path, monkeypatch, capsys):
    """In this process, up to the import of TensorFlow."""
    monkeypatch.setattr(jkeras, "install_as_keras", lambda private, keras2: None)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "program.py"
    path.write_text("import sys\n\nfrom tensorflow.keras import layers\n")
    with pytest.raises(SystemExit) as ended:
        commands.main(["run", str(path)])
    [line] = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and f"{path}, line 3" in line and "not installed" in line


# ---------------------------------------------------------------- files of arrays


@pytest.mark.parametrize(("writer", "reader"), [(ArrayStore, H5IOStore), (H5IOStore, ArrayStore)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_stores_of_arrays(tmp_path, dtype, writer, reader):
    """As keras-hub keeps the matrices of its LoRA."""
    matrices = {3: (jkeras if writer is ArrayStore else keras).Variable([[1.5, 2.0]], dtype=dtype)}
    store = writer(tmp_path / "a.lora.h5", mode="w")
    store.make("lora")["rank"] = 4
    for layer, matrix in matrices.items():
        store.make(f"lora/{layer}")["kernel"] = matrix
    store.close()
    store = reader(tmp_path / "a.lora.h5", mode="r")
    assert int(store.get("lora")["rank"][()]) == 4
    found = store.get("lora/3")["kernel"]
    assert str(found.dtype) == dtype
    np.testing.assert_array_equal(found.astype("float32"), [[1.5, 2.0]])
    assert list(store.get("lora/4").keys()) == []
    store.close()


def test_a_store_that_is_damaged(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"no HDF5 file")
    with pytest.raises(SerializationError, match="a.h5.*damaged or no HDF5"):
        ArrayStore(tmp_path / "a.h5").get("lora")
    with pytest.raises(ValueError, match="expected mode 'r' or 'w', received mode='a'"):
        ArrayStore(tmp_path / "a.h5", "a")
