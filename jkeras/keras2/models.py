"""Models with the methods of Keras 2."""

import contextlib
import itertools
import os
import pathlib
from typing import Any

import jax
import numpy as np

import jkeras
from jkeras.core.layer.view import layers_of
from jkeras.keras2 import closures, gradient_tape, own_steps, tables
from jkeras.keras2.callbacks import checkpoint_path
from jkeras.keras2.logs import OldLogs
from jkeras.keras2.metric_names import names_of
from jkeras.keras2.optimizers import of_files, resumed, with_lr
from jkeras.models import Functional


class Keras2Methods:
    """What models of Keras 2 have beyond those of today."""

    notes = None  # set by `old_models` on the classes of one namespace

    def compile(self, optimizer="rmsprop", loss=None, metrics=None, **options):
        """Prepares for training."""
        for gone in ("sample_weight_mode", "target_tensors", "class_mode"):
            options.pop(gone, None)
        if isinstance(metrics, str):
            metrics = [metrics]
        loss = closures.with_tensors(self, loss)
        super().compile(optimizer, loss=loss, metrics=self._for_each_output(metrics), **options)
        with_lr(self.optimizer)
        self.set_untracked(_keras2_compiled=(loss, metrics))

    def _for_each_output(self, metrics):
        """Metrics for each of several outputs, where there is one list for all of them."""
        count = len(getattr(self, "outputs", None) or ())
        is_flat = isinstance(metrics, (list, tuple)) and not any(
            isinstance(item, (list, tuple, dict)) for item in metrics
        )
        if count < 2 or not metrics or not is_flat:
            return metrics
        return [list(metrics) for _ in range(count)]

    @property
    def metrics_names(self) -> list[str]:
        """What `evaluate` returns, by name."""
        loss, metrics = getattr(self, "_keras2_compiled", (None, None))
        outputs = getattr(self, "output_names", None) or ["output"]
        return names_of(outputs, loss, self._for_each_output(metrics))

    def fit(self, *args, **kwargs):
        """Trains; the history has what was logged under old names too."""
        kwargs = self._translated("fit", kwargs)
        if len(args) > 2 and not isinstance(args[2], (int, type(None))):
            raise TypeError(f"fit: the third argument is `batch_size`. Received: {args[2]!r}")
        if isinstance(kwargs.get("validation_data"), list):
            kwargs["validation_data"] = tuple(kwargs["validation_data"])
        if isinstance(kwargs.get("class_weight"), str):
            del kwargs["class_weight"]
        if own_steps.has_own_step(type(self)):
            history = own_steps.fit(self, *args, **kwargs)
        else:
            history = super().fit(*args, **kwargs)
        history.history = OldLogs(history.history)
        return history

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, **options: Any
    ) -> Any:
        """One step on a batch."""
        if own_steps.has_own_step(type(self)):
            return own_steps.on_batch(self, (x, y, sample_weight), **options)
        return super().train_on_batch(x, y, sample_weight, **options)

    @property
    def compiled_loss(self) -> own_steps.OldCompiledLoss:
        """What a step of the program's own calls with labels and outputs."""
        return own_steps.OldCompiledLoss(self, super().compiled_loss)

    @property
    def compiled_metrics(self) -> own_steps.OldCompiledMetrics:
        """What a step of the program's own updates."""
        return own_steps.OldCompiledMetrics(self, super().compiled_metrics)

    def fit_generator(self, *args, **kwargs):
        """Trains on batches that a generator yields."""
        self.notes.add("model.fit_generator()", "model.fit()")
        names = ("x", "steps_per_epoch", "epochs", "verbose", "callbacks", "validation_data")
        names += ("validation_steps", "validation_freq", "class_weight")
        is_keras1 = "samples_per_epoch" in kwargs or "nb_epoch" in kwargs
        kwargs = self._translated("fit_generator", kwargs)
        kwargs |= dict(zip(names, args))
        x = kwargs.pop("x")
        if is_keras1 and kwargs.get("steps_per_epoch"):
            x, rows = _first_rows(x)
            kwargs["steps_per_epoch"] = -(-kwargs["steps_per_epoch"] // rows)
            if kwargs.get("validation_steps"):
                kwargs["validation_steps"] = -(-kwargs["validation_steps"] // rows)
        return self.fit(x, **kwargs)

    def evaluate(self, *args, **kwargs):
        """The loss and metrics."""
        own_steps.check_evaluation(type(self))
        return super().evaluate(*args, **self._translated("evaluate", kwargs))

    def evaluate_generator(self, generator, steps=None, **kwargs):
        """The loss and metrics on batches that a generator yields."""
        self.notes.add("model.evaluate_generator()", "model.evaluate()")
        kwargs = self._translated("evaluate_generator", kwargs)
        steps = kwargs.pop("steps", steps)
        return super().evaluate(generator, steps=steps, **{"verbose": 0, **kwargs})

    def predict(self, *args, **kwargs):
        """The outputs for data."""
        kwargs.setdefault("verbose", 0)  # Keras 2 shows nothing unless it is asked to
        if self._has_states():
            return self._predict_in_turn(*args, **kwargs)
        outputs = super().predict(*args, **self._translated("predict", kwargs))
        return jax.tree_util.tree_map(np.array, outputs)  # programs write into them

    def _has_states(self):
        """Whether a layer goes on from batch to batch."""
        return any(getattr(layer, "stateful", False) for layer in self._flatten_layers())

    def _predict_in_turn(self, x, batch_size=None, **options):
        """The outputs batch by batch, each beginning with the states that the last one left."""
        size = batch_size or 32
        batches = [x[begin : begin + size] for begin in range(0, len(x), size)]
        return np.concatenate([np.array(self(np.asarray(batch))) for batch in batches])

    def predict_generator(self, generator, steps=None, **kwargs):
        """The outputs for batches that a generator yields."""
        self.notes.add("model.predict_generator()", "model.predict()")
        kwargs = self._translated("predict_generator", kwargs)
        steps = kwargs.pop("steps", steps)
        inputs = generator
        if hasattr(generator, "__next__"):
            inputs = (batch[0] if isinstance(batch, tuple) else batch for batch in generator)
            inputs = ((x,) for x in inputs)
        return self.predict(inputs, steps=steps, **kwargs)

    def predict_proba(self, *args, **kwargs):
        """The outputs for data."""
        self.notes.add("model.predict_proba()", "model.predict()")
        return self.predict(*args, **kwargs)

    def predict_classes(self, *args, **kwargs):
        """The number of the largest output, or whether the only one is over a half."""
        self.notes.add("model.predict_classes()", "argmax of model.predict()")
        outputs = self.predict(*args, **kwargs)
        if outputs.shape[-1] > 1:
            return outputs.argmax(axis=-1)
        return (outputs > 0.5).astype("int32")

    def _translated(self, method, kwargs):
        """The arguments of a method, as Keras 3 takes them."""
        kwargs = dict(kwargs)
        for old, new in tables.METHOD_ARGUMENTS.get(method, {}).items():
            if old in kwargs:
                value = kwargs.pop(old)
                self.notes.add(f"{method}({old}=)", f"{method}({new}=)" if new else "left out")
                if new:
                    kwargs[new] = value
        for gone in tables.GONE:
            if kwargs.pop(gone, None) is not None:
                self.notes.add(f"{method}({gone}=)", "left out")
        return kwargs

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs; a `GradientTape` around the call learns what the variables are."""
        gradient_tape.show(self)
        outputs = super().__call__(*args, **kwargs)
        gradient_tape.show(self)  # those that the first call makes
        return outputs

    # ------------------------------------------------------------ parts

    def reset_states(self):
        """Puts the states of recurrent layers back to zeros."""
        self.notes.add("model.reset_states()", "layer.reset_states() of each layer")
        for layer in self._flatten_layers(include_self=False):
            if hasattr(layer, "reset_states") and getattr(layer, "stateful", False):
                layer.reset_states()

    def add_loss(self, loss, inputs=None):
        """Adds to what is minimized: a number in `call`, or a tensor of the model's graph."""
        losses = loss if isinstance(loss, (list, tuple)) else [loss]
        symbolic = [item for item in losses if jkeras.backend.is_keras_tensor(item)]
        if not symbolic:
            super().add_loss(loss)
            return
        self.notes.add("model.add_loss(tensor)", "a layer that calls self.add_loss")
        outputs = self.outputs
        first = closures.LossOfGraph()([outputs[0], *symbolic])
        closures.replace_outputs(self, [first, *outputs[1:]])

    # ------------------------------------------------------------ files

    def save(self, filepath, overwrite=True, include_optimizer=True, **kwargs):
        """Writes the model as Keras 3 names its classes."""
        path = str(filepath)
        target = path if path.endswith((".keras", ".h5", ".hdf5")) else f"{path}.keras"
        if target != path:
            self.notes.add(f"model.save({path!r})", f"model.save({target!r})")
        save = super().save  # looked up while the model is of this class
        with of_today(self):
            save(target, overwrite=overwrite)

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """Writes the weights under the name that Keras 3 wants for them."""
        path = checkpoint_path(filepath, True)
        if path != str(filepath):
            self.notes.add(
                f"model.save_weights({str(filepath)!r})", f"model.save_weights({path!r})"
            )
        super().save_weights(path, overwrite=overwrite)

    def load_weights(self, filepath, by_name=False, **kwargs):
        """Reads weights that `save_weights` or an older Keras wrote."""
        path = filepath
        if not os.path.exists(path):
            path = checkpoint_path(filepath, True)
        options = {"by_name": True} if by_name else {}
        super().load_weights(path, **options, **kwargs)

    def get_compile_config(self) -> dict[str, Any]:
        """What `compile` was given, as Keras 3 names its classes."""
        with of_files(self.optimizer):
            return super().get_compile_config()

    def to_json(self, **kwargs):
        """The architecture as JSON, as Keras 3 names its classes."""
        write = super().to_json
        with of_today(self):
            return write(**kwargs)


class OldSequential(Keras2Methods, jkeras.Sequential):
    """Layers one after the other; the first may say what the input is, with its batch size."""

    def __init__(self, layers=None, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        for layer in layers or ():
            self.add(layer)

    def add(self, layer, **kwargs):
        """Adds a layer at the end."""
        declared = getattr(layer, "_keras2_input", None)
        inner = getattr(layer, "layer", None)  # of a wrapper
        if declared is None and inner is not None:
            declared = getattr(inner, "_keras2_input", None)
        if declared is not None and not self._all_layers:
            shape, dtype = declared
            super().add(jkeras.Input(batch_shape=shape, dtype=dtype))
        super().add(layer, **kwargs)


class OldModel(Keras2Methods, jkeras.Model):
    """A graph, or a subclass with `call`."""

    def __init__(self, *args, **kwargs):
        if "input" in kwargs:
            self.notes.add("Model(input=, output=)", "Model(inputs=, outputs=)")
            kwargs["inputs"] = kwargs.pop("input")
        if "output" in kwargs:
            kwargs["outputs"] = kwargs.pop("output")
        super().__init__(*args, **kwargs)


def slice_arrays(arrays, start=None, stop=None):
    """Some rows of an array, or of each array of a list.

    Args:
        start: first row, or the rows one by one.

    >>> slice_arrays([np.arange(5), np.arange(5) * 2], 1, 3)
    [array([1, 2]), array([2, 4])]
    """
    if isinstance(arrays, (list, tuple)):
        return [None if a is None else slice_arrays(a, start, stop) for a in arrays]
    rows = slice(start, stop) if start is None or np.ndim(start) == 0 else np.asarray(start)
    return arrays[rows]


def _first_rows(generator):
    """(the generator as it was, how many rows its first batch has)."""
    if hasattr(generator, "__getitem__"):
        batch = generator[0]
        return generator, len(np.asarray(_first(batch)))
    batch = next(generator)
    return itertools.chain([batch], generator), len(np.asarray(_first(batch)))


def _first(batch):
    while isinstance(batch, (tuple, list, dict)):
        batch = next(iter(batch.values())) if isinstance(batch, dict) else batch[0]
    return batch


@contextlib.contextmanager
def of_today(model):
    """Within it the model, those below it and the optimizer are of the classes that files name."""
    was = []
    for part in layers_of(model):
        cls = type(part)
        if cls.__name__ == "Sequential" and cls.__bases__ == (OldSequential,):
            new = jkeras.Sequential
        elif isinstance(part, Functional) and _is_plain_graph(cls):
            new = Functional
        elif cls is closures.OldLambda:
            new = jkeras.layers.Lambda
        else:
            continue
        was.append((part, cls))
        part.__class__ = new
    try:
        with of_files(getattr(model, "optimizer", None)):
            yield
    finally:
        for part, cls in was:
            part.__class__ = cls


def _is_plain_graph(cls):
    """Whether a class is the graph of `OldModel`, without a program's own methods."""
    own = [base for base in cls.__mro__ if base.__module__ != __name__]
    return issubclass(cls, OldModel) and all(
        base.__module__.startswith(("jkeras.", "builtins", "abc")) for base in own
    )


def old_models(notes):
    """{"Sequential": …, "Model": …} of a namespace."""
    sequential = type("Sequential", (OldSequential,), {"notes": notes, "__module__": __name__})
    model = type("Model", (OldModel,), {"notes": notes, "__module__": __name__})
    return sequential, model


def as_old(model, sequential, graph):
    """A model of today with the methods of Keras 2."""
    if type(model) is jkeras.Sequential:
        model.__class__ = sequential
    elif type(model) is Functional:
        model.__class__ = type("Functional", (graph, Functional), {"__module__": __name__})
    else:
        return model
    if getattr(model, "optimizer", None) is not None:
        resumed(model.optimizer)
    return model


def old_loading(sequential, graph):
    """The functions that read models."""

    def load_model(filepath, custom_objects=None, compile=True, **kwargs):
        path = filepath
        if not pathlib.Path(path).exists():
            for other in (checkpoint_path(path, False), f"{path}.keras"):
                if pathlib.Path(other).exists():
                    path = other
        model = jkeras.models.load_model(path, custom_objects=custom_objects, compile=compile)
        return as_old(model, sequential, graph)

    def model_from_json(json_string, custom_objects=None):
        return as_old(jkeras.models.model_from_json(json_string, custom_objects), sequential, graph)

    def clone_model(model, *args, **kwargs):
        with of_today(model):
            copy = jkeras.models.clone_model(model, *args, **kwargs)
        return as_old(copy, sequential, graph)

    def model_from_config(config, custom_objects=None):
        """A model from the config of its class."""
        model = jkeras.layers.deserialize(config, custom_objects=custom_objects)
        return as_old(model, sequential, graph)

    def model_from_yaml(yaml_string, custom_objects=None):
        """Raises: texts of YAML may hold code."""
        raise RuntimeError(
            "model_from_yaml: YAML can run code when it is read. Write the model with "
            "`model.to_json()` and read it with `model_from_json`."
        )

    return {
        "load_model": load_model,
        "model_from_config": model_from_config,
        "model_from_yaml": model_from_yaml,
        "model_from_json": model_from_json,
        "clone_model": clone_model,
    }
