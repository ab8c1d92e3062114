"""Public names, custom objects, and objects <-> plain JSON.

The table of names is closed: a config can only name what the library exports or what the caller registered
or passed in this process. Nothing is imported, evaluated or looked up on a module by name.
"""

import contextlib
import contextvars
import inspect
import types

import jax
import numpy as np

from jkeras.core.errors import SerializationError, UnknownNameError

_named = {}  # "keras.layers.Dense" -> class or function; several names may lead to one object
_canonical = {}  # object -> its first name
_short = {}  # "Dense" -> [objects]: for module paths of other Keras versions
_custom, _custom_names = {}, {}  # registered by the user: name -> object and back
_scopes = contextvars.ContextVar("custom_objects", default=({},))
_unsafe = contextvars.ContextVar("unsafe_deserialization", default=False)
_shared = contextvars.ContextVar("shared_objects", default=None)
_process = contextvars.ContextVar("in_process", default=None)

FUNCTION_PACKAGES = ("activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers")
PLAIN = (str, int, float, bool, type(None))


def public(*names):
    """Decorator: gives a class or function its public name(s); the first is the one written to files.

    The names begin with "keras", since the files are Keras files.
    """
    def register(thing):
        for name in names:
            _named[name] = thing
            _short.setdefault(name.rpartition(".")[2], []).append(thing)
        if inspect.isclass(thing):
            _short.setdefault(thing.__name__, []).append(thing)  # older files have the class's own name
        _canonical.setdefault(thing, names[0])
        return thing
    return register


def public_name(thing):
    """The canonical public name of an object, or None."""
    try:
        return _canonical.get(thing)
    except TypeError:  # not hashable
        return None


def members(package):
    """The public things right in a package, by name: {"Dense": Dense, …} for "keras.layers"."""
    return {name.rpartition(".")[2]: thing for name, thing in _named.items() if name.rpartition(".")[0] == package}


# ---------------------------------------------------------------- custom objects

def register_keras_serializable(package="Custom", name=None):
    """Decorator: lets a class or function of yours be found again when a config is read.

    >>> @register_keras_serializable("demo")
    ... def twice(x):
    ...     return 2 * x
    >>> get_registered_name(twice)
    'demo>twice'
    """
    def register(thing):
        registered = f"{package}>{name or thing.__name__}"
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ValueError("Cannot register a class that does not have a get_config() method.")
        _custom[registered], _custom_names[thing] = thing, registered
        return thing
    return register


def get_registered_name(obj):
    """The name that a class or function was registered under; else its own.

    >>> get_registered_name(dict)
    'dict'
    """
    return _custom_names.get(obj, getattr(obj, "__name__", None))


def get_registered_object(name, custom_objects=None, module_objects=None):
    """The object registered under a name, looked up in the scopes, the registry, then the two dicts; None if nowhere.

    >>> with CustomObjectScope({"Mine": dict}):
    ...     get_registered_object("Mine")
    <class 'dict'>
    """
    for table in (*reversed(_scopes.get()), _custom, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


def get_custom_objects():
    """The dict of custom objects of the outermost scope; what is put in it is known everywhere in this process.

    >>> get_custom_objects()["Mine"] = dict
    >>> get_custom_objects().pop("Mine")
    <class 'dict'>
    """
    return _scopes.get()[0]


class CustomObjectScope:
    """Makes custom objects known inside a `with` block.

    >>> with CustomObjectScope({"Mine": dict}):
    ...     get_registered_object("Mine")
    <class 'dict'>
    """

    def __init__(self, custom_objects, **more):
        self.custom_objects = {**(custom_objects or {}), **more}
        self.tokens = []

    def __enter__(self):
        self.tokens.append(_scopes.set((*_scopes.get(), self.custom_objects)))
        return self

    def __exit__(self, *exc):
        _scopes.reset(self.tokens.pop())


def enable_unsafe_deserialization():
    """Allows configs that hold code (lambdas) to be read, for the rest of this context.

    >>> import contextvars
    >>> contextvars.copy_context().run(enable_unsafe_deserialization)  # in a copy: this one goes on refusing code
    """
    _unsafe.set(True)


@contextlib.contextmanager
def in_process():
    """Inside this block configs are for this process alone: functions in them stay what they are, and classes that were
    met are found again, registered or not. For copies, never for files."""
    token = _process.set({})
    try:
        yield
    finally:
        _process.reset(token)


def is_in_process():
    """Whether configs are for this process alone."""
    return _process.get() is not None


@contextlib.contextmanager
def sharing():
    """Inside this block an object met twice is written once and read back as one object."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


# ---------------------------------------------------------------- objects -> JSON

@public("keras.saving.serialize_keras_object", "keras.utils.serialize_keras_object")
def serialize(obj):
    """An object as plain data: dicts, lists, strings, numbers, None.

    Args:
        obj: a number, string, array, list, dict, function, or an object with `get_config`.
    Returns:
        For objects `{"module", "class_name", "config", "registered_name"}`, as Keras writes it.
    Raises:
        TypeError: for an object without `get_config`.

    >>> import jkeras
    >>> serialize(jkeras.initializers.Zeros())["class_name"]
    'Zeros'
    """
    if isinstance(obj, PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        return type(obj)(map(serialize, obj)) if type(obj) in (list, tuple) else [serialize(v) for v in obj]
    if isinstance(obj, dict):
        return {k: serialize(v) for k, v in obj.items()}
    special = _serialize_special(obj)
    if special is not None:
        return special
    if isinstance(obj, types.FunctionType):
        return _serialize_function(obj)
    if not hasattr(obj, "get_config"):
        if isinstance(obj, (type, types.BuiltinFunctionType)) or hasattr(obj, "__name__"):
            return _serialize_function(obj)
        raise TypeError(f"Cannot serialize object {obj} of type {type(obj)}. "
                        "To be serializable, a class must implement the `get_config()` method.")
    return _serialize_object(obj)


def _serialize_special(obj):
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if isinstance(obj, slice):
        return {"class_name": "__slice__", "config": {k: serialize(getattr(obj, k)) for k in ("start", "stop", "step")}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if hasattr(obj, "_keras_history"):  # a KerasTensor
        operation, node, index = obj._keras_history
        return {"class_name": "__keras_tensor__", "config": {
            "shape": obj.shape, "dtype": obj.dtype, "keras_history": [operation.name, node, index]}}
    if isinstance(obj, (np.generic, np.dtype)):
        return obj.item() if isinstance(obj, np.generic) else obj.name
    if isinstance(obj, np.ndarray):
        if obj.ndim == 0:
            return obj.item()
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, jax.Array):
        return {"class_name": "__tensor__", "config": {"value": np.asarray(obj).tolist(), "dtype": str(obj.dtype)}}
    return None


def _serialize_function(obj):
    if is_in_process():
        return obj
    registered = get_registered_name(obj)
    if public_name(obj) or isinstance(obj, types.FunctionType):  # Keras writes the module of the function's class
        return {"module": "builtins", "class_name": "function", "config": registered, "registered_name": "function"}
    return {"module": getattr(obj, "__module__", None), "class_name": "function", "config": registered,
            "registered_name": registered}


def _serialize_object(obj):
    cls, config = type(obj), obj.get_config()
    if not isinstance(config, dict):
        raise TypeError(f"The `get_config()` method of {obj} should return a dict. It returned: {config}")
    config, name = {k: serialize(v) for k, v in config.items()}, public_name(cls)
    if name:
        module, _, short = name.rpartition(".")  # classes that are not of the public API have a registered name
        out = {"module": module, "class_name": short, "config": config,
               "registered_name": short if module.startswith("keras.src.") else None}
    else:
        out = {"module": getattr(cls, "_config_module", cls.__module__), "class_name": cls.__name__, "config": config,
               "registered_name": get_registered_name(cls)}
    for key, getter in (("build_config", "get_build_config"), ("compile_config", "get_compile_config")):
        extra = getattr(obj, getter, lambda: None)()
        if extra is not None:
            out[key] = serialize(extra)
    if is_in_process():
        _process.get()[cls.__name__] = cls
    seen = _shared.get()
    if seen is not None:
        first = seen.setdefault(id(obj), (out, obj))[0]
        if first is not out:
            first["shared_object_id"] = out["shared_object_id"] = id(obj)
    return out


# ---------------------------------------------------------------- JSON -> objects

@public("keras.saving.deserialize_keras_object", "keras.utils.deserialize_keras_object")
def deserialize(config, custom_objects=None, safe_mode=True):
    """The object that `serialize` described.

    Args:
        config: plain data.
        custom_objects: dict from names to classes and functions of yours.
        safe_mode: refuse what would run code from the config (lambdas).
    Raises:
        SerializationError (a ValueError): unknown class or function, or code in safe mode.
        TypeError: not a config.

    >>> import jkeras
    >>> deserialize(serialize(jkeras.layers.Dense(3))).units
    3
    """
    if isinstance(config, PLAIN) or is_in_process() and callable(config):
        return config
    if isinstance(config, (list, tuple)):
        return [deserialize(v, custom_objects, safe_mode) for v in config]
    if not isinstance(config, dict):
        raise TypeError(f"Could not parse config: {config}")
    if "class_name" not in config or "config" not in config:
        return {k: deserialize(v, custom_objects, safe_mode) for k, v in config.items()}
    class_name, inner = config["class_name"], config["config"] if config["config"] is not None else {}
    if class_name.startswith("__") and class_name.endswith("__"):
        return _deserialize_special(class_name, inner, custom_objects, safe_mode)
    if class_name == "function":
        if not isinstance(inner, str):
            raise TypeError(f"Expected the config of a function to be its name. Received: {inner}")
        return find(inner, config, custom_objects)
    if not isinstance(inner, dict):
        raise TypeError(f"Expected 'config' to be a dict for {class_name}. Received: {inner} (of type {type(inner)})")
    return _deserialize_object(class_name, inner, config, custom_objects, safe_mode)


def _deserialize_special(class_name, inner, custom_objects, safe_mode):
    if class_name == "__keras_tensor__":
        return TensorReference(inner["shape"], inner["dtype"], inner["keras_history"])
    if class_name == "__tensor__":
        return jax.numpy.asarray(np.array(inner["value"]), dtype=inner["dtype"])
    if class_name == "__numpy__":
        return np.array(inner["value"], dtype=inner["dtype"])
    if class_name == "__bytes__":
        return inner["value"].encode("utf-8")
    if class_name == "__ellipsis__":
        return Ellipsis
    if class_name == "__slice__":
        return slice(*(deserialize(inner[k], custom_objects, safe_mode) for k in ("start", "stop", "step")))
    if class_name == "__lambda__":
        raise SerializationError(
            "The config holds a Python lambda, that is code, which jkeras never runs from a file. Define the function "
            "by name, register it with `@jkeras.saving.register_keras_serializable()`, and save the model again.")
    raise SerializationError(f"Unknown kind of value in a config: {class_name}")


def _deserialize_object(class_name, inner, config, custom_objects, safe_mode):
    seen, shared_id = _shared.get(), config.get("shared_object_id")
    if seen is not None and shared_id in seen:
        return seen[shared_id]
    cls = find(class_name, config, custom_objects)
    if isinstance(cls, types.FunctionType):
        return cls
    if not hasattr(cls, "from_config"):
        raise TypeError(f"Unable to reconstruct an instance of '{class_name}' because the class is missing a "
                        f"`from_config()` method. Full object config: {config}")
    with CustomObjectScope(custom_objects):
        try:
            instance = cls.from_config(inner)
        except SerializationError:
            raise
        except TypeError as error:
            raise TypeError(f"{cls} could not be made from its config {inner}: {error}. An object inside the config "
                            "must be deserialized in the class's `from_config()`.") from error
        if config.get("build_config") and not instance.built:
            instance.build_from_config(config["build_config"])
        if config.get("compile_config"):
            instance.compile_from_config(config["compile_config"])
    if seen is not None and shared_id is not None:
        seen[shared_id] = instance
    return instance


def find(name, config, custom_objects=None):
    """The class or function that a config names; from the closed table, or from what the caller registered."""
    registered, module = config.get("registered_name"), config.get("module")
    for key in (registered, name):
        custom = get_registered_object(key, custom_objects, _process.get()) if key else None
        if custom is not None:
            return custom
    if module == "builtins":  # how Keras writes its own functions: the module has to be guessed
        for package in FUNCTION_PACKAGES:
            if f"keras.{package}.{name}" in _named:
                return _named[f"keras.{package}.{name}"]
    if module is not None and f"{module}.{name}" in _named:
        return _named[f"{module}.{name}"]
    if module is None or module.split(".")[0] in ("keras", "keras_core", "tf_keras", "builtins"):
        candidates = list(dict.fromkeys(_short.get(name, ())))
        if len(candidates) > 1 and module:  # "keras.src.layers.core.dense" -> the one whose module shares most parts
            parts = set(module.split("."))
            candidates.sort(key=lambda c: -len(parts & set((public_name(c) or "").split("."))))
        if candidates:
            return candidates[0]
    raise UnknownNameError(
        f"Could not locate class or function '{name}' of module {module!r}. If it is yours, register it with "
        f"`@jkeras.saving.register_keras_serializable()` or pass `custom_objects={{{name!r}: …}}`. Config: {config}")


class TensorReference:
    """Stands for a KerasTensor in a config until the graph is made again."""

    def __init__(self, shape, dtype, history):
        self.shape, self.dtype, self.history = tuple(shape), dtype, tuple(history)
