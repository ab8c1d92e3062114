"""The file of an export: a zip archive, as numpy's `.npz`, of programs, the weights they take, and
a list of both.

contents.json   {"format", "jax", "endpoints": {name: {"program": member, "weights": [numbers]}},
                 "weights": [{"name", "dtype"}], "collections": {name: [numbers]}}
programs/0, …   `jax.export.Exported`, serialized: functions of a list of weights and the arguments
weights/0.npy, … arrays, each of them once; `.view(dtype)` where numpy does not have the dtype
"""

import json
import re
import typing
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from jkeras.core.errors import SerializationError
from jkeras.core.variable import values_of
from jkeras.saving import npz, safe_json
from jkeras.saving.safe_zip import SafeZip

FORMAT = "jkeras.export 1"
CONTENTS = "contents.json"
WHEN = (1980, 1, 1, 0, 0, 0)
LARGEST_PROGRAM = 2**31  # bytes, what its own format can hold

# What XLA may be asked to call: algebra, random numbers and top-k of JAX's own. Kernels of a user's
# own, and calls back into Python, whose address the file would give, are not among them.
CALLS = re.compile(
    r"(lapack|cusolver|cusparse|hipsolver)_\w+|(cu|hip)_(threefry2x32_ffi|lu_pivots_to_permutation)|"
    r"stablehlo\.dynamic_\w+|shape_assertion|Sharding|SPMDFullToShardShape|SPMDShardToFullShape|"
    r"annotate_device_placement|AllocateBuffer|ApproxTopK|Eigh|Qr|LuDecomposition|"
    r"ProductOfElementaryHouseholderReflectors"
)


def check_library():
    """Raises ImportError where `jax.export` lacks what it writes and reads programs with."""
    try:
        import flatbuffers  # noqa: F401
    except ImportError:
        raise ImportError(
            "Exported programs are written and read by `jax.export` with the package flatbuffers: "
            "`pip install 'jkeras[export]'`."
        ) from None


class Contents(typing.NamedTuple):
    """What `read` gives.

    Attributes:
        programs: {endpoint: (`jax.export.Exported`, its weights)}.
        collections: {name: {name of a weight: array}}.
    """

    programs: dict
    collections: dict


def write(path, programs, tracked, collections):
    """Writes an archive.

    Args:
        programs: {endpoint: `lowering.Program`}.
        tracked: variables that are written also where no program takes them.
        collections: {name: list of variables}.
    """
    groups = (*(p.variables for p in programs.values()), tracked, *collections.values())
    variables = list({id(v): v for group in groups for v in group}.values())
    values, numbers = values_of(variables), {id(v): i for i, v in enumerate(variables)}
    members = {name: f"programs/{i}" for i, name in enumerate(programs)}
    contents = {
        "format": FORMAT,
        "jax": jax.__version__,
        "endpoints": {
            name: {"program": members[name], "weights": [numbers[id(v)] for v in program.variables]}
            for name, program in programs.items()
        },
        "weights": [
            {"name": v.path, "dtype": value.dtype.name} for v, value in zip(variables, values)
        ],
        "collections": {
            name: [numbers[id(v)] for v in group] for name, group in collections.items()
        },
    }
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        archive.writestr(zipfile.ZipInfo(CONTENTS, WHEN), json.dumps(contents))
        for name, program in programs.items():
            archive.writestr(
                zipfile.ZipInfo(members[name], WHEN), bytes(program.exported.serialize())
            )
        for i, value in enumerate(values):
            npz.put(archive, f"weights/{i}", np.asarray(value))


def read(file, safe_mode):
    """The `Contents` of an open archive, weights on the device.

    Raises:
        SerializationError: it is damaged, something else, or calls what is not allowed.
    """
    with SafeZip(file) as archive:
        return _read(archive, safe_mode)


def _read(archive, safe_mode):
    if CONTENTS not in archive.members:
        raise SerializationError(f"it is no export of jkeras: it has no {CONTENTS}.")
    contents = safe_json.loads(archive.read(CONTENTS, safe_json.LONGEST), f"its {CONTENTS}")
    _check(contents, set(archive.members))
    arrays = [_weight(archive, i, listed["dtype"]) for i, listed in enumerate(contents["weights"])]
    programs = {
        name: (
            _program(archive, entry["program"], safe_mode),
            [arrays[i] for i in entry["weights"]],
        )
        for name, entry in contents["endpoints"].items()
    }
    for name, (exported, weights) in programs.items():
        _check_weights(name, exported, weights)
    return Contents(
        programs,
        {
            name: {contents["weights"][i]["name"]: arrays[i] for i in group}
            for name, group in contents["collections"].items()
        },
    )


def _check(contents, members):
    """Raises where the list is not of the form above, or names other members than there are."""
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        found = contents.get("format") if isinstance(contents, dict) else contents
        raise SerializationError(
            f"it is no export that this version of jkeras reads: its format is {found!r:.80}, "
            f"expected {FORMAT!r}."
        )
    endpoints, weights, collections = (
        contents.get(k) for k in ("endpoints", "weights", "collections")
    )

    def of_numbers(v):
        return isinstance(v, list) and all(type(i) is int and 0 <= i < len(weights) for i in v)

    fits = isinstance(weights, list) and all(
        isinstance(w, dict) and isinstance(w.get("name"), str) and isinstance(w.get("dtype"), str)
        for w in weights
    )
    fits = (
        fits
        and isinstance(endpoints, dict)
        and endpoints
        and all(
            isinstance(e, dict)
            and isinstance(e.get("program"), str)
            and of_numbers(e.get("weights"))
            for e in endpoints.values()
        )
    )
    if (
        not fits
        or not isinstance(collections, dict)
        or not all(map(of_numbers, collections.values()))
    ):
        raise SerializationError(
            f"its {CONTENTS} does not list endpoints, weights and collections."
        )
    expected = {CONTENTS, *(e["program"] for e in endpoints.values())}
    expected |= {f"weights/{i}.npy" for i in range(len(weights))}
    if members != expected:
        raise SerializationError(
            f"its members are not those that its {CONTENTS} lists: "
            f"{sorted(members ^ expected)[:5]} are missing or too many."
        )


def _weight(archive, number, dtype):
    """A weight, on the device."""
    member = f"weights/{number}.npy"
    value = npz.stored(archive, member, dtype).read(None)
    if value.dtype.name != dtype:
        raise SerializationError(
            f"the member '{member}' has the dtype {value.dtype}; {dtype!r:.40} is listed for it."
        )
    return jnp.array(value)


def _program(archive, name, safe_mode):
    """A program, which calls nothing that is not allowed."""
    exported = export.deserialize(bytearray(archive.read(name, LARGEST_PROGRAM)))
    if safe_mode:
        calls = set(re.findall(r'\bcustom_call\s+@"?([^\s"(]+)', exported.mlir_module()))
        forbidden = sorted(call for call in calls if not CALLS.fullmatch(call))
        if forbidden:
            raise SerializationError(
                f"its program calls {', '.join(forbidden)[:200]}, code outside of the file. If "
                "you trust it as you trust a program, load it with `safe_mode=False`."
            )
    return exported


def _check_weights(name, exported, weights):
    """Raises where a program does not take the weights that are listed for it, and then
    arguments.
    """
    leaves = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in exported.in_avals]
    (first, *_), named = jax.tree_util.tree_unflatten(exported.in_tree, leaves)
    expected = [(tuple(w.shape), w.dtype) for w in first]
    if named or type(first) is not list or expected != [(w.shape, w.dtype) for w in weights]:
        raise SerializationError(
            f"the program of the endpoint '{name}' takes other weights than those listed for it."
        )
