"""Callbacks that see the old names of what is logged."""

import functools
import inspect

import jkeras
from jkeras.keras2 import arguments
from jkeras.keras2.logs import with_both_names
from jkeras.keras2.old_class import OldClass

LOOKED_AT = ("EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "LambdaCallback")


def _with_old_logs(method):
    """A method `on_…` that gets its logs under both names."""
    parameters = list(inspect.signature(method).parameters)

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        if "logs" in kwargs:
            given, both = kwargs["logs"], with_both_names(kwargs["logs"])
            kwargs["logs"] = both
        elif args and len(args) == len(parameters) - 1:
            given, both = args[-1], with_both_names(args[-1])
            args = (*args[:-1], both)
        else:
            return method(self, *args, **kwargs)
        before = set(both)
        result = method(self, *args, **kwargs)
        if given is not None:  # what the method adds to the logs, the history has too
            given.update({name: both[name] for name in both if name not in before})
        return result

    return wrapped


class OldCallback(jkeras.callbacks.Callback):
    """Base of a program's own callbacks."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name, method in list(vars(cls).items()):
            if name.startswith("on_") and "logs" in inspect.signature(method).parameters:
                setattr(cls, name, _with_old_logs(method))


def checkpoint_path(path, weights_only):
    """The path that Keras 3 wants for what Keras 2 wrote to `path`.

    >>> checkpoint_path("best.hdf5", False), checkpoint_path("best.hdf5", True)
    ('best.h5', 'best.weights.h5')
    """
    path = str(path)
    stem = path
    for ending in (".weights.h5", ".hdf5", ".h5", ".hdf", ".keras", ".ckpt"):
        stem = stem.removesuffix(ending)
    if weights_only:
        return f"{stem}.weights.h5"
    return path if path.endswith(".keras") else f"{stem}.h5"


def old_callback(cls, notes):
    """A class of callbacks as Keras 2 has it."""

    def prepared(args, kwargs):
        args, kwargs = arguments.translate(cls.__name__, args, kwargs, notes)
        if cls.__name__ == "ModelCheckpoint":
            path = args[0] if args else kwargs.pop("filepath")
            new = checkpoint_path(path, kwargs.get("save_weights_only", False))
            if new != str(path):
                notes.add(f"ModelCheckpoint({str(path)!r})", f"ModelCheckpoint({new!r})")
            args = (new, *args[1:])
        return args, kwargs

    def __init__(self, *args, **kwargs):
        args, kwargs = prepared(args, kwargs)
        cls.__init__(self, *args, **kwargs)

    attributes = {"__init__": __init__, "__module__": __name__}
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        if name.startswith("on_") and "logs" in inspect.signature(method).parameters:
            attributes[name] = _with_old_logs(method)
    subclass = type(cls.__name__, (cls,), attributes)
    return OldClass(cls, lambda cls, args, kwargs: subclass(*args, **kwargs), lambda: subclass)


def old_callback_base(notes):
    """`Callback` as a base class."""
    return OldClass(
        jkeras.callbacks.Callback,
        lambda cls, args, kwargs: OldCallback(*args, **kwargs),
        lambda: OldCallback,
    )
