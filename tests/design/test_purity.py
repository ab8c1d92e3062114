"""`init` and `apply` write nothing on layers and models of the user's that write on themselves.

What `call` sets is set on a copy, which ends with the pass. Calls as in Keras, `layer(x)`, set it
on the object.
"""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.errors import StateWriteError
from jkeras.core.weights.module import Parts
from tests.common.test_values import in_threads

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
KEY = jax.random.key(0)


class Writing(layers.Layer):
    """Doubles its input, and keeps whatever it can."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen, self.by_name, self.count = [], {"x": None}, 0
        self.among = {0}
        self.last = None
        self.inner = layers.Dense(3, kernel_initializer="identity")

    def build(self, shape):
        self.scale = self.add_weight(shape=(), initializer=lambda s, dtype: 2 * jnp.ones(s, dtype))

    def call(self, x):
        self.last = x
        self.seen.append(x)
        self.by_name["x"] = x
        self.among.add(len(self.seen))
        self.inner.last = x
        self.count += 1
        self.new = [x]
        return self.inner(x) * self.scale


class WritingForward(layers.Layer):
    """The same, written on values."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen, self.by_name, self.last = [], {}, None

    def weight_specs(self, x):
        self.width = x.shape[-1]
        return {"scale": self.weight("scale", (), initializer="ones")}

    def forward(self, w, x, ctx):
        assert self.width == x.shape[-1]
        self.last = x
        self.seen.append(x)
        self.by_name["x"] = x
        return 2 * x * w["scale"]


class Writer(jkeras.Model):
    """A model that keeps what its layers give."""

    def __init__(self):
        super().__init__()
        self.parts = [Writing(), Writing()]
        self.outputs_of = {}

    def call(self, x):
        for i, part in enumerate(self.parts):
            x = part(x)
            self.outputs_of[i] = x
        self.last = x
        return x


class Around(jkeras.Model):
    """Runs a graph whose layers write on themselves."""

    def __init__(self):
        super().__init__()
        x = jkeras.Input((3,))
        self.graph = jkeras.Model(x, Writing()(x))
        self.chain = jkeras.Sequential([jkeras.Input((3,)), Writing()])

    def call(self, x):
        y = self.chain(self.graph(x))
        self.last = self.graph.layers[-1].last
        return y


class Method(layers.Layer):
    """Calls itself by what it holds: a bound method."""

    def __init__(self):
        super().__init__()
        self.function = self.double

    def double(self, x):
        self.last = x
        return 2 * x

    def call(self, x):
        return self.function(x)


def graph():
    x, shared = jkeras.Input((3,)), Writing()
    return jkeras.Model(x, shared(shared(x)))


def recurrent():
    return jkeras.Sequential([jkeras.Input((3,)), layers.Reshape((3, 1)), layers.RNN(Cell())])


class Cell(layers.Layer):
    state_size = 1

    def call(self, x, states):
        self.last = x
        return x + states[0], [x + states[0]]


KINDS = {
    "layer": (Writing, 2),
    "forward": (WritingForward, 2),
    "model": (Writer, 4),
    "graph": (graph, 4),
    "graph in a model": (Around, 4),
    "sequential": (lambda: jkeras.Sequential([jkeras.Input((3,)), Writing()]), 2),
    "method": (Method, 2),
    "over time": (lambda: layers.TimeDistributed(Method()), 2),
    "loop": (recurrent, None),
}


def held(module, seen):
    """What modules hold, containers and what is below them included, by place."""
    for name, value in list(vars(module).items()):
        yield from _held(f"{module.name}.{name}", value, seen)


def _held(place, value, seen):
    yield place, id(value)
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, layers.Layer):
        yield from held(value, seen)
    elif isinstance(value, dict):
        for key, item in list(value.items()):
            yield from _held(f"{place}[{key}]", item, seen)
    elif isinstance(value, (list, tuple, set)):
        for i, item in enumerate(value):
            yield from _held(f"{place}[{i}]", item, seen)


def snapshot(layer):
    return list(held(layer, set()))


@pytest.fixture(params=KINDS)
def kind(request):
    make, factor = KINDS[request.param]
    layer = make()
    x = X[:, None] if request.param == "over time" else X
    return layer, x, factor


@pytest.mark.promise("In `init` and `apply` it")
@pytest.mark.parametrize("is_built", [True, False])
def test_nothing_is_written(kind, is_built):
    layer, x, factor = kind
    if is_built:
        layer(x)
        jax.block_until_ready(layer(x))
    before = snapshot(layer)
    params, state = layer.init(KEY, x)
    assert snapshot(layer) == before
    eager, _ = layer.apply(params, state, x)
    assert snapshot(layer) == before
    if factor:
        np.testing.assert_allclose(eager, factor * x, rtol=1e-6)
    pair = layer.pair()
    forward = lambda p, x: pair.apply(p, state, x)[0]  # noqa: E731
    np.testing.assert_allclose(jax.jit(forward)(params, x), eager, rtol=1e-6)
    rows = jax.vmap(lambda row: forward(params, row[None])[0])(x)
    np.testing.assert_allclose(rows, eager, rtol=1e-6)
    slope = jax.grad(lambda x: forward(params, x).sum())(x)
    if factor:
        np.testing.assert_allclose(slope, np.full_like(x, factor), rtol=1e-6)
    jax.jit(layer.init)(KEY, x)
    assert snapshot(layer) == before


@pytest.mark.promise("`layer(x)` sets it on the object, as in Keras")
@pytest.mark.promise("may set attributes in `call`, as Keras allows")
def test_a_call_as_in_keras_sets_attributes():
    for layer in (Writing(), WritingForward()):
        x = jnp.asarray(X)
        layer(x)
        layer(x)
        assert layer.last is x and len(layer.seen) == 2 and layer.by_name["x"] is x


def test_what_layers_share_they_share_in_the_copy():
    """A list that a layer inside fills and the outer one reads; one that holds itself."""

    class Inner(layers.Layer):
        def __init__(self, scores):
            super().__init__()
            self.scores = scores

        def call(self, x):
            self.scores.append(2 * x)
            return x

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.scores, self.kept = [], {}
            self.kept["itself"] = self.kept
            self.inner = Inner(self.scores)

        def call(self, x):
            del self.scores[:]
            self.inner(x)
            assert self.kept["itself"]["itself"] is self.kept["itself"]
            return self.scores[0] + 1

    layer = Outer()
    assert layer.scores is layer.inner.scores
    for built in (False, True):
        if built:
            layer(X)
        before = snapshot(layer)
        forward = lambda x: layer.apply({}, {}, x)[0]  # noqa: E731
        for run in (forward, jax.jit(forward)):
            np.testing.assert_allclose(run(X), 2 * X + 1, rtol=1e-6)
        assert snapshot(layer) == before


def test_layers_that_compare_by_value():
    """As dataclasses do, which then have no hash."""

    class Equal(layers.Layer):
        def __eq__(self, other):
            return isinstance(other, Equal)

        def call(self, x):
            self.last = x
            return 2 * x

    layer = Equal()
    layer(X)
    before = snapshot(layer)
    np.testing.assert_allclose(jax.jit(layer.apply)({}, {}, X)[0], 2 * X)
    assert snapshot(layer) == before


def test_arrays_of_numpy():
    """A small one is copied, a large one may not be written into."""

    class Counting(layers.Layer):
        def __init__(self, size):
            super().__init__()
            self.counts, self.table = np.zeros(size), np.arange(3.0)

        def call(self, x):
            self.counts[:3] += 1
            return x * self.table * self.counts[:3]

    small = Counting(3)
    small(X)
    np.testing.assert_allclose(small.apply({}, {}, X)[0], X * np.arange(3.0) * 2)
    np.testing.assert_allclose(small.counts, 1)
    large = Counting(100_000)
    large(X)
    with pytest.raises(ValueError, match="read-only"):
        large.apply({}, {}, X)
    assert large.counts[0] == 1
    large(X)
    assert large.counts[0] == 2


@pytest.mark.promise("In `init` and `apply` it")
def test_a_shared_layer_is_one_copy():
    """What the first call keeps, the second one sees; of two of one depth Keras, and so this
    library, runs the later one first.
    """

    class Alternating(layers.Layer):
        calls = 0

        def call(self, x):
            self.calls += 1
            return x * 10 ** (self.calls - 1)

    layer, x = Alternating(), jkeras.Input((3,))
    model = jkeras.Model(x, [layer(x), layer(x)])
    layer.calls = 0
    for _ in range(2):  # each pass begins with what the object has
        ten, one = model.apply({}, {}, X)[0]
        np.testing.assert_allclose(ten, 10 * one)
    assert layer.calls == 0


def test_training_and_random_numbers_are_those_of_before():
    """A layer's copy has its paths: the same weights, keys, losses and updates."""

    class Noisy(layers.Layer):
        def __init__(self, writes, **kwargs):
            super().__init__(**kwargs)
            self.writes = writes
            self.drop, self.norm = layers.Dropout(0.5), layers.BatchNormalization()
            self.dense = layers.Dense(3, activity_regularizer="l2")

        def call(self, x, training=False):
            if self.writes:
                self.last = x
            return self.dense(self.norm(self.drop(x, training=training), training=training))

    results = []
    for is_built in (False, True):
        layer = Noisy(is_built)
        if is_built:
            layer(X)
        params, state = layer.init(KEY, X)
        results.append(layer.apply(params, state, X, training=True, rng=jax.random.key(1)))
    assert jax.tree.structure(results[0]) == jax.tree.structure(results[1])
    jax.tree.map(np.testing.assert_array_equal, *results)
    assert not hasattr(layer, "last") or not isinstance(layer.last, jax.core.Tracer)


def test_threads():
    """Each pass has a copy of its own."""

    class Keeping(layers.Layer):
        def call(self, x):
            self.last = x
            for _ in range(20):
                assert self.last is x
            return x

    layer = Keeping()
    layer(X)
    before = layer.last

    def work(thread):
        x = jnp.full((2, 3), float(thread))
        for _ in range(20):
            np.testing.assert_array_equal(layer.apply({}, {}, x)[0], x)
            np.testing.assert_array_equal(jax.jit(lambda x: layer.apply({}, {}, x)[0])(x), x)

    in_threads(work, 4)
    assert layer.last is before


class OfClass(layers.Layer):
    seen = []

    def call(self, x):
        OfClass.seen.append(x)
        return x


class OfClassByName(layers.Layer):
    def call(self, x):
        type(self).last = x
        return x


class OfHelper(layers.Layer):
    def __init__(self):
        super().__init__()
        self.helper = types.SimpleNamespace()

    def call(self, x):
        self.helper.last = x
        return x


class OfClosure(layers.Layer):
    def __init__(self):
        super().__init__()
        self.keep = lambda x: setattr(self, "last", x)

    def call(self, x):
        self.keep(x)
        return x


class OfClosureForward(OfClosure):
    call = layers.Layer.call

    def forward(self, w, x, ctx):
        self.keep(x)
        return x


@pytest.mark.promise("raises `StateWriteError`, which names the attribute")
@pytest.mark.parametrize(
    "cls, place",
    [
        (OfClass, "OfClass.seen"),
        (OfClassByName, "OfClassByName.last"),
        (OfHelper, "helper.last"),
        (OfClosure, "last"),
        (OfClosureForward, "last"),
    ],
)
def test_what_cannot_be_copied_is_refused(cls, place):
    """A tracer that stays behind where no copy is: at the class, in an object, by a closure."""
    layer = cls()
    with pytest.raises(StateWriteError, match=rf"(?s){place}.*return"):
        jax.jit(lambda x: layer.apply({}, {}, x)[0])(X)
    OfClass.seen.clear()


def test_a_tracer_that_was_there_before_is_no_fault():
    """As where a traced number is set by hand, around the whole pass."""

    class Scaling(layers.Layer):
        def call(self, x):
            return x * self.scale

    layer = Scaling()

    @jax.jit
    def function(x, scale):
        layer.scale = scale
        return layer.apply({}, {}, x)[0]

    np.testing.assert_allclose(function(X, 3.0), 3 * X, rtol=1e-6)


def test_copies_are_no_change_of_modules():
    """What is kept for as long as no module changes stays."""
    for make in (Writing, Writer, Around):
        layer = make()
        layer(X)
        params, state = layer.init(KEY, X)
        before = Parts.changes
        layer.apply(params, state, X)
        assert Parts.changes == before


def test_layers_of_jkeras_are_not_copied(monkeypatch):
    from jkeras.core.run import copies

    def refuse(*args):
        raise AssertionError("copied")

    monkeypatch.setattr(copies, "copied_for", refuse)
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2), layers.Dropout(0.5)])
    model.apply(*model.init(KEY, X), X)
    rnn = layers.RNN(layers.LSTMCell(2))
    rnn.apply(*rnn.init(KEY, X[:, None]), X[:, None])
