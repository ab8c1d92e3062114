"""Flags with which XLA compiles in less than half the time, without what makes the result fast."""

import functools
import os
import subprocess
import sys

QUICK = [
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    # until JAX 0.10. Later ones write each kernel of a program in an MLIR context and an LLVM
    # module of its own, which takes two to four times as long: fewer kernels are what helps there
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
]
# eight devices of two busy cores may wait for each other longer than the 40 seconds of XLA
PATIENT = "--xla_cpu_collective_call_terminate_timeout_seconds=300"


def quick_flags():
    """The value for `XLA_FLAGS`: those of the flags that this version of XLA has."""
    return " ".join(QUICK if _has(QUICK) else [flag for flag in QUICK if _has([flag])])


def flags_for(devices):
    """The value for `XLA_FLAGS` in a process with so many virtual devices: beside the flags of this
    process.
    """
    own = os.environ.get("XLA_FLAGS", "")
    return f"{own} {_patience()} --xla_force_host_platform_device_count={devices}".strip()


@functools.cache
def _patience():
    return PATIENT if _has([PATIENT]) else ""


def _has(flags):
    """Whether this version of XLA has these flags; it ends the process for one that it has not."""
    return (
        subprocess.run(
            [sys.executable, "-c", "import jax; jax.devices()"],
            env={**os.environ, "XLA_FLAGS": " ".join(flags)},
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
