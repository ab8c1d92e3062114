"""What type checkers say of constructors and functions: they take what these take and refuse what
these refuse.

The checkers are mypy and pyright, which come with the extra `test`.
"""

import inspect
import json
import os
import pathlib
import subprocess
import sys

import pytest

import jkeras
from jkeras.core.names import typed
from jkeras.core.record import BASE_ARGUMENTS, Record
from jkeras.optimizers.fields import COMMON

ROOT = pathlib.Path(__file__).parent.parent
PROGRAM = ROOT / "tests" / "typed_program.py"
STRICT = [ROOT / "tests" / f"typed_{name}.py" for name in ("strictly", "own_parts", "session")]
PACKAGES = (
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "initializers",
    "regularizers",
    "constraints",
)
# optimizers that take the common arguments by place; of others a checker wants them by name
WRITTEN_OUT = ("AdamW", "Muon", "LossScaleOptimizer", "MultiOptimizer", "OptaxOptimizer")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """Where mypy keeps what it read, for the next program."""
    return tmp_path_factory.mktemp("mypy")


def pyright(folder, caches):
    """[(number of a line, message)]: what pyright says of `folder/program.py`."""
    # beside the sources, so that they are what is checked
    settings = dict(extraPaths=[str(ROOT)], include=["program.py"])
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run([*command, "-p", folder], capture_output=True, text=True)
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = [each for each in found if each["severity"] in ("error", "information")]
    return [(each["range"]["start"]["line"], each["message"]) for each in errors]


def mypy(folder, caches):
    """[(number of a line, message)]: what mypy says of `folder/program.py`."""
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--output=json"]
    done = subprocess.run(
        [*command, "--cache-dir", caches, "program.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    errors = [each for each in found if each["severity"] == "error"]
    assert [each for each in errors if each["file"] != "program.py"] == []
    return [(each["line"] - 1, each["message"]) for each in errors]


@pytest.fixture(scope="module")
def said(caches, tmp_path_factory):
    """A function from a checker and a program's lines to `{line: what it says of it}`."""

    def check(checker, lines):
        pytest.importorskip(checker.__name__)
        folder = tmp_path_factory.mktemp("program")
        (folder / "program.py").write_text("\n".join(lines) + "\n")
        return {lines[number]: message for number, message in checker(folder, caches)}

    return check


both = pytest.mark.parametrize("checker", [mypy, pyright])


def records():
    """(package, class) of the public records."""
    for package in PACKAGES:
        namespace = getattr(jkeras, package)
        for name in namespace.__all__:
            cls = getattr(namespace, name)
            if inspect.isclass(cls) and issubclass(cls, Record) and "_record_init" in vars(cls):
                if cls.__name__ == name:
                    yield package, cls


def parameters(text):
    """(names by place, names by name alone, required names) of a signature as pyright shows it."""
    inner = text[text.index("(") + 1 : text.rindex(") ->")]
    depth, pieces = 0, [""]
    for letter in inner:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            pieces.append("")
        else:
            pieces[-1] += letter
    pieces = [piece.strip() for piece in pieces if not piece.strip().startswith("self")]
    names = [piece.split(":")[0] for piece in pieces]
    star = names.index("*") if "*" in names else len(names)
    if pieces and pieces[-1].endswith("**LayerArguments"):
        names[-1:] = typed.LayerArguments.__annotations__
    required = [
        piece.split(":")[0] for piece in pieces if "*" not in piece[:2] and " = " not in piece
    ]
    return names[:star], names[star + 1 :], required


def difference(package, cls, text):
    """What a checker believes of a constructor and is not so, as a text; empty if all is right."""
    places, keywords, required = parameters(text)
    real = [p for p in list(inspect.signature(cls.__init__).parameters.values())[1:]]
    names = [p.name for p in real if p.kind is p.POSITIONAL_OR_KEYWORD]
    if package == "optimizers" and cls.__name__ not in WRITTEN_OUT:
        names = [name for name in names if name not in COMMON]
    if package == "layers":  # a layer's `name` and `dtype` are given by name
        names = [name for name in names if name not in BASE_ARGUMENTS]
        missing = {"dtype", "trainable", "activity_regularizer", "input_shape"} - {
            *places,
            *keywords,
        }
        if missing:
            return f"takes {missing}"
    if places[: len(names)] != names:
        return f"takes {names} by place, not {places}"
    if required != [p.name for p in real if p.default is p.empty and p.kind is not p.VAR_KEYWORD]:
        return f"requires {required}"
    missing = {p.name for p in real if p.kind is p.KEYWORD_ONLY} - {*places, *keywords}
    return f"takes {missing}" if missing else ""


@pytest.mark.promise("Type checkers find it before")
def test_each_constructor_is_known(said):
    """Every public record: its arguments, in their order, and which are required."""
    classes = list(records())
    lines = [f"reveal_type(jkeras.{package}.{cls.__name__}.__init__)" for package, cls in classes]
    texts = said(pyright, ["import jkeras", *lines])
    wrong = {}
    for (package, cls), line in zip(classes, lines):
        if difference(package, cls, texts[line]):
            wrong[cls.__name__] = difference(package, cls, texts[line])
    assert wrong == {}


WRONG = """\
layers.Dense(units="3")
layers.Dense(3, activaton="relu")
layers.Dense()
layers.Dense(3, 4)
layers.Dense(3, use_bias="no")
layers.Conv2D(filters="x", kernel_size=3)
layers.Conv2D(8, 3, strids=2)
layers.BatchNormalization(momentm=0.9)
layers.LSTM(4, return_sequence=True)
layers.Dropout("half")
layers.Dropout(0.5, trainable="yes")
layers.Flatten(nme="flat")
jkeras.optimizers.Adam(learning_rat=1)
jkeras.optimizers.Adam(beta_1="0.9")
jkeras.optimizers.SGD(0.1, moment=0.9)
jkeras.losses.Huber(dleta=1.0)
jkeras.losses.BinaryCrossentropy(from_logits="yes")
jkeras.metrics.Mean(nam="loss")
jkeras.metrics.Precision(top_k="all")
jkeras.initializers.RandomNormal(stdev=0.1)
jkeras.regularizers.L2(0.1, 0.2)
layers.Dens(3)
jkeras.ops.relu()
jkeras.ops.rleu([1.0])
jkeras.ops.nn.softmax([1.0], axes=-1)
jkeras.ops.reshape([1, 2])
jkeras.ops.numpy.mean([1.0], 0, True, 3)
jkeras.ops.linalg.inv()
jkeras.utils.to_categorical([1], classes=3)
jkeras.random.normal(shap=(2, 3))
"""

# what a user may type, one mistake a line, and beside it the line without
MISTAKES = {
    'layers.Conv2D(8, 3, padding="sam")': 'layers.Conv2D(8, 3, padding="same")',
    'layers.Conv1D(8, 3, data_format="last")': 'layers.Conv1D(8, 3, data_format="channels_last")',
    'layers.MaxPooling2D(2, padding="full")': 'layers.MaxPooling2D(2, padding="valid")',
    'layers.Resizing(8, 8, interpolation="linear")': 'layers.Resizing(8, 8, "bicubic")',
    'layers.Bidirectional(layers.GRU(3), "add")': "layers.Bidirectional(layers.GRU(3), 'ave')",
    'layers.Dense("3")': "layers.Dense(3)",
    'layers.Embedding("words", 8)': "layers.Embedding(10, 8)",
    "layers.LSTM(4, return_sequence=True)": "layers.LSTM(4, return_sequences=True)",
    'layers.Dense(3, activation="rellu")': 'layers.Dense(3, activation="relu")',
    "jkeras.Input(4)": "jkeras.Input((4, None))",
    'model.compile(optimizer="adm", loss="mse")': 'model.compile(optimizer="adam", loss="mse")',
    'model.compile("adam", "mse", metrics="mae")': 'model.compile("adam", "mse", metrics=["mae"])',
    'model.compile("sgd", "mse", nonfinite="go")': 'model.compile("sgd", "mse", nonfinite="stop")',
    'model.fit(x, x, verbose="loud")': 'model.fit(x, x, verbose="auto")',
    "model.fit(x, x, epoch=3)": "model.fit(x, x, epochs=3)",
    'model.fit(x, x, epochs="3")': "model.fit(x, x, batch_size=None)",
    'model.evaluate(x, x, return_dict="yes")': "model.evaluate(x, x, return_dict=True)['loss']",
    "number: int = model.predict(x)": "array: np.ndarray = model.predict(x)",
    "model.optimizer.learning_rat = 0.1": "model.optimizer.learning_rate = 0.1",
    "jkeras.optimizers.Adam(lr=0.1)": "jkeras.optimizers.Adam(learning_rate=0.1)",
    'jkeras.losses.MeanSquaredError("avg")': 'jkeras.losses.MeanSquaredError("mean")',
    'ops.reshape(x, "4, 2")': "ops.reshape(x, (4, 2))",
    "ops.concatenate(x, x)": "ops.concatenate([x, x], 0)",
    'ops.mean(x, axis="rows")': "ops.mean(x, axis=[0, -1])",
    "text: str = ops.sum(x)": "total = ops.sum(x)",
}
NEEDED = ["import numpy as np", "from jkeras import ops", 'x = np.ones((2, 4), "float32")']
NEEDED.append("model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(4)])")

RIGHT = """\
layers.Dense(3)
layers.Dense(3, "relu", False, "he_normal")
layers.Dense(3, jax.nn.relu, kernel_initializer=jkeras.initializers.HeNormal(seed=1))
layers.Dense(3, kernel_regularizer="l2", bias_regularizer=jkeras.regularizers.L1(1e-3))
layers.Dense(3, name="head", dtype="float32", trainable=False, input_shape=(4,))
layers.Dense(3, dtype=jkeras.DTypePolicy("mixed_bfloat16"), autocast=False)
layers.Dense(3, input_dim=4, activity_regularizer="l1")
layers.Conv2D(8, (3, 3), 2, "same", activation="relu", input_shape=(28, 28, 1))
layers.Conv1D(8, 3, padding="causal", groups=2, name="c")
layers.BatchNormalization(-1, 0.9, 1e-5, name="n", trainable=False)
layers.MaxPooling2D(2, strides=[2, 2], name="pool")
layers.LSTM(4, "tanh", "sigmoid", return_sequences=True, dropout=0.1, stateful=True)
layers.Embedding(100, 8, mask_zero=True, input_length=3, name="e")
layers.MultiHeadAttention(2, 8, 16, 0.1, name="a", dtype="bfloat16")
layers.RandomZoom((-0.1, 0.1), name="zoom")
layers.Reshape([2, -1])
layers.TextVectorization(max_tokens=10, vocabulary=["a"], name="t")
layers.Activation("relu", activity_regularizer=jkeras.regularizers.L2(1e-2))
layers.Flatten("channels_last", name="flat")
layers.RNN([layers.GRUCell(4), layers.LSTMCell(4)], return_state=True, name="r")
layers.Lambda(lambda x: x * 2, output_shape=(3,), name="l")
layers.Bidirectional(layers.LSTM(3), "sum", name="b")
layers.Dense(3).activation(1.0)
layers.Dense(3).name.upper()
{layers.Dense(3): 1}
jkeras.optimizers.Adam(1e-3, 0.9, 0.999, 1e-7, True, clipnorm=1.0, name="adam")
jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(1e-3, 100), weight_decay=1e-4)
jkeras.optimizers.SGD(1, 0.9, True)
jkeras.optimizers.AdamW(1e-3, 0.01, use_ema=True)
jkeras.losses.BinaryCrossentropy(True, 0.1, name="bce")
jkeras.losses.MeanSquaredError("sum", "mse")
jkeras.metrics.Mean("loss")
jkeras.metrics.Precision([0.5], 3, name="p", dtype="float32")
jkeras.metrics.MeanSquaredError().name.upper()
jkeras.initializers.RandomNormal(0.0, 0.1, seed=1)
jkeras.constraints.MaxNorm(2, axis=[0, 1])
layers.Convolution2D(3, 3)
jkeras.saving.custom_object_scope({"a": int})
jkeras.ops.relu([-1.0])
jkeras.ops.nn.softmax([1.0, 2.0], axis=-1)
jkeras.ops.numpy.mean([1.0], keepdims=True)
jkeras.ops.max(jkeras.ops.reshape([1, 2], (2, 1))) + 1
jkeras.ops.linalg.inv([[1.0]])
jkeras.random.normal((2, 3), seed=1)
jkeras.Input((3,)).shape
"""

CLASSES = """\
class Scaled(layers.Dense):
    def __init__(self, units, factor=1.0, **kwargs):
        super().__init__(units, activation="relu", **kwargs)
        self.factor = factor


class Plain(layers.Layer):
    def call(self, x):
        return x


class Typed(layers.Layer):
    def call(self, x: jax.Array, factor: float = 2.0) -> jax.Array:
        return x * factor


class Net(jkeras.Model):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = Scaled(units, 2.0, name="d")
        self.plain = Plain(name="p", dtype="float32")


class Level(jkeras.losses.Loss):
    def __init__(self, level, **kwargs):
        super().__init__(name="level", **kwargs)


Net(3, name="net").dense.units.bit_length()
jkeras.Model(jkeras.Input((3,)), jkeras.Input((3,)), name="m").inputs[0].shape
Level(2.0, reduction="sum")
"""
IMPORTS = ["from typing import Any", "import jax", "import jkeras", "from jkeras import layers"]


@pytest.mark.promise("Type checkers find it before")
@both
def test_what_is_wrong_is_flagged(said, checker):
    lines = WRONG.splitlines()
    messages = said(checker, [*IMPORTS, *lines])
    assert [line for line in lines if line not in messages] == []


def test_most_of_what_users_mistype_is_flagged(said):
    """Names of classes and functions, which users may register, are not known to checkers."""
    messages = said(pyright, [*IMPORTS, *NEEDED, *MISTAKES])
    assert set(messages) <= MISTAKES.keys()
    assert len(MISTAKES) == 25 and len(messages) >= 22, MISTAKES.keys() - messages.keys()


@both
def test_what_users_mean_is_accepted(said, checker):
    assert said(checker, [*IMPORTS, *NEEDED, *MISTAKES.values()]) == {}


@both
def test_what_is_right_is_accepted(said, checker):
    messages = said(checker, [*IMPORTS, *RIGHT.splitlines(), *CLASSES.splitlines()])
    assert messages == {}


@both
def test_a_whole_program_is_accepted(said, checker):
    assert said(checker, PROGRAM.read_text().splitlines()) == {}


@pytest.mark.parametrize("program", STRICT, ids=lambda path: path.stem)
def test_a_right_program_is_accepted_by_a_strict_checker(program, caches, tmp_path):
    """With layers, models, losses and metrics of the user's own, and annotations."""
    pytest.importorskip("mypy")
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\n")
    (tmp_path / "program.py").write_text(program.read_text())
    assert mypy(tmp_path, caches / "strict") == []


@pytest.mark.parametrize("program", STRICT, ids=lambda path: path.stem)
def test_pyright_accepts_it_too(said, program):
    assert said(pyright, program.read_text().splitlines()) == {}
