"""Public names, custom objects, and objects <-> plain JSON.

The table of names is closed: a config can only name what the library exports or what the caller
registered or passed in this process. No name of a config is imported, evaluated or looked up on a
module.
"""

import base64
import builtins
import importlib
import inspect
import marshal
import types
import typing
import warnings
from collections.abc import Callable

import jax
import numpy as np

from jkeras.core.errors import (
    ConfigError,
    SerializationError,
    UnknownNameError,
    make_readable,
    suggestion,
)
from jkeras.core.names.trust import (
    check_object,
    in_scope,
    is_trusted,
    is_untrusted,
    met_in_process,
    scopes,
    shared_objects,
)

# whether it may be anybody's is also asked for here
from jkeras.core.names.trust import (
    check_entries as check_entries,
    in_process as in_process,
    is_in_process as is_in_process,
    loading as loading,
    refuse_untrusted as refuse_untrusted,
    sharing as sharing,
    shown as shown,
)

_named = {}  # "keras.layers.Dense" -> class or function; several names may lead to one object
_canonical = {}  # object -> its first name
_short = {}  # "Dense" -> [objects]: for module paths of other Keras versions
_later = set()  # modules of ours not imported yet, whose public names are not registered yet
_custom, _custom_names = {}, {}  # registered by the user: name -> object and back

FUNCTION_PACKAGES = (
    "activations",
    "constraints",
    "initializers",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
)
# whose functions a config may name; others read files, say
PURE_PACKAGES = (*FUNCTION_PACKAGES, "ops")
# where modules of the versions of Keras begin
KERAS_MODULES = ("keras", "keras_core", "tf_keras", "builtins")
NUMBERS = "fiub"  # kinds of dtypes that a config may name
# what a decorator gives back has, for type checkers, the type of its argument
Thing = typing.TypeVar("Thing")
PLAIN = (str, int, float, bool, type(None))
LEAVES = frozenset(PLAIN)


def public(*names: str) -> Callable[[Thing], Thing]:
    """Decorator: gives a class or function its public name(s); the first is the one written to
    files.

    The names begin with "keras", since the files are Keras files.
    """

    def register(thing: Thing) -> Thing:
        for name in names:
            _named[name] = thing
            _short.setdefault(name.rpartition(".")[2], []).append(thing)
        if inspect.isclass(thing):
            # older files have the class's own name
            _short.setdefault(thing.__name__, []).append(thing)
        _canonical.setdefault(thing, names[0])
        return thing

    return register


def register_later(modules: typing.Iterable[str]) -> None:
    """Says which modules have public names that are registered when they are imported."""
    _later.update(modules)


def load_the_rest(package: str = "jkeras") -> None:
    """Imports the modules of `register_later` in a package, to register its public names."""
    for module in tuple(_later):
        if f"{module}.".startswith(f"{package}."):
            importlib.import_module(module)  # waits where another thread is importing it
            _later.discard(module)


def public_name(thing: object) -> str | None:
    """The canonical public name of an object, or None."""
    try:
        return _canonical.get(thing)
    except TypeError:  # not hashable
        return None


def members(package: str) -> dict[str, typing.Any]:
    """The public things right in a package, by name: {"Dense": Dense, …} for "keras.layers".

    What of them is not imported yet is imported.
    """
    load_the_rest(f"j{package}")  # the public names are those of Keras
    return {
        name.rpartition(".")[2]: thing
        for name, thing in _named.items()
        if name.rpartition(".")[0] == package
    }


# ---------------------------------------------------------------- custom objects


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[Thing], Thing]:
    """Decorator: lets a class or function of yours be found again when a config is read.

    Args:
        package: what its name in configs begins with.
        name: the rest of it, by default its own.
    Returns:
        a decorator, which gives back what it decorates.
    Raises:
        ValueError: a class without `get_config`.

    >>> @register_keras_serializable("demo")
    ... def twice(x):
    ...     return 2 * x
    >>> get_registered_name(twice)
    'demo>twice'
    """

    def register(thing: Thing) -> Thing:
        registered = f"{package}>{name or thing.__name__}"
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ValueError("Cannot register a class that does not have a get_config() method.")
        _warn_of_another(registered, thing)
        _custom[registered], _custom_names[thing] = thing, registered
        return thing

    return register


def _warn_of_another(registered: str, thing: object) -> None:
    """Says so where a name was that of something else: files that name it now lead to the new one.
    What is defined again, as a cell of a notebook does it, replaces itself.
    """
    before = _custom.get(registered)
    if before is not None and _origin(before) != _origin(thing):
        warnings.warn(
            f"'{registered}' was the name of {_origin(before)}, and is taken over by "
            f"{_origin(thing)}: models that name it are loaded with the latter. Give one of them "
            "another `package` or `name`.",
            stacklevel=3,
        )


def _origin(thing: object) -> str:
    """The module and name of a class or function."""
    return f"{getattr(thing, '__module__', None)}.{getattr(thing, '__name__', None)}"


def get_registered_name(obj: object) -> str:
    """The name that a class or function was registered under; else its own.

    Args:
        obj: a class or function.
    Returns:
        a text, such as "Custom>Mine".

    >>> get_registered_name(dict)
    'dict'
    """
    return _custom_names.get(obj, getattr(obj, "__name__", None))


def get_registered_object(
    name: str,
    custom_objects: dict[str, typing.Any] | None = None,
    module_objects: dict[str, typing.Any] | None = None,
) -> typing.Any:
    """The object registered under a name, looked up in the scopes, the registry, then the two
    dicts; None if nowhere.

    Args:
        name: such as "Custom>Mine".
        custom_objects, module_objects: further classes and functions by their names.
    Returns:
        the class or function, or None.

    >>> with CustomObjectScope({"Mine": dict}):
    ...     get_registered_object("Mine")
    <class 'dict'>
    """
    for table in (*reversed(scopes()), _custom, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


def get_custom_objects() -> dict[str, typing.Any]:
    """The dict of custom objects of the outermost scope, those of `register_keras_serializable`
    among them; what is put in it is registered everywhere in this process.

    Returns:
        the dict itself, from names to classes and functions.

    >>> get_custom_objects()["Mine"] = dict
    >>> get_custom_objects().pop("Mine")
    <class 'dict'>
    """
    return _custom


class CustomObjectScope:
    """Registers custom objects inside a `with` block.

    Args:
        custom_objects: classes and functions by their names in configs.
        more: further ones by keyword.

    >>> with CustomObjectScope({"Mine": dict}):
    ...     get_registered_object("Mine")
    <class 'dict'>
    """

    def __init__(self, custom_objects: dict[str, typing.Any], **more: typing.Any) -> None:
        self.custom_objects = {**(custom_objects or {}), **more}
        self._entered = []  # blocks, since one scope may be entered in itself

    def __enter__(self) -> typing.Self:
        self._entered.append(in_scope(self.custom_objects))
        self._entered[-1].__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._entered.pop().__exit__(None, None, None)


def enable_unsafe_deserialization() -> None:
    """Does nothing but warn: whether a file is trusted is said to the call that loads it, with
    `safe_mode=False`.

    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     enable_unsafe_deserialization()
    >>> "safe_mode=False" in str(said[0].message)
    True
    """
    warnings.warn(
        "`enable_unsafe_deserialization()` has no effect: pass `safe_mode=False` to the call "
        "that loads the file you trust.",
        stacklevel=2,
    )


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
        items = [item if type(item) in LEAVES else serialize(item) for item in obj]
        return tuple(items) if type(obj) is tuple else items
    if isinstance(obj, dict):
        return _serialize_values(obj)
    special = _serialize_special(obj)
    if special is not None:
        return special
    if _is_written_by_name(obj):
        return _serialize_function(obj)
    if not hasattr(obj, "get_config"):
        raise TypeError(
            f"Cannot serialize object {obj} of type {type(obj)}: its class has no "
            "`get_config()` that gives the arguments of its constructor."
        )
    return _serialize_object(obj)


def _serialize_values(config):
    """A dict with its values as plain data; those that are, which are most, as they are."""
    values = dict(config)
    for key, value in config.items():
        if type(value) not in LEAVES:
            values[key] = serialize(value)
    return values


def _is_written_by_name(obj):
    """Whether an object is a function, or a class or function without a config."""
    if isinstance(obj, types.FunctionType):
        return True
    if hasattr(obj, "get_config"):
        return False
    return isinstance(obj, (type, types.BuiltinFunctionType)) or hasattr(obj, "__name__")


def _serialize_special(obj):
    """A value that has a form of its own in configs, in that form; None: it has none."""
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if isinstance(obj, slice):
        return {
            "class_name": "__slice__",
            "config": {k: serialize(getattr(obj, k)) for k in ("start", "stop", "step")},
        }
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    history = getattr(obj, "_keras_history", None)
    if history is not None:  # a KerasTensor
        operation, node, index = history
        return {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": obj.shape,
                "dtype": obj.dtype,
                "keras_history": [operation.name, node, index],
            },
        }
    return _serialize_array(obj)


def _serialize_array(obj):
    """An array, a number or a dtype of numpy or JAX as plain data; None: it is none of these."""
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        if obj.ndim == 0:
            return obj.item()
        return {
            "class_name": "__numpy__",
            "config": {"value": obj.tolist(), "dtype": obj.dtype.name},
        }
    if isinstance(obj, jax.Array):
        return {
            "class_name": "__tensor__",
            "config": {"value": np.asarray(obj).tolist(), "dtype": str(obj.dtype)},
        }
    return None


def _serialize_function(obj):
    if is_in_process():
        return obj
    registered = get_registered_name(obj)
    if is_lambda(obj):
        warnings.warn(
            "The object being serialized includes a `lambda`. It is written as bytecode, which "
            "only `safe_mode=False` loads: give it a name with `def`, and register it.",
            stacklevel=4,
        )
        return {
            "class_name": "__lambda__",
            "config": {"value": list(function_to_code(obj).values())},
        }
    # Keras writes the module of the function's class
    if public_name(obj) or isinstance(obj, types.FunctionType):
        return {
            "module": "builtins",
            "class_name": "function",
            "config": registered,
            "registered_name": "function",
        }
    return {
        "module": getattr(obj, "__module__", None),
        "class_name": "function",
        "config": registered,
        "registered_name": registered,
    }


def _address(cls):
    """(module, name, registered name) of a class, as files have them."""
    name = public_name(cls)
    if name:
        # classes that are not of the public API have a registered name
        module, _, short = name.rpartition(".")
        return module, short, short if module.startswith("keras.src.") else None
    module = getattr(cls, "_config_module", cls.__module__)
    if module == "__main__":  # as in Keras: it is no module to import
        module = None
    return module, cls.__name__, get_registered_name(cls)


def _nothing_or(obj, *methods):
    """What the first of these methods gives that an object has; None where it has none."""
    for method in methods:
        if hasattr(obj, method):
            return getattr(obj, method)()
    return None


def _compile_config(obj):
    """How an object is compiled, without `privacy`: `compile` of Keras has no such argument, and
    passes over what is beside it.
    """
    config = _nothing_or(obj, "stored_compile_config", "get_compile_config")
    if not isinstance(config, dict):
        return config
    return {name: value for name, value in config.items() if name != "privacy"}


def _serialize_object(obj):
    cls, config = type(obj), obj.get_config()
    if not isinstance(config, dict):
        raise TypeError(
            f"The `get_config()` method of {obj} should return a dict. It returned: {config}"
        )
    config = _serialize_values(config)
    module, short, registered = _address(cls)
    out = {
        "module": module,
        "class_name": short,
        "config": config,
        "registered_name": registered,
    }
    for key, extra in (
        ("build_config", _nothing_or(obj, "get_build_config")),
        ("compile_config", _compile_config(obj)),
    ):
        if extra is not None:
            out[key] = serialize(extra)
    if getattr(obj, "was_private", None) is True:
        out["private"] = True
    met = met_in_process()
    if met is not None:
        # several classes may have one name: those of a loss and a metric do
        out["registered_name"] = f"{short}@{len(met)}"
        met[out["registered_name"]] = cls
        if public_name(cls) is None:
            met[cls.__name__] = cls  # for a config that its program wrote
    seen = shared_objects()
    if seen is not None:
        original = seen.setdefault(id(obj), (out, obj))[0]
        if original is not out:
            original["shared_object_id"] = out["shared_object_id"] = id(obj)
    return out


# ---------------------------------------------------------------- JSON -> objects


@public("keras.saving.deserialize_keras_object", "keras.utils.deserialize_keras_object")
def deserialize(config, custom_objects=None, safe_mode=True, **kwargs):
    """The object that `serialize` described.

    Args:
        config: plain data.
        custom_objects: dict from names to classes and functions of yours.
        safe_mode: refuse what would run code from the config (lambdas).
        kwargs: `module_objects`, a dict like `custom_objects` of one family of objects, of which a
            name alone may be passed, or a config without a module. What else Keras once took is
            passed over, as it is there.
    Returns:
        a new object; numbers, texts and None are given back as they are.
    Raises:
        SerializationError (a ValueError): unknown class or function, or code in safe mode.
        TypeError: not a config.

    >>> import jkeras
    >>> deserialize(serialize(jkeras.layers.Dense(3))).units
    3
    """
    try:
        with loading(safe_mode):
            if kwargs.get("module_objects") is not None:
                return _deserialize_of_family(config, custom_objects, kwargs["module_objects"])
            return _deserialize(config, custom_objects)
    except RecursionError:
        raise SerializationError(
            "A config is nested too deeply, or contains itself. A model of yours that is that deep "
            "can be made by code, and its weights loaded."
        ) from None
    except Exception as error:  # whatever it is, it may have texts of the config in it
        make_readable(error)
        raise


def _deserialize_of_family(config, custom_objects, family):
    """The object of a config, or of a name; one that stands nowhere stays a name, as in Keras."""
    if isinstance(config, str):
        registered = get_registered_object(config, custom_objects)
        if registered is not None or not isinstance(family.get(config), type):
            return family.get(config, config) if registered is None else registered
        config = {"class_name": config, "config": {}}
    return _deserialize(config, {**family, **(custom_objects or {})})


def _deserialize(config, custom_objects):
    if isinstance(config, PLAIN):
        return config
    if callable(config) and is_in_process():
        return config
    if isinstance(config, (list, tuple)):
        return [_deserialize_inner(v, custom_objects) for v in config]
    if not isinstance(config, dict):
        raise TypeError(f"Could not parse config: {shown(config)}")
    if "class_name" in config and "config" in config:
        return _deserialize_named(config, custom_objects)
    return {k: _deserialize_inner(v, custom_objects) for k, v in config.items()}


def _deserialize_named(config, custom_objects):
    """What a config with a class name describes: a value, a function or an object."""
    class_name = config["class_name"]
    inner = config["config"] if config["config"] is not None else {}
    if not isinstance(class_name, str):
        raise SerializationError(
            f"Expected 'class_name' to be a name. Received: {shown(class_name)}"
        )
    if class_name.startswith("__") and class_name.endswith("__"):
        return _deserialize_special(class_name, inner, custom_objects)
    if class_name == "function":
        if not isinstance(inner, str):
            raise TypeError(
                f"Expected the config of a function to be its name. Received: {shown(inner)}"
            )
        return find(inner, config, custom_objects)
    if not isinstance(inner, dict):
        raise TypeError(
            f"Expected 'config' to be a dict for {class_name}. Received: {shown(inner)} (of type "
            f"{type(inner)})"
        )
    return _deserialize_object(class_name, inner, config, custom_objects)


def _deserialize_inner(config, custom_objects):
    """What lies inside a config, through the public function: libraries put one of their own in its
    place, which knows more kinds of texts.
    """
    return (
        deserialize(config, custom_objects)
        if isinstance(config, (str, list, tuple, dict))
        else (_deserialize(config, custom_objects))
    )


def _deserialize_special(class_name, inner, custom_objects):
    if class_name == "__keras_tensor__":
        return TensorReference(inner["shape"], inner["dtype"], inner["keras_history"])
    if class_name in ("__tensor__", "__numpy__"):
        value = np.array(inner["value"], dtype=_number_dtype(inner["dtype"]))
        return value if class_name == "__numpy__" else jax.numpy.asarray(value)
    if class_name == "__bytes__":
        return inner["value"].encode("utf-8")
    if class_name == "__ellipsis__":
        return Ellipsis
    if class_name == "__slice__":
        return slice(*(_deserialize(inner[k], custom_objects) for k in ("start", "stop", "step")))
    if class_name == "__lambda__":
        return code_to_function(inner)
    raise SerializationError(f"Unknown kind of value in a config: {class_name}")


def _number_dtype(name):
    dtype = np.dtype(jax.numpy.dtype(name)) if isinstance(name, str) else None
    if dtype is None or not _holds_numbers(dtype):
        raise SerializationError(
            f"An array in a config must hold numbers. Received: dtype={name!r}"
        )
    return dtype


def _holds_numbers(dtype):
    return dtype.kind in NUMBERS or dtype == jax.numpy.bfloat16


# ---------------------------------------------------------------- lambdas, which are code


def is_lambda(thing):
    """Whether a function has no name that a file could call it by."""
    return (
        isinstance(thing, types.LambdaType)
        and thing.__name__ == "<lambda>"
        and thing not in _custom_names
    )


def function_to_code(function):
    """A Python lambda as Keras writes it: its bytecode, defaults and closure."""
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    closure = (
        tuple(cell.cell_contents for cell in function.__closure__) if function.__closure__ else None
    )
    return {
        "code": code,
        "defaults": serialize(function.__defaults__),
        "closure": serialize(closure),
    }


def code_to_function(described):
    """The lambda of what `function_to_code` gave, or of Keras's list (code, defaults, closure).

    Raises:
        SerializationError: unless the config is trusted.
    """
    if not is_trusted():
        raise SerializationError(
            "It holds a Python lambda, that is code, and loading it could run anything. Define "
            "the function by name, register it with "
            "`@jkeras.saving.register_keras_serializable()`, and save the model again. If you "
            "trust the file as you trust a program, load it with `safe_mode=False`."
        )
    if isinstance(described, dict) and "value" in described:
        described = described["value"]
    if isinstance(described, dict):
        described = [described.get(key) for key in ("code", "defaults", "closure")]
    code, defaults, closure = described
    try:
        code = marshal.loads(base64.b64decode(code.encode("ascii")))
        cells = (
            None
            if closure is None
            else tuple(types.CellType(value) for value in _deserialize(closure, None))
        )
        defaults = None if defaults is None else tuple(_deserialize(defaults, None))
        return types.FunctionType(code, {"__builtins__": builtins}, code.co_name, defaults, cells)
    except (ValueError, TypeError, EOFError, AttributeError) as error:
        raise SerializationError(
            f"It holds a Python lambda that this Python cannot read: {error}. Bytecode goes with "
            "the version of Python that wrote it."
        ) from error


def _deserialize_object(class_name, inner, config, custom_objects):
    # ids of a file are apart from our own
    seen, shared_id = shared_objects(), ("made", config.get("shared_object_id"))
    if seen is not None and shared_id in seen:
        return seen[shared_id]
    cls = find(class_name, config, custom_objects)
    if isinstance(cls, types.FunctionType):
        return cls
    if not hasattr(cls, "from_config"):
        raise ConfigError(
            f"Unable to reconstruct an instance of '{class_name}': its class has no "
            f"`from_config()`. Its config: {shown(config)}"
        )
    if is_untrusted() and str(getattr(cls, "__module__", "jkeras")).startswith("jkeras."):
        check_object(class_name, config, inner)
    with in_scope(custom_objects or None):
        instance = _instance(cls, inner, config)
    if seen is not None and shared_id[1] is not None:
        seen[shared_id] = instance
    return instance


def _be_private(instance, private):
    """Lets a model that was compiled with privacy be trained only when privacy is spoken of."""
    if private is not True or not hasattr(instance, "asks_for_privacy"):
        raise ConfigError(
            f"Expected `private: true` of a model, received {shown(private)} of a "
            f"{type(instance).__name__}."
        )
    instance.set_untracked(asks_for_privacy=True)


def _instance(cls, inner, config):
    """The object of a class for a config, built and compiled as that of the config was."""
    try:
        instance = cls.from_config(inner)
    except SerializationError:
        raise
    except TypeError as error:
        raise ConfigError(
            f"{cls} could not be deserialized properly from its config {shown(inner)}: {error}. "
            "Please ensure that objects inside it, such as layers, are explicitly deserialized in "
            "the class's `from_config()`."
        ) from error
    if config.get("build_config") and not instance.built:
        instance.build_from_config(config["build_config"])
    if config.get("compile_config"):
        instance.compile_from_config(config["compile_config"])
    if "private" in config:
        _be_private(instance, config["private"])
    return instance


def find(name, config, custom_objects=None):
    """The class or function that a config names; from the closed table, or from what the caller
    registered.
    """
    registered, module = config.get("registered_name"), config.get("module")
    for text in (registered, module, name):
        if not isinstance(text, str | None):
            raise SerializationError(
                f"A class or function is named by texts. Received: {shown(repr(name))} of module "
                f"{shown(repr(module))}"
            )
    met = met_in_process()
    for key in filter(None, (registered, name)):
        custom = get_registered_object(key, custom_objects, met)
        if custom is not None:
            return custom
    if module == "builtins":  # how Keras writes its own functions: the module has to be guessed
        match = _pure_function(name) or _registered_in_a_package(name)
    else:
        match = _named_in_module(name, module)
    if match is None:
        load_the_rest()
        match = _named_in_module(name, module) or _named_in_other_version(name, module)
    if match is None:
        raise UnknownNameError(
            f"Could not locate class or function '{shown(name)}' of module "
            f"{shown(repr(module))}. If it is yours, register it with "
            "`@jkeras.saving.register_keras_serializable()` or pass "
            f"`custom_objects={{{shown(repr(name))}: …}}`. Config: {shown(config)}."
            f"{suggestion(name, _short)}"
        )
    if registered and registered not in (name, config.get("class_name")):
        raise SerializationError(
            f"'{name}' resolved to a Keras built-in, which has no `registered_name`, and the "
            f"config says {registered!r}: register your own class or function under that name."
        )
    return match


def _registered_in_a_package(name):
    """A function of the user's that a file names without its package, as Keras 3.6 and older wrote
    it; None if there is none.
    """
    return next((f for key, f in _custom.items() if key.endswith(f">{name}")), None)


def _pure_function(name):
    """The public function of a name, whichever of `FUNCTION_PACKAGES` it is in; None: in none."""
    for package in FUNCTION_PACKAGES:
        if f"keras.{package}.{name}" in _named:
            return _named[f"keras.{package}.{name}"]
    return None


def _named_in_module(name, module):
    """What has this public name, where a config may name it; else None."""
    if module is None:
        return None
    thing = _named.get(f"{module}.{name}")
    return thing if _may_be_named(thing) else None


def _named_in_other_version(name, module):
    """What has this short name, where the module is one of some version of Keras; else None."""
    if module is not None and module.split(".")[0] not in KERAS_MODULES:
        return None
    candidates = list(filter(_may_be_named, dict.fromkeys(_short.get(name, ()))))
    # "keras.src.layers.core.dense" -> the one whose module shares most parts
    if len(candidates) > 1 and module:
        parts = set(module.split("."))
        candidates.sort(key=lambda c: -len(parts & set((public_name(c) or "").split("."))))
    return candidates[0] if candidates else None


def _may_be_named(thing):
    """Whether a config may name a public class or function: a class that has configs, or a function
    that computes.
    """
    if hasattr(thing, "from_config"):
        return True
    return thing is not None and (public_name(thing) or "").split(".")[1:2] in [
        [p] for p in PURE_PACKAGES
    ]


class TensorReference:
    """Stands for a KerasTensor in a config until the graph is made again."""

    def __init__(self, shape, dtype, history):
        self.shape, self.dtype, self.history = tuple(shape), dtype, tuple(history)
