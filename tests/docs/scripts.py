"""The programs of docs/ that write pages, as modules."""

import importlib.util
import pathlib
import sys
import types
from unittest import mock

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parents[1]


def script(name: str) -> types.ModuleType:
    """docs/NAME.py, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(sys, "path", [str(ROOT / "docs"), *sys.path]):  # its neighbours
        spec.loader.exec_module(module)
    return module
