"""Layers of users' own: what their methods are given, beside Keras, and what their errors say."""

import functools
import os
import re
import subprocess
import sys

import jax
import keras
import numpy as np
import pytest

import jkeras

LIBRARIES = pytest.mark.parametrize("library", [jkeras, keras], ids=["jkeras", "keras"])
X = np.arange(6, dtype="float32").reshape(2, 3)


# ---------------------------------------------------------------- what `call` is given


@LIBRARIES
def test_the_mask_of_several_inputs_has_their_structure(library):
    masks = []

    class Masked(library.layers.Layer):
        def call(self, inputs, mask=None):
            masks.append(mask)
            return inputs[0]

    Masked()([X, X])
    Masked()(X)
    assert masks[-2:] == [[None, None], None]


@LIBRARIES
def test_a_layer_may_wrap_its_own_call(library):
    """What was filled in comes by name, since the wrapper has one positional argument."""
    given = []

    def checked(call):
        @functools.wraps(call)
        def wrapper(inputs, **kwargs):
            given.append(sorted(kwargs))
            return call(inputs, **kwargs)

        return wrapper

    class Wrapped(library.layers.Layer):
        def __init__(self):
            super().__init__()
            self.call = checked(self.call)

        def call(self, inputs, mask=None, training=None):
            return inputs * 2

    y = Wrapped()(X, training=True)
    np.testing.assert_allclose(np.asarray(y), X * 2)
    assert given[-1] == ["mask", "training"]


@LIBRARIES
def test_training_given_by_place(library):
    class Placed(library.layers.Layer):
        def call(self, inputs, scale=None, training=None):
            return inputs * (2 if training else 1)

    layer = Placed()
    np.testing.assert_allclose(np.asarray(layer(X, None, training=True)), X * 2)


# ---------------------------------------------------------------- what `build` is given


@LIBRARIES
@pytest.mark.parametrize(
    "argument, message",
    [
        ("bar", "argument `bar`, which does not end in `_shape`"),
        ("baz_shape", r"`baz_shape`, but `call\(\)` does not have argument `baz`"),
    ],
)
def test_an_argument_of_build_that_stands_for_none_of_call(library, argument, message):
    names = {"Base": library.layers.Layer}
    exec(
        f"class Own(Base):\n def build(self, foo_shape, {argument}):\n  self.built = True\n"
        " def call(self, foo, bar):\n  return foo + bar",
        names,
    )
    with pytest.raises(ValueError, match=message):
        names["Own"]()(X, X)


@LIBRARIES
def test_the_name_of_a_weight_by_place(library):
    with pytest.raises(ValueError, match="name.*keyword argument"):
        library.layers.Layer().add_weight("kernel", initializer="zeros")
    with pytest.raises(ValueError, match="name.*keyword argument"):
        library.layers.Layer().add_weight("kernel", shape=(2,))


@LIBRARIES
def test_arguments_of_a_weight_by_place(library):
    weight = library.layers.Layer().add_weight((2,), "ones", "float16")
    assert (tuple(weight.shape), str(weight.dtype)) == ((2,), "float16")
    with pytest.raises(ValueError, match="`shape` was passed both positionally and"):
        library.layers.Layer().add_weight((2,), shape=(2,))
    with pytest.raises(TypeError, match="takes at most 3 positional arguments"):
        library.layers.Layer().add_weight((2,), "ones", "float16", True)


# ---------------------------------------------------------------- what is announced


@pytest.mark.promise("Yours counts if you write one, as in Keras")
@LIBRARIES
def test_a_shape_that_the_class_says_is_not_looked_for(library):
    class Own(library.layers.Layer):
        def call(self, inputs):
            raise AssertionError

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], 7)

    assert Own().compute_output_spec(library.KerasTensor((2, 3))).shape == (2, 7)


@LIBRARIES
@pytest.mark.parametrize(
    "given", [{}, {"masks": None}, {"scale": 2.0}, {"training": True}], ids=str
)
def test_an_announcement_is_given_what_the_caller_gave(library, given):
    """Not the defaults of `call`, which `compute_output_spec` need not have."""
    seen = []

    class Own(library.layers.Layer):
        def call(self, inputs, masks=None, *, scale=1.0, training=None):
            return inputs

        def compute_output_spec(self, inputs, **named):
            seen.append(named)
            return library.KerasTensor((*inputs.shape, 7))

    class Narrow(Own):
        def compute_output_spec(self, inputs):
            return library.KerasTensor((*inputs.shape, 7))

    assert Own()(library.Input((3,)), **given).shape == (None, 3, 7)
    assert seen == [given]
    if not given:
        assert Narrow()(library.Input((3,))).shape == (None, 3, 7)
    else:
        with pytest.raises(TypeError, match=next(iter(given))):
            Narrow()(library.Input((3,)), **given)


def test_the_shape_that_a_class_says_may_begin_with_the_one_found():
    class Own(jkeras.layers.Layer):
        def call(self, inputs):
            return inputs[:, :2]

        def compute_output_shape(self, input_shape):
            return super().compute_output_shape(input_shape)

    assert Own()(jkeras.KerasTensor((None, 3))).shape == (None, 2)


# ---------------------------------------------------------------- errors

PROGRAM = """
import sys

import numpy as np

import jkeras


class Mine(jkeras.layers.Layer):
    def call(self, x, scale=2):
        return self.product(x) * scale

    def product(self, x):
        return x @ np.ones((7, 2), "float32")


def fit():
    model = jkeras.Sequential([jkeras.layers.Dense(3), Mine(name="own"), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)


def by_hand():
    Mine(name="own")(np.ones((4, 3), "float32"))


def functional():
    Mine(name="own")(jkeras.Input((3,)))


for way in (by_hand, functional, fit):
    try:
        way()
    except (TypeError, ValueError):
        sys.excepthook(*sys.exc_info())  # what the interpreter does with an error that ends it
    print("=" * 9, file=sys.stderr)
"""


def test_the_traceback_of_an_error_in_call(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(jkeras.__file__))},
    )
    texts = done.stderr.split("=" * 9 + "\n")
    assert len(texts) == 4 and not texts.pop(), done.stderr
    for text, shape in zip(texts, ("(4, 3)", "(None, 3)", "(None, 3)")):
        trace, _, message = text.partition("Exception encountered when calling ")
        assert re.match(r"Mine.call\(\) of layer '(sequential/)?own'\.", message)
        assert f"x=Array(shape={shape}, dtype=float32)" in message
        assert "scale=2" in message
        files = [line for line in trace.splitlines() if line.strip().startswith("File ")]
        assert all("program.py" in line for line in files), trace
        assert "in product" in files[-1]
        assert len(trace.splitlines()) <= 16, trace


def test_frames_stay_where_they_are_asked_for():
    class Wrong(jkeras.layers.Layer):
        def call(self, x):
            raise ValueError("no")

    def frames():
        with pytest.raises(ValueError, match="no") as caught:
            Wrong()(X)
        return [str(entry.path) for entry in caught.traceback]

    assert all(path.endswith("test_own_layers.py") for path in frames())
    jkeras.config.disable_traceback_filtering()
    try:
        assert any("running.py" in path for path in frames())
    finally:
        jkeras.config.enable_traceback_filtering()


def test_an_error_keeps_its_type_and_what_it_holds():
    class Missing(jkeras.layers.Layer):
        def call(self, x):
            return {}["key"]

    with pytest.raises(KeyError) as caught:
        Missing(name="own")(X)
    assert caught.value.args == ("key",)
    assert "layer 'own'" in caught.value.__notes__[0]


def test_the_innermost_layer_is_named_once():
    class Inner(jkeras.layers.Layer):
        def call(self, x):
            raise ValueError("no")

    class Outer(jkeras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Inner(name="in")

        def call(self, x):
            return self.inner(x)

    with pytest.raises(ValueError, match="Inner.call") as caught:
        Outer()(X)
    assert str(caught.value).count("Exception encountered") == 1


@LIBRARIES
@pytest.mark.parametrize("is_symbolic", [False, True])
def test_an_operation_that_fails_is_named_with_its_arguments(library, is_symbolic):
    class Wrong(library.Operation):
        def call(self, x, y=10):
            raise ValueError("bad input")

        def compute_output_spec(self, x, y=10):
            raise ValueError("bad input")

    x = library.KerasTensor((2, 3)) if is_symbolic else np.ones(2)
    with pytest.raises(ValueError, match="calling Wrong.call()") as caught:
        Wrong()(x, y=99)
    said = str(caught.value)
    assert "bad input" in said
    if not is_symbolic or library is jkeras:  # Keras 3.15 has `args` and `kwargs` there
        assert "x=" in said and "y=99" in said
    with pytest.raises(TypeError, match="'z'"):
        Wrong()(np.ones(2), z=1)


@pytest.mark.parametrize("library", [keras, jkeras], ids=["keras", "jkeras"])
def test_attributes_before_the_constructor_of_the_base(library):
    class Early(library.layers.Layer):
        def __init__(self, **kwargs):
            self.factor = 2.0
            self.w = library.Variable(np.ones(2, "float32"))
            self.dense = library.layers.Dense(2)
            super().__init__(**kwargs)

        def call(self, x):
            return self.dense(x) * self.w * self.factor

    layer = Early()
    layer(np.ones((1, 3), "float32"))
    assert len(layer.trainable_weights) == 3 and layer.factor == 2.0
    assert not Early(trainable=False).trainable_weights


def test_the_dtype_in_a_config_comes_as_a_name():
    """A constructor may look for a text; a quantized policy is more than its name."""
    seen = []
    for library in (keras, jkeras):

        class Looks(library.layers.Dense):
            def __init__(self, *args, **kwargs):
                seen.append(kwargs["dtype"])
                super().__init__(*args, **kwargs)

        for dtype in ("bfloat16", "mixed_bfloat16", "int8_from_float32"):
            Looks.from_config(library.layers.Dense(2, dtype=dtype).get_config())
    assert seen[:2] == seen[3:5] == ["bfloat16", "mixed_bfloat16"]
    assert seen[2].name == seen[5].name == "int8_from_float32"


@LIBRARIES
def test_a_layer_over_time_that_builds_its_parts_when_called(library):
    """Its own `build` makes some weights, its first call those of a layer inside."""

    class Scaled(library.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = library.layers.Dense(3, kernel_initializer="ones")

        def build(self, shape):
            self.scale = self.add_weight(shape=(), initializer="ones")

        def call(self, x):
            return self.dense(x) * self.scale

    layer = library.layers.TimeDistributed(Scaled())
    x = np.arange(12, dtype="float32").reshape(2, 3, 2)
    np.testing.assert_allclose(layer(x)[..., 0], x.sum(-1))
    assert layer.built and len(layer.weights) == 3


@pytest.mark.promise("`self.factor.assign(...)` during `apply` goes into the new state")
def test_an_assignment_during_apply_is_in_the_new_state():
    class Counting(jkeras.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(
                shape=(), initializer="zeros", trainable=False, name="count"
            )

        def call(self, x):
            self.count.assign(self.count + 1)
            return x

    layer, x = Counting(), np.ones((1, 2), "float32")
    params, state = layer.init(0, x)
    for apply in (layer.apply, jax.jit(layer.apply)):
        _, after = apply(params, state, x)
        assert (float(state["count"]), float(after["count"])) == (0, 1)


@pytest.mark.parametrize("method", ["call", "forward"])
@pytest.mark.parametrize("is_hashable", [True, False])
def test_layers_that_compare_by_value_are_told_apart(method, is_hashable):
    """Nothing that follows from one of them is taken for what follows from another."""

    def scaled(self, *arguments, ctx=None):
        return arguments[-1] * self.factor

    def init(self, factor):
        jkeras.Layer.__init__(self)
        self.factor = factor

    body = {"__init__": init, method: scaled, "__eq__": lambda self, other: True}
    if is_hashable:
        body["__hash__"] = lambda self: 1
    scale = type("Scale", (jkeras.Layer,), body)
    x = jax.numpy.ones((2, 3))
    for factor in (2.0, 3.0):
        layer = scale(factor)
        params, state = layer.init(0, x)
        for y in (layer(x), layer(x), layer.apply(params, state, x)[0]):
            assert y[0, 0] == factor


class OfCall:
    """What layers of the library add to themselves in their `call`."""

    @staticmethod
    def weight(library, layer):
        layer.scale = layer.add_weight(shape=(), initializer="ones")

    @staticmethod
    def layer(library, layer):
        layer.inner = library.layers.Dense(2)

    @staticmethod
    def generator(library, layer):
        layer.seeds = library.random.SeedGenerator(3)


@pytest.mark.parametrize("added", [OfCall.weight, OfCall.layer, OfCall.generator])
@pytest.mark.parametrize("library", [keras, jkeras])
def test_state_that_is_added_in_a_call_is_refused(library, added):
    class Grows(library.layers.Layer):
        def call(self, x):
            added(library, self)
            return x

    with pytest.raises(ValueError, match="cannot add new elements of state"):
        Grows()(np.ones((3, 2), "float32"))
