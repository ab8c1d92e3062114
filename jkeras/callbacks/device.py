"""Whether a training runs on the CPU where another device could be expected."""

import importlib.metadata
import os

import jax

DEVICE_FILES = {"/dev/nvidia0": "an NVIDIA GPU", "/dev/kfd": "an AMD GPU", "/dev/accel0": "a TPU"}


def unused_accelerator() -> str | None:
    """Why another device than the CPU could be expected, in words; None where JAX uses one, or was
    set to use the CPU.
    """
    if jax.default_backend() != "cpu" or jax.config.jax_platforms == "cpu":
        return None
    plugins = {entry.name for entry in importlib.metadata.entry_points(group="jax_plugins")}
    if plugins:
        return f"JAX's plugin {', '.join(sorted(plugins))} is installed"
    accelerators = [what for path, what in DEVICE_FILES.items() if os.path.exists(path)]
    if accelerators:
        return f"this machine has {accelerators[0]}"
    return None
