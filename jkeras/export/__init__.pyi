# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.export.archive import ExportArchive as ExportArchive
from jkeras.export.loading import load as load
