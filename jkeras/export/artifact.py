"""The file of an export: a zip archive, as numpy's `.npz`, of programs, the weights they take, and
a list of both.

contents.json   {"format", "jax", "endpoints": {name: {"program": member, "weights": [numbers]}},
                 "weights": [{"name", "dtype"}], "collections": {name: [numbers]}}
programs/0, …   `jax.export.Exported`, serialized: functions of a list of weights and the arguments
weights/0.npy, … arrays, each of them once; `.view(dtype)` where numpy does not have the dtype
"""

import itertools
import json
import os
import re
import typing
import zipfile
from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from jkeras.core.weights.by_variable import ByVariable, unique
from jkeras.core.errors import SerializationError
from jkeras.core.say.extras import install_line
from jkeras.core.weights.variable import Variable, values_of
from jkeras.saving import npz, safe_json
from jkeras.saving.safe_zip import SafeZip
from jkeras.saving.types import BinaryFile

if typing.TYPE_CHECKING:
    from jax.export import Exported
    from jkeras.export.lowering import Program

FORMAT = "jkeras.export 1"
CONTENTS = "contents.json"
WHEN = (1980, 1, 1, 0, 0, 0)
LARGEST_PROGRAM = 2**31  # bytes, what its own format can hold

# What XLA may be asked to call: algebra, random numbers and top-k of JAX's own. Kernels of a user's
# own, and calls back into Python, whose address the file would give, are not among them.
CALLS = re.compile(
    r"(lapack|cusolver|cusparse|hipsolver)_\w+|"
    r"(cu|hip)_(threefry2x32_ffi|lu_pivots_to_permutation)|"
    r"stablehlo\.dynamic_\w+|shape_assertion|Sharding|SPMDFullToShardShape|SPMDShardToFullShape|"
    r"annotate_device_placement|AllocateBuffer|ApproxTopK|Eigh|Qr|LuDecomposition|"
    r"ProductOfElementaryHouseholderReflectors"
)


def check_library() -> None:
    """Raises ImportError where `jax.export` lacks what it writes and reads programs with."""
    try:
        import flatbuffers  # noqa: F401
    except ImportError:
        raise ImportError(
            "Exported programs are written and read by `jax.export` with the package flatbuffers: "
            f"`{install_line('export')}`."
        ) from None


class Contents(typing.NamedTuple):
    """What `read` gives.

    Attributes:
        programs: {endpoint: (`jax.export.Exported`, its weights)}.
        collections: {name: {name of a weight: array}}.
    """

    programs: dict
    collections: dict


def write(
    path: str | os.PathLike,
    programs: "dict[str, Program]",
    tracked: list[Variable],
    collections: Mapping[str, list[Variable]],
) -> None:
    """Writes an archive.

    Args:
        programs: {endpoint: `lowering.Program`}.
        tracked: variables that are written also where no program takes them.
        collections: {name: list of variables}.
    """
    groups = [program.variables for program in programs.values()]
    groups += [tracked, *collections.values()]
    variables = unique(itertools.chain(*groups))
    values = values_of(variables)
    numbers = ByVariable(zip(variables, itertools.count()))
    endpoints = {
        name: {
            "program": f"programs/{i}",
            "weights": numbers.of(program.variables),
        }
        for i, (name, program) in enumerate(programs.items())
    }
    contents = {
        "format": FORMAT,
        "jax": jax.__version__,
        "endpoints": endpoints,
        "weights": [
            {"name": v.path, "dtype": value.dtype.name} for v, value in zip(variables, values)
        ],
        "collections": {name: numbers.of(group) for name, group in collections.items()},
    }
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        archive.writestr(zipfile.ZipInfo(CONTENTS, WHEN), json.dumps(contents))
        for name, program in programs.items():
            member = zipfile.ZipInfo(endpoints[name]["program"], WHEN)
            archive.writestr(member, bytes(program.exported.serialize()))
        for i, value in enumerate(values):
            npz.put(archive, f"weights/{i}", np.asarray(value))


def read(file: BinaryFile, safe_mode: bool) -> Contents:
    """The `Contents` of an open archive, weights on the device.

    Raises:
        SerializationError: it is damaged, something else, or calls what is not allowed.
    """
    with SafeZip(file) as archive:
        return _read(archive, safe_mode)


def _read(archive: SafeZip, safe_mode: bool) -> Contents:
    if CONTENTS not in archive.members:
        raise SerializationError(f"it is no export of jkeras: it has no {CONTENTS}.")
    contents = safe_json.loads(archive.read(CONTENTS, safe_json.LONGEST), f"its {CONTENTS}")
    _check(contents, set(archive.members))
    names = [entry["name"] for entry in contents["weights"]]
    dtypes = [entry["dtype"] for entry in contents["weights"]]
    arrays = [_weight(archive, i, dtype) for i, dtype in enumerate(dtypes)]
    programs = {}
    for name, entry in contents["endpoints"].items():
        exported = _program(archive, entry["program"], safe_mode)
        programs[name] = (exported, [arrays[i] for i in entry["weights"]])
    for name, (exported, weights) in programs.items():
        _check_weights(name, exported, weights)
    collections = {
        name: {names[i]: arrays[i] for i in group}
        for name, group in contents["collections"].items()
    }
    return Contents(programs, collections)


def _check(contents: typing.Any, members: Iterable[str]) -> None:
    """Raises where the list is not of the form above, or names other members than there are."""
    declared = contents
    if isinstance(contents, dict):
        declared = contents.get("format")
    if not isinstance(contents, dict) or declared != FORMAT:
        raise SerializationError(
            f"it is no export that this version of jkeras reads: its format is {declared!r:.80}, "
            f"expected {FORMAT!r}."
        )
    if not _is_complete(contents):
        raise SerializationError(
            f"its {CONTENTS} does not list endpoints, weights and collections."
        )
    expected = {CONTENTS, *(e["program"] for e in contents["endpoints"].values())}
    expected |= {f"weights/{i}.npy" for i in range(len(contents["weights"]))}
    if members != expected:
        raise SerializationError(
            f"its members are not those that its {CONTENTS} lists: "
            f"{sorted(members ^ expected)[:5]} are missing or too many."
        )


def _is_complete(contents: typing.Any) -> bool:
    """Whether a list has endpoints, weights and collections of the form above."""
    weights = contents.get("weights")
    endpoints = contents.get("endpoints")
    collections = contents.get("collections")
    if not isinstance(weights, list) or not all(map(_is_weight, weights)):
        return False
    if not isinstance(endpoints, dict) or not isinstance(collections, dict):
        return False
    numbers = range(len(weights))
    return (
        len(endpoints) > 0
        and all(_is_endpoint(endpoint, numbers) for endpoint in endpoints.values())
        and all(_are_among(numbers, group) for group in collections.values())
    )


def _is_weight(entry: typing.Any) -> bool:
    if not isinstance(entry, dict):
        return False
    return isinstance(entry.get("name"), str) and isinstance(entry.get("dtype"), str)


def _is_endpoint(entry: typing.Any, numbers: range) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("program"), str):
        return False
    return _are_among(numbers, entry.get("weights"))


def _are_among(numbers: range, values: typing.Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and v in numbers for v in values)


def _weight(archive: SafeZip, number: int, dtype: str) -> jax.Array:
    """A weight, on the device."""
    member = f"weights/{number}.npy"
    value = npz.stored(archive, member, dtype).read(None)
    if value.dtype.name != dtype:
        raise SerializationError(
            f"the member '{member}' has the dtype {value.dtype}; {dtype!r:.40} is listed for it."
        )
    return jnp.array(value)


def _program(archive: SafeZip, name: str, safe_mode: bool) -> "Exported":
    """A program, which calls nothing that is not allowed."""
    exported = export.deserialize(bytearray(archive.read(name, LARGEST_PROGRAM)))
    if safe_mode:
        calls = calls_of(exported.mlir_module())
        forbidden = sorted(call for call in calls if not CALLS.fullmatch(call))
        if forbidden:
            raise SerializationError(
                f"its program calls {', '.join(forbidden)[:200]}, code outside of the file. If "
                "you trust it as you trust a program, load it with `safe_mode=False`."
            )
    return exported


def calls_of(program: str) -> set[str]:
    """The names of what a program's text calls outside of itself, in both of MLIR's forms.

    >>> sorted(calls_of('%1 = stablehlo.custom_call @Qr(%0) "stablehlo.custom_call"(%1) '
    ...                 '<{call_target_name = "Eigh"}>'))
    ['Eigh', 'Qr']
    """
    short = re.findall(r'\bcustom_call\s+@"?([^\s"(]+)', program)
    generic = re.findall(r'\bcall_target_name\s*=\s*"((?:[^"\\]|\\.)*)"', program)
    calls = {*short, *generic}
    if len(re.findall(r"\bcustom_call\b", program)) != len(short) + len(generic):
        calls.add("a function whose name cannot be read")
    return calls


def _check_weights(name: str, exported: "Exported", weights: list[jax.Array]) -> None:
    """Raises where a program does not take the weights that are listed for it, and then
    arguments.
    """
    leaves = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in exported.in_avals]
    (taken, *_), named = jax.tree_util.tree_unflatten(exported.in_tree, leaves)
    expected = [(tuple(w.shape), w.dtype) for w in taken]
    if named or type(taken) is not list or expected != [(w.shape, w.dtype) for w in weights]:
        raise SerializationError(
            f"the program of the endpoint '{name}' takes other weights than those listed for it."
        )
