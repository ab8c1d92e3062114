"""Arguments as Keras 1 and 2 took them, as Keras 3 takes them."""

import numpy as np

from jkeras.keras2 import tables

INPUTS = (
    "input_shape",
    "batch_input_shape",
    "input_dim",
    "input_length",
    "input_dtype",
    "batch_size",
)


def translate(name, args, kwargs, notes):
    """(args, kwargs) for a class of today from those that a program for Keras 1 or 2 gives.

    Args:
        name: of the class in Keras 3.
        notes: where each translation is noted.

    >>> from jkeras.keras2.notes import Notes
    >>> translate("Conv2D", (32, 3, 3), {"border_mode": "same"}, Notes())
    ((32, (3, 3)), {'padding': 'same'})
    """
    kwargs = {key: as_python(value) for key, value in kwargs.items()}
    args = tuple(as_python(value) for value in args)
    args = _joined_kernel(name, args, kwargs, notes)
    for old, new in tables.ARGUMENTS.get(name, {}).items():
        if old not in kwargs or old == new:
            continue
        value = kwargs.pop(old)
        notes.add(f"{name}({old}=)", f"{name}({new}=)" if new else "left out")
        if new is not None:
            kwargs[new] = value
    for key, value in kwargs.items():
        kwargs[key] = _translated_value(name, key, value, notes)
    return args, kwargs


def as_python(value):
    """A number of numpy's as one of Python's, which is all that layers of Keras 3 take."""
    return value.item() if isinstance(value, (np.integer, np.floating)) else value


def _joined_kernel(name, args, kwargs, notes):
    """args with the sides of a kernel, which Keras 1 took one by one, as one tuple."""
    sides = tables.KERNEL_SIDES.get(name)
    if sides is None:
        return args
    count = len(sides)
    old = f"{name}(filters, {', '.join(sides)})"
    if all(side in kwargs for side in sides):
        kwargs["kernel_size"] = tuple(kwargs.pop(side) for side in sides)
        notes.add(old, f"{name}(filters, kernel_size)")
        return args
    numbers = [isinstance(value, (int, np.integer)) for value in args[1 : 1 + count]]
    if len(numbers) == count and all(numbers) and "strides" not in kwargs:
        notes.add(old, f"{name}(filters, kernel_size)")
        return (args[0], tuple(args[1 : 1 + count]), *args[1 + count :])
    return args


def _translated_value(name, key, value, notes):
    """The value of one argument."""
    new = value
    if key == "data_format" and isinstance(value, str):
        new = tables.DATA_FORMATS.get(value, value)
    elif key.endswith("_initializer") and isinstance(value, str):
        new = tables.INITIALIZERS.get(value, value)
    if new is not value:
        notes.add(f"{name}({key}={value!r})", f"{name}({key}={new!r})")
    return new


def take_input(name, kwargs):
    """Takes what Keras 2 says of the input out of a layer's arguments: (batch shape, dtype), or
    None where nothing is said.

    >>> kwargs = {"input_dim": 3, "activation": "relu"}
    >>> take_input("Dense", kwargs), kwargs
    (((None, 3), None), {'activation': 'relu'})
    """
    is_embedding = name == "Embedding"
    values = {
        key: kwargs.pop(key, None) for key in INPUTS if not (is_embedding and key == "input_dim")
    }
    dtype = values["input_dtype"]
    if values["batch_input_shape"] is not None:
        return tuple(values["batch_input_shape"]), dtype
    shape = _sample_shape(name, values)
    return None if shape is None else ((values["batch_size"], *shape), dtype)


def _sample_shape(name, values):
    """The shape of one sample of a layer's input, from its constructor's arguments."""
    shape, length, dim = values["input_shape"], values["input_length"], values.get("input_dim")
    if shape is not None:
        return (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if name == "Embedding":
        return tuple(length) if isinstance(length, (tuple, list)) else (length,)
    if dim is None:
        return None
    if length is not None or name in _SEQUENCES:
        return (length, dim)
    return (dim,)


_SEQUENCES = ("LSTM", "GRU", "SimpleRNN", "Conv1D")
