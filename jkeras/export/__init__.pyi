# Written by `python -m tests.make_stubs`.
from jkeras.export.archive import ExportArchive as ExportArchive
from jkeras.export.loading import load as load
