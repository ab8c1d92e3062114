"""`fit` of a model with a `train_step(self, data)` of its own, in the form of TensorFlow: one call
of it for each batch, outside of any compiled program.
"""

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras.callbacks import CallbackList
from jkeras.core.errors import explain
from jkeras.training.data import ArraySource


def has_own_step(cls: type, name: str = "train_step") -> bool:
    """Whether a class of models has a step of that name that takes data alone."""
    own = getattr(cls, name)
    is_ours = own is getattr(jkeras.Model, name)
    return not is_ours and len(inspect.signature(own).parameters) == 2


def check_evaluation(cls: type) -> None:
    """Refuses a `test_step(self, data)`, which is not called.

    Raises:
        NotImplementedError: the class has one.
    """
    if has_own_step(cls, "test_step"):
        raise NotImplementedError(
            explain(
                f"{cls.__name__}.test_step",
                "the one of Keras: evaluation is compiled as a whole",
                "a test_step(self, data) of the model's own",
                "override compute_loss(self, x, y, y_pred, sample_weight), or compute what you "
                "want to know in a callback",
            )
        )


TAKEN = (
    *("x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_data", "shuffle"),
    *("sample_weight", "initial_epoch", "steps_per_epoch", "validation_steps"),
)


def fit(model: Any, *args: Any, **options: Any) -> Any:
    """Trains by the model's own steps; returns the history.

    Args:
        args, options: those of `Model.fit`, of which some are refused.
    """
    signature = inspect.signature(jkeras.Model.fit)
    given = signature.bind(model, *args, **options)
    given.apply_defaults()
    values = given.arguments
    _check_taken(model, values, signature)
    size, epochs, verbose = values["batch_size"] or 32, values["epochs"], values["verbose"]
    data = values["x"], values["y"], values["sample_weight"]
    batches = _batches(data, size, values["shuffle"])
    steps = values["steps_per_epoch"]
    calls = CallbackList(
        values["callbacks"],
        add_history=True,
        add_progbar=verbose != 0,
        model=model,
        verbose={"auto": 1}.get(verbose, verbose),
        epochs=epochs,
        steps=steps or _count(values["x"], size),
    )
    model.stop_training = False
    calls.on_train_begin()
    logs: dict = {}
    for epoch in range(values["initial_epoch"], epochs):
        calls.on_epoch_begin(epoch)
        logs = _epoch(model, itertools.islice(batches(), steps), calls)
        if values["validation_data"] is not None:
            logs |= _validated(model, values["validation_data"], size, values["validation_steps"])
        calls.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    calls.on_train_end(logs)
    return model.history


def _check_taken(model: Any, values: dict, signature: inspect.Signature) -> None:
    """Refuses arguments that steps of this form cannot have."""
    for name, parameter in list(signature.parameters.items())[1:]:
        if name not in TAKEN and values.get(name, parameter.default) != parameter.default:
            raise NotImplementedError(
                explain(
                    f"{type(model).__name__}.fit",
                    "arguments that a train_step(self, data) in the form of TensorFlow can have",
                    f"{name}={values[name]!r:.60}",
                    "give validation_data and sample_weight as arrays",
                )
            )


def on_batch(model: Any, data: tuple, return_dict: bool = False) -> Any:
    """One step on a batch: the numbers that it logs, by name or in their order."""
    logs = numbers(model.train_step(as_tensors(_given(data))))
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _epoch(model: Any, batches: Iterator, calls: CallbackList) -> dict:
    """Runs the steps of one epoch; returns what the last one logged."""
    for metric in model.metrics:
        metric.reset_state()
    logs: dict = {}
    for number, batch in enumerate(batches):
        calls.on_train_batch_begin(number)
        logs = numbers(model.train_step(as_tensors(batch)))
        calls.on_train_batch_end(number, logs)
    return logs


def _validated(model: Any, data: Any, batch_size: int | None, steps: int | None) -> dict:
    """What `evaluate` logs."""
    arrays = data if isinstance(data, (tuple, list)) else (data,)
    found = model.evaluate(*arrays, batch_size=batch_size, steps=steps, verbose=0, return_dict=True)
    return {f"val_{name}": value for name, value in found.items()}


def numbers(logs: Any) -> dict[str, float]:
    """What a step returns as numbers; metrics in one another are logged side by side."""
    if not isinstance(logs, dict):
        raise TypeError(
            explain("train_step", "a dict of numbers to log", f"{type(logs).__name__} {logs!r:.60}")
        )
    flat: dict[str, float] = {}
    for name, value in logs.items():
        if isinstance(value, dict):
            flat |= numbers(value)
        else:
            flat[name] = float(np.asarray(value))
    return flat


# ---------------------------------------------------------------- batches


def as_tensors(batch: Any) -> Any:
    """A batch as arrays of JAX, floats in the default type."""

    def converted(value: Any) -> jax.Array:
        array = np.asarray(value)
        dtypes = {"f": jkeras.config.floatx()}
        return jnp.asarray(array, dtypes.get(array.dtype.kind))

    return jax.tree_util.tree_map(converted, batch)


def _batches(data: tuple, size: int, shuffle: bool) -> Callable[[], Iterator]:
    """A function that begins to go through the data: arrays, a sequence of batches, an iterable."""
    x, y, weight = data
    if _is_arrays(x):
        source = ArraySource(*data, size, shuffle)
        return lambda: map(_given, source.batches(seed=None))
    if y is not None or weight is not None:
        raise ValueError(explain("fit", "labels in the batches of x", "y or sample_weight besides"))
    if hasattr(x, "__getitem__") and hasattr(x, "__len__"):
        return lambda: _of_sequence(x)
    return lambda: iter(x)


def _given(batch: tuple) -> Any:
    """A batch as steps get it: without labels or weights where there are none."""
    given = [part for part in batch if part is not None]
    return tuple(given) if len(given) > 1 else given[0]


def _is_arrays(x: Any) -> bool:
    """Whether data are arrays, or a structure of such."""
    leaves = jax.tree_util.tree_leaves(x)
    return bool(leaves) and all(hasattr(leaf, "__array__") for leaf in leaves)


def _of_sequence(batches: Any) -> Iterator:
    for number in range(len(batches)):
        yield batches[number]
    if hasattr(batches, "on_epoch_end"):
        batches.on_epoch_end()


def _count(x: Any, size: int) -> int | None:
    """The number of batches, where it is known."""
    if _is_arrays(x):
        return -(-len(jax.tree_util.tree_leaves(x)[0]) // size)
    try:
        return len(x)
    except TypeError:  # a generator, or a data set that does not know
        return None


# ---------------------------------------------------------------- what steps use


class OldCompiledLoss:
    """`self.compiled_loss(y, y_pred)` of a step; without arguments what `compile` made of the
    losses.
    """

    def __init__(self, model: Any, today: Callable) -> None:
        self.model, self.today = model, today

    def __call__(
        self,
        *given: Any,
        sample_weight: Any = None,
        regularization_losses: Any = None,
    ) -> Any:
        if not given:
            return self.today()
        y, y_pred, weight = (*given, sample_weight)[:3]
        total = self.model.compute_loss(None, y, y_pred, weight)
        if regularization_losses is None:
            total = total - sum(self.model.losses)
        rows = len(jax.tree_util.tree_leaves(y)[0])
        for metric in self.model.metrics:
            if metric.name == "loss":
                metric.update_state(total, sample_weight=rows)
        return total


class OldCompiledMetrics:
    """`self.compiled_metrics.update_state(y, y_pred)` of a step; called, the single metrics."""

    def __init__(self, model: Any, today: Callable) -> None:
        self.model, self.today = model, today

    def __call__(self) -> list:
        return self.today()

    def update_state(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts one more batch in."""
        for metric in self.model.metrics:
            if metric.name == "compile_metrics":
                metric.update_state(y, y_pred, sample_weight=sample_weight)
