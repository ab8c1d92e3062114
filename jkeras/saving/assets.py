"""Assets: files that layers keep in a model's archive, such as vocabularies."""

import os
import pathlib
import tempfile

from jkeras.saving import weights

PREFIX = "assets/"


def collect(model):
    """{member of the archive: content} of all files that a model's layers write with `save_assets(folder)`."""
    found = {}
    for path, thing in weights.parts(model):
        if hasattr(thing, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                thing.save_assets(folder)
                for name in sorted(os.listdir(folder)):
                    found["/".join(filter(None, (PREFIX[:-1], path, name)))] = pathlib.Path(folder, name).read_bytes()
    return found


def restore(model, members):
    """Hands each layer its files, through `load_assets(folder)`.

    Args:
        members: {member of the archive: content}. Only files right in the folder of a layer of the model are looked at.
    """
    for path, thing in weights.parts(model):
        prefix = "/".join(filter(None, (PREFIX[:-1], path))) + "/"
        mine = {name.removeprefix(prefix): content for name, content in members.items() if name.startswith(prefix)
                and _is_plain(name.removeprefix(prefix))}
        if mine and hasattr(thing, "load_assets"):
            with tempfile.TemporaryDirectory() as folder:
                for name, content in mine.items():
                    pathlib.Path(folder, name).write_bytes(content)
                thing.load_assets(folder)


def _is_plain(name):
    return bool(name) and not {"/", "\\", ":"} & set(name) and name not in (".", "..")
