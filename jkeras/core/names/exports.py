"""`__all__` of a package from its imports, so that a public name stands in one list."""

import importlib
import types

from jkeras.core.errors import suggestion
from jkeras.core.names.registry import register_later


def exported(namespace, *modules, on_first_use=types.MappingProxyType({})):
    """The public names among a module's globals: all but those with a leading underscore and
    modules.

    A package whose `__init__.py` imports nothing but what users may have ends with `__all__ =
    exported(globals())`. `dir` of the package, and so tab completion, then shows these too and not
    the files of the package.

    Args:
        namespace: dict of names and values.
        modules: names of the submodules that are public too.
        on_first_use: {module: names} of what is imported when a program first asks for it (PEP
            562), since it takes time and few programs need it. Names stand in one text, with spaces
            between; "MaxPool1D=MaxPooling1D" is another name for one; none means the module itself.
            `registry.find` finds their public names all the same.

    >>> exported({"Dense": int, "_family": {}, "types": types, "schedules": types}, "schedules")
    ['Dense', 'schedules']
    """

    def is_public(name, value):
        if value is exported or name.startswith("_"):
            return False
        return name in modules or not isinstance(value, types.ModuleType)

    sources = _sources(on_first_use)
    names = sorted([*(k for k, v in namespace.items() if is_public(k, v)), *sources])
    namespace["__dir__"] = lambda: [*names, *(name for name in namespace if name.startswith("__"))]
    register_later(on_first_use)
    namespace.setdefault("__getattr__", _importing(namespace, sources))
    return names


def _sources(on_first_use):
    """{name: (module, its name there or None for the module itself)}"""
    sources = {}
    for module, names in on_first_use.items():
        if not names:
            sources[module.rpartition(".")[2]] = module, None
        for name in names.split():
            name, _, other = name.partition("=")
            sources[name] = module, other or name
    return sources


def _importing(namespace, sources):
    """The `__getattr__` of a package: imports a name of `sources` and puts it into its globals; of
    a name that there is not, says which is close.
    """

    def __getattr__(name):
        if name not in sources:
            meant = "" if name.startswith("_") else suggestion(name, namespace["__dir__"]())
            raise AttributeError(
                f"module {namespace['__name__']!r} has no attribute {name!r}.{meant}"
            )
        module, attribute = sources[name]
        value = importlib.import_module(module)
        if attribute is not None:
            value = getattr(value, attribute)
        namespace[name] = value
        return value

    return __getattr__
