"""Six questions to every layer of `table.py` and every model of `models.py`: are `init` and `apply`
functions of arguments, values and inputs?

`python tests/common/test_values.py` prints who says yes and who says no; names of layers or models
after it choose some.
"""

import contextlib
import functools
import pathlib
import sys
import threading
import time
import types

if __name__ == "__main__":  # as under pytest
    sys.path[0] = str(pathlib.Path(__file__).parents[2])

import tests.conftest  # noqa: F401  # the environment, before JAX is loaded

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.weights.paths import walk
from tests.common.models import MODELS, Perceptron, Projection, Scale, built, functional, stack
from tests.common.table import ROWS, arrays, second_shapes
from tests.parity.both import make, plain
from tests.thinning import every

KEY, DRAWS = jax.random.key(3), jax.random.key(4)
# rows whose pair may compare by identity: what they are made from cannot be compared
BY_IDENTITY = {row.name: row.by_identity for row in MODELS if row.by_identity} | {
    "FlaxLayer": "it holds functions that were made for its module"
}


# ---------------------------------------------------------------- what is asked


class Subject:
    """A layer or model that can be made again and again, with two inputs."""

    def __init__(self, row):
        self.row = row
        self.is_model = row in MODELS
        self.name = row.name if self.is_model else row.layer
        other = row.other if self.is_model else second_shapes(row)
        self.inputs = [tuple(arrays(row, shapes)) for shapes in (row.inputs, other)]

    def __repr__(self):
        return self.name

    def make(self, **changed):
        """Another record of the same arguments, but for those changed."""
        if self.is_model:
            return self.row.make(**changed)
        kwargs = {k: make(jkeras, v) for k, v in (self.row.kwargs | changed).items()}
        return getattr(layers, self.row.layer)(**kwargs)

    def made_otherwise(self):
        """Records of other arguments."""
        if self.is_model:
            return [self.make(units=4)]
        plain_one, records = self.make(), []
        changes = [{k: v + 1} for k, v in self.row.kwargs.items() if type(v) in (int, float)]
        for changed in (*changes, dict(trainable=False), dict(dtype="bfloat16")):
            with contextlib.suppress(ValueError):  # it takes no such value
                record = self.make(**changed)
                # lookups take neither of these two
                if changed in changes or base_arguments(record) != base_arguments(plain_one):
                    records.append(record)
        return records

    def init(self, record, i, key=KEY):
        """The values of a record for input `i`."""
        return record.init(key, *self.inputs[i])

    def modes(self, i):
        """How input `i` is applied: the first one in training too, images in training alone."""
        inference, training = dict(training=False), dict(training=True, rng=DRAWS)
        if i:
            return [inference]
        return [training] if self.row.pixels else [inference, training]

    def apply(self, record, i, params, state):
        """What a record makes of values and input `i`."""
        return [record.apply(params, state, *self.inputs[i], **mode) for mode in self.modes(i)]

    @functools.cached_property
    def alone(self):
        """For each input, the values and outputs of a record that does nothing else."""
        results = []
        for i in range(2):
            record = self.make()
            values = self.init(record, i)
            results.append((values, self.apply(record, i, *values)))
        return results

    def check_init(self, record, i):
        """A record gives the values that it gives alone."""
        equal(self.init(record, i), self.alone[i][0], "init")

    def check_apply(self, record, i):
        """A record applies the values of another one as that does."""
        values, outputs = self.alone[i]
        equal(self.apply(record, i, *values), outputs, "apply")


def base_arguments(record):
    return record.trainable, record.dtype_policy.name


def bits(x):
    """What two equal arrays have in common: shape, dtype and bytes."""
    if hasattr(x, "dtype") and jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    x = np.asarray(x)
    return x.shape, str(x.dtype), x.tobytes()


def equal(a, b, what):
    """Fails unless two trees are equal to the bit."""
    (mine, tree), (others, other_tree) = (jax.tree_util.tree_flatten_with_path(t) for t in (a, b))
    assert tree == other_tree, f"{what}: {tree} is not {other_tree}"
    for (path, x), (_, y) in zip(mine, others):
        assert bits(x) == bits(y), f"{what}: {jax.tree_util.keystr(path)} is {x}, not {y}"


# ---------------------------------------------------------------- what an object holds

PLAIN = (str, bytes, int, float, complex, bool, type(None))
OPAQUE = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)


def is_written(part):
    """Whether a module's class is written with `call`, as in Keras."""
    return isinstance(part, layers.Layer) and part.is_lifted()


def held(value, path="", seen=None):
    """{path: what is there}, of an object and all that it holds; objects stand for themselves.

    Of a layer that is written with `build` and `call`, only whether it is built, and its weights.
    """
    seen = {} if seen is None else seen
    if isinstance(value, PLAIN):
        return {path: value}
    if isinstance(value, OPAQUE) or id(value) in seen:
        return {path: Same(value)}
    seen[id(value)] = value
    content = {path: Same(value)}
    if is_written(value):
        for at, part in walk(value):
            if isinstance(part, layers.Layer):
                content[f"{path}/{at}.built"] = part.built
        for i, weight in enumerate(value.weights):
            content |= held(weight, f"{path}.weights[{i}]", seen)
        content[f"{path}.weights"] = len(value.weights)
        return content
    if isinstance(value, dict):
        parts = {f"{path}[{k!r}]": v for k, v in value.items()}
    elif isinstance(value, (list, tuple)):
        content[f"{path}.length"] = len(value)
        parts = {f"{path}[{i}]": v for i, v in enumerate(value)}
    elif isinstance(value, (set, frozenset)):
        content[f"{path}.items"] = {Same(v) for v in value}
        parts = {}
    else:
        parts = {f"{path}.{k}": v for k, v in attributes(value).items()}
    for place, part in parts.items():
        content |= held(part, place, seen)
    return content


def attributes(value):
    """What an object of this library or of these tests has; others are taken as they are."""
    if not type(value).__module__.startswith(("jkeras", "tests", "__main__")):
        return {}
    slots = {
        name: getattr(value, name)
        for cls in type(value).__mro__
        for name in getattr(cls, "__slots__", ())
        if hasattr(value, name) and not name.startswith("__")
    }
    return slots | getattr(value, "__dict__", {})


class Same:
    """A value that equals itself alone, or, for plain ones, its like."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        if not isinstance(other, Same):
            return False
        if isinstance(self.value, PLAIN):
            return self.value == other.value and type(self.value) is type(other.value)
        return self.value is other.value

    def __hash__(self):
        return hash(self.value) if isinstance(self.value, PLAIN) else id(self.value)

    def __repr__(self):
        return f"the {type(self.value).__name__} {self.value!r}"


@contextlib.contextmanager
def untouched(record):
    """Fails where an object is not afterwards what it was before."""
    config, before = config_of(record), held(record)
    yield
    after = held(record)
    places = [p for p in {**before, **after} if before.get(p, "absent") != after.get(p, "absent")]
    changes = [f"{p}: {before.get(p, 'absent')} -> {after.get(p, 'absent')}" for p in places]
    assert not changes, "; ".join(changes)[:1000]
    assert config_of(record) == config, "config"


def config_of(record):
    """A config as text, or None where a class says that it has none."""
    try:
        return plain(record.get_config())
    except NotImplementedError:
        return None


# ---------------------------------------------------------------- the six questions

QUESTIONS = {}


def question(function):
    """Takes a function of a `Subject` among the questions."""
    QUESTIONS[function.__name__] = function
    return function


@question
def another_record(subject):
    """Another record with the same arguments, never initialised or called, applies the values."""
    for i in range(2):
        subject.check_apply(subject.make(), i)


@question
def two_shapes(subject):
    """One record is initialised for two shapes and applies both, in either order."""
    for order in ("i0 i1 a0 a1 i0", "a1 i0 a0 i1 a1"):
        record = subject.make()
        for step in order.split():
            check = subject.check_init if step[0] == "i" else subject.check_apply
            check(record, int(step[1]))


@question
def nothing_written(subject):
    """What the record holds and its config are the same before and after."""
    record = subject.make()
    for i in range(2):
        with untouched(record):
            values = subject.init(record, i)
        with untouched(record):
            subject.apply(record, i, *values)


@question
def pairs_are_values(subject):
    """Pairs of records made from equal arguments are equal; others are not; one trace is enough."""
    a, b = subject.make(), subject.make()
    assert a != b and len({a, b}) == 2, "Keras objects compare by identity"
    same_value(a.pair(), a.pair(), "of one record")
    if subject.name in BY_IDENTITY:
        return
    same_value(a.pair(), b.pair(), "of two records")
    subject.init(b, 0)
    same_value(a.pair(), b.pair(), "after init of one")
    for other in subject.made_otherwise():
        assert a.pair() != other.pair(), f"{config_of(other)} is not {config_of(a)}"
    if subject.row.texts:
        return  # they do not get into a compiled function
    traces = []

    def forward(pair, params, state, inputs):
        traces.append(pair)
        return pair.apply(params, state, *inputs, training=False)

    compiled = jax.jit(forward, static_argnums=0)
    for record in (a, b, subject.make()):
        compiled.lower(record.pair(), *subject.alone[0][0], subject.inputs[0])
    assert len(traces) == 1, f"{len(traces)} traces"


@question
def eight_threads(subject):
    """Eight threads use one record with both shapes at once; each gets what a lonely one gets."""
    subject.alone  # noqa: B018  # computed before
    record = subject.make()

    def work(thread):
        i = thread % 2
        subject.check_init(record, i)
        values, outputs = subject.alone[i]
        y = record.apply(*values, *subject.inputs[i], **subject.modes(i)[0])
        equal(y, outputs[0], "apply")

    in_threads(work, 8)


@question
def shapes_alone(subject):
    """`jax.eval_shape` of `init` gives its tree, and leaves nothing on the record."""
    record = subject.make()
    with untouched(record):
        for i in (1, 0):
            if subject.row.texts:
                shapes = jax.eval_shape(lambda key, i=i: subject.init(record, i, key), KEY)
            else:
                shapes = jax.eval_shape(record.init, KEY, *subject.inputs[i])
            mine, values = described(shapes), described(subject.alone[i][0])
            assert mine == values, f"{mine} is not {values}"


def same_value(a, b, what):
    assert a == b, f"pairs {what} are not equal"
    assert hash(a) == hash(b), f"pairs {what} have other hashes"


def described(tree):
    """A tree's structure, shapes and dtypes."""
    leaves, structure = jax.tree_util.tree_flatten(tree)
    return structure, [(tuple(v.shape), str(v.dtype)) for v in leaves]


def in_threads(work, count):
    """Runs `work(thread)` in many threads that begin together; raises what one of them raised."""
    errors, start = [], threading.Barrier(count)

    def run(thread):
        try:
            start.wait()
            work(thread)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]


SUBJECTS = [*every(8, ROWS, slow=2), *every(4, MODELS)]


@pytest.fixture(scope="module", params=SUBJECTS, ids=lambda row: str(row[0]))
def subject(request):
    return Subject(request.param)


@pytest.mark.promise("`apply` | `params`, `state`")
@pytest.mark.promise("Nothing is left in the objects")
@pytest.mark.promise("makes fresh values and changes nothing")
@pytest.mark.promise("Nothing changes behind your back in the two functions")
@pytest.mark.promise("returns data and writes nothing on the layer")
@pytest.mark.promise("`init` and `apply` look at none of them")
@pytest.mark.parametrize("asked", QUESTIONS)
def test_question(subject, asked):
    QUESTIONS[asked](subject)


# ---------------------------------------------------------------- models that are trained


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def sequential():
    return jkeras.Sequential([jkeras.Input((3,)), *stack().layers])


def pooled():
    """The functional model of `models.py` with one output."""
    model = functional()
    return jkeras.Model(model.input, model.output[0])


TRAINED = {
    "Sequential": (sequential, (8, 3)),
    "unbuilt Sequential": (stack, (8, 3)),
    "functional": (pooled, (8, 4, 3)),
    "subclassed": (Perceptron, (8, 3)),
}


class Trained:
    """A model that is compiled, with values of its own and what they give."""

    def __init__(self, make, shape):
        self.x = normal(*shape)
        fresh = make()
        self.params, self.state = fresh.init(KEY, self.x)
        self.outputs = fresh.apply(self.params, self.state, self.x)
        self.model = make()
        self.model.compile(optimizer="sgd", loss="mse")
        self.y = np.ones((shape[0], *self.outputs[0].shape[1:]), "float32")

    def fit(self, **options):
        self.model.fit(self.x, self.y, batch_size=4, verbose=0, **options)

    def check(self):
        """The model applies its arguments, not what it holds."""
        outputs = self.model.apply(self.params, self.state, self.x)
        equal(outputs, self.outputs, "apply")
        equal(self.model.init(KEY, self.x), (self.params, self.state), "init")


@pytest.fixture(params=TRAINED)
def trained(request):
    return Trained(*TRAINED[request.param])


@pytest.mark.promise("Beside them every model has Keras's view")
@pytest.mark.promise("They are the same model")
@pytest.mark.promise("`model.params = params`")
@pytest.mark.promise("`model.params` is what")
def test_apply_before_and_after_fit(trained):
    trained.check()
    trained.fit(epochs=2)
    trained.check()
    trained.model.predict(trained.x, verbose=0)
    trained.check()


@pytest.mark.promise("While `fit` runs, the `TrainState`")
def test_apply_inside_fit(trained):
    steps = []

    def on_batch(batch, logs):
        trained.check()
        steps.append(batch)

    callback = jkeras.callbacks.LambdaCallback(
        on_train_batch_begin=on_batch, on_train_batch_end=on_batch
    )
    trained.fit(epochs=2, callbacks=[callback])
    assert len(steps) == 8


@pytest.mark.promise("A layer object does not hold the arrays")
def test_apply_beside_fit(trained):
    """While another thread trains the model."""
    ends = threading.Event()

    def work(thread):
        if thread:
            while not ends.is_set():
                trained.check()
            trained.check()
        else:
            try:
                trained.fit(epochs=30)
            finally:
                ends.set()

    in_threads(work, 3)


@pytest.mark.promise("A layer that is not built")
def test_init_leaves_a_trained_model(trained):
    trained.fit()
    before = [np.array(w) for w in trained.model.get_weights()]
    variables = list(trained.model.weights)
    trained.model.init(jax.random.key(9), trained.x)
    trained.model.apply(trained.params, trained.state, trained.x, training=True, rng=DRAWS)
    assert all(a is b for a, b in zip(trained.model.weights, variables, strict=True))
    equal(trained.model.get_weights(), before, "weights")
    trained.fit()  # and it goes on


def test_fit_is_the_same_beside_apply():
    """What `fit` learns does not depend on `init` and `apply` in between."""
    weights = []
    for checks in (False, True):
        jkeras.utils.set_random_seed(1)
        subject = Trained(sequential, (8, 3))
        for _ in range(3):
            subject.fit()
            if checks:
                subject.check()
        weights.append(subject.model.get_weights())
    equal(*weights, "weights")


# ---------------------------------------------------------------- as in issue 12


@pytest.mark.promise("The arrays are values beside")
@pytest.mark.promise("The layer object holds")
def test_dense_for_two_widths():
    layer = layers.Dense(3)
    five, _ = layer.init(KEY, normal(1, 5))
    seven, _ = layer.init(KEY, normal(1, 7))
    assert (five["kernel"].shape, seven["kernel"].shape) == ((5, 3), (7, 3))
    assert layer.apply(five, {}, normal(2, 5))[0].shape == (2, 3)
    assert not layer.built and not layer.weights


def test_groups_stay_as_given():
    layer = layers.GroupNormalization(groups=-1)
    layer.init(KEY, normal(2, 6))
    assert layer.get_config()["groups"] == -1 and layer.groups == -1


@pytest.mark.promise("While `apply` runs, `self.factor`")
def test_a_layer_of_ones_own():
    layer, x5, x7 = Scale(), normal(2, 5), normal(2, 7)
    a, _ = layer.init(KEY, x5)
    b, _ = layer.init(KEY, x7)
    np.testing.assert_array_equal(layer.apply(a, {}, x5)[0], x5 * a["scale"])
    np.testing.assert_array_equal(layer.apply(b, {}, x7)[0], x7 * b["scale"])


def test_sequential_for_a_second_width():
    model, x5, x7 = stack(), normal(2, 5), normal(2, 7)
    five, seven = model.init(KEY, x5), model.init(KEY, x7)
    for values, x in ((five, x5), (seven, x7)):
        equal(model.apply(*values, x), stack().apply(*values, x), "apply")
    assert not model.built


@pytest.mark.promise("A layer that is not built")
def test_a_written_layer_for_two_widths():
    layer = Projection(3)
    five, _ = layer.init(KEY, normal(1, 5))
    seven, _ = layer.init(KEY, normal(1, 7))
    assert not layer.built and not hasattr(layer, "kernel")
    assert layer.apply(five, {}, normal(2, 5))[0].shape == (2, 3)
    assert layer(normal(2, 7)).shape == (2, 3) and layer.built
    assert layer.apply(five, {}, normal(2, 5))[0].shape == (2, 3)
    assert layer.kernel.shape == seven["kernel"].shape


def test_a_built_layer_for_another_width():
    """The weights that a layer has do not decide what it can be initialised for."""
    layer = layers.Dense(3)
    y = layer(normal(2, 5))
    seven, _ = layer.init(KEY, normal(1, 7))
    assert layer.apply(seven, {}, normal(2, 7))[0].shape == (2, 3)
    assert layer.kernel.shape == (5, 3)
    equal(layer(normal(2, 5)), y, "call")


def test_threads_with_eight_widths():
    layer = layers.Dense(3)

    def work(thread):
        x = normal(2, thread + 1)
        params, state = layer.init(KEY, x)
        equal(params, layers.Dense(3).init(KEY, x)[0], "init")
        equal(layer.apply(params, state, x), layers.Dense(3).apply(params, state, x), "apply")

    in_threads(work, 8)


@pytest.mark.promise("equality | what a layer")
def test_equal_pairs_compile_once():
    traces = []

    def forward(pair, params, x):
        traces.append(pair)
        return pair.apply(params, {}, x)[0]

    compiled, x = jax.jit(forward, static_argnums=0), normal(2, 5)
    a, b, other = layers.Dense(3), layers.Dense(3), layers.Dense(3, activation="relu")
    assert a.name != b.name
    params, _ = a.init(KEY, x)
    equal(compiled(a.pair(), params, x), compiled(b.pair(), params, x), "apply")
    assert len(traces) == 1
    equal(compiled(other.pair(), params, x), jax.nn.relu(compiled(a.pair(), params, x)), "relu")
    assert len(traces) == 2


def test_pairs_tell_what_apply_tells_apart():
    """Of arguments that are records, functions, lists and arrays too."""
    makers = [
        lambda: layers.Dense(3, kernel_initializer="zeros"),
        lambda: layers.Dense(3, kernel_initializer=jkeras.initializers.RandomNormal(stddev=1.0)),
        lambda: layers.Dense(3, kernel_initializer=jkeras.initializers.RandomNormal(stddev=2.0)),
        lambda: layers.Dense(3, activation=jax.nn.silu),
        lambda: layers.Dense(3, kernel_regularizer=jkeras.regularizers.L2(0.1)),
        lambda: layers.Dense(3, kernel_regularizer=jkeras.regularizers.L2(0.2)),
        lambda: layers.Dense(4),
        lambda: layers.Dense(3, dtype="mixed_bfloat16"),
        lambda: layers.Discretization([0.0, 1.0]),
        lambda: layers.Discretization([0.0, 2.0]),
        lambda: layers.Bidirectional(layers.GRU(2)),
        lambda: layers.Bidirectional(layers.GRU(3)),
        lambda: layers.Bidirectional(layers.LSTM(2)),
        stack,
        lambda: stack(4),
        built,
        functional,
        lambda: functional(4),
    ]
    for i, one in enumerate(makers):
        for j, other in enumerate(makers):
            assert (one().pair() == other().pair()) == (i == j), (one(), other())


# ---------------------------------------------------------------- a table of the answers


def answers(subjects):
    """Asks all; prints for each question how many say yes, and who says no and why."""
    for name, ask in QUESTIONS.items():
        began, refusals = time.time(), []
        for subject in subjects:
            try:
                ask(subject)
            except Exception as error:
                text = " ".join(f"{type(error).__name__}: {error}".split())
                refusals.append(f"{subject.name}: {text[:140]}")
        yes = len(subjects) - len(refusals)
        print(f"\n{ask.__doc__}\n  {name}: {yes} of {len(subjects)} ({time.time() - began:.0f} s)")
        print(*(f"    no: {refusal}" for refusal in refusals), sep="\n")


if __name__ == "__main__":
    chosen = [Subject(row) for row in (*MODELS, *ROWS)]
    answers([s for s in chosen if not sys.argv[1:] or s.name in sys.argv[1:]])
