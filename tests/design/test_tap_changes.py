"""`tap(set=, edit=)`, values that layers name, steps of recurrent layers, operations, patterns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers

X = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")


class Block(layers.Layer):
    """A block as Keras's users write it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(2, 3, name="mha")
        self.mlp = layers.Dense(6, activation="tanh", name="mlp")

    def call(self, x):
        h = x + self.attention(x, x, use_causal_mask=True)
        h = explain.place("residual_mid", h)
        return h + self.mlp(h)


class Transformer(jkeras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [Block(name=f"block_{i}") for i in range(2)]
        self.head = layers.Dense(4, name="head")

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


@pytest.fixture(scope="module")
def model():
    jkeras.utils.set_random_seed(0)
    model = Transformer(name="transformer")
    model(X)
    return model


def part(model, name):
    """A block of the model as a function of its input."""
    block = next(b for b in model.blocks if b.name == name)
    key = f"blocks_{name[-1]}" if f"blocks_{name[-1]}" in model.params else name
    return lambda x: block.apply(model.params[key], {}, x)[0]


@pytest.mark.promise("`set` replaces the output of a layer")
@pytest.mark.parametrize("jit", [False, True])
def test_several_places_are_set_at_once(model, jit):
    values = np.random.default_rng(1).normal(size=(2, 2, 5, 6)).astype("float32")

    def run(values):
        changes = {"block_0/mha": values[0], "block_1/mha": values[1]}
        return model.tap(model.params, model.state, X, set=changes)[0]

    y = (jax.jit(run) if jit else run)(values)
    x = jnp.asarray(X)
    for block, value in zip(model.blocks, values):
        h = x + value
        x = h + np.tanh(h @ block.mlp.kernel + block.mlp.bias)
    np.testing.assert_allclose(y, x @ model.head.kernel + model.head.bias, atol=1e-5)
    each = jax.vmap(run)(jnp.stack([values, 2 * values]))
    np.testing.assert_allclose(each[0], y, atol=1e-5)
    gradient = jax.grad(lambda v: run(v).sum())(jnp.asarray(values))
    assert np.abs(gradient[0]).max() > 0 and np.abs(gradient[1]).max() > 0


@pytest.mark.promise("`edit` maps it by a function")
def test_one_place_is_set_then_edited_then_added_to(model):
    given = (model.params, model.state, X)
    changes = {
        "add": {"block_1": 1.0},
        "edit": {"block_1": lambda h: 2 * h},
        "set": {"block_1": np.full((5, 6), 3.0)},
    }
    _, _, seen = model.tap(*given, at="block_1", **changes)
    np.testing.assert_array_equal(seen["block_1"], np.full((2, 5, 6), 7.0))


def test_what_is_set_to_what_is_there_changes_nothing(model):
    given = (model.params, model.state, X)
    found = explain.places(model, X)
    y = model.apply(*given)[0]
    seen = model.tap(*given, at=found.paths)[2]
    for path in found.paths:
        again = model.tap(*given, set={path: seen[path]})[0]
        np.testing.assert_allclose(again, y, atol=1e-6, err_msg=path)
        moved = model.tap(*given, edit={path: lambda v: v * 1.5 + 0.1})[0]
        assert not np.allclose(moved, y, atol=1e-6), path


# ---------------------------------------------------------------- values that layers name


@pytest.mark.promise("Attention names queries, keys and values")
@pytest.mark.parametrize("grouped", [False, True])
def test_values_of_attention(grouped):
    x = jkeras.Input((5, 6))
    if grouped:
        mha = layers.GroupQueryAttention(3, 4, 2, name="mha")
    else:
        mha = layers.MultiHeadAttention(2, 3, name="mha")
    model = jkeras.Model(x, mha(x, x, use_causal_mask=True))
    given = (model.params, model.state, X)
    names = ["queries", "keys", "values", "scores", "pattern", "heads", "results"]
    seen = model.tap(*given, at=[f"mha/{name}" for name in names])[2]
    q, k, v, scores, pattern, heads, results = (np.asarray(seen[f"mha/{n}"]) for n in names)
    if grouped:
        k, v = np.repeat(k, 2, axis=2), np.repeat(v, 2, axis=2)
    wanted = np.einsum("bqhs,bkhs->bhqk", q, k) / np.sqrt(3)
    np.testing.assert_allclose(scores, wanted, atol=1e-5)
    hidden = np.triu(np.ones((5, 5), bool), 1)
    weights = np.exp(np.where(hidden, -np.inf, wanted))
    np.testing.assert_allclose(pattern, weights / weights.sum(-1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(heads, np.einsum("bhqk,bkhs->bqhs", pattern, v), atol=1e-5)
    y = np.asarray(model.apply(*given)[0])
    np.testing.assert_allclose(results.sum(-2), y, atol=1e-5)  # its bias is 0


@pytest.mark.parametrize("place", ["results", "heads", "pattern", "values"])
def test_a_head_that_is_taken_away(place):
    x = jkeras.Input((5, 6))
    model = jkeras.Model(x, layers.MultiHeadAttention(2, 3, name="mha")(x, x))
    given = (model.params, model.state, X)
    axis = {"pattern": 1}.get(place, 2)

    def without(value):
        return jnp.moveaxis(jnp.moveaxis(value, axis, 0).at[1].set(0), 0, axis)

    y = model.tap(*given, edit={f"mha/{place}": without})[0]
    results = model.tap(*given, at="mha/results")[2]["mha/results"]
    np.testing.assert_allclose(y, results[:, :, 0], atol=1e-5)


@pytest.mark.promise("names a value in a")
def test_a_value_in_a_call(model):
    given = (model.params, model.state, X)
    y, _, seen = model.tap(*given, at=["block_1/residual_mid", "block_1/mha", "block_0"])
    wanted = seen["block_0"] + seen["block_1/mha"]
    np.testing.assert_allclose(seen["block_1/residual_mid"], wanted, atol=1e-6)
    np.testing.assert_array_equal(y, model.apply(*given)[0])
    _, _, seen = model.tap(*given, at="block_1", set={"block_1/residual_mid": 1.0})
    mlp = np.tanh(np.ones((6,)) @ model.blocks[1].mlp.kernel + model.blocks[1].mlp.bias)
    np.testing.assert_allclose(seen["block_1"], np.broadcast_to(1 + mlp, (2, 5, 6)), atol=1e-6)


def test_nobody_looks_and_a_named_value_costs_nothing(model):
    jaxpr = jax.make_jaxpr(lambda x: explain.place("x", x) * 2)(1.0)
    assert len(jaxpr.eqns) == 1
    assert explain.place("x", "anything") == "anything"


# ---------------------------------------------------------------- operations


@pytest.mark.promise("every operation in a layer's own code")
def test_sums_by_an_operator(model):
    given = (model.params, model.state, X)
    at = ["block_0/add", "block_0/add#0", "block_0/add#1", "block_0/residual_mid", "block_0"]
    seen = model.tap(*given, at=at)[2]
    assert seen["block_0/add"].shape == (2, 2, 5, 6)
    np.testing.assert_allclose(seen["block_0/add#0"], seen["block_0/residual_mid"], atol=1e-6)
    np.testing.assert_allclose(seen["block_0/add#1"], seen["block_0"], atol=1e-6)
    changed = model.tap(*given, set={"block_1/add#1": 2.0})[0]
    wanted = np.full((2, 5, 6), 2.0) @ model.head.kernel + model.head.bias
    np.testing.assert_allclose(changed, wanted, atol=1e-5)
    by_place = jax.grad(lambda d: model.tap(*given, add={"block_0/residual_mid": d})[0].sum())
    by_sum = jax.jit(jax.grad(lambda d: model.tap(*given, add={"block_0/add#0": d})[0].sum()))
    zeros = jnp.zeros((2, 5, 6))
    np.testing.assert_allclose(by_place(zeros), by_sum(zeros), atol=1e-5)


def test_operations_of_a_graph():
    x = jkeras.Input((6,))
    h = x + layers.Dense(6, name="dense")(x)
    h = jkeras.ops.tanh(h)
    graph = jkeras.Model(x, layers.Dense(1, name="out")(h))
    given = (graph.params, graph.state, X[:, 0])
    names = [o.name for o in graph.operations if not isinstance(o, layers.Layer)]
    seen = graph.tap(*given, at=[*names, "dense"])[2]
    np.testing.assert_allclose(seen[names[0]], X[:, 0] + seen["dense"], atol=1e-6)
    np.testing.assert_allclose(seen[names[1]], np.tanh(seen[names[0]]), atol=1e-6)
    y = graph.tap(*given, set={names[1]: 0.0})[0]
    np.testing.assert_allclose(y, np.zeros((2, 1)), atol=1e-6)


# ---------------------------------------------------------------- loops


@pytest.mark.promise("the states of a recurrent layer after each step")
@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_states_of_a_recurrent_layer(kind, unroll):
    options = {"return_sequences": True, "return_state": True, "unroll": unroll}
    layer = getattr(layers, kind)(4, name="rnn", **options)
    x = jkeras.Input((5, 6))
    model = jkeras.Model(x, layer(x))
    given = (model.params, model.state, X)
    (y, *last), _, seen = model.tap(*given, at=["rnn/states", "rnn/states#1"])
    first, *_ = seen["rnn/states"]
    np.testing.assert_allclose(np.swapaxes(first, 0, 1), y, atol=1e-6)
    for states, one, end in zip(seen["rnn/states"], seen["rnn/states#1"], last):
        np.testing.assert_array_equal(states[1], one)
        np.testing.assert_allclose(states[-1], end, atol=1e-6)
    reset = [jnp.zeros_like(state) for state in last]
    (changed, *_), _, _ = model.tap(*given, set={"rnn/states#2": reset})
    np.testing.assert_allclose(changed[:, :2], y[:, :2], atol=1e-6)
    np.testing.assert_array_equal(changed[:, 2], np.zeros((2, 4)))
    rest = layer.apply(model.params["rnn"], {}, X[:, 3:])[0][0]
    np.testing.assert_allclose(changed[:, 3:], rest, atol=1e-5)
    with pytest.raises(ValueError, match="a step from 0 to 4, received step 5"):
        model.tap(*given, at="rnn/states#5")


def test_states_of_masked_steps_and_of_both_directions():
    x = jkeras.Input((5, 6))
    h = layers.Masking()(x)
    inner = layers.LSTM(3, return_sequences=True, name="inner")
    model = jkeras.Model(x, layers.Bidirectional(inner, name="both")(h))
    masked = X.copy()
    masked[:, 3:] = 0
    seen = model.tap(model.params, model.state, masked, at="*/states")[2]
    assert len(seen) == 2
    forward = next(value for path, value in seen.items() if "forward" in path)
    np.testing.assert_array_equal(forward[0][2], forward[0][4])
    backward = next(value for path, value in seen.items() if "backward" in path)
    np.testing.assert_array_equal(backward[0][0], np.zeros((2, 3)))  # the last step comes first
    assert np.abs(backward[0][2]).max() > 0


@pytest.mark.promise("in a `Stack` of one block, or of all")
def test_blocks_of_a_stack():
    stack = layers.Stack(Block(name="block"), 3, name="stack")
    model = jkeras.Sequential([jkeras.Input((5, 6)), stack])
    given = (model.params, model.state, X)
    at = ["stack/layer/mha", "stack/1", "stack/2/residual_mid"]
    seen = model.tap(*given, at=at)[2]
    value = np.random.default_rng(2).normal(size=(2, 5, 6)).astype("float32")
    again = model.tap(*given, at=at, set={"stack/1/mha": value})[2]
    np.testing.assert_allclose(again["stack/layer/mha"][0], seen["stack/layer/mha"][0], atol=1e-6)
    np.testing.assert_array_equal(again["stack/layer/mha"][1], value)
    assert not np.allclose(again["stack/layer/mha"][2], seen["stack/layer/mha"][2])
    all_set = model.tap(*given, at=at, edit={"stack/layer/mha": lambda v: v * 0})[2]
    assert not np.asarray(all_set["stack/layer/mha"]).any()
    values = np.stack([value, 2 * value, 3 * value])
    all_set = model.tap(*given, at=at, set={"stack/layer/mha": values})[2]
    np.testing.assert_array_equal(all_set["stack/layer/mha"], values)
    with pytest.raises(ValueError, match="the blocks along the first axis"):
        model.tap(*given, set={"stack/layer/mha": value})


class Sums(layers.Layer):
    """A block whose own code has two sums and a product."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(6, activation="tanh", name="first")
        self.second = layers.Dense(6, name="second")

    def call(self, x):
        h = x + self.first(x)
        return h + 2.0 * self.second(h)


def unrolled(params, x, change=lambda i, h: h):
    """The sums in three blocks of `Sums` and their output, by hand; `change` of the first sums."""
    w, first, second = params["stack"], [], []
    for i in range(3):
        h = change(i, x + np.tanh(x @ w["first_kernel"][i] + w["first_bias"][i]))
        x = h + 2.0 * (h @ w["second_kernel"][i] + w["second_bias"][i])
        first.append(h)
        second.append(x)
    return np.stack(first), np.stack(second), x


@pytest.mark.parametrize("remat", [False, True])
def test_operations_in_the_blocks_of_a_stack(remat):
    x = jkeras.Input((5, 6))
    y = layers.Stack(Sums(), 3, remat=remat, name="stack")(x)
    model = jkeras.Model(x, y)
    given = model.params, model.state, X
    places = ["stack/layer/add#0", "stack/1/add#1", "stack/layer/mul", "stack/layer/first"]
    y, _, seen = model.tap(*given, at=places)
    first, second, wanted = unrolled(model.params, X)
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen["stack/layer/add#0"], first, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen["stack/1/add#1"], second[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen["stack/layer/mul"], second - first, rtol=1e-4, atol=1e-4)
    changes = np.random.default_rng(1).normal(size=(3, 2, 5, 6)).astype("float32")
    for options, change in (
        ({"set": {"stack/layer/add#0": changes}}, lambda i, h: changes[i]),
        ({"add": {"stack/layer/add#0": changes}}, lambda i, h: h + changes[i]),
        ({"edit": {"stack/2/add#0": lambda h: 3 * h}}, lambda i, h: h * (3 if i == 2 else 1)),
    ):
        y = jax.jit(lambda x: model.tap(*given[:2], x, **options)[0])(X)  # noqa: B023
        np.testing.assert_allclose(y, unrolled(model.params, X, change)[2], rtol=1e-4, atol=1e-4)
    slope = jax.grad(lambda d: model.tap(*given, add={"stack/2/add#0": d})[0].sum())(0 * changes[0])
    kernel = model.params["stack"]["second_kernel"][2]
    np.testing.assert_allclose(slope[0, 0], 1 + 2 * kernel.sum(1), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="sub"):
        model.tap(*given, at="stack/layer/sub")
    listed = explain.places(model, X, operations=True)
    for place in ("stack/layer/add#1", "stack/layer/mul", "stack/layer/first/tanh"):
        assert listed[place].shape == (3, 2, 5, 6)
        assert model.tap(*given, at=place)[2][place].shape == (3, 2, 5, 6)


class Cell(layers.Layer):
    """A cell of a user's own."""

    state_size = output_size = 4

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(4, name="inner")

    def build(self, shape):
        self.inner.build((shape[0], shape[-1] + 4))

    def call(self, x, states, training=None):
        h = jkeras.ops.tanh(self.inner(jkeras.ops.concatenate([x, states[0]], -1)))
        h = h + 0.5 * states[0]
        return h, [h]


def steps_of_cell(params, x, change=lambda step, h: h):
    """(tanh, states) of each step of `Cell`, by hand."""
    state, found = np.zeros((len(x), 4), "float32"), []
    dense = params["rnn"]["cell"]["inner"]
    for step in range(x.shape[1]):
        h = jnp.tanh(jnp.concatenate([x[:, step], state], -1) @ dense["kernel"] + dense["bias"])
        h = change(step, h)
        state = h + 0.5 * state
        found.append((h, state))
    return [jnp.stack(each) for each in zip(*found)]


@pytest.mark.promise("in the steps of a loop are places, too, with the steps along a first axis")
def test_operations_in_the_steps_of_a_cell():
    model = jkeras.Sequential([layers.RNN(Cell(name="cell"), return_sequences=True, name="rnn")])
    params, state = model.init(0, X)
    place = "rnn/scan/tanh"
    y, _, seen = model.tap(params, state, X, at=[place, "rnn/scan/add#1"])
    tanh, states = steps_of_cell(params, X)
    np.testing.assert_allclose(seen[place], tanh, atol=1e-6)
    np.testing.assert_allclose(seen["rnn/scan/add#1"], states, atol=1e-6)
    np.testing.assert_allclose(y, np.swapaxes(states, 0, 1), atol=1e-6)
    values = np.random.default_rng(2).normal(size=tanh.shape).astype("float32")
    for options, change in (
        ({"set": {place: values}}, lambda step, h: values[step]),
        ({"set": {place: 0.25}}, lambda step, h: 0.25 + 0 * h),
        ({"add": {place: values}}, lambda step, h: h + values[step]),
        ({"edit": {place: jnp.negative}}, lambda step, h: -h),
    ):
        changed = jax.jit(lambda x: model.tap(params, state, x, **options)[0])(X)  # noqa: B023
        wanted = steps_of_cell(params, X, change)[1]
        np.testing.assert_allclose(changed, np.swapaxes(wanted, 0, 1), atol=1e-5)
    slope = jax.grad(lambda d: model.tap(params, state, X, add={place: d})[0].sum())
    by_hand = jax.grad(lambda d: steps_of_cell(params, X, lambda step, h: h + d[step])[1].sum())
    np.testing.assert_allclose(slope(0 * tanh), by_hand(0 * tanh), rtol=1e-4, atol=1e-5)
    listed = explain.places(model, X, operations=True)
    assert listed[place].shape == tanh.shape
    with pytest.raises(
        ValueError, match=r"a change of shape \(5, 2, 4\), received shape \(4, 2, 4"
    ):
        model.tap(params, state, X, set={place: values[1:]})


class Halves(layers.Layer):
    def call(self, x):
        return jax.lax.while_loop(lambda y: jnp.abs(y).max() > 1, lambda y: y / 2, x)


@pytest.mark.promise("A layer within a cell is no place")
def test_what_is_no_place_in_a_loop():
    rnn = layers.RNN(Cell(name="cell"), name="rnn")
    model = jkeras.Sequential([jkeras.Input((5, 6)), rnn, Halves(name="halves")])
    paths = explain.places(model, X, operations=True).paths
    assert "rnn/scan/tanh" in paths and "halves/while" in paths
    assert not [path for path in paths if "inner" in path or path.startswith("halves/while/")]
    for place in ("rnn/cell/inner", "halves/while/div"):
        with pytest.raises(ValueError, match="tap at"):
            model.tap(model.params, model.state, X, at=place)


@pytest.mark.parametrize("wrapped", [False, True])
def test_gates_of_an_lstm(wrapped):
    """By the equations of the layer, from the states that it has."""
    lstm = layers.LSTM(4, return_sequences=True, name="lstm")
    x = jkeras.Input((5, 6))
    h = layers.Bidirectional(lstm, name="both")(x) if wrapped else lstm(x)
    model = jkeras.Model(x, layers.Dense(1)(h))
    given = model.params, model.state, X
    name = "forward_lstm" if wrapped else "lstm"
    gates = ["logistic#1", "logistic#0", "tanh#0", "logistic#2"]
    seen = model.tap(*given, at=[f"{name}/states", *(f"{name}/scan/{g}" for g in gates)])[2]
    hidden, _ = seen[f"{name}/states"]
    before = jnp.concatenate([jnp.zeros((1, 2, 4)), hidden[:-1]])
    weights = model.params["both"]["forward_layer"] if wrapped else model.params["lstm"]
    weights = weights["cell"]
    z = jnp.swapaxes(X, 0, 1) @ weights["kernel"] + before @ weights["recurrent_kernel"]
    parts = jnp.split(z + weights["bias"], 4, axis=-1)
    for gate, part in zip(gates, parts):
        wanted = jnp.tanh(part) if gate == "tanh#0" else jax.nn.sigmoid(part)
        np.testing.assert_allclose(seen[f"{name}/scan/{gate}"], wanted, atol=1e-5)


class Tower(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = layers.Stack(Sums(), 2, name="inner")

    def call(self, x):
        return jkeras.ops.sin(self.blocks(x))


def test_operations_of_a_stack_in_a_stack_are_listed():
    x = jkeras.Input((5, 6))
    model = jkeras.Model(x, layers.Stack(Tower(), 3, name="outer")(x))
    given = model.params, model.state, X
    listed = explain.places(model, X, operations=True)
    for place, blocks in (("outer/layer/sin", (3,)), ("outer/layer/blocks/layer/mul", (3, 2))):
        assert listed[place].shape == (*blocks, 2, 5, 6)
        assert model.tap(*given, at=place)[2][place].shape == (*blocks, 2, 5, 6)


def test_a_slice_of_a_time_distributed_layer_is_edited():
    inner = jkeras.Sequential([layers.Dense(3, name="hidden"), layers.Dense(2)], name="inner")
    model = jkeras.Sequential([layers.TimeDistributed(inner, name="each")])
    params, state = model.init(0, X)
    seen = model.tap(params, state, X, at="hidden", edit={"hidden": lambda h: h * 0 + 1})[2]
    np.testing.assert_array_equal(seen["hidden"], np.ones((2, 5, 3)))


def test_a_call_of_a_shared_layer_is_set():
    tower = layers.Dense(3, name="tower")
    a, b = jkeras.Input((6,)), jkeras.Input((6,))
    model = jkeras.Model([a, b], tower(a) - tower(b))
    x = [X[:, 0], X[:, 1]]
    y = model.tap(model.params, model.state, x, set={"tower#1": 0.0})[0]
    np.testing.assert_allclose(y, x[0] @ tower.kernel + tower.bias, atol=1e-6)
    for kind in ({"set": {"tower": 0.0}}, {"edit": {"tower": jnp.negative}}):
        with pytest.raises(ValueError, match="called more than once.*'tower#0'"):
            model.tap(model.params, model.state, x, **kind)


# ---------------------------------------------------------------- while text is written


@pytest.mark.promise("while a text is written")
def test_a_steered_generator():
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(20, 8, name="words")(tokens)
    x = x + layers.MultiHeadAttention(2, 4, name="mha")(x, x, use_causal_mask=True)
    model = jkeras.Model(tokens, layers.Dense(20, name="head")(x))
    prompts = np.array([[3, 4, 5], [6, 7, 8]])
    direction = np.random.default_rng(3).normal(size=8).astype("float32") * 3
    changes = {"edit": {"mha/heads": lambda h: h.at[:, :, 0].set(0)}, "add": {"words": direction}}
    texts = {}
    for cache in (True, False):
        generator = jkeras.generation.Generator(model, 9, cache=cache).steered(**changes)
        texts[cache] = np.asarray(generator(model.params, prompts)[0])
    np.testing.assert_array_equal(texts[True], texts[False])
    text = prompts
    for _ in range(6):
        logits = model.tap(model.params, model.state, text, **changes)[0]
        text = np.concatenate([text, np.asarray(logits[:, -1].argmax(-1))[:, None]], axis=1)
    np.testing.assert_array_equal(texts[True], text)
    plain = jkeras.generation.Generator(model, 9)(model.params, prompts)[0]
    assert not np.array_equal(plain, text)


LLAMA = {
    "model_type": "llama",
    "vocab_size": 20,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 16,
    "tie_word_embeddings": False,
}


def speaking(place):
    """A language model that has such a place: a Llama, or blocks in a `Stack`."""
    jkeras.utils.set_random_seed(1)
    if not place.startswith("stack"):
        model = jkeras.models.LanguageTransformer(LLAMA, "causal_lm")
        model.build((None, None))
        return model
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(20, 6)(tokens)
    x = layers.Stack(Block(name="block"), 2, name="stack")(x)
    return jkeras.Model(tokens, layers.Dense(20, kernel_initializer="normal")(x))


@pytest.mark.promise("and operations, too")
@pytest.mark.parametrize("place", ["layer_1/add#0", "layer_*/add#1", "stack/1/add#1"])
def test_a_generator_that_is_steered_at_operations(place):
    model = speaking(place)
    prompts = np.array([[3, 4, 5], [6, 7, 1]])
    width = 6 if place.startswith("stack") else 8
    add = {place: 3 * np.random.default_rng(0).normal(size=width).astype("float32")}
    text = prompts
    for _ in range(6):
        logits = model.tap(model.params, model.state, text, add=add)[0]
        text = np.concatenate([text, np.asarray(logits[:, -1].argmax(-1))[:, None]], axis=1)
    for cache in (False,) if place.startswith("stack") else (True, False):
        generator = jkeras.generation.Generator(model, 9, cache=cache)
        steered = generator.steered(add=add)(model.params, prompts)[0]
        np.testing.assert_array_equal(steered, text)
        assert not np.array_equal(generator(model.params, prompts)[0], text)


# ---------------------------------------------------------------- the table, and patterns


@pytest.mark.promise("`explain.places` lists every place")
def test_places(model):
    found = explain.places(model, X)
    seen = model.tap(model.params, model.state, X, at=found.paths)[2]
    assert {path: value.shape for path, value in seen.items()} == {p.path: p.shape for p in found}
    assert found["block_0/mha/heads"].shape == (2, 5, 2, 3)
    assert "output of Dense" in repr(found) and "block_1/residual_mid" in repr(found)
    assert explain.places(model, X, "mha/pat*").paths == [f"block_{i}/mha/pattern" for i in (0, 1)]
    sums = explain.places(model, X, "block_*/add*", operations=True)
    assert sums.paths == [f"block_{i}/add{n}" for i in (0, 1) for n in ("#0", "#1")]
    with pytest.raises(ValueError, match="a pattern of its places: block_0/mha/query"):
        explain.places(model, X, "blok_*")


def test_each_call_is_a_place():
    shared = layers.Dense(6, name="shared")
    x = jkeras.Input((6,))
    model = jkeras.Model(x, layers.Dense(1, name="out")(shared(shared(x))))
    found = explain.places(model, X[:, 0])
    assert found.paths == ["shared#0", "shared#1", "out"]
    assert explain.places(model, X[:, 0], "shared").paths == ["shared#0", "shared#1"]
    assert list(model.tap(model.params, model.state, X[:, 0], at=found.paths)[2]) == found.paths


@pytest.mark.promise("A star stands for any part of a name")
def test_patterns(model):
    given = (model.params, model.state, X)
    seen = model.tap(*given, at="block_*/mha")[2]
    assert list(seen) == ["block_0/mha", "block_1/mha"]
    y = model.tap(*given, set={"block_*/mha": 0.0})[0]
    wanted = model.tap(*given, set={"block_0/mha": 0.0, "block_1/mha": 0.0})[0]
    np.testing.assert_array_equal(y, wanted)


def test_a_pattern_may_name_one_layer_by_its_name_and_the_next_by_its_attribute():
    x = jkeras.Input((5, 6))
    y = Sums(name="sums_1")(Sums(name="sums_0")(x))  # in params: "sums" and "sums_1"
    model = jkeras.Model(x, y)
    for layer in model.layers[1:]:
        layer.first.name = "another"
    seen = model.tap(model.params, model.state, X, at="sums_*/first")[2]
    assert list(seen) == ["sums_0/another", "sums_1/another"]


def test_patterns_of_operations(model):
    values = model.params, model.state, X
    both = model.tap(*values, at="block_*/add#1")[2]
    assert list(both) == ["block_0/add#1", "block_1/add#1"]
    for name, value in both.items():
        np.testing.assert_array_equal(value, model.tap(*values, at=name)[2][name])
        np.testing.assert_array_equal(value, model.tap(*values, at=name[:7])[2][name[:7]])
    assert {p: v.shape for p, v in model.tap(*values, at="block_*/add")[2].items()} == {
        "block_0/add": (2, 2, 5, 6),
        "block_1/add": (2, 2, 5, 6),
    }
    changed = model.tap(*values, edit={"block_*/add#1": lambda h: 2 * h})[0]
    expected = part(model, "block_1")(2 * part(model, "block_0")(X))
    head = model.get_layer("head")
    np.testing.assert_allclose(changed, head(2 * expected), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="block_0/add.*name the call"):
        model.tap(*values, edit={"block_*/add": lambda h: 2 * h})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"at": "block_0/mha/heds"}, "Did you mean 'block_0/mha/heads'"),
        ({"at": "blok_*/mha"}, "the path of a layer or of a value"),
        ({"at": "mha/heads"}, "the path of one place"),
        ({"set": {"block_0": np.ones((5, 5))}}, r"a change of shape \(2, 5, 6\)"),
        ({"edit": {"block_0": 0.0}}, "a function of the output in `edit`"),
        ({"edit": {"block_0": lambda h: h[:1]}}, r"an array of shape \(2, 5, 6\)"),
        ({"edit": {"block_0": lambda h: (h, h)}}, "`edit` to give what it takes"),
        ({"set": ["block_0"]}, "`set` of what happens by place, a dict"),
    ],
)
def test_wrong_use(model, changes, message):
    with pytest.raises(ValueError, match=message):
        model.tap(model.params, model.state, X, **changes)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16"])
def test_what_is_set_has_the_type_of_what_is_there(dtype):
    model = jkeras.Sequential([jkeras.Input((6,)), layers.Dense(3, dtype=dtype, name="dense")])
    given = (model.params, model.state, X[:, 0])
    seen = model.tap(*given, at="dense", set={"dense": np.ones((3,), "float64")})[2]
    assert seen["dense"].dtype == "bfloat16"
