"""Whether Python, JAX and its libraries agree, and JAX sees the TPU that a runtime says it has."""

import os
import re
import sys
import typing

import jax
import jaxlib

from jkeras.core.system.versions import asked, installed, meets, numbers

# at least, as pyproject.toml says
PYTHON, JAX = (3, 11), (0, 7)
RESTART = (
    "Restart the session (Colab: Runtime > Restart session, Kaggle: Run > Restart), then run all "
    "again."
)
OF_A_HOST = re.compile(r"v(?:5litepod|5e|6e)-([1-8])")  # how many devices the machine has
KAGGLE = "v5litepod-8"  # Kaggle's only TPU, where its image does not name it


class Trouble(typing.NamedTuple):
    """What is wrong, and what to do."""

    what: str
    advice: str


def troubles(devices: list, reason: str = "") -> list[Trouble]:
    """What is wrong with the environment that a program runs in; nothing is imported or installed
    for it.

    Args:
        devices: what JAX found; empty where it did not start.
        reason: what it said then.

    >>> troubles(jax.devices())
    []
    """
    found = [_python(), _jax(), _replaced(), _jaxlib(), _tpu(devices, reason), _cores(devices)]
    return [trouble for trouble in found if trouble is not None]


def said_tpu() -> str | None:
    """The TPU that the runtime says it has, such as "v5e-1", by variables of its environment; None
    where it says none.
    """
    kind = os.environ.get("TPU_ACCELERATOR_TYPE")
    if kind:
        return kind
    if os.environ.get("ISTPUVM"):
        return KAGGLE
    if os.environ.get("COLAB_TPU_1VM") == "1":
        return "of Colab"
    return None


def is_tpu(devices: list) -> bool:
    """Whether devices that JAX found are TPUs.

    >>> is_tpu(jax.devices("cpu"))
    False
    """
    return bool(devices) and devices[0].platform == "tpu"


def _python() -> Trouble | None:
    if sys.version_info[:2] >= PYTHON:
        return None
    have, least = (".".join(map(str, version[:2])) for version in (sys.version_info, PYTHON))
    return Trouble(
        f"This is Python {have}, and jkeras needs {least} or newer.",
        "Take a newer runtime (Colab: Runtime > Change runtime type > Runtime version > Latest).",
    )


def _jax() -> Trouble | None:
    if numbers(jax.__version__) >= JAX:
        return None
    least = ".".join(map(str, JAX))
    advice = f'pip install -U "jax[tpu]" on a TPU, "jax[cuda12]" on a GPU. {RESTART}'
    return Trouble(f"This is JAX {jax.__version__}, and jkeras needs {least} or newer.", advice)


def _replaced() -> Trouble | None:
    """Of a package that was installed anew after it had been imported."""
    for package, version in (("jax", jax.__version__), ("jaxlib", jaxlib.__version__)):
        now = installed(package)
        if now is not None and numbers(now) != numbers(version):
            what = f"This session runs {package} {version}, and {now} has been installed since."
            return Trouble(what, RESTART)
    return None


def _jaxlib() -> Trouble | None:
    have, wanted = installed("jaxlib"), asked("jaxlib")
    if have is None or meets(have, wanted):
        return None
    advice = f'pip install "jaxlib{wanted}". {RESTART}'
    return Trouble(f"jaxlib {have} does not go with JAX {installed('jax')}.", advice)


def _tpu(devices: list, reason: str) -> Trouble | None:
    """Of a TPU that the runtime has, and JAX does not see."""
    said = said_tpu()
    if said is None or is_tpu(devices) or jax.config.jax_platforms == "cpu":
        return None
    what = f"NO TPU: this runtime has one ({said}), and JAX does not see it"
    have, wanted = installed("libtpu"), asked("libtpu")
    install = f'pip install "jax[tpu]=={jax.__version__}"'
    if have is None:
        return Trouble(f"{what}: libtpu is not installed.", f"{install}. {RESTART}")
    what = f"{what}: {reason or 'another process may hold it'}."
    if meets(have, wanted):
        return Trouble(what, RESTART)
    # Colab and Kaggle choose another one, with which JAX works: it need not be the reason
    what = (
        f"{what} libtpu {have} is installed, JAX {jax.__version__} asks for {wanted.lstrip('=')}."
    )
    return Trouble(what, f"{RESTART} Where that does not help, before it: {install}")


def _cores(devices: list) -> Trouble | None:
    """Of a TPU of which JAX sees a part."""
    match = OF_A_HOST.fullmatch(said_tpu() or "")
    if match is None or not is_tpu(devices) or len(devices) >= int(match[1]):
        return None
    what = f"JAX sees {len(devices)} of the {match[1]} cores of this TPU ({match[0]})."
    return Trouble(what, f"Another process may hold the others. {RESTART}")
