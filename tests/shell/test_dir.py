"""What `dir` shows, and tab completion with it: the names of Keras, those that jkeras documents,
and nothing that only its own files use.
"""

import inspect

import keras
import pytest

import jkeras

# names that Keras has not: the functional core, what a layer or metric of one's own writes, and
# what `docs/` explains
LAYERS = (
    "apply attributes_when_built children forward init pair params state tap weight weight_specs"
)
MODELS = (
    "adversarial compile_seconds ensemble_members generate load_train_state lora member "
    "microbatches loss_chunks nonfinite "
    "nonfinite_steps plan precompile privacy privacy_account privacy_spent stop_evaluating "
    "stop_predicting stop_training input_names input_shape operations output_names output_shape "
    "quantization_summary"  # of Keras 3.16
)
OWN = {
    "layers": LAYERS + " adapt_config seed_generator output_size state_size states lora_enabled "
    "inputs_quantizer "
    "implementation init_fn native_serialization_platforms interpolation fill_mode data_format "
    "noise_shape quantization_config ternary_threshold init_cache variable_serialization_spec",
    "models": LAYERS + " decoder_start_token_id " + MODELS,
    "optimizers": "finalize init step transform update",
    "metrics": "class_id init measure merge result_of state_specs top_k update",
    "losses": "",
    "initializers": "",
    "regularizers": "",
    "constraints": "",
    "callbacks": "checkpointer every_batch figure get_state largest plot restore set_state",
}


def shown(thing):
    """The public names that `dir` shows."""
    return {name for name in dir(thing) if not name.startswith("_")}


def of_class(cls):
    """The public names that `dir` would show of an object of a class."""
    made = object.__new__(cls)
    return {name for name in cls.__dir__(made) if not name.startswith("_")}


def classes(package):
    """(class of jkeras, class of Keras) of each public name; for one that Keras has not, its
    nearest base that is public in Keras.
    """
    ours, theirs = getattr(jkeras, package), getattr(keras, package)
    for name in ours.__all__:
        cls = getattr(ours, name)
        if inspect.isclass(cls) and "__dir__" in dir(cls) and hasattr(cls, "_internal"):
            bases = (base.__name__ for base in cls.__mro__)
            yield cls, getattr(theirs, next(b for b in bases if hasattr(theirs, b)))


@pytest.mark.parametrize("package", OWN)
def test_classes_show_what_keras_has_and_what_is_documented(package):
    own = set(OWN[package].split())
    extra = {}
    for cls, reference in classes(package):
        arguments = {name for c in cls.__mro__ for name in parameters(c)}
        found = of_class(cls) - set(dir(reference)) - arguments - own - attributes(reference)
        if found:
            extra[cls.__name__] = sorted(found)
    assert extra == {}


def parameters(cls):
    return inspect.signature(cls.__init__).parameters if "__init__" in vars(cls) else ()


def attributes(cls):
    """The names that the methods of a class of Keras set on objects."""
    return {
        name
        for base in cls.__mro__
        for method in vars(base).values()
        if inspect.isfunction(method)
        for name in method.__code__.co_names
    }


def built(k):
    """A functional, a sequential and a subclassed model, compiled."""

    class Net(k.Model):
        def __init__(self):
            super().__init__()
            self.dense = k.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    x = k.Input((3,))
    models = [k.Model(x, k.layers.Dense(2)(x)), k.Sequential([x, k.layers.Dense(2)]), Net()]
    for model in models:
        model.compile("adam", "mse")
    return models


def test_models_show_little_more_than_those_of_keras():
    own = set(OWN["models"].split()) | {"optimizer"}
    for ours, theirs in zip(built(jkeras), built(keras)):
        assert shown(ours) - shown(theirs) <= own
        assert {"fit", "layers", "init", "apply", "params", "train_step"} <= shown(ours)


def test_what_users_add_is_shown():
    class Mine(jkeras.layers.Layer):
        def parts(self):  # a name that Dense uses inside
            return self.rows

    layer = Mine()
    layer.rows = 3
    assert {"parts", "rows"} <= shown(layer)
    assert "parts" not in shown(jkeras.layers.Dense(2))
    assert "axes" in shown(jkeras.layers.Dot(axes=1))  # an argument
    assert "axes" not in shown(jkeras.layers.RandomFlip())


@pytest.mark.parametrize(
    "make",
    [
        lambda k: k.optimizers.Adam(),
        lambda k: k.metrics.AUC(),
        lambda k: k.losses.MeanSquaredError(),
        lambda k: k.callbacks.EarlyStopping(),
        lambda k: k.Variable([1.0]),
        lambda k: k.DTypePolicy("float32"),
        lambda k: k.initializers.GlorotUniform(),
        lambda k: k.random.SeedGenerator(1),
    ],
)
def test_objects_show_little_more_than_those_of_keras(make):
    own = {name for names in OWN.values() for name in names.split()}
    assert shown(make(jkeras)) - shown(make(keras)) <= own | {
        "best_epoch",
        "from_logits",
        "size",
        "sharding",
        "skip",
    }
