"""Every script of examples/ runs and reaches what it promises."""

import importlib.util
import pathlib

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def load(name):
    """The module of an example, read from its file."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_has_a_test():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested


def test_digits_quickstart(capsys):
    accuracy = load("digits_quickstart").main()
    assert accuracy >= 0.98
    assert capsys.readouterr().out.splitlines()[-1] == f"test accuracy: {accuracy:.4f}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_digits_quickstart_with_other_seeds(seed):
    assert load("digits_quickstart").main(seed=seed) >= 0.98


def test_functional_multi_io():
    accuracies = load("functional_multi_io").main(epochs=8)
    assert accuracies["digit"] > 0.93 and accuracies["even"] > 0.9


def test_subclass_custom_layer():
    accuracy, pure = load("subclass_custom_layer").main(epochs=5)
    assert accuracy > 0.93
    assert abs(pure - accuracy) < 1e-6


def test_custom_train_step():
    assert min(load("custom_train_step").main(epochs=6)) > 0.93


def test_pure_research():
    accuracies, norms, (before, after) = load("pure_research").main(members=4, ensemble_steps=150, maml_steps=400)
    assert accuracies.shape == (4,) and accuracies.max() > 0.93
    assert accuracies.min() < accuracies.max()  # the smallest learning rate is too small
    assert norms.shape == (32,) and np.ptp(norms) > 0
    assert after < 0.8 * before
