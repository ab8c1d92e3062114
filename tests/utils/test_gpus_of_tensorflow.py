"""TensorFlow that jkeras imports for its data sets leaves the GPUs to JAX."""

import sys

import pytest

from jkeras.utils import tensorflow_data

STANDS_IN = """
import types

asked = []
config = types.SimpleNamespace(set_visible_devices=lambda *given: asked.append(given))
random = types.SimpleNamespace(set_seed=lambda seed: None)
is_symbolic_tensor = None
"""


@pytest.mark.promise("If the program has not imported TensorFlow itself, it gets no GPU")
def test_it_gets_no_gpu(tmp_path, monkeypatch):
    (tmp_path / "tensorflow.py").write_text(STANDS_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # so that the one before comes back
    monkeypatch.delitem(sys.modules, "tensorflow")
    for _ in range(2):  # once it is there, it is the program's
        assert tensorflow_data.tensorflow().asked == [([], "GPU")]
