"""What the program runs on, said where people see it: the first line of a notebook."""

import os
import sys

import jax

from jkeras.callbacks.device import unused_accelerator
from jkeras.core.say import console
from jkeras.core.names.registry import public
from jkeras.core.system.versions import installed
from jkeras.utils import environment

WIDTH = 100  # of the bars above and below a warning
ON_COLAB = "Runtime > Change runtime type > a GPU or TPU > Save, then Runtime > Run all."
ELSEWHERE = 'JAX sees a GPU after: pip install -U "jax[cuda12]" (NVIDIA), a TPU after "jax[tpu]".'


@public("jkeras.utils.report_devices")
def report_devices() -> None:
    """Prints which devices JAX found, and warns, with what to do, of what is wrong: it is only the
    CPU although there is, or may be had, an accelerator; the runtime has a TPU, of Colab or Kaggle,
    and JAX sees nothing or a part of it; Python or JAX are too old; packages do not go together, or
    have been installed anew since the session began.

    The devices go to standard output, warnings to standard error, which notebooks show in red.
    Nothing is raised, and nothing installed.

    Returns:
        None.

    >>> report_devices()  # doctest: +ELLIPSIS
    JAX ... on ...
    """
    devices, reason = _found()
    console.say(f"JAX {jax.__version__}{_libtpu(devices)} on {described(devices, reason)}")
    told = environment.troubles(devices, reason)
    for trouble in told:
        _warn(trouble.what, trouble.advice)
    if told or not devices or devices[0].platform != "cpu":
        return
    begin = "NO ACCELERATOR: all of this runs on the CPU,"
    if "COLAB_RELEASE_TAG" in os.environ:
        _warn(f"{begin} many times slower than on a GPU or TPU.", ON_COLAB)
    elif reason := unused_accelerator():
        _warn(f"{begin} although {reason}.", ELSEWHERE)


def _found() -> tuple[list, str]:
    """The devices; none, and why, where JAX does not start on the platform that it was set to."""
    try:
        return jax.devices(), ""
    except RuntimeError as error:
        return [], str(error).partition("\n")[0].rstrip(".")


def _libtpu(devices: list) -> str:
    """The version of what drives TPUs, where there is one."""
    version = installed("libtpu")
    if version is None or not environment.is_tpu(devices):
        return ""
    return f" with libtpu {version}"


def _warn(what: str, advice: str) -> None:
    bar = "!" * WIDTH
    print(f"{bar}\n  {what}\n  {advice}\n{bar}", file=sys.stderr)


def described(devices: list, reason: str) -> str:
    """Devices in words: how many of which kind, and how much memory each has, where it says so; why
    there are none.
    """
    if not devices:
        return f"no device: {reason}"
    device = devices[0]
    memory = (device.memory_stats() or {}).get("bytes_limit")
    text = f"{len(devices)} x {device.device_kind}"
    if memory:
        return f"{text}, {memory / 2**30:.0f} GiB each"
    return text
