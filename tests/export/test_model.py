"""`Model.export`: the numbers of `predict`, whatever the model and the size of the batch; what
cannot be exported.
"""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.errors import ExportError
from tests.export.families import FAMILIES, assert_same, data_for, trained
from tests.thinning import every


def slow(*values):
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def exported(model, folder, **kwargs):
    model.export(folder / "model", **kwargs)
    return jkeras.export.load(folder / "model")


@pytest.mark.promise("is the same for use inside a function that you compile")
@pytest.mark.promise("Dropout and augmentation do nothing there, and export")
@pytest.mark.parametrize("name", every(2, FAMILIES))
def test_numbers_are_those_of_predict(name, tmp_path):
    model = trained(name)
    serve = exported(model, tmp_path)
    assert serve.platforms == ("cpu", "cuda", "tpu")
    for size in (1, 3, 8):
        x = data_for(model, size)
        assert_same(serve(x), model.predict(x))
    assert_same(jax.jit(lambda x: serve.call(x))(x), model.predict(x))


@pytest.mark.promise("Any other `None` in a shape")
def test_any_length_and_dtypes_are_cast(tmp_path):
    model = trained("transformer")
    serve = exported(model, tmp_path)
    assert str(serve.input_signature) == "[ShapeDtypeStruct(shape=(b, d1), dtype=int32)]"
    for shape in ((2, 3), (1, 7)):
        x = np.random.default_rng(0).integers(0, 9, shape)
        assert_same(serve(x.tolist()), model.predict(x.astype("int32")))


@pytest.mark.promise("writes a program with its")
@pytest.mark.parametrize("platforms", ["cpu", ("tpu", "cpu"), ["cuda"], ("cpu", "rocm")])
def test_platforms(platforms, tmp_path):
    model = trained("cnn")
    serve = exported(model, tmp_path, platforms=platforms)
    assert serve.platforms == ((platforms,) if isinstance(platforms, str) else tuple(platforms))
    x = data_for(model, 2)
    if "cpu" in platforms:
        assert_same(serve(x), model.predict(x))
    else:
        with pytest.raises(ValueError, match="platform"):
            serve(x)
    with pytest.raises(
        ValueError, match=r"`platforms` among cpu, cuda, rocm, tpu, received \('gpu',\)"
    ):
        model.export(tmp_path / "m", platforms=("gpu",))


def test_the_cpu_gets_its_own_forms(tmp_path):
    """The loop of an LSTM takes half the time on CPU if it projects the inputs itself, not all of
    them before.
    """
    model = jkeras.Sequential([jkeras.Input((6, 3)), layers.LSTM(4)])
    programs = [
        exported(model, tmp_path, platforms=p)._first._exported.mlir_module()
        for p in ("cpu", "tpu", "cuda")
    ]
    alone, others, again = (
        text.split("stablehlo.while")[1].count("stablehlo.dot_general") for text in programs
    )
    assert others == again == alone - 1
    both = exported(model, tmp_path)._first._exported.mlir_module()
    assert both.count("stablehlo.while") == 2 and "stablehlo.case" in both


@pytest.mark.promise("The weights lie beside")
@pytest.mark.promise("`model.export(path)` writes one")
def test_weights_are_those_of_the_moment_and_not_inside(tmp_path):
    model = trained("mlp")
    model.compile("sgd", "mse")
    before = exported(model, tmp_path)
    x, y = data_for(model, 8), np.ones((8, 3), "float32")
    expected = model.predict(x)
    model.fit(x, y, verbose=0)
    assert_same(before(x), expected)
    after = exported(model, tmp_path)
    assert_same(after(x), model.predict(x))
    assert np.abs(after(x) - expected).max() > 1e-4
    exported_program = after._first._exported
    assert len(exported_program.in_avals) == len(model.weights) + 1  # no optimizer, no metrics
    large = jkeras.Sequential([jkeras.Input((300,)), layers.Dense(300)])
    assert len(exported(large, tmp_path)._first._exported.mlir_module_serialized) < 10_000


@pytest.mark.parametrize("policy", ["mixed_bfloat16", *slow("bfloat16", "float16")])
def test_policies(policy, tmp_path):
    jkeras.config.set_dtype_policy(policy)
    model = trained("mlp")
    x = data_for(model, 3)
    y, expected = exported(model, tmp_path)(x), model.predict(x)
    assert y.dtype == expected.dtype == model.compute_dtype
    np.testing.assert_allclose(y.astype("float32"), expected.astype("float32"), atol=1e-2)


@pytest.mark.parametrize("mode", ["int8", *slow("int4", "float8")])
def test_few_bits(mode, tmp_path):
    model = jkeras.Sequential([layers.Dense(8, "relu"), layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    model(x)
    model.layers[0].quantize(mode)
    assert_same(exported(model, tmp_path)(x), model.predict(x))


@pytest.mark.promise("Two inputs that must agree")
def test_symbols_of_the_users(tmp_path):
    a, b = jkeras.Input((None, 3)), jkeras.Input((None, 3))
    model = jkeras.Model([a, b], layers.Add()([a, b]))
    with pytest.raises(
        TypeError,
        match=r"incompatible shapes(.|\n)*\(b, d1, 3\), \(b, d2, 3\), where a letter is any",
    ):
        model.export(tmp_path / "model")
    shape = jax.export.symbolic_shape("b, t, 3", constraints=["t >= 2"])
    serve = exported(
        model, tmp_path, input_signature=[[jax.ShapeDtypeStruct(shape, "float32")] * 2]
    )
    x = [np.ones((2, 4, 3), "float32")] * 2
    assert_same(serve(x), model.predict(x))
    with pytest.raises(ValueError, match="t"):
        serve([v[:, :1] for v in x])


def test_images_of_any_size(tmp_path):
    x = jkeras.Input((None, None, 3))
    y = layers.MaxPooling2D()(layers.Conv2D(4, 3)(x))
    model = jkeras.Model(
        x, layers.GlobalAveragePooling2D()(layers.DepthwiseConv2D(3, padding="same")(y))
    )
    serve = exported(model, tmp_path)
    for shape in ((1, 8, 9, 3), (2, 12, 7, 3)):
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        assert_same(serve(x), model.predict(x))


@pytest.mark.promise("An entry is an `InputSpec`")
def test_signatures(tmp_path):
    model = trained("mlp")
    for spec in (
        jkeras.InputSpec("float32", (4, 5)),
        jax.ShapeDtypeStruct((4, 5), "float32"),
        jkeras.KerasTensor((4, 5), "float32"),
    ):
        assert exported(model, tmp_path, input_signature=[spec]).input_signature[0].shape == (4, 5)
    for array in (np.ones((4, 5), "float32"), jnp.ones((4, 5))):
        assert (
            str(exported(model, tmp_path, input_signature=array).input_signature[0].shape)
            == "(b, 5)"
        )
    with pytest.raises(
        TypeError,
        match=r"expected for each argument a structure of `InputSpec`.*received 5 \(of type",
    ):
        model.export(tmp_path / "m", input_signature=(None, 5))
    with pytest.raises(ValueError, match="a shape and a dtype for each array, received InputSpec"):
        model.export(tmp_path / "m", input_signature=[jkeras.InputSpec(shape=(None, 5))])
    serve = exported(model, tmp_path)
    with pytest.raises(
        ValueError, match=r"the arguments \(float32\[b,5\]\), received the structure PyTreeDef"
    ):
        serve(np.ones((2, 5)), np.ones((2, 5)))
    with pytest.raises(
        ValueError, match="'sequential_1'.*a layer that is built.*call it on data once"
    ):
        jkeras.Sequential([layers.Dense(2)]).export(tmp_path / "m")


def test_weights_of_any_dtype(tmp_path):
    class Table(layers.Layer):
        """Whole numbers and truth values as weights; JAX makes 32 bits of the first."""

        def build(self, shape):
            self.numbers = self.add_weight((3,), "ones", "int64", trainable=False)
            self.kept = self.add_weight((3,), "zeros", "bool", trainable=False)

        def call(self, x):
            return jnp.where(self.kept.value, 0, x * self.numbers)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the 32 bits
        model = jkeras.Sequential([jkeras.Input((3,), dtype="int32"), Table()])
        assert_same(
            exported(model, tmp_path)(np.arange(6).reshape(2, 3)),
            np.arange(6, dtype="int32").reshape(2, 3),
        )


# ---------------------------------------------------------------- what no program can do


class Draws(layers.Layer):
    """Random numbers, also at inference."""

    def call(self, x):
        return x + jkeras.random.normal((3,))


class Counts(layers.Layer):
    """A variable that is written at inference."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.count = self.add_weight((), "zeros", trainable=False, name="count")

    def call(self, x):
        self.count.assign_add(1.0)
        return x


class CallsBack(layers.Layer):
    """Python in the middle of the program."""

    def call(self, x):
        return jax.pure_callback(lambda v: v, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def of_texts():
    vectorize = layers.TextVectorization(
        vocabulary=["a", "b"], output_sequence_length=3, name="words"
    )
    return jkeras.Sequential([jkeras.Input((), dtype="string"), vectorize, layers.Embedding(4, 2)])


REFUSED = {
    "texts": (
        of_texts,
        r"'words' \(TextVectorization\).*on the device.*export the layers behind it",
    ),
    "tables": (
        lambda: jkeras.Sequential(
            [jkeras.Input((3,), dtype="int32"), layers.IntegerLookup(vocabulary=[1, 2], name="ids")]
        ),
        r"'ids' \(IntegerLookup\).*looks at texts or tables on the host",
    ),
    "stateful": (
        lambda: jkeras.Sequential(
            [jkeras.Input((6, 3), batch_size=2), layers.LSTM(2, stateful=True, name="kept")]
        ),
        r"kept' \(LSTM\).*writes to the variable",
    ),
    "state": (
        lambda: jkeras.Sequential([jkeras.Input((3,)), Counts(name="mine")]),
        r"mine' \(Counts\).*writes to the variable 'mine/count'",
    ),
    "random": (
        lambda: jkeras.Sequential([jkeras.Input((3,)), Draws(name="mine")]),
        r"mine' \(Draws\).*draws some",
    ),
    "callback": (
        lambda: jkeras.Sequential([jkeras.Input((3,)), CallsBack()]),
        "Endpoint 'serve'.*calls back into",
    ),
}


@pytest.mark.promise("layers that keep state")
@pytest.mark.promise("layers that look at texts")
@pytest.mark.promise("random numbers at inference")
@pytest.mark.promise("`export` raises an error that names the layer for")
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    make, message = REFUSED[name]
    with pytest.raises(ExportError, match=message):
        make().export(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.promise("layers that look at texts")
def test_what_is_behind_the_texts(tmp_path):
    model = of_texts()
    serve = exported(jkeras.Model(model.layers[0].output, model.output), tmp_path)
    x = np.array(["a b", "c"])
    assert_same(serve(model.layers[0](x)), model.predict(x))


@pytest.mark.promise("raise an error that says what to use")
@pytest.mark.parametrize("format", ["openvino", "torch"])
def test_formats_of_other_libraries(format, tmp_path):
    with pytest.raises(NotImplementedError, match=f'`format="{format}"` needs .*'):
        trained("mlp").export(tmp_path / "model", format=format)


@pytest.mark.promise("`export` writes a SavedModel")
def test_arguments(tmp_path, capsys):
    model = trained("mlp")
    with pytest.raises(ValueError, match=r"`format`. Expected one of \('stablehlo', 'onnx', "):
        model.export(tmp_path / "model", format="hlo")
    with pytest.raises(ValueError, match=r"arguments \['jax2tf_kwargs'\], which mean nothing"):
        model.export(tmp_path / "model", jax2tf_kwargs={})
    with pytest.raises(FileNotFoundError, match="does not exist"):
        model.export(tmp_path / "none" / "model")
    assert capsys.readouterr().out == ""
    model.export(tmp_path / "model", verbose=True)
    assert capsys.readouterr().out == (
        f"Exported for cpu, cuda, tpu to {tmp_path / 'model'}\n"
        "  serve: <Endpoint (float32[b,5]) -> float32[b,3]>\n"
    )
    jkeras.config.enable_interactive_logging()
    model.export(tmp_path / "model")
    assert "serve" in capsys.readouterr().out


@pytest.mark.promise("`serve(x)` compiles for each new batch size, once")
def test_each_batch_size_is_compiled_once(tmp_path, caplog):
    serve = exported(trained("mlp"), tmp_path)

    def compiles(size):
        caplog.clear()
        with jax.log_compiles():
            serve(np.ones((size, 5), "float32"))
        return any("Compiling" in record.getMessage() for record in caplog.records)

    is_compiled = [compiles(size) for size in (2, 2, 3, 3, 2)]
    assert is_compiled == [True, False, True, False, False]
