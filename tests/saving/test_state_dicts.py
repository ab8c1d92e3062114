"""Weights of modules of PyTorch and Flax NNX: outputs are those of the modules."""

import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.saving import from_state_dict

X = np.random.default_rng(0).normal(size=(3, 8, 8, 2)).astype("float32")
T = np.random.default_rng(1).normal(size=(3, 5, 4)).astype("float32")


def image_net():
    return jkeras.Sequential(
        [
            jkeras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.BatchNormalization(epsilon=1e-5),
            layers.MaxPooling2D(),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.PReLU(shared_axes=[1, 2]),
            layers.Conv2DTranspose(3, 2, strides=2),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(5),
            layers.LayerNormalization(epsilon=1e-5),
        ]
    )


def of_torch():
    torch = pytest.importorskip("torch")
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(4),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, groups=4),
        nn.PReLU(8),
        nn.ConvTranspose2d(8, 3, 2, stride=2),
        nn.Flatten(),
        nn.Linear(48, 5),
        nn.LayerNorm(5),
    )
    module(torch.as_tensor(X.transpose(0, 3, 1, 2)))  # statistics of a batch
    return module.eval()


@pytest.mark.promise("A whole `state_dict` goes into a model")
@pytest.mark.promise("Kernels are transposed, the gates of GRUs reordered")
def test_images_of_torch():
    module, model = of_torch(), image_net()
    import torch

    from_state_dict(model, module.state_dict())
    with torch.no_grad():
        wanted = module(torch.as_tensor(X.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(model.predict(X, verbose=0), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("both", [False, True])
def test_recurrent_modules_of_torch(kind, both):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    of_kind = getattr(torch.nn, kind.replace("SimpleRNN", "RNN"))
    module = of_kind(4, 3, num_layers=2, bidirectional=both, batch_first=True)
    steps = [getattr(layers, kind)(3, return_sequences=True) for _ in range(2)]
    steps = [layers.Bidirectional(step) for step in steps] if both else steps
    model = jkeras.Sequential([jkeras.Input((5, 4)), *steps])
    from_state_dict(model, module.state_dict())
    with torch.no_grad():
        wanted = module(torch.as_tensor(T))[0].numpy()
    np.testing.assert_allclose(model.predict(T, verbose=0), wanted, rtol=1e-4, atol=1e-5)


def reader():
    tokens = jkeras.Input((5,), dtype="int32")
    x = layers.Embedding(9, 4, name="words")(tokens)
    x = x + layers.MultiHeadAttention(2, 2, name="attend")(x, x)
    return jkeras.Model(tokens, layers.Dense(2, name="head")(layers.LayerNormalization()(x)))


@pytest.mark.parametrize("order", ["same", "other"])
def test_attention_of_torch(order):
    torch = pytest.importorskip("torch")
    torch.manual_seed(2)
    words, attend = torch.nn.Embedding(9, 4), torch.nn.MultiheadAttention(4, 2, batch_first=True)
    norm, head = torch.nn.LayerNorm(4, eps=1e-3), torch.nn.Linear(4, 2)
    parts = {"words": words, "attend": attend, "norm": norm, "head": head}
    names = None
    if order == "other":
        parts = dict(reversed(parts.items()))
        names = {"head": "head", "words": "words", "attend": "attend"}  # one is left for one
    model = reader()
    from_state_dict(model, torch.nn.ModuleDict(parts).state_dict(), names)
    ids = np.arange(10).reshape(2, 5) % 9
    with torch.no_grad():
        x = words(torch.as_tensor(ids))
        wanted = head(norm(x + attend(x, x, x)[0])).numpy()
    np.testing.assert_allclose(model.predict(ids, verbose=0), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_dtypes_of_torch(dtype):
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(3, 2).to(getattr(torch, dtype))
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])
    from_state_dict(model, module.state_dict())
    wanted = module.weight.detach().float().numpy().T
    np.testing.assert_array_equal(model.get_weights()[0], wanted)


FLAT = {
    "a convolution": (lambda x: layers.Conv2D(2, 1, use_bias=False)(x), (3, 4, 5), True),
    "a sum": (lambda x: layers.Conv2D(5, 1, use_bias=False)(x) + x, (3, 4, 5), True),
    "images": (lambda x: x, (3, 4, 5), True),
    "gray ones": (lambda x: x, (3, 4, 1), True),
    "sequences": (lambda x: x, (4, 5), False),
    "features": (lambda x: layers.LSTM(3, return_sequences=True, use_bias=False)(x), (4, 5), False),
}


@pytest.mark.parametrize("flat", [layers.Flatten, lambda: layers.Reshape((-1,)), lambda: flat_op])
@pytest.mark.parametrize("name", FLAT)
def test_what_is_made_flat(name, flat):
    """A linear module's first column is that of the first number, by the order of its library."""
    before, shape, is_moved = FLAT[name]
    inputs = jkeras.Input(shape)
    x = before(inputs)
    head = layers.Dense(1, use_bias=False)
    model = jkeras.Model(inputs, head(layers.ReLU()(flat()(x))))
    size = head.kernel.shape[0]
    columns = np.arange(float(size))
    others = [(layer, layer.get_weights()) for layer in model.layers if layer.weights]
    entries = {"fc.weight": columns[None]}
    if len(others) > 1:
        kernel, *rest = others[0][1]
        names = ("weight",) if not rest else ("weight_ih_l0", "weight_hh_l0")
        arrays = [kernel.transpose(3, 2, 0, 1)] if not rest else [kernel.T, rest[0].T]
        entries = {f"a.{n}": a for n, a in zip(names, arrays)} | entries
    from_state_dict(model, entries)
    of_torch = columns.reshape(x.shape[-1], *x.shape[1:-1])
    wanted = np.moveaxis(of_torch, 0, -1).ravel() if is_moved else columns
    np.testing.assert_array_equal(head.kernel.numpy()[:, 0], wanted)


def flat_op(x):
    return jkeras.ops.reshape(x, (-1, int(np.prod(x.shape[1:]))))


@pytest.mark.promise("Weights alone of a module of NNX with the same layers go over")
def test_a_module_of_flax():
    nnx = pytest.importorskip("flax.nnx")
    keys = nnx.Rngs(0)
    parts = {
        "a": nnx.Conv(2, 4, (3, 3), rngs=keys),
        "b": nnx.BatchNorm(4, epsilon=1e-5, rngs=keys),
        "c": nnx.Linear(256, 5, rngs=keys),
    }
    state = {name: nnx.to_pure_dict(nnx.state(part)) for name, part in parts.items()}
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(epsilon=1e-5),
            layers.Flatten(),
            layers.Dense(5),
        ]
    )
    from_state_dict(model, state)
    parts["b"].eval()
    x = parts["b"](parts["a"](X)).reshape(3, -1)
    np.testing.assert_allclose(model.predict(X, verbose=0), parts["c"](x), rtol=1e-4, atol=1e-5)


def linear(units, inputs, name="fc"):
    return {f"{name}.weight": np.ones((units, inputs)), f"{name}.bias": np.zeros(units)}


@pytest.mark.promise("What fits no layer is an error that lists both")
@pytest.mark.parametrize(
    "state_dict, words",
    [
        ({}, "expected 2 modules for the layers .* received 0"),
        (linear(3, 2), "expected 2 modules"),
        (linear(3, 2) | linear(1, 4, "b"), r"expected weights of \[\(3, 1\), \(1,\)\]"),
        (linear(3, 2) | linear(1, 3, "b") | {"b.extra": np.ones(1)}, "b.*, and extra beside them"),
        (linear(3, 2) | {"b.running_mean": np.ones(1)}, "expected a module with 'weight'"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(state_dict, words):
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(3), layers.Dense(1)])
    before = model.get_weights()
    with pytest.raises(ValueError, match=words):
        from_state_dict(model, state_dict)
    for one, other in zip(model.get_weights(), before):
        np.testing.assert_array_equal(one, other)


def test_names_that_are_none():
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(3, name="a")])
    for names in ({"fc": "b"}, {"other": "a"}):
        with pytest.raises(ValueError, match="one of the modules and one of the layers each"):
            from_state_dict(model, linear(3, 2), names)


def test_layers_without_a_rule_and_order_that_is_not_known():
    model = jkeras.Sequential([jkeras.Input((4, 2)), layers.SeparableConv1D(3, 2)])
    with pytest.raises(ValueError, match="SeparableConv1D.*set its weights by"):
        from_state_dict(model, linear(3, 2))

    class Net(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.flatten, self.head = layers.Flatten(), layers.Dense(3)

        def call(self, x):
            return self.head(self.flatten(x))

    net = Net()
    net(X)
    with pytest.raises(ValueError, match="build the model as a graph"):
        from_state_dict(net, linear(3, 128))
    moved = [jkeras.Input((4, 4, 2)), layers.Permute((3, 1, 2)), layers.Flatten(), layers.Dense(3)]
    with pytest.raises(ValueError, match="one behind 'permute.*', which changes axes"):
        from_state_dict(jkeras.Sequential(moved), linear(3, 32))
    with pytest.raises(ValueError, match="built"):
        from_state_dict(jkeras.Sequential([layers.Dense(1)]), linear(1, 2))
