# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.export.archive import ExportArchive as ExportArchive

def load(filepath: Any, safe_mode: Any = True) -> Any: ...
