"""What the program runs on, said where people see it: the first line of a notebook."""

import os
import sys

import jax

from jkeras.callbacks.device import unused_accelerator
from jkeras.core.say import console
from jkeras.core.names.registry import public

WIDTH = 100  # of the bars above and below a warning
ON_COLAB = "Runtime > Change runtime type > a GPU or TPU > Save, then Runtime > Run all."
ELSEWHERE = 'JAX sees a GPU after: pip install -U "jax[cuda12]" (NVIDIA), a TPU after "jax[tpu]".'


@public("jkeras.utils.report_devices")
def report_devices() -> None:
    """Prints which devices JAX found; where that is only the CPU although there is, or may be had,
    an accelerator, a warning that is seen and what to do.

    The devices go to standard output, the warning to standard error, which notebooks show in red.

    >>> report_devices()  # doctest: +ELLIPSIS
    JAX ... on ...
    """
    devices = jax.devices()
    console.say(f"JAX {jax.__version__} on {described(devices)}")
    if devices[0].platform != "cpu":
        return
    if "COLAB_RELEASE_TAG" in os.environ:
        _warn("many times slower than on a GPU or TPU.", ON_COLAB)
    elif reason := unused_accelerator():
        _warn(f"although {reason}.", ELSEWHERE)


def _warn(why: str, advice: str) -> None:
    bar = "!" * WIDTH
    text = f"{bar}\n  NO ACCELERATOR: all of this runs on the CPU, {why}\n  {advice}\n{bar}"
    print(text, file=sys.stderr)


def described(devices: list) -> str:
    """Devices in words: how many of which kind, and how much memory each has, where it says so."""
    device = devices[0]
    memory = (device.memory_stats() or {}).get("bytes_limit")
    text = f"{len(devices)} x {device.device_kind}"
    if memory:
        return f"{text}, {memory / 2**30:.0f} GiB each"
    return text
