"""Metrics by quantus: that what it is handed is the model, and its figures those of captum's
attributions.
"""

import copy

import numpy as np
import pytest

from jkeras import explain
from jkeras.kernel import tree
from tests.explain.oracle import TARGETS, X, close, in_torch, network

torch = pytest.importorskip("torch")
FIRST = np.moveaxis(X, -1, 1)  # channels first


def test_the_module_is_the_model():
    module = explain.quantus_model(network(), X)
    with torch.no_grad():
        close(module(torch.tensor(FIRST)).numpy(), network().predict(X, verbose=0), 1e-6)
    assert [name for name, _ in module.named_children()] == ["first", "conv", "hidden", "out"]
    assert len(module.state_dict()) == 8


@pytest.mark.promise("It takes a module of torch and a function")
def test_attributions_are_those_of_its_weights():
    module = explain.quantus_model(network(), X)
    function = explain.quantus_function(explain.deep_lift, baseline=0.5)
    wanted = explain.deep_lift(network(), X, TARGETS, baseline=0.5)
    close(function(module, FIRST, TARGETS, device="cpu"), np.moveaxis(wanted, -1, 1), 1e-6)
    maps = explain.quantus_function(explain.grad_cam, at="conv")(module, FIRST, TARGETS)
    assert maps.shape == (5, 1, 4, 4)
    other = copy.deepcopy(module)
    torch.manual_seed(1)
    with torch.no_grad():
        other.get_submodule("out").reset_parameters()
    found, before = dict(tree.flatten(other.values())), dict(tree.flatten(network().params))
    for path, value in found.items():
        assert np.array_equal(value, before[path]) == ("out" not in path), path
    assert np.abs(function(other, FIRST, TARGETS) - np.moveaxis(wanted, -1, 1)).max() > 0.01
    close(function(module, FIRST, TARGETS), np.moveaxis(wanted, -1, 1), 1e-6)  # as it was


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="a layer or model"):
        explain.quantus_model(lambda x: x, X)
    with pytest.raises(ValueError, match=r"a model by `explain\.quantus_model`"):
        explain.quantus_function(explain.saliency)(torch.nn.Linear(2, 2), FIRST, TARGETS)


@pytest.mark.promise("Of the network above and of one of MNIST")
@pytest.mark.filterwarnings("ignore")
def test_figures_of_quantus_as_of_captums_attributions():
    quantus = pytest.importorskip("quantus")
    attr = pytest.importorskip("captum.attr")

    def by_captum(model, inputs, targets, **_):
        inputs, targets = torch.tensor(inputs, requires_grad=True), torch.tensor(targets)
        return attr.InputXGradient(in_torch()).attribute(inputs, target=targets).detach().numpy()

    function = explain.quantus_function(explain.input_x_gradient)
    options = {"subset_size": 16, "nr_runs": 20, "return_aggregate": False}

    def scores(metric, explain_func):
        np.random.seed(0)
        module = explain.quantus_model(network(), X)
        given = {"a_batch": None, "explain_func": explain_func, "channel_first": True}
        return np.array(metric(module, FIRST, TARGETS, **given))

    for metric in (quantus.FaithfulnessCorrelation(**options), quantus.Sparseness()):
        close(scores(metric, function), scores(metric, by_captum), 1e-3)
    randomized = quantus.MPRT(return_last_correlation=True)
    assert np.abs(scores(randomized, function)).max() < 1
