"""`keras.utils.legacy`: configs of objects in the short form of Keras 2, in which some libraries
keep their own.
"""

import inspect
from typing import Any

from jkeras.core.errors import UnknownNameError, suggestion
from jkeras.core.names.registry import CustomObjectScope, get_registered_name, get_registered_object


def serialize_keras_object(instance: Any) -> Any:
    """An object as `{"class_name", "config"}`, a function as its name, None as None.

    Args:
        instance: an object with `get_config`, a class or function, or None.
    Raises:
        ValueError: anything else.

    >>> import jkeras
    >>> serialize_keras_object(jkeras.initializers.Ones())
    {'class_name': 'Ones', 'config': {}}
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {"class_name": get_registered_name(type(instance)), "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return get_registered_name(instance)
    raise ValueError(
        f"Cannot serialize {instance!r}, since it has no `get_config()`. Give it one that returns "
        "the arguments of its constructor."
    )


def deserialize_keras_object(
    identifier: Any,
    module_objects: dict[str, Any] | None = None,
    custom_objects: dict[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object that `serialize_keras_object` described.

    Args:
        identifier: such a config, or a name: of a function, or of a class, which is then called
            without arguments.
        module_objects, custom_objects: dicts from names to classes and functions, beside those that
            were registered.
        printable_module_name: what messages call such an object.
    Raises:
        ValueError: no config, or a name that is in none of the tables.

    >>> import jkeras
    >>> table = {"Ones": jkeras.initializers.Ones}
    >>> deserialize_keras_object({"class_name": "Ones", "config": {}}, table)
    Ones()
    """
    if identifier is None or callable(identifier):
        return identifier
    if isinstance(identifier, str):
        thing = _find(identifier, module_objects, custom_objects, printable_module_name)
        if inspect.isclass(thing):
            return thing()
        return thing
    if not isinstance(identifier, dict) or not {"class_name", "config"} <= identifier.keys():
        raise ValueError(
            f"Expected the config of an {printable_module_name}, a dict with 'class_name' and "
            f"'config', or a name. Received: {identifier!r}"
        )
    cls = _find(identifier["class_name"], module_objects, custom_objects, printable_module_name)
    with CustomObjectScope(custom_objects):
        if hasattr(cls, "from_config"):
            return cls.from_config(identifier["config"])
        return cls(**identifier["config"])


def _find(
    name: str,
    module_objects: dict[str, Any] | None,
    custom_objects: dict[str, Any] | None,
    noun: str,
) -> Any:
    thing = get_registered_object(name, custom_objects, module_objects)
    if thing is None:
        objects = {**(module_objects or {}), **(custom_objects or {})}
        raise UnknownNameError(
            f"Unknown {noun}: {name!r}. Register it with "
            "`@jkeras.saving.register_keras_serializable()` or pass it in `custom_objects`."
            f"{suggestion(name, objects)}"
        )
    return thing


__all__ = ["deserialize_keras_object", "serialize_keras_object"]
