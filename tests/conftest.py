"""What every test shares: the backend of Keras, one compilation cache for all workers, clean sessions."""

import os
import pathlib
import tempfile

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
CACHE = pathlib.Path(os.environ.setdefault("JAX_COMPILATION_CACHE_DIR",
                                           os.path.join(tempfile.gettempdir(), "jkeras-test-jax-cache")))
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
CACHE.mkdir(parents=True, exist_ok=True)

import keras
import pytest

import jkeras


def pytest_configure(config):
    """Warnings are errors here, apart from those that the oracle causes itself."""
    for line in (r"ignore:__array__ implementation doesn't accept a copy:DeprecationWarning",
                 "ignore::UserWarning:keras"):
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(autouse=True)
def clean_session():
    """Automatic names start again and both libraries are seeded alike before each test."""
    for library in (jkeras, keras):
        library.utils.clear_session(free_memory=False)
        library.utils.set_random_seed(7)
        library.config.disable_interactive_logging()
        library.config.set_dtype_policy("float32")
