"""Attributions beside captum, on the same network."""

import copy

import numpy as np
import pytest

import jkeras
from jkeras import explain
from tests.explain.oracle import TARGETS, X, close, images, in_torch, network, tensor

captum = pytest.importorskip("captum")
torch = pytest.importorskip("torch")
attr = pytest.importorskip("captum.attr")

# captum says that it sets hooks, and what torch needs
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{begin}:UserWarning")
    for begin in ("Setting", "Input Tensor")
]
TARGET = torch.tensor(TARGETS)
BASELINE = np.random.default_rng(2).uniform(size=(5, 8, 8, 1)).astype("float32")


def test_the_networks_are_the_same():
    close(network().predict(X, verbose=0), in_torch()(tensor(X)).detach().numpy(), 1e-6)


def test_saliency():
    wanted = attr.Saliency(in_torch()).attribute(tensor(X), target=TARGET)
    close(explain.saliency(network(), X, target=TARGETS), images(wanted), 1e-5)


def test_input_x_gradient():
    wanted = attr.InputXGradient(in_torch()).attribute(tensor(X), target=TARGET)
    close(explain.input_x_gradient(network(), X, target=TARGETS), images(wanted), 1e-5)


@pytest.mark.promise("`jkeras.explain` says why")
@pytest.mark.promise("relative differences of at most 1e-5")
@pytest.mark.parametrize("batch_size", [2, 5, 64])
@pytest.mark.parametrize("baseline", [None, 0.5, BASELINE])
def test_integrated_gradients(baseline, batch_size):
    given = 0 if baseline is None else baseline
    given = tensor(given) if isinstance(given, np.ndarray) else given
    wanted, delta = attr.IntegratedGradients(in_torch()).attribute(
        tensor(X), given, TARGET, return_convergence_delta=True, n_steps=20
    )
    ours, our_delta = explain.integrated_gradients(
        network(),
        X,
        TARGETS,
        baseline=baseline,
        steps=20,
        return_delta=True,
        batch_size=batch_size,
    )
    close(ours, images(wanted), 1e-5)
    np.testing.assert_allclose(our_delta, delta.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "ours, theirs", [("guided_backprop", "GuidedBackprop"), ("deconvnet", "Deconvolution")]
)
def test_rules_for_relu(ours, theirs):
    wanted = getattr(attr, theirs)(in_torch(False)).attribute(tensor(X), target=TARGET)
    close(getattr(explain, ours)(network(False), X, TARGETS), images(wanted), 1e-5)


def test_guided_grad_cam():
    wanted = attr.GuidedGradCam(in_torch(), in_torch()[3]).attribute(
        tensor(X), TARGET, interpolate_mode="nearest"
    )
    close(explain.guided_grad_cam(network(), X, TARGETS, at="relu"), images(wanted), 1e-4)


@pytest.mark.promise("`deep_lift`, `conductance`, `tracin`")
@pytest.mark.parametrize("baseline", [0.0, BASELINE])
def test_deep_lift(baseline):
    """Without pooling, where captum's attributions do not add up to the difference."""
    given = tensor(np.broadcast_to(np.float32(baseline), X.shape))
    wanted = attr.DeepLift(in_torch(False)).attribute(tensor(X), given, TARGET)
    ours = explain.deep_lift(network(False), X, TARGETS, baseline=baseline)
    close(ours, images(wanted), 1e-4)


def test_deep_shap():
    wanted = attr.DeepLiftShap(in_torch(False)).attribute(tensor(X), tensor(BASELINE), TARGET)
    ours = explain.deep_lift(network(False), X, TARGETS, background=BASELINE, batch_size=2)
    close(ours, images(wanted), 1e-4)


def test_smooth_grad_on_given_noise():
    noise = 0.1 * np.random.default_rng(3).normal(size=(7, *X.shape)).astype("float32")
    gradients = [
        attr.Saliency(in_torch()).attribute(tensor(X + n), target=TARGET, abs=False) for n in noise
    ]
    gradients = np.stack([images(g) for g in gradients])
    ours = explain.smooth_grad(network(), X, TARGETS, noise=noise, batch_size=3)
    close(ours, gradients.mean(0), 1e-5)
    ours = explain.smooth_grad(network(), X, TARGETS, noise=noise, statistic="variance")
    close(ours, gradients.var(0), 1e-5)


def test_gradient_shap_at_given_places():
    random = np.random.default_rng(4)
    numbers, places = random.integers(0, 5, (6, 5)), random.uniform(size=(6, 5)).astype("float32")
    wanted = np.zeros(X.shape, "float32")
    for chosen, place in zip(numbers, places):
        line = X - BASELINE[chosen]
        point = BASELINE[chosen] + place[:, None, None, None] * line
        gradient = attr.Saliency(in_torch()).attribute(tensor(point), target=TARGET, abs=False)
        wanted += line * images(gradient) / 6
    ours = explain.gradient_shap(
        network(), X, TARGETS, baseline=BASELINE, places=(numbers, places), batch_size=7
    )
    close(ours, wanted, 1e-5)


@pytest.mark.parametrize("at, place", [("conv", 2), ("relu", 3), ("first", 1)])
def test_grad_cam(at, place):
    layer = in_torch()[place]
    method = attr.LayerGradCam(in_torch(), layer)
    wanted = method.attribute(tensor(X), TARGET, relu_attributions=True)
    ours = explain.grad_cam(network(), X, TARGETS, at=at)
    close(ours, wanted.detach().numpy()[:, 0], 1e-5)


def test_grad_cam_plus_plus():
    package = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    with package.GradCAMPlusPlus(in_torch(), [in_torch()[3]]) as method:
        wanted = method(tensor(X), [targets.ClassifierOutputTarget(t) for t in TARGETS])
    ours = explain.grad_cam_plus_plus(network(), X, TARGETS, at="relu")
    cv2 = pytest.importorskip("cv2")
    resized = np.stack([cv2.resize(one, (8, 8)) for one in _from_0_to_1(ours)])
    close(_from_0_to_1(resized), wanted, 1e-4)


def _from_0_to_1(maps):
    """As that package brings each map to 0 to 1, before and after it is resized."""
    maps = maps - maps.min((1, 2), keepdims=True)
    return maps / (1e-7 + maps.max((1, 2), keepdims=True))


@pytest.mark.parametrize("window, strides", [((3, 3), (2, 2)), ((4, 4), (4, 4)), ((3, 2), (3, 1))])
def test_occlusion(window, strides):
    wanted = attr.Occlusion(in_torch()).attribute(
        tensor(X), (1, *window), (1, *strides), baselines=0.25, target=TARGET
    )
    for batch_size in (2, 64):
        ours = explain.occlusion(
            network(),
            X,
            TARGETS,
            window=window,
            strides=strides,
            baseline=0.25,
            batch_size=batch_size,
        )
        close(ours, images(wanted), 1e-5)


@pytest.mark.promise("`deep_lift`, `conductance`, `tracin`")
@pytest.mark.parametrize("baseline", [0.0, BASELINE])
def test_conductance(baseline):
    given = tensor(np.broadcast_to(np.float32(baseline), X.shape))
    method = attr.LayerConductance(in_torch(), in_torch()[2])
    wanted = method.attribute(tensor(X), given, TARGET, n_steps=10)
    ours = explain.conductance(
        network(), X, TARGETS, at="conv", baseline=baseline, steps=10, batch_size=2
    )
    close(ours, images(wanted), 1e-4)


def test_tracin():
    influence = pytest.importorskip("captum.influence")
    labels = TARGET[:3]
    wanted = influence.TracInCP(
        in_torch(),
        torch.utils.data.TensorDataset(tensor(X[:3]).detach(), labels),
        ["the network as it is"],
        checkpoints_load_func=lambda model, path: 1.0,
        loss_fn=torch.nn.CrossEntropyLoss(reduction="sum"),
        batch_size=2,
        sample_wise_grads_per_batch=True,
    ).influence((tensor(X[3:]).detach(), TARGET[3:]))
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ours = explain.tracin(
        network(), X[3:], TARGETS[3:], X[:3], TARGETS[:3], loss=loss, batch_size=2
    )
    close(ours, wanted.numpy(), 1e-4)


@pytest.mark.parametrize("rule", ["epsilon", "gamma", "z_plus"])
def test_lrp(rule):
    """Without biases: captum leaves them as they are where the papers treat them as weights."""
    rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    network_ = copy.deepcopy(in_torch("first"))
    for module in network_:
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.bias.data.zero_()
            made = {
                "epsilon": lambda: rules.EpsilonRule(1e-9),
                "gamma": lambda: rules.GammaRule(0.25),
                "z_plus": rules.Alpha1_Beta0_Rule,
            }
            module.rule = made[rule]()
        elif isinstance(module, torch.nn.Flatten):
            module.rule = rules.EpsilonRule()
    wanted = attr.LRP(network_).attribute(tensor(X), TARGET)
    model = network("first")
    params = {
        name: {**weights, "bias": 0 * weights["bias"]} for name, weights in model.params.items()
    }
    ours = explain.lrp(model, X, TARGETS, rule=rule, epsilon=1e-9, params=params, state=model.state)
    close(ours, images(wanted), 1e-4)
