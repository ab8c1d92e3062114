"""A seed holds for libraries that a program imports after it, as under Keras."""

import importlib
import importlib.util
import random
import sys

import numpy as np
import pytest

import jkeras


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A TensorFlow that notes its seeds, and is not imported yet."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(
        "import types\n"
        "is_symbolic_tensor, seeds = None, []\n"
        "random = types.SimpleNamespace(set_seed=seeds.append)\n"
    )
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorflow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield
    sys.modules.pop("tensorflow", None)


@pytest.mark.promise("TensorFlow's seed holds")
def test_tensorflow_that_is_imported_later_is_seeded(stand_in):
    jkeras.utils.set_random_seed(3)
    jkeras.utils.set_random_seed(4)
    assert importlib.util.find_spec("tensorflow") is not None  # which imports nothing
    assert "tensorflow" not in sys.modules
    tensorflow = importlib.import_module("tensorflow")
    assert tensorflow.seeds == [4]
    jkeras.utils.set_random_seed(5)
    assert tensorflow.seeds == [4, 5]


def test_a_library_that_draws_when_it_is_imported_does_not_after_the_seed(monkeypatch):
    """rich, which scikit-learn imports, and Keras before it."""
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    before = random.getstate()
    importlib.import_module("rich.style")
    assert random.getstate() != before  # else there is nothing to test
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)

    jkeras.utils.set_random_seed(3)
    before = random.getstate()
    importlib.import_module("rich.default_styles")
    assert random.getstate() == before


@pytest.mark.promise("An optimizer that a second model is compiled with")
def test_momentums_are_of_one_model():
    def history(optimizer):
        jkeras.utils.set_random_seed(3)
        model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
        model.compile(optimizer, "mse")
        x = np.ones((4, 2), "float32")
        return model.fit(x, x[:, :1], epochs=3, verbose=0).history["loss"]

    optimizer = jkeras.optimizers.SGD(0.01, momentum=0.9)
    assert history(optimizer) == history(optimizer)
