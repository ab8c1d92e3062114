"""Good files, changed at random as bad disks, cut transfers and bad people change them; what
loaders make of them.

    python -m tests.saving.mutations FIRST COUNT FORMAT...

prints what went wrong, and fails if a load takes too long.
"""

import faulthandler
import io
import json
import os
import pathlib
import random
import resource
import sys
import tempfile
import warnings
import zipfile

import h5py
import numpy as np

import jkeras
from jkeras.core.errors import SerializationError

FORMATS = ("x.keras", "x.h5", "x.weights.h5", "x.safetensors", "x.npz", "x.weights.json")


def network():
    x = jkeras.Input((4,), name="x")
    y = jkeras.layers.BatchNormalization(name="n")(
        jkeras.layers.Dense(3, activation="relu", name="a")(x)
    )
    model = jkeras.Model(x, jkeras.layers.Dense(2, name="b")(y), name="net")
    model.compile("adam", "mse")
    return model


def write(folder, name, model):
    """Writes a model in a format; the paths of all its files."""
    path = folder / name
    if name.endswith(".json"):
        model.save_weights(path, max_shard_size=200 / 2**30)
        return [path, *sorted(folder.glob("x_*.h5"))]
    (model.save if name in ("x.keras", "x.h5") else model.save_weights)(path)
    return [path]


def load(path, model):
    """The weights that a file gives: of the model in it, or set in `model`."""
    if path.name in ("x.keras", "x.h5"):
        return jkeras.saving.load_model(path).get_weights()
    model.load_weights(path)
    return model.get_weights()


# ---------------------------------------------------------------- changes


def flip_bits(content, rng):
    content = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)


def overwrite(content, rng):
    content, size = bytearray(content), rng.choice((1, 2, 4, 8, 64, 512))
    at = rng.randrange(len(content))
    filler = rng.choice((b"\0", b"\xff", None))
    content[at : at + size] = (filler * size if filler else rng.randbytes(size))[
        : len(content) - at
    ]
    return bytes(content)


def cut(content, rng):
    return content[: rng.randrange(len(content))]


def cut_out(content, rng):
    at = rng.randrange(len(content))
    return content[:at] + content[at + rng.randint(1, 64) :]


def insert(content, rng):
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.randbytes(rng.randint(1, 64)) + content[at:]


def swap_parts(content, rng):
    a, b = sorted(rng.sample(range(len(content)), 2))
    size = min(rng.randint(1, 256), b - a, len(content) - b)
    return (
        content[:a]
        + content[b : b + size]
        + content[a + size : b]
        + content[a : a + size]
        + content[b + size :]
    )


BYTES = (flip_bits, overwrite, cut, cut_out, insert, swap_parts)
ODD = (
    None,
    True,
    -1,
    0,
    2**40,
    10**30,
    1.5,
    "",
    "x",
    "__lambda__",
    [],
    [[]],
    {},
    [None, 3],
    "../../x",
    "os.system",
)


def edited_json(content, rng):
    """JSON with one value replaced, removed or doubled somewhere."""
    value = json.loads(content)
    places = []

    def walk(thing):
        for key in (
            thing
            if isinstance(thing, dict)
            else range(len(thing))
            if isinstance(thing, list)
            else ()
        ):
            places.append((thing, key))
            walk(thing[key])

    walk(value)
    where, key = rng.choice(places)
    what = rng.choice(("replace", "replace", "remove", "swap", "double"))
    if what == "replace":
        where[key] = rng.choice(ODD)
    elif what == "remove":
        del where[key]
    elif what == "swap":
        other, name = rng.choice(places)
        where[key] = json.loads(
            json.dumps(other[name] if name in other or isinstance(other, list) else None)
        )
    elif isinstance(where, list):
        where.append(where[key])
    return json.dumps(value).encode()


def edited_archive(content, rng):
    """An archive with its members changed, exchanged, renamed, removed, doubled, or its config
    edited.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    what = rng.choice(
        ("config", "config", "config", "bytes", "swap", "rename", "remove", "double", "deflate")
    )
    if what == "config":
        members = [(n, edited_json(c, rng) if n == "config.json" else c) for n, c in members]
    elif what == "bytes":
        at = rng.randrange(len(members))
        members[at] = members[at][0], rng.choice(BYTES)(members[at][1], rng)
    elif what == "swap":
        (a, x), (b, y) = rng.sample(members, 2)
        members = [(n, y if n == a else x if n == b else c) for n, c in members]
    elif what == "rename":
        at = rng.randrange(len(members))
        members[at] = (
            rng.choice(("../x", "/x", "assets/x", "model.weights.npz", "a\\b", "x" * 300)),
            members[at][1],
        )
    elif what == "remove":
        members.pop(rng.randrange(len(members)))
    elif what == "double":
        members.append(rng.choice(members))
    out = io.BytesIO()
    with zipfile.ZipFile(
        out, "w", zipfile.ZIP_DEFLATED if what == "deflate" else zipfile.ZIP_STORED
    ) as archive:
        for name, member in members:
            archive.writestr(zipfile.ZipInfo(name), member)
    return out.getvalue()


def edited_hdf5(content, rng):
    """An HDF5 file with a dataset or group replaced, removed, linked elsewhere, or an attribute
    changed.
    """
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        found = []
        file.visit(found.append)
        name = rng.choice(found)
        what = rng.choice(
            (
                "remove",
                "link",
                "soft",
                "external",
                "shape",
                "text",
                "huge",
                "group",
                "move",
                "attribute",
            )
        )
        thing = file[name]
        if what == "attribute":
            carriers = [file, *(file[n] for n in found)]
            carrier = rng.choice([c for c in carriers if len(c.attrs)])
            key = rng.choice(list(carrier.attrs))
            value = rng.choice(("x", 3, np.zeros(4), np.bytes_(b"\xff\xfe"), "delete"))
            del carrier.attrs[key]
            if isinstance(value, str) and value == "delete":
                return _closed(file, buffer)
            carrier.attrs[key] = value
            return _closed(file, buffer)
        shape = getattr(thing, "shape", (2,))
        del file[name]
        if what == "link":
            file[name] = (
                file[rng.choice([n for n in found if n in file])]
                if any(n in file for n in found)
                else file
            )
        elif what == "soft":
            file[name] = h5py.SoftLink(f"/{rng.choice(found)}")
        elif what == "external":
            file[name] = h5py.ExternalLink("/etc/passwd", "/x")
        elif what == "shape":
            file[name] = np.zeros(
                [d + rng.choice((-1, 1, 2)) if d else 1 for d in shape] or [1], "float32"
            )
        elif what == "text":
            file[name] = np.full(shape, b"abc")
        elif what == "huge":
            file.create_dataset(
                name, shape=(2**31, 16), dtype="f4", chunks=(1024, 16), compression="gzip"
            )
        elif what == "group":
            file.create_group(name)
        elif what == "move":
            file[f"{name}_moved"] = np.zeros(shape)
        return _closed(file, buffer)


def _closed(file, buffer):
    file.close()
    return buffer.getvalue()


def edited_safetensors(content, rng):
    length = int.from_bytes(content[:8], "little")
    header = edited_json(content[8 : 8 + length], rng)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


EDITS = {
    "x.keras": edited_archive,
    "x.npz": edited_archive,
    "x.h5": edited_hdf5,
    "x.weights.h5": edited_hdf5,
    "x.safetensors": edited_safetensors,
    "x.weights.json": edited_json,
}


def mutated(name, content, rng):
    """(content changed at random, what was done)."""
    edits = EDITS.get(name, edited_hdf5)
    change = edits if rng.random() < 0.4 else rng.choice(BYTES)
    return change(content, rng), change.__name__


# ---------------------------------------------------------------- the judgement


def judge(path, model, good):
    """None, or what is wrong with how a file was loaded: it must give the good weights or raise the
    one error.

    Weights that differ are all right where the file holds other ones in good order, as an edit of
    its checksum's too.
    """
    before = [w.copy() for w in model.get_weights()]
    try:
        found = load(path, model)
    except SerializationError as error:
        if str(path.name.split(".")[0]) not in str(error):
            return f"the error does not name the file: {error}"
        if any((a != b).any() for a, b in zip(before, model.get_weights())):
            return f"the model was changed by a file that was refused: {error}"
        return None
    except FileNotFoundError:
        return None if path.name.endswith(".json") else "a file that is there was not found"
    except BaseException as error:  # whatever else comes out is what this looks for
        return f"{type(error).__name__}: {error}"
    same = len(found) == len(good) and all(
        a.shape == b.shape and (a == b).all() for a, b in zip(found, good)
    )
    return None if same else "other weights"


def problems(name, first, count):
    """What goes wrong with so many mutations of a file of a format, from a number on: (number,
    change, what).
    """
    model, found = network(), []
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) ** 2 for w in model.get_weights()])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        files = write(folder, name, model)
        contents, there = [file.read_bytes() for file in files], sorted(os.listdir(folder))
        for number in range(first, first + count):
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            rng = random.Random(f"{name}/{number}")
            at = rng.randrange(len(files))
            content, change = mutated(files[at].name, contents[at], rng)
            files[at].write_bytes(content)
            wrong = judge(files[0], network(), model.get_weights())
            if wrong is None and sorted(os.listdir(folder)) != there:
                wrong = f"it wrote beside the file: {os.listdir(folder)}"
            if wrong is not None:
                found.append((number, change, wrong))
            files[at].write_bytes(contents[at])
        faulthandler.cancel_dump_traceback_later()
    return found


PATIENCE, MEMORY = 30, 3 * 2**30  # seconds and bytes for one load


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    first, count, *formats = sys.argv[1:]
    wrong = [(name, *found) for name in formats for found in problems(name, int(first), int(count))]
    print(*wrong, sep="\n")
