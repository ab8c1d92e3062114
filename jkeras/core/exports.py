"""`__all__` of a package from its imports, so that a public name stands in one list."""

import types


def exported(namespace, *modules):
    """The public names among a module's globals: all but those with a leading underscore and
    modules.

    A package whose `__init__.py` imports nothing but what users may have ends with `__all__ =
    exported(globals())`. `dir` of the package, and so tab completion, then shows these too and not
    the files of the package.

    Args:
        namespace: dict of names and values.
        modules: names of the submodules that are public too.

    >>> exported({"Dense": int, "_family": {}, "types": types, "schedules": types}, "schedules")
    ['Dense', 'schedules']
    """

    def is_public(name, value):
        if value is exported or name.startswith("_"):
            return False
        return name in modules or not isinstance(value, types.ModuleType)

    names = sorted(name for name, value in namespace.items() if is_public(name, value))
    namespace["__dir__"] = lambda: [*names, *(name for name in namespace if name.startswith("__"))]
    return names
