"""A small network of jkeras and the same in torch, for captum."""

import functools

import numpy as np
import pytest

import jkeras
from jkeras import layers

X = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype("float32")
TARGETS = np.array([3, 1, 4, 1, 5])


@functools.cache
def network(pooled=True):
    """Convolutions, pooling and two dense layers with relu, of fixed random weights.

    Args:
        pooled: False leaves pooling out; "first" pools before relu, since pooling sends gradients
            to the one or the other of equal values, such as the zeros of relu.
    """
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.Conv2D(6, 3, name="conv"),
            *([layers.MaxPooling2D(name="pool")] if pooled == "first" else []),
            layers.ReLU(name="relu"),
            *([layers.MaxPooling2D(name="pool")] if pooled is True else []),
            layers.Flatten(name="flat"),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(10, name="out"),
        ]
    )
    random = np.random.default_rng(1)
    for name in ("first", "conv", "hidden", "out"):  # biases that are not zero
        layer = model.get_layer(name)
        layer.bias.assign(0.1 * random.normal(size=layer.bias.shape))
    return model


@functools.cache
def in_torch(pooled=True):
    """The same network in torch."""
    torch = pytest.importorskip("torch")
    model = network(pooled)

    def filled(module, layer, kernel):
        module.weight.data = torch.tensor(np.ascontiguousarray(kernel))
        module.bias.data = torch.tensor(np.array(layer.bias.numpy()))
        return module

    def convolution(name, inputs, outputs):
        layer = model.get_layer(name)
        kernel = layer.kernel.numpy().transpose(3, 2, 0, 1)
        return filled(torch.nn.Conv2d(inputs, outputs, 3), layer, kernel)

    hidden, out = model.get_layer("hidden"), model.get_layer("out")
    side = 2 if pooled else 4
    # torch flattens channels first
    kernel = hidden.kernel.numpy().reshape(side, side, 6, 16).transpose(3, 2, 0, 1).reshape(16, -1)
    network_ = torch.nn.Sequential(
        convolution("first", 1, 4),
        torch.nn.ReLU(),
        convolution("conv", 4, 6),
        *([torch.nn.MaxPool2d(2)] if pooled == "first" else []),
        torch.nn.ReLU(),
        *([torch.nn.MaxPool2d(2)] if pooled is True else []),
        torch.nn.Flatten(),
        filled(torch.nn.Linear(6 * side**2, 16), hidden, kernel),
        torch.nn.ReLU(),
        filled(torch.nn.Linear(16, 10), out, out.kernel.numpy().T),
    )
    return network_.eval()


def tensor(x):
    """Images as torch has them."""
    torch = pytest.importorskip("torch")
    return torch.tensor(np.moveaxis(np.asarray(x), -1, 1).copy(), requires_grad=True)


def images(tensor):
    """Images as jkeras has them."""
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def close(ours, wanted, tolerance):
    """Fails where the largest difference is more than a share of the largest value."""
    wanted = np.asarray(wanted)
    assert ours.shape == wanted.shape
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())
