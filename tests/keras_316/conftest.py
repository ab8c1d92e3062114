"""Keras 3.16 followed for a test."""

import pytest

import jkeras


@pytest.fixture
def keras_316():
    """Follows Keras 3.16, and 3.15 again afterwards."""
    jkeras.config.set_keras_version("3.16")
    yield
    jkeras.config.set_keras_version("3.15")
