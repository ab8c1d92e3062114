"""Assets: files that layers keep in a model's archive, such as vocabularies."""

import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

from jkeras.saving import weights
from jkeras.saving.paths import below

PREFIX = "assets/"


def collect(model: Any) -> dict[str, bytes]:
    """{member of the archive: content} of all files that a model's layers write with
    `save_assets(folder)`.
    """
    contents = {}
    for path, thing in weights.parts(model):
        if not hasattr(thing, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            thing.save_assets(folder)
            for name in sorted(os.listdir(folder)):
                member = PREFIX + below(path, name)
                contents[member] = pathlib.Path(folder, name).read_bytes()
    return contents


def restore(model: Any, members: Iterable[str], read: Callable[[str], bytes]) -> None:
    """Hands each layer its files, through `load_assets(folder)`; those of no layer are left alone.

    Args:
        members: names in the archive. Only files right in the folder of a layer of the model are
            looked at.
        read: gives the content of one.
    """
    files = [name for name in members if name.startswith(PREFIX)]
    if not files:
        return
    for path, thing in weights.parts(model):
        prefix = PREFIX + below(path, "")
        names = _right_in(prefix, files)
        if names and hasattr(thing, "load_assets"):
            with tempfile.TemporaryDirectory() as folder:
                for name in names:
                    pathlib.Path(folder, name).write_bytes(read(prefix + name))
                thing.load_assets(folder)


def _right_in(prefix: str, files: Iterable[str]) -> list[str]:
    """The names of the files right in a folder, not of those in folders below it."""
    inside = [name.removeprefix(prefix) for name in files if name.startswith(prefix)]
    return [name for name in inside if name and "/" not in name]
