"""Plans of steps for the devices that are here, and what they are read from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.plans import planning
from jkeras.programs.operations import count_operations
from jkeras.plans.traffic import traffic

X, Y = np.ones((4, 6), "float32"), np.zeros(4, "int32")


def operations(function, *arguments):
    return count_operations(jax.make_jaxpr(function)(*arguments).jaxpr)


@pytest.mark.parametrize(
    "function, shapes",
    [
        (lambda x, w: x @ w, [(8, 16), (16, 32)]),
        (lambda x, w: jnp.einsum("bij,bjk->bik", x, w), [(3, 8, 16), (3, 16, 4)]),
        (
            lambda x, w: jax.lax.conv_general_dilated(
                x, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
            ),
            [(2, 9, 9, 3), (3, 3, 3, 8)],
        ),
        (
            lambda x, w: jax.lax.conv_general_dilated(
                x,
                w,
                (1, 1),
                "VALID",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=4,
            ),
            [(2, 9, 9, 4), (3, 3, 1, 8)],
        ),
    ],
)
def test_operations_as_xla_counts_them(function, shapes):
    arguments = [np.ones(shape, "float32") for shape in shapes]
    compiled = jax.jit(function).lower(*arguments).compile()
    assert operations(function, *arguments) == compiled.cost_analysis()["flops"]


def test_operations_of_loops_and_branches():
    x, w = np.ones((2, 4)), np.ones((4, 4))
    once = 2 * 2 * 4 * 4

    def scanned(x, w):
        return jax.lax.scan(lambda x, _: (jax.checkpoint(jnp.dot)(x, w), None), x, None, length=7)

    def chosen(x, w):
        return jax.lax.cond(x[0, 0] > 0, lambda: x @ w @ w, lambda: x @ w)

    assert operations(scanned, x, w) == 7 * once
    assert operations(chosen, x, w) == 2 * once
    assert operations(jax.grad(lambda w: (x @ w).sum()), w) == once  # its value is dead


def test_what_no_output_needs_is_no_operation():
    x, w = np.ones((2, 4)), np.ones((4, 4))
    once = 2 * 2 * 4 * 4

    def counted(x, w):
        def body(carried, _):
            count, y, z = carried
            return (count + 1, y @ w, jnp.tanh(z) @ w + y @ w), (y @ w).sum()

        (count, y, z), sums = jax.lax.scan(body, (0, x, x), None, length=7)
        return {"count": count, "y": y, "z": z, "sums": sums}

    def only(name):
        return lambda x, w: jax.jit(counted)(x, w)[name]

    assert operations(only("count"), x, w) == 0
    assert operations(only("y"), x, w) == 7 * once
    assert operations(only("sums"), x, w) == 7 * 2 * once  # `y` is carried on for it
    assert operations(only("z"), x, w) == 7 * 3 * once  # `y` and both of its own
    assert operations(jax.checkpoint(only("count")), x, w) == 0


def test_a_loop_whose_carried_values_do_not_show_counts_whole(monkeypatch):
    """As with a JAX that writes loops in another way."""
    monkeypatch.setattr(jkeras.programs.operations, "scan_counts", lambda *given: None)
    x, w = np.ones((2, 4)), np.ones((4, 4))

    def rows(x, w):
        return jax.lax.scan(lambda x, _: (x @ w, x @ w), x, None, length=7)[1]

    assert operations(rows, x, w) == 7 * 2 * (2 * 2 * 4 * 4)


@pytest.mark.parametrize(
    "function", [lambda x, w: jax.nn.relu(x) @ w, lambda x, w: jnp.tanh(x @ w)]
)
def test_operations_of_a_gradient_are_those_of_xla(function):
    x, w = np.ones((8, 16), "float32"), np.ones((16, 16), "float32")
    step = jax.grad(lambda w, x: (function(x, w) ** 2).sum(), argnums=(0, 1))
    compiled = jax.jit(step).lower(w, x).compile().as_text()
    products = compiled.count(" dot(") + compiled.count("__onednn$matmul")
    assert operations(step, w, x) == 3 * 2 * 8 * 16 * 16
    assert products == 3


def test_products_of_groups_are_those_of_their_rows():
    """Each row meets one of three matrices, in the gradients, too."""
    x, w = np.ones((12, 4), "float32"), np.ones((3, 4, 5), "float32")
    sizes = np.array([4, 8, 0], "int32")
    once = 2 * 12 * 4 * 5

    def loss(x, w):
        return (jax.lax.ragged_dot(x, w, sizes) ** 2).sum()

    assert operations(loss, x, w) == once
    assert operations(jax.grad(loss, argnums=(0, 1)), x, w) == 3 * once


def test_microbatches_do_what_the_batch_does():
    """Their first pass, over what divides means, needs no product."""

    def net(**options):
        model = jkeras.Sequential([jkeras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(2)])
        model.compile("adam", "mse", **options)
        return model

    assert net(microbatches=4).plan(32).flops == net().plan(32).flops


PROGRAM = """
%add (x: f32[], y: f32[]) -> f32[] {
  ROOT %sum = f32[] add(%x, %y)
}

%inner (p: bf16[4]) -> bf16[4] {
  ROOT %moved = bf16[4]{0} collective-permute(%p), source_target_pairs={{0,1}}
}

%below_ten (p: f32[8]) -> pred[] {
  %ten = s32[]{:T(128)} constant(10)
  ROOT %less = pred[] compare(%i, %ten), direction=LT
}

%body (p: f32[8]) -> f32[8] {
  %gathered = (f32[8]{0}, f32[64]{0}) all-gather-start(%p), dimensions={0}
  %done = f32[64]{0} all-gather-done(%gathered)
  %nested = bf16[4]{0} while(%p), body=%inner, config={"known_trip_count":{"n":"3"}}
  ROOT %sum = f32[8]{0} all-reduce(%p), to_apply=%add
}

ENTRY %main (p: f32[8]) -> f32[8] {
  %w = f32[8]{0} while(%p), condition=%below_ten, body=%body
  ROOT %s = (f32[2]{0}, s8[3]{0}) reduce-scatter(%w, %w), to_apply=%add
}
"""


def test_traffic_of_loops():
    assert traffic(PROGRAM) == {
        "reduce-scatter": 4 * 2 + 3,
        "all-gather": 10 * 64 * 4,
        "all-reduce": 10 * 8 * 4,
        "collective-permute": 10 * 3 * 4 * 2,
    }


def network():
    jkeras.utils.clear_session(free_memory=False)
    model = jkeras.Sequential([jkeras.Input((6,)), layers.Dense(32, "relu"), layers.Dense(3)])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


@pytest.mark.promise("training: weights, gradients, Adam")
@pytest.mark.promise("Adam keeps two moments for each weight")
@pytest.mark.promise("`fits`, `memory` by what")
@pytest.mark.promise("`model.plan` compiles a")
def test_plan():
    model = network()
    found = model.plan(4)
    count = 6 * 32 + 32 + 32 * 3 + 3
    assert found.memory.parameters == 4 * count
    assert found.memory.optimizer == pytest.approx(8 * count, abs=16)
    assert found.memory.batch == X.nbytes + Y.nbytes
    assert found.needed == found.memory.total == sum(found.memory)
    assert found.fits and found.available is None and found.collectives == {}
    # forward, and backward for the weights of both layers and the inputs of the second
    assert found.flops == 2 * 4 * (2 * 6 * 32 + 3 * 32 * 3)
    assert "HloModule" in found.text and "HloModule" not in repr(found)
    assert "fits" in str(found) and "a training step of model 'sequential', 4 rows" in str(found)


SHAPES = jax.ShapeDtypeStruct(X.shape, X.dtype), jax.ShapeDtypeStruct(Y.shape, Y.dtype)


@pytest.mark.promise("Without a topology a plan")
@pytest.mark.parametrize("batch", [4, np.int64(4), (4, 6), (X, Y), SHAPES])
def test_ways_to_say_a_batch(batch):
    wanted = network().plan(4)
    found = network().plan(batch)
    assert found.memory == wanted.memory and found.flops == wanted.flops


SPARSE = "sparse_categorical_crossentropy"


def by_name(outputs):
    return dict(zip("ab", outputs))


@pytest.mark.parametrize(
    "several, loss",
    [
        (list, {"a": "mse", "b": SPARSE}),
        (list, ["mse", SPARSE]),
        (by_name, {"a": "mse", "b": SPARSE}),
        (by_name, {"b": SPARSE}),
        (by_name, {"a": "mse"}),
    ],
)
def test_labels_are_those_of_each_output_of_several(several, loss):
    """Whole numbers for a sparse loss, as the output where it has another one or none."""
    x = jkeras.Input((6,))
    outputs = layers.Dense(2, name="a")(x), layers.Dense(3, "softmax", name="b")(x)
    model = jkeras.Model(x, several(outputs))
    model.compile("sgd", loss)
    numbers = 4 * 2 + (4 if SPARSE in (*loss, *getattr(loss, "values", tuple)()) else 4 * 3)
    assert model.plan(4).memory.batch == X.nbytes + 4 * numbers


@pytest.mark.promise("No array is made, and nothing is run")
def test_no_array_is_made():
    model = network()
    model.plan(4)
    assert all(v.held is None for v in model.trainable_variables)
    assert all(v.held is None for v in model.optimizer.variables[2:])
    model.fit(X, Y, verbose=0)


def test_the_step_is_that_of_the_model():
    """Microbatches take less memory, and a frozen layer no optimizer."""
    jkeras.utils.clear_session(free_memory=False)
    wide = jkeras.Sequential([jkeras.Input((6,)), layers.Dense(4096, "relu"), layers.Dense(1)])
    wide.compile("adam", "mse")
    whole = wide.plan(512)
    wide.compile("adam", "mse", microbatches=8)
    assert wide.plan(512).memory.temporary < 0.5 * whole.memory.temporary
    wide.layers[0].trainable = False
    wide.compile("adam", "mse")
    assert wide.plan(512).memory.optimizer < 0.2 * whole.memory.optimizer


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_batch_size(monkeypatch, share):
    model = network()
    sizes = {rows: model.plan(rows).needed for rows in 2 ** np.arange(14)}
    limit = int(share * max(sizes.values()))
    monkeypatch.setattr(planning, "memory_of", lambda device: limit)
    assert planning.find_batch_size(model) == max(n for n, size in sizes.items() if size <= limit)
    assert not model.plan(2**13).fits


def texts():
    """A model of texts of any length."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(50, 32)(tokens)
    x = layers.MultiHeadAttention(2, 16)(x, x, use_causal_mask=True)
    model = jkeras.Model(tokens, layers.Dense(50)(x), name="texts")
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    return model


@pytest.mark.promise("Where a model takes texts")
def test_a_length_that_is_not_known_is_asked_for(monkeypatch):
    model = texts()
    words = r"'texts'.*shape \(None, None\).*plan\(\(8, 512\)\).*plan\(\(x, y\)\)"
    for kind in ("train", "predict"):
        with pytest.raises(ValueError, match=words):
            model.plan(8, kind=kind)
    with pytest.raises(ValueError, match="find_batch_size.*x=shape_of_one_row"):
        planning.find_batch_size(model)
    tokens = np.zeros((8, 64), "int32")
    flops = {model.plan(batch).flops for batch in ((8, 64), (tokens, tokens), (tokens,))}
    # of the projections, of queries by keys and of the logits, forward and backward
    products = 3 * 2 * 8 * 64 * (4 * 32 * 32 + 2 * 64 * 32 + 32 * 50)
    assert len(flops) == 1 and products * 0.8 < flops.pop() < products * 1.5
    needed = model.plan((2, 64)).needed
    monkeypatch.setattr(planning, "memory_of", lambda device: needed)
    one = jax.ShapeDtypeStruct((1, 64), "int32")
    assert planning.find_batch_size(model, x=one, y=one) == 2


def test_no_batch_size(monkeypatch):
    with pytest.raises(ValueError, match="devices of unknown memory"):
        planning.find_batch_size(network())
    monkeypatch.setattr(planning, "memory_of", lambda device: 100)
    with pytest.raises(ValueError, match="a model that fits, received .* of 100 bytes"):
        planning.find_batch_size(network())


@pytest.mark.parametrize("name", ["v5e", "v9:2x2", "h100:2x4", "h100:many", "", "v5e:2x"])
def test_names_of_topologies(name):
    with pytest.raises(ValueError, match="a name such as 'v5e:4x4' or 'h100:8'"):
        jkeras.distribution.Topology(name)


@pytest.mark.parametrize("name, package", [("v5e:2x2", "libtpu"), ("h100:8", "jax-cuda12-plugin")])
def test_compilers_that_are_not_installed(monkeypatch, name, package):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=rf"takes the package {package}.*pip install"):
        jkeras.distribution.Topology(name)


def test_an_older_compiler_is_refused(monkeypatch):
    """That of Colab's TPUs ends the process where it compiles for devices that are not here."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0.21.1")
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["libtpu==0.0.23; extra"])
    words = r"libtpu 0\.0\.23, which .* and 0\.0\.21\.1 is .* pip install 'libtpu==0\.0\.23'"
    with pytest.raises(ImportError, match=words):
        jkeras.distribution.Topology("v5e:1x1")


@pytest.mark.promise("plans the outputs alone")
def test_prediction():
    model = network()
    found = model.plan(4, kind="predict")
    assert found.memory.optimizer == 0 and found.memory.batch == X.nbytes
    assert found.flops == 2 * 4 * (6 * 32 + 32 * 3)
    assert found.memory.results == 4 * 3 * 4
    assert str(found).startswith("a prediction of model 'sequential', 4 rows")
    bare = jkeras.Sequential([jkeras.Input((6,)), layers.Dense(32)])
    assert bare.plan(4, kind="predict").memory.parameters == 4 * 7 * 32
    with pytest.raises(ValueError, match="Did you mean 'predict'"):
        model.plan(4, kind="predikt")
