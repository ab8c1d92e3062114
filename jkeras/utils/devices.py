"""What the program runs on, said where people see it: the first line of a notebook."""

import os
import sys

import jax

from jkeras.core.say import console
from jkeras.core.names.registry import public

WIDTH = 100  # of the bars above and below a warning
ON_COLAB = "Runtime > Change runtime type > a GPU or TPU > Save, then Runtime > Run all."
ELSEWHERE = (
    'Is there one in this machine? JAX sees it after: pip install "jax[cuda12]" (NVIDIA) or '
    '"jax[tpu]".'
)


@public("jkeras.utils.report_devices")
def report_devices() -> None:
    """Prints which devices JAX found; where that is only the CPU, a warning that is seen
    and what to do.

    The devices go to standard output, the warning to standard error, which notebooks show in red.

    >>> report_devices()  # doctest: +ELLIPSIS
    JAX ... on ...
    """
    devices = jax.devices()
    console.say(f"JAX {jax.__version__} on {described(devices)}")
    if devices[0].platform == "cpu":
        advice = ON_COLAB if "COLAB_RELEASE_TAG" in os.environ else ELSEWHERE
        bar = "!" * WIDTH
        print(
            f"{bar}\n  NO ACCELERATOR: all of this runs on the CPU, many times slower than on a "
            f"GPU or TPU.\n  {advice}\n{bar}",
            file=sys.stderr,
        )


def described(devices: list) -> str:
    """Devices in words: how many of which kind, and how much memory each has, where it says so."""
    device = devices[0]
    memory = (device.memory_stats() or {}).get("bytes_limit")
    text = f"{len(devices)} x {device.device_kind}"
    if memory:
        return f"{text}, {memory / 2**30:.0f} GiB each"
    return text
