"""Keeps a process of tests below 2 GB and its programs on the disk, and seldom collects garbage;
for the doctests `pytest -p tests.bounded_memory`.
"""

import ctypes
import gc
import os
import pathlib

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from tests.shared_contexts import share_contexts

STATM = pathlib.Path("/proc/self/statm")
FULL = 1.5 * 2**30  # bytes


def resident_bytes():
    """The memory of this process; 0 where the system does not say."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def pytest_collection_finish():
    """What is imported stays, and looking through it and all compiled programs for garbage took a
    sixth of the time. Tests that ask for a collection get it.
    """
    share_contexts()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


@pytest.fixture(scope="module", autouse=True)
def older_things_are_frozen():
    """Keras collects garbage with each weight that it deletes, and looks through what the tests of
    this file have made alone.
    """
    gc.freeze()


def share_cache():
    """Goes back to the cache of all tests, where one has taken another cache or none: what is
    compiled after it would neither be read nor be kept.
    """
    wanted = {
        "jax_compilation_cache_dir": os.environ.get("JAX_COMPILATION_CACHE_DIR"),
        "jax_persistent_cache_min_compile_time_secs": 0,
    }
    if any(getattr(jax.config, name) != value for name, value in wanted.items()):
        for name, value in wanted.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()  # JAX looks at it once


@pytest.fixture(autouse=True)
def bounded_memory():
    """JAX keeps each program that it has compiled, those of all tests in 5 GB. They are forgotten
    when they are many, and read from the disk where they are wanted again.
    """
    share_cache()
    yield
    if resident_bytes() > FULL:
        jax.clear_caches()
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what is freed
        if give_back is not None:
            give_back(0)
