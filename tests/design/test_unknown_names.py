"""Unknown means no: what a table of names does not hold is refused, or takes the slow way, which is
right for anything.

`TABLES` names each table of jkeras that decides about what others name: operations of JAX, of
compiled programs, layers, ops. A new one needs a row.
"""

import ast
import functools
import pathlib

import jax
import jax.extend.core
import jax.extend.core.primitives
import jax.numpy as jnp
import numpy as np
import pytest
from jax.interpreters import ad, batching, mlir

import jkeras
from jkeras import explain, layers, ops
from jkeras.programs.batch_independence import SIZES, are_independent, check_apart
from jkeras.programs.calls import call_of, inner_jaxprs
from jkeras.programs.operations import count_operations, has_kernels
from jkeras.programs.primitives import PRIMITIVES
from jkeras.programs.tape import Tape, gradient
from jkeras.programs.walk import Unreadable
from jkeras.training.step import chains
from jkeras.training.loop import pace
from jkeras.plans.accesses import bytes_accessed
from jkeras.plans.traffic import traffic
from jkeras.uncertainty.outputs import loss_takes_logits

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


# ---------------------------------------------------------------- operations of JAX


def primitive(name, function):
    """An operation that nobody knows: a function of one array, with all that JAX asks for."""
    made = jax.extend.core.Primitive(name)
    made.def_impl(function)
    made.def_abstract_eval(lambda x, **_: jax.core.ShapedArray(x.shape, x.dtype))
    mlir.register_lowering(made, mlir.lower_fun(function, multiple_results=False))
    ad.defjvp(made, lambda g, x, **params: jax.jvp(function, (x,), (g,))[1])
    batching.primitive_batchers[made] = lambda args, axes, **params: (
        jax.vmap(lambda x: made.bind(x, **params), in_axes=axes)(*args),
        0,
    )
    return made


def centred(x, **params):
    """Rows come together."""
    return x - x.mean(0, keepdims=True)


MIXING = primitive("never_seen", centred)
DOUBLE = primitive("never_seen_either", lambda x: 2 * x)


def calling(x):
    """What a call is whose name nobody knows: it may run what is in it, or something else."""
    closed = jax.make_jaxpr(lambda x: x @ jnp.ones((3, 3)))(x)
    return CALL.bind(x, jaxpr=closed)


CALL = primitive("never_seen_call", centred)


@pytest.mark.promise("So is an operation of which")
@pytest.mark.parametrize("function", [MIXING.bind, DOUBLE.bind, calling])
def test_rows_that_may_meet(function):
    assert not are_independent(function, batch=X)
    both = [jax.make_jaxpr(function)(np.ones((size, 3), "float32")).jaxpr for size in SIZES]
    name = both[0].eqns[-1].primitive.name
    with pytest.raises(Unreadable) as caught:
        check_apart(both, slice(0, 1), slice(0, 1))
    assert (caught.value.name, caught.value.place) == (name, len(both[0].eqns) - 1)
    assert call_of(both[0].eqns[-1]) is None


@pytest.mark.parametrize("function", [MIXING.bind, calling])
def test_batches_are_not_padded(function):
    """A ragged training and a prediction are those of the rows themselves."""
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Lambda(function)])
    wanted = np.concatenate([centred(X[:4]), centred(X[4:])])
    np.testing.assert_allclose(model.predict(X, batch_size=4, verbose=0), wanted, atol=1e-6)
    model.compile("sgd", "mse")
    loss = model.evaluate(X, 0 * X, batch_size=4, verbose=0)
    np.testing.assert_allclose(loss, (wanted**2).mean(), rtol=1e-5)


def test_attributions():
    """Rules refuse; the gradient is JAX's own."""
    score = lambda x: DOUBLE.bind(jax.nn.relu(x)) @ jnp.array([[1.0], [-2.0], [3.0]])  # noqa: E731
    slope = (X > 0) * np.float32([2, -4, 6])
    np.testing.assert_allclose(explain.saliency(score, X), abs(slope), rtol=1e-6)
    np.testing.assert_allclose(
        explain.guided_backprop(score, X), np.where(slope > 0, slope, 0), rtol=1e-6
    )
    for method in (explain.lrp, explain.deep_lift):
        with pytest.raises(ValueError, match="never_seen_either"):
            method(score, X)
    tape = Tape(lambda x: calling(x).sum() + (DOUBLE.bind(x)).sum(), jnp.asarray(X))
    assert "never_seen_call" in [entry.primitive.name for entry in tape.entries]
    np.testing.assert_allclose(tape.backwards(gradient, jnp.ones(())), 2 + 0 * X, atol=1e-6)


def test_operations_that_are_counted():
    jaxpr = jax.make_jaxpr(lambda x: calling(x) + MIXING.bind(x))(X).jaxpr
    assert count_operations(jaxpr) == 2 * 5 * 3 * 3, "what an unknown call holds, once"
    assert not has_kernels(jaxpr)
    assert [len(list(inner_jaxprs(eqn.params))) for eqn in jaxpr.eqns] == [1, 0, 0]


def test_an_object_that_is_an_operation():
    """It says itself what it computes; where it does not, it is not known."""
    hijax = pytest.importorskip("jax.experimental.hijax")
    if not hasattr(hijax, "HiPrim"):
        pytest.skip("this JAX has no such operations")

    class Doubled(hijax.HiPrim):
        def __init__(self, aval, mixes):
            self.in_avals, self.out_aval, self.params = (aval,), aval, {"mixes": mixes}
            super().__init__()

        def expand(self, x):
            return centred(x) if self.mixes else 2 * x

    class Silent(Doubled):
        def expand(self, x):
            raise NotImplementedError

    for cls, mixes, is_known in ((Doubled, False, True), (Doubled, True, False), (Silent, 0, 0)):
        function = lambda x: cls(jax.typeof(x), mixes)(x)  # noqa: B023, E731
        assert are_independent(function, batch=X) == is_known
        (eqn,) = jax.make_jaxpr(function)(X).jaxpr.eqns
        assert (call_of(eqn) is None) == (cls is Silent)
        assert cls is Silent or not call_of(eqn).is_group, "its derivative may be its own"


# ---------------------------------------------------------------- text of compiled programs


def test_text_that_cannot_be_read():
    line = "  %a = f32[8]{0} ragged-all-to-all(f32[8]{0} %x)"
    ends = "  %b = f32[8]{0} all-reduce-start(%x)\n  %c = f32[8]{0} all-reduce-done(%b)"
    program = f"ENTRY %main (x: f32[8]) -> f32[8] {{\n{line}\n{ends}\n}}"
    assert traffic(program) == {"ragged-all-to-all": 32, "all-reduce": 32}
    assert traffic(program.replace("ragged-all-to-all", "collective-neverseen")) == {
        "collective-neverseen": 32,
        "all-reduce": 32,
    }
    with pytest.raises(ValueError, match="plan: expected a program as text"):
        traffic("module @never_seen {}")
    with pytest.raises(ValueError, match="plan: expected shapes of numbers.*'neverseen'"):
        traffic(program.replace("= f32[8]{0} ragged", "= neverseen[8] ragged"))


def test_instructions_that_are_not_known_read_and_write_all_they_have():
    start, end = "ENTRY %main (x: f32[8]) -> f32[8] {", "}"
    x = "  %x = f32[8]{0} parameter(0)"
    for line in (
        "  ROOT %y = f32[4]{0} never-seen(%x)",
        '  ROOT %y = f32[4]{0} custom-call(%x), custom_call_target="NeverSeen"',
        "  ROOT %y = (f32[8]{0}, f32[4]{0}, u32[]) never-seen-start(%x)",
    ):
        assert bytes_accessed("\n".join([start, x, line, end])) == 4 * (8 + 4)


# ---------------------------------------------------------------- layers and losses


class NeverSeen(layers.Dense):
    """Of a class that no table has, over one that each has."""

    def call(self, x):
        return super().call(x) - jnp.mean(x)


def test_a_layer_of_an_unknown_class():
    model = jkeras.Sequential([jkeras.Input((3,)), *[NeverSeen(3) for _ in range(40)]])
    assert all(chains._key(layer) is None for layer in model.layers)
    assert not NeverSeen(3).traits.is_batchwise or not chains._key(NeverSeen(3))
    wanted = np.concatenate([model(X[:4]), model(X[4:])])
    np.testing.assert_allclose(
        model.predict(X, batch_size=4, verbose=0), wanted, rtol=1e-4, atol=1e-5
    )


@pytest.mark.promise("So does whatever counts positions")
def test_a_layer_of_an_unknown_class_in_a_language_model():
    model = jkeras.Sequential(
        [jkeras.Input((None,), dtype="int32"), layers.Embedding(7, 3), NeverSeen(7)]
    )
    tokens = np.array([[1, 2]])
    generator = jkeras.generation.Generator(model, max_length=5)
    generator(model.params, tokens)
    assert "NeverSeen" in generator.why_uncached
    with pytest.raises(ValueError, match="NeverSeen"):
        jkeras.generation.Generator(model, max_length=5, cache=True)(model.params, tokens)


def test_the_pace_of_an_unknown_class():
    """It is measured, which is right for any."""
    model = jkeras.Sequential([jkeras.Input((3,)), NeverSeen(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    layout = jkeras.training.step.layout.StateLayout(model)
    assert pace.fixed_steps(layout, "train", False) is None


def test_losses_of_unknown_names():
    def my_crossentropy(y_true, y_pred):
        return y_pred

    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])
    for loss, takes_logits in (
        (my_crossentropy, None),
        (lambda y, p: p, None),
        (jkeras.losses.categorical_crossentropy, False),
        ("binary_crossentropy", False),
        (jkeras.losses.BinaryCrossentropy(from_logits=True), True),
    ):
        model.compile("sgd", loss)
        assert loss_takes_logits(model) is takes_logits


def test_a_loss_whose_labels_are_not_known():
    """Labels that are guessed and do not suit are told of."""

    def classes(y_true, y_pred):
        return jkeras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)

    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])
    model.compile("sgd", classes)
    with pytest.raises(ValueError, match="(?i)label|y_true|shape"):
        model.plan(X)
    assert model.plan(X, np.zeros(5, "int32")).flops > 0


# ---------------------------------------------------------------- names that users write

FAMILIES = """
    activations constraints initializers losses metrics optimizers quantizers regularizers
""".split()
NAME = "never_seen"


def small():
    return jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])


def config(**kwargs):
    return {"module": "keras.layers", "class_name": "NeverSeen", "config": {}} | kwargs


REFUSED = {
    "dtype policy": lambda: jkeras.dtype_policies.get(NAME),
    "quantized policy": lambda: jkeras.dtype_policies.get("never_from_float32"),
    "policy under a quantized one": lambda: jkeras.dtype_policies.get("int8_from_never"),
    "mixed policy": lambda: jkeras.dtype_policies.get("mixed_never"),
    "dtype of a layer": lambda: layers.Dense(2, dtype="float7"),
    "dtype of a variable": lambda: jkeras.Variable(1.0, dtype="float7"),
    "dtype of a cast": lambda: ops.cast(1.0, "float7"),
    "floatx": lambda: jkeras.config.set_floatx("float7"),
    "backend": lambda: jkeras.config.set_backend(NAME),
    "layer": lambda: layers.deserialize(config()),
    "layer of an old Keras": lambda: layers.deserialize({"class_name": "NeverSeen", "config": {}}),
    "layer of another module": lambda: layers.deserialize(config(module="never.seen")),
    "argument": lambda: layers.deserialize(
        config(class_name="Dense", config={"units": 2, NAME: 1})
    ),
    "model": lambda: jkeras.models.model_from_json('{"class_name": "NeverSeen", "config": {}}'),
    "part of an old model": lambda: jkeras.models.model_from_json(
        '{"class_name": "Sequential", "config": [{"class_name": "NeverSeen", "config": {}}]}'
    ),
    "topology": lambda: jkeras.distribution.Topology("v99:4"),
    "format of an export": lambda: small().export("never", format=NAME),
    "platform of an export": lambda: small().export("never", platforms=[NAME]),
    "ending of a file": lambda: small().save("model.never_seen"),
    "quantization": lambda: small().quantize(NAME),
    "rematerialization": lambda: jkeras.RematScope(mode=NAME),
    "reduction": lambda: jkeras.losses.MeanSquaredError(reduction=NAME),
    "aggregation": lambda: jkeras.Variable(1.0, aggregation=NAME),
    "policy of numbers that are not finite": lambda: small().compile(nonfinite=NAME),
    "clipping": lambda: jkeras.privacy.DPSGD(clip=1.0, noise_multiplier=1.0, clipping=NAME),
    "padding": lambda: layers.Conv2D(2, 3, padding=NAME),
    "data format": lambda: layers.Conv2D(2, 3, data_format=NAME),
    "merge": lambda: layers.Bidirectional(layers.LSTM(2), merge_mode=NAME),
    "mode of padding": lambda: ops.pad(np.ones(3), ((1, 1),), mode=NAME),
    "interpolation": lambda: ops.image.resize(np.ones((4, 4, 1)), (2, 2), interpolation=NAME),
    "boxes": lambda: jkeras.utils.bounding_boxes.convert_format(np.ones((1, 4)), NAME, "xyxy"),
    "rule of relevance": lambda: explain.lrp(small(), X, rule=NAME),
    **{family: lambda f=family: getattr(jkeras, f).get(NAME) for family in FAMILIES},
    **{
        f"config of {family}": lambda f=family: getattr(jkeras, f).get(config(module=None))
        for family in FAMILIES
    },
}


@pytest.mark.parametrize("place", REFUSED)
def test_refused(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, TypeError, NotImplementedError), match="(?i)never|v99|float7"):
        REFUSED[place]()
    assert not list(tmp_path.iterdir()), "nothing was written"


# ---------------------------------------------------------------- no table without a row

TABLES = {
    # asked of layers and ops
    "callbacks/projector.py 'Embedding'": "which layers are shown by themselves; others by name",
    "uncertainty/outputs.py 'crossentropy'": test_losses_of_unknown_names,
    "uncertainty/subnetwork.py STRUCTURES": "refused, in tests/uncertainty",
    # asked of configs in files
    "saving/dialects/graphs.py RECURRENT": "as it is written, in tests/saving",
    "saving/dialects/objects.py RENAMED": "as it is written, in tests/saving",
    "saving/dialects/objects.py DROPPED": "as it is written, in tests/saving",
    "saving/dialects/objects.py ONE_AXIS": "as it is written, in tests/saving",
    # asked of instructions of compiled programs
    "plans/accesses.py RUNS": test_instructions_that_are_not_known_read_and_write_all_they_have,
    "plans/accesses.py PARTS": test_instructions_that_are_not_known_read_and_write_all_they_have,
    # asked of operations of JAX, beside the table of programs/primitives.py: tests/programs
    "generation/tables.py SIGNS": "nothing is inferred: tests/generation/test_wrong_arguments.py",
    "explain/normalizing.py LARGEST": "it is no softmax that is known: tests/explain/test_rules.py",
    "programs/primitives.py _CHEAP": "kept for the gradient, not computed again: the same numbers",
    # names of jkeras's own, of which there are no others
    "callbacks/profile_summary.py AROUND": "it is shown, with the time of what is in it",
    "callbacks/profile_summary.py CALLS": "it is shown as if it were a layer",
    "doctor/numbers.py CASES": "the operations that a report has",
    "activations/activations.py SAME_AS_OPS": "what is made",
    "core/graph/keras_tensor.py OPERATORS": "methods that are made",
    "core/weights/rng.py 'keras.src.backend.jax'": "another backend's is no argument",
    "core/weights/variable.py AGGREGATIONS": "REFUSED",
    "layers/host.py OUTPUT_MODES": "arguments, by check_choice",
    "layers/spectrogram.py MODES": "arguments, by check_choice",
    "ops/core.py _COMBINED": "what is made",
    "ops/sparse_forms.py _OF_VALUES": "others are computed on dense arrays",
    "ops/sparse_forms.py _OF_SUMMANDS": "others are computed on dense arrays",
    "ops/sparse_forms.py _OF_ZEROS": "others are computed on dense arrays",
    "ops/sparse_forms.py BY_FUNCTION": "others are computed on dense arrays",
    "ops/sparse_forms.py FORMS": "others are computed on dense arrays",
    "uncertainty/decomposition.py VARIANCES": "arguments, by check_choice",
    "uncertainty/posterior.py STRUCTURES": "arguments, by check_choice",
}
ROOT = pathlib.Path(jkeras.__file__).parent
# another Keras's names, and names of models and data
LEFT_OUT = "keras2", "applications", "datasets"


def literals(node):
    """The names in a literal: of a tuple, a set, a dict, of a text that is split."""
    if isinstance(node, ast.Constant):
        return node.value.split() if isinstance(node.value, str) else []
    if isinstance(node, ast.Dict):
        return [name for key in node.keys if key is not None for name in literals(key)]
    if isinstance(node, ast.BinOp):
        return literals(node.left) + literals(node.right)
    if isinstance(node, ast.Call):
        function = ast.unparse(node.func)
        if not function.endswith(("frozenset", "set", "tuple", "dict", "split", "fromkeys")):
            return []
        inside = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        names = [keyword.arg for keyword in node.keywords if keyword.arg]
        return names + [name for part in (*inside, *node.args) for name in literals(part)]
    return [name for part in getattr(node, "elts", ()) for name in literals(part)]


@functools.cache
def names_of_others():
    """Sets of names: of JAX's operations, of layers, of ops."""
    primitives = {name[:-2] for name in dir(jax.extend.core.primitives) if name.endswith("_p")}
    primitives |= PRIMITIVES.keys()
    classes = {name for name in dir(layers) if isinstance(getattr(layers, name), type)}
    functions = {name for name in dir(ops) if callable(getattr(ops, name))}
    return primitives, classes, functions


def assigned(tree):
    """(name, value) of what a module assigns."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield ast.unparse(node.target), node.value


def compared(tree):
    """The texts that names of classes are compared with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and "__name__" in ast.unparse(node):
            for part in (node.left, *node.comparators):
                if isinstance(part, ast.Constant) and part.value not in ("__main__", "<lambda>"):
                    yield part.value


def tables():
    """Which tables there are: most of whose names, and two at least, are of one kind."""
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith(LEFT_OUT):
            continue
        text = path.read_text()
        tree = ast.parse(text)
        for name, value in assigned(tree):
            found = set(literals(value)) if name != "__all__" else set()
            if any(max(2, len(found) / 2) <= len(found & kind) for kind in names_of_others()):
                yield f"{place} {name}"
        for name in compared(tree) if "__name__" in text else ():
            yield f"{place} {name!r}"


def test_each_table_has_a_row():
    there = set(tables())
    missing, gone = there - TABLES.keys(), TABLES.keys() - there
    assert not missing, f"say in TABLES what they answer to names that they do not hold: {missing}"
    assert not gone, f"rows of TABLES without a table: {gone}"
