"""`__all__` of a package from its imports, so that a public name stands in one list."""

import importlib
import types


def exported(namespace, *modules, on_first_use=()):
    """The public names among a module's globals: all but those with a leading underscore and
    modules.

    A package whose `__init__.py` imports nothing but what users may have ends with `__all__ =
    exported(globals())`. `dir` of the package, and so tab completion, then shows these too and not
    the files of the package.

    Args:
        namespace: dict of names and values.
        modules: names of the submodules that are public too.
        on_first_use: names of public submodules that are imported when a program first asks for
            them (PEP 562), since they take time and few programs need them.

    >>> exported({"Dense": int, "_family": {}, "types": types, "schedules": types}, "schedules")
    ['Dense', 'schedules']
    """

    def is_public(name, value):
        if value is exported or name.startswith("_"):
            return False
        return name in modules or not isinstance(value, types.ModuleType)

    names = sorted([*(k for k, v in namespace.items() if is_public(k, v)), *on_first_use])
    namespace["__dir__"] = lambda: [*names, *(name for name in namespace if name.startswith("__"))]
    if on_first_use:
        namespace["__getattr__"] = _importing(namespace["__name__"], on_first_use)
    return names


def _importing(package, names):
    """The `__getattr__` of a package that imports the modules of these names."""

    def __getattr__(name):
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return importlib.import_module(f"{package}.{name}")

    return __getattr__
