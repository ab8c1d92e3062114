"""Laplace approximations beside laplace-torch, on 200 digits and on small convolutions."""

import numpy as np
import pytest

import jkeras
from jkeras import layers, uncertainty
from tests.uncertainty.test_laplace import close, mlp, weights

laplace = pytest.importorskip("laplace")
torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")  # those of torch and what laplace-torch needs
SIZES = (64, 16, 10)
TOLERANCES = {"full": 1e-5, "diag": 1e-5, "last_layer": 1e-5, "kron": 1e-4}


def data():
    (x, y), _ = jkeras.datasets.digits.load_data()
    x = x.reshape(-1, 64) / 16
    return x[:200], y[:200].astype("int64"), x[200:230]


def loader(x, y):
    rows = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    return torch.utils.data.DataLoader(rows, batch_size=len(x))


def in_torch(sizes):
    found = weights(*sizes)
    parts = []
    for kernel, bias in zip(found[::2], found[1::2]):
        linear = torch.nn.Linear(*kernel.shape, dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.tensor(kernel.T.copy()), torch.tensor(bias)
        parts += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*parts[:-1])


def order(sizes):
    """Where laplace-torch has the numbers that jkeras has in order: biases come first here, and
    kernels are the other way around.
    """
    places, begin = [], 0
    for ins, outs in zip(sizes, sizes[1:]):
        kernel = begin + np.arange(ins * outs).reshape(outs, ins).T
        places += [begin + ins * outs + np.arange(outs), kernel.ravel()]
        begin += ins * outs + outs
    return np.concatenate(places)


def theirs(net, x, y, structure, likelihood="classification", **options):
    subset, hessian = ("last_layer", "full") if structure == "last_layer" else ("all", structure)
    fitted = laplace.Laplace(
        net, likelihood, subset_of_weights=subset, hessian_structure=hessian, **options
    )
    fitted.fit(loader(x, y))
    return fitted


@pytest.mark.parametrize("structure", list(TOLERANCES))
def test_digits(structure):
    x, y, x_test = data()
    tolerance = TOLERANCES[structure]
    reference = theirs(in_torch(SIZES), x, y, structure, prior_precision=0.7)
    fitted = uncertainty.laplace(mlp(SIZES), x, y, structure=structure, prior_precision=0.7)
    found, wanted = fitted.log_marginal_likelihood, reference.log_marginal_likelihood().item()
    np.testing.assert_allclose(found, wanted, rtol=tolerance)
    for link in ("probit", "bridge"):
        probabilities = reference(torch.tensor(x_test), link_approx=link).detach().numpy()
        close(fitted.predict(x_test, link=link), probabilities, tolerance)
    if structure == "diag":
        close(fitted.covariance, reference.posterior_variance.numpy()[order(SIZES)], tolerance)
    elif structure != "kron":
        places = order(SIZES[1:] if structure == "last_layer" else SIZES)
        covariance = reference.posterior_covariance.numpy()[np.ix_(places, places)]
        # float32 here, of a matrix whose eigenvalues go from 0.7 to 700
        close(fitted.covariance, covariance, 2 * tolerance)


@pytest.mark.parametrize("structure", list(TOLERANCES))
def test_regression(structure):
    random = np.random.default_rng(0)
    x, x_test = random.normal(size=(30, 3)), random.normal(size=(7, 3))
    y = random.normal(size=(30, 2))
    sizes = (3, 5, 2)
    reference = theirs(
        in_torch(sizes), x, y, structure, "regression", prior_precision=0.7, sigma_noise=0.4
    )
    fitted = uncertainty.laplace(
        mlp(sizes, None),
        x,
        y,
        structure=structure,
        likelihood="regression",
        prior_precision=0.7,
        noise=0.4,
    )
    found, wanted = fitted.log_marginal_likelihood, reference.log_marginal_likelihood().item()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    mean, covariance = reference(torch.tensor(x_test))
    ours, variance = fitted.predict(x_test)
    close(ours, mean.detach().numpy(), 1e-5)
    wanted = covariance.detach().numpy().diagonal(axis1=1, axis2=2) + 0.4**2
    close(variance, wanted, 1e-5)


def test_kronecker_factors_of_convolutions():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(12, 6, 5, 2)), random.integers(0, 3, 12)
    model = jkeras.Sequential(
        [
            jkeras.Input((6, 5, 2)),
            layers.Conv2D(3, (3, 2), strides=(1, 2), activation="tanh"),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    shapes = [(3, 2, 2, 3), (3,), (24, 3), (3,)]
    given = [0.5 * random.normal(size=shape) for shape in shapes]
    model.set_weights(given)
    convolution = torch.nn.Conv2d(2, 3, (3, 2), stride=(1, 2), dtype=torch.float64)
    linear = torch.nn.Linear(24, 3, dtype=torch.float64)
    convolution.weight.data = torch.tensor(given[0].transpose(3, 2, 0, 1).copy())
    convolution.bias.data = torch.tensor(given[1])
    # what is flattened has the channels first there
    columns = given[2].reshape(4, 2, 3, 3).transpose(2, 0, 1, 3).reshape(24, 3)
    linear.weight.data, linear.bias.data = torch.tensor(columns.T.copy()), torch.tensor(given[3])
    net = torch.nn.Sequential(convolution, torch.nn.Tanh(), torch.nn.Flatten(), linear)
    images = x.transpose(0, 3, 1, 2).copy()
    reference = theirs(net, images, y, "kron", prior_precision=0.7)
    fitted = uncertainty.laplace(model, x, y, structure="kron", prior_precision=0.7)
    found, wanted = fitted.log_marginal_likelihood, reference.log_marginal_likelihood().item()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    probabilities = reference(torch.tensor(images)).detach().numpy()
    close(fitted.predict(x), probabilities, 1e-4)


def test_a_subnetwork_is_that_of_laplace_torch():
    x, y, x_test = data()
    size, chosen = 60, []
    net = in_torch(SIZES)
    mine = uncertainty.laplace(
        mlp(SIZES), x, y, prior_precision=0.5, subnetwork=uncertainty.Subnetwork(size)
    )
    diagonal = uncertainty.laplace(mlp(SIZES), x, y, structure="diag", prior_precision=0.5)
    chosen = np.sort(np.argsort(-diagonal.covariance, kind="stable")[:size])
    places = order(SIZES)[chosen]  # where torch has them
    indices = torch.tensor(np.sort(places))
    fitted = laplace.Laplace(
        net,
        "classification",
        subset_of_weights="subnetwork",
        hessian_structure="full",
        subnetwork_indices=indices,
        prior_precision=0.5,
    )
    fitted.fit(loader(x, y))
    at = np.argsort(np.argsort(places))
    close(mine.covariance, fitted.posterior_covariance.numpy()[np.ix_(at, at)], 1e-4)
    close(mine.predict(x_test), fitted(torch.tensor(x_test), link_approx="probit").detach(), 1e-5)
    close(mine.log_marginal_likelihood, fitted.log_marginal_likelihood().item(), 1e-5)
