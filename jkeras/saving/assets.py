"""Assets: files that layers keep in a model's archive, such as vocabularies."""

import os
import pathlib
import tempfile

from jkeras.saving import weights

PREFIX = "assets/"


def collect(model):
    """{member of the archive: content} of all files that a model's layers write with
    `save_assets(folder)`.
    """
    found = {}
    for path, thing in weights.parts(model):
        if hasattr(thing, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                thing.save_assets(folder)
                for name in sorted(os.listdir(folder)):
                    found["/".join(filter(None, (PREFIX[:-1], path, name)))] = pathlib.Path(
                        folder, name
                    ).read_bytes()
    return found


def restore(model, members, read):
    """Hands each layer its files, through `load_assets(folder)`; those of no layer are left alone.

    Args:
        members: names in the archive. Only files right in the folder of a layer of the model are
            looked at.
        read: gives the content of one.
    """
    for path, thing in weights.parts(model):
        prefix = "/".join(filter(None, (PREFIX[:-1], path))) + "/"
        mine = [
            name
            for name in members
            if name.startswith(prefix) and name != prefix and "/" not in name.removeprefix(prefix)
        ]
        if mine and hasattr(thing, "load_assets"):
            with tempfile.TemporaryDirectory() as folder:
                for name in mine:
                    pathlib.Path(folder, name.removeprefix(prefix)).write_bytes(read(name))
                thing.load_assets(folder)
