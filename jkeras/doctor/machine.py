"""What a bug report needs to say of a machine. Of the environment only listed variables are in it:
others may hold secrets.
"""

import platform
import shutil
from typing import Any

import jax

from jkeras.callbacks.device import unused_accelerator
from jkeras.core.session import circumstances
from jkeras.core.system.versions import installed
from jkeras.distribution.chips import chip_of
from jkeras.distribution.topology import memory_of

# beside those that compute: what a problem may come from
OTHERS = ("orbax-checkpoint", "h5py", "keras", "keras-hub", "tensorflow", "torch", "flax")
GIB = 2**30


def machine() -> dict[str, Any]:
    """Packages, devices and settings, as JSON data. Where JAX finds no device, "devices" has a
    "trouble" which says why.
    """
    found = {
        "versions": {**circumstances.versions(), **_others()},
        "system": platform.platform(),
        "disk": _free_gib(),
        "settings": circumstances.session(),
    }
    try:
        found["devices"] = {**circumstances.devices(), **_of_device(jax.local_devices()[0])}
        found["unused"] = unused_accelerator()
    except RuntimeError as error:  # of a driver, or a platform that is not there
        found["devices"] = {"trouble": in_a_line(error)}
        found["unused"] = None
    return found


def in_a_line(error: BaseException) -> str:
    """What an error is, for a line of the report.

    >>> in_a_line(ValueError("no such thing\\nas that"))
    'ValueError: no such thing'
    """
    return f"{type(error).__name__}: {error}".partition("\n")[0][:300]


def _others() -> dict[str, str]:
    """The versions of packages that are installed; none of them is imported."""
    found = {name: installed(name) for name in OTHERS}
    return {name: version for name, version in found.items() if version is not None}


def _of_device(device: jax.Device) -> dict[str, Any]:
    """The memory of a device, and the chip that it is; None: not known."""
    memory, chip = memory_of(device), chip_of(device)
    return {
        "memory_gib": None if memory is None else round(memory / GIB, 2),
        "chip": None if chip is None else chip.name,
    }


def _free_gib() -> float | None:
    """What the folder that the command runs in has free."""
    try:
        return round(shutil.disk_usage(".").free / GIB, 1)
    except OSError:
        return None
