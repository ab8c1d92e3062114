"""The programs of docs/ that write pages, as modules."""

import importlib.util
import pathlib
import types

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parents[1]


def script(name: str) -> types.ModuleType:
    """docs/NAME.py, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
