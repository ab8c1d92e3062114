"""What compilers say of programs for devices that are not here, kept in the folder of compiled
programs where there is one: JAX caches nothing of such devices.
"""

import contextlib
import gzip
import hashlib
import json
import os
import re
import typing
from typing import Any

import jax

from jkeras.core.errors import explain
from jkeras.training.loop.memory import Estimate, estimate

REFUSED = re.compile(r"\(([\d.]+)([KMGT]?)\) exceeds available \w+ \(([\d.]+)([KMGT]?)\)")
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
# without a GPU to measure them on, the compiler finds no tiles for some small products
OPTIONS = {"gpu": {"xla_gpu_enable_triton_gemm": False}}
FLAGS = ("XLA_FLAGS", "LIBTPU_INIT_ARGS")  # of the environment


class Compiled(typing.NamedTuple):
    """What a compiler says of a program: its sizes and its text."""

    arguments: int
    temporary: int
    results: int
    code: int
    text: str


class Refused(typing.NamedTuple):
    """That a program does not fit: the bytes that it needs, and those that there are."""

    needed: int
    available: int


def compiled_for(lowered: Any, devices: list[jax.Device]) -> Compiled | Refused:
    """What the compiler of devices says of a program, now or in an earlier process.

    Raises:
        jax.errors.JaxRuntimeError: the compiler refuses it for another reason than its memory.
        RuntimeError: it does not say how much memory a program takes.
    """
    path = _path(lowered, devices)
    found = None if path is None else _read(path)
    if found is not None:
        return found
    found = _compiled(lowered, devices)
    if path is not None:
        _write(path, found)
    return found


def _compiled(lowered: Any, devices: list[jax.Device]) -> Compiled | Refused:
    try:
        compiled = lowered.compile(compiler_options=OPTIONS.get(devices[0].platform))
    except jax.errors.JaxRuntimeError as error:
        return _sizes_of(error)
    sizes: Estimate | None = estimate(compiled)
    if sizes is None:
        received = f"none from the compiler for {devices[0].device_kind}"
        raise RuntimeError(explain("plan", "an estimate of memory", received))
    sizes = sizes._replace(results=max(sizes.results, 0))
    return Compiled(*sizes, compiled.as_text())


def _sizes_of(error: Exception) -> Refused:
    """What a compiler that refused a program says of its memory."""
    found = REFUSED.search(str(error))
    if found is None:
        raise error
    size, unit, most, of_most = found.groups()
    return Refused(int(float(size) * UNITS[unit]), int(float(most) * UNITS[of_most]))


# ---------------------------------------------------------------- the folder


def _path(lowered: Any, devices: list[jax.Device]) -> str | None:
    """Where an answer lies; None where none is kept: there is no folder, or the devices are here,
    and JAX keeps the program itself.
    """
    folder = jax.config.jax_compilation_cache_dir
    if not folder or "://" in folder or devices[0] in jax.devices():
        return None
    client = getattr(devices[0], "client", None)
    parts = [
        lowered.as_text(),
        repr(devices),
        devices[0].device_kind,
        jax.__version__,
        str(getattr(client, "platform_version", "")),
        *(os.environ.get(name, "") for name in FLAGS),
    ]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return os.path.join(folder, f"jkeras-plan-{key}.json.gz")


def _read(path: str) -> Compiled | Refused | None:
    """An answer; None where there is none that can be read."""
    try:
        with gzip.open(path, "rt") as file:
            said = json.load(file)
        kind = Compiled if "text" in said else Refused
        return kind(**said)
    except (OSError, EOFError, ValueError, TypeError):
        return None


def _write(path: str, said: Compiled | Refused) -> None:
    """Writes an answer whole, or not at all."""
    part = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with gzip.open(part, "wt", compresslevel=3) as file:
            json.dump(said._asdict(), file)
        os.replace(part, path)
    except OSError:  # a full disk, a folder that is for reading: the answer is there all the same
        with contextlib.suppress(OSError):
            os.remove(part)
