"""What a run's numbers depend on beside model and data: versions, devices, settings, the program.

Of the environment only the variables listed here are recorded: others may hold secrets.
"""

import enum
import hashlib
import itertools
import os
import platform
import sys
from typing import Any

import jax

from jkeras.core.system import checkout
from jkeras.core.system.versions import installed
from jkeras.core.weights.policy import dtype_policy
from jkeras.core.session.settings import settings

PACKAGES = ("jkeras", "jax", "jaxlib", "numpy", "optax", "ml_dtypes")
PLUGINS = ("jax-cuda12-plugin", "jax-cuda13-plugin", "jax-rocm7-plugin", "libtpu")
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH",
    "LIBTPU_INIT_ARGS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "PYTHONHASHSEED",
    "XLA_FLAGS",
)
JAX_SETTINGS = (
    "jax_debug_nans",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_disable_jit",
    "jax_enable_x64",
    "jax_numpy_dtype_promotion",
    "jax_threefry_partitionable",
)


def versions() -> dict[str, str | None]:
    """Of Python and the packages that compute; None: unknown."""
    found = {name: _version(name) for name in (*PACKAGES, *PLUGINS)}
    known = {name: version for name, version in found.items() if version or name in PACKAGES}
    return {"python": platform.python_version(), **known}


def _version(package: str) -> str | None:
    # a checkout on the path is not installed
    return installed(package) or getattr(sys.modules.get(package), "__version__", None)


def devices() -> dict[str, Any]:
    """What JAX computes on."""
    kinds = [device.device_kind for device in jax.devices()]
    return {
        "platform": jax.default_backend(),
        "kinds": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "processes": jax.process_count(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }


def session() -> dict[str, Any]:
    """The settings of the environment, of JAX and of jkeras."""
    return {
        **{name: os.environ[name] for name in VARIABLES if name in os.environ},
        **{name: _plain(getattr(jax.config, name)) for name in JAX_SETTINGS},
        "keras_version": settings.keras_version,
        "floatx": settings.floatx,
        "dtype_policy": dtype_policy().name,
        "image_data_format": settings.image_data_format,
        "distribution": type(settings.distribution).__name__,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def program() -> dict[str, Any]:
    """The program that runs: how it was called, its file, its commit."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    spec = getattr(main, "__spec__", None)
    script = None if file is None else os.path.abspath(file)
    return {
        "python": sys.executable,
        "launcher": launcher(sys.orig_argv),
        "script": script,
        "sha256": None if script is None or not os.path.isfile(script) else hash_of_file(script),
        "module": None if spec is None else spec.name,
        "arguments": sys.argv[1:],
        "folder": os.getcwd(),
        "git": checkout.describe(os.path.dirname(script) if script else os.getcwd()),
    }


def hash_of_file(path: str | os.PathLike) -> str:
    """SHA-256 of what is in a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def launcher(command: list[str]) -> list[str] | None:
    """How a program was started, from the command line of its process: [] by Python itself, ["run"]
    or ["run", "--keras2"] by a command of jkeras; None: otherwise.

    >>> launcher(["python", "train.py"]), launcher(["python", "-m", "jkeras", "run", "train.py"])
    ([], ['run'])
    """
    words = iter(command[1:])
    for word in words:
        if word == "-m":
            return _of_module(*itertools.islice(words, 3))
        if word == "-c":
            return None
        if word in ("-W", "-X"):
            next(words)  # what belongs to it
        elif not word.startswith("-"):
            return []
    return None


def _of_module(name: str = "", command: str = "", option: str = "") -> list[str] | None:
    """How a program was started by `python -m name command option`."""
    if name != "jkeras" or command == "examples":
        return []
    if command != "run" or option in ("-m", "--private"):
        return None
    return [command, option] if option == "--keras2" else [command]
