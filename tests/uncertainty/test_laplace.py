"""Laplace approximations beside laplace-torch, its recorded numbers, and dense closed forms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from jax.flatten_util import ravel_pytree

import jkeras
from jkeras import layers, uncertainty
from jkeras.uncertainty.likelihood import Likelihood
from jkeras.uncertainty.posterior import outputs_and_covariance, posterior

STRUCTURES = ("full", "kron", "diag", "last_layer")


def weights(*sizes, seed=0):
    """Kernels and biases of dense layers, in float64."""
    random = np.random.default_rng(seed)
    found = []
    for ins, outs in zip(sizes, sizes[1:]):
        found.append(random.normal(size=(ins, outs)) * math.sqrt(2 / (ins + outs)))
        found.append(0.1 * random.normal(size=outs))
    return found


def mlp(sizes, activation="softmax"):
    hidden = [layers.Dense(size, "tanh") for size in sizes[1:-1]]
    model = jkeras.Sequential(
        [jkeras.Input(sizes[:1]), *hidden, layers.Dense(sizes[-1], activation)]
    )
    model.set_weights(weights(*sizes))
    return model


def close(found, wanted, tolerance):
    """Equal up to a share of the largest number."""
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(
        np.float64(found), wanted, rtol=0, atol=tolerance * np.abs(wanted).max()
    )


# ---------------------------------------------------------------- a small problem

SMALL = (3, 4, 3)
RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(20, 3))
Y = RANDOM.integers(0, 3, 20)
X_TEST = 2 * RANDOM.normal(size=(2, 3))
PRIOR = 0.5

# of laplace-torch 0.3 in float64 on this problem, made as in test_laplace_torch:
# (log marginal likelihood, probabilities of the first class by "probit" and "bridge")
RECORDED = {
    "full": (-33.11528731, [0.25145872, 0.32630754], [0.23733372, 0.22787223]),
    "kron": (-36.91658852, [0.25228748, 0.32697031], [0.23462369, 0.19817776]),
    "diag": (-40.53164593, [0.24656233, 0.32252227], [0.23071353, 0.19125770]),
    "last_layer": (-29.82950231, [0.23386104, 0.32966104], [0.25489698, 0.32823769]),
}


@pytest.mark.promise("the whole matrix of the last layer that has weights")
@pytest.mark.promise("the diagonal alone")
@pytest.mark.parametrize("structure", STRUCTURES)
def test_recorded_numbers_of_laplace_torch(structure):
    likelihood, *wanted = RECORDED[structure]
    fitted = uncertainty.laplace(mlp(SMALL), X, Y, structure=structure, prior_precision=PRIOR)
    np.testing.assert_allclose(fitted.log_marginal_likelihood, likelihood, rtol=1e-5)
    for link, probabilities in zip(("probit", "bridge"), wanted):
        close(fitted.predict(X_TEST, link=link)[:, 0], probabilities, 1e-5)


def dense(function, root, params, x):
    """The Gauss-Newton matrix by definition, in float64."""
    flat, restore = ravel_pytree(params)
    total = np.zeros((flat.size, flat.size))

    def of_row(flat, row):
        return function(restore(flat), row[None])[0]

    value, slopes = jax.jit(of_row), jax.jit(jax.jacfwd(of_row))
    for row in np.float32(x):
        jacobian = np.float64(slopes(flat, row))
        hessian = root(np.float64(value(flat, row)))
        total += jacobian.T @ hessian @ jacobian
    return total


def logits_of_small(params, x):
    first, second = params.values()
    hidden = jnp.tanh(x @ first["kernel"] + first["bias"])
    return hidden @ second["kernel"] + second["bias"]


def softmax_hessian(logits):
    p = np.exp(logits) / np.exp(logits).sum()
    return np.diag(p) - np.outer(p, p)


@pytest.mark.promise("the whole generalized Gauss-Newton")
@pytest.mark.parametrize("batch_size", [None, 3])
def test_the_full_matrix_is_that_of_the_definition(batch_size):
    model = mlp(SMALL)
    fitted = uncertainty.laplace(model, X, Y, prior_precision=PRIOR, batch_size=batch_size)
    matrix = dense(logits_of_small, softmax_hessian, model.params, X)
    covariance = np.linalg.inv(matrix + PRIOR * np.eye(len(matrix)))
    close(fitted.covariance, covariance, 1e-5)

    by_diagonal = uncertainty.laplace(
        model, X, Y, structure="diag", prior_precision=PRIOR, batch_size=batch_size
    )
    close(by_diagonal.covariance, 1 / (np.diag(matrix) + PRIOR), 1e-5)

    last = uncertainty.laplace(
        model, X, Y, structure="last_layer", prior_precision=PRIOR, batch_size=batch_size
    )
    inside = matrix[-15:, -15:]
    close(last.covariance, np.linalg.inv(inside + PRIOR * np.eye(15)), 1e-5)

    logits = np.float64(logits_of_small(model.params, np.float32(X)))
    scores = logits[np.arange(20), Y] - np.log(np.exp(logits).sum(1))
    mean = np.float64(ravel_pytree(model.params)[0])
    _, ratio = np.linalg.slogdet(matrix / PRIOR + np.eye(len(matrix)))
    wanted = scores.sum() - 0.5 * (ratio + PRIOR * (mean**2).sum())
    np.testing.assert_allclose(fitted.log_marginal_likelihood, wanted, rtol=1e-5)


@pytest.mark.promise("for each weight the Kronecker")
def test_one_dense_layer_has_an_exact_kronecker_product_for_one_row():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(3, "softmax", use_bias=False)])
    model.set_weights(weights(3, 3)[:1])
    x, y = X[:1], Y[:1]
    full = uncertainty.laplace(model, x, y)
    kron = uncertainty.laplace(model, x, y, structure="kron")
    close(kron.covariance, full.covariance, 1e-5)
    close(kron.predict(X_TEST), full.predict(X_TEST), 1e-5)


@pytest.mark.promise("looks at the operations")
def test_kronecker_factors_of_a_convolution():
    """By their definition: patches in the mean over positions, gradients of outputs summed."""
    model = jkeras.Sequential(
        [
            jkeras.Input((5, 4, 2)),
            layers.Conv2D(3, (3, 2), activation="tanh", name="conv"),
            layers.GlobalAveragePooling2D(),
        ]
    )
    random = np.random.default_rng(3)
    kernel = np.float32(random.normal(size=(3, 2, 2, 3)))
    bias = np.float32(random.normal(size=3))
    model.set_weights([kernel, bias])
    x = np.float32(random.normal(size=(4, 5, 4, 2)))
    fitted = uncertainty.laplace(
        model, x, np.zeros((4, 3)), structure="kron", likelihood="regression", noise=1.0
    )
    at = [(i, j) for i in range(3) for j in range(3)]
    patches = np.stack([x[:, i : i + 3, j : j + 2].reshape(4, -1) for i, j in at], 1)
    outputs = np.tanh(patches @ kernel.reshape(12, 3) + bias)
    slopes = (1 - outputs**2) / 9  # of each output by its own channel
    squares = np.diag(np.float64(slopes**2).sum((0, 1)))
    inputs = np.float64(np.einsum("rpi,rpj->ij", patches, patches)) / (4 * 9)
    wanted = np.zeros((39, 39))
    wanted[:3, :3] = squares
    wanted[3:, 3:] = np.kron(inputs, squares)
    close(fitted.covariance, np.linalg.inv(wanted + np.eye(39)), 1e-5)


# ---------------------------------------------------------------- likelihoods


@pytest.mark.promise("Of a regression `predict`")
def test_a_linear_regression_is_that_of_bayes():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)])
    model.set_weights(weights(3, 1))
    y = X @ [1.0, -1.0, 0.5]
    fitted = uncertainty.laplace(
        model, X, y, likelihood="regression", noise=0.3, prior_precision=2.0
    )
    inputs = np.concatenate([np.ones((20, 1)), X], 1)  # the bias comes first
    covariance = np.linalg.inv(inputs.T @ inputs / 0.3**2 + 2 * np.eye(4))
    close(fitted.covariance, covariance, 1e-5)
    mean, variance = fitted.predict(X_TEST)
    close(mean, model.predict(X_TEST, verbose=0), 1e-6)
    rows = np.concatenate([np.ones((2, 1)), X_TEST], 1)
    wanted = np.einsum("ri,ij,rj->r", rows, covariance, rows) + 0.3**2
    close(variance[:, 0], wanted, 1e-5)


@pytest.mark.promise("`log_marginal_likelihood` is the")
def test_the_evidence_of_a_linear_regression_at_its_best_weights():
    """Then the approximation is exact: labels are jointly normal."""
    y = X @ [1.0, -1.0, 0.5]
    noise, prior = 0.3, 2.0
    best = np.linalg.solve(X.T @ X / noise**2 + prior * np.eye(3), X.T @ y / noise**2)
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1, use_bias=False)])
    model.set_weights([best[:, None]])
    fitted = uncertainty.laplace(
        model, X, y, likelihood="regression", noise=noise, prior_precision=prior
    )
    covariance = X @ X.T / prior + noise**2 * np.eye(20)
    _, ratio = np.linalg.slogdet(2 * np.pi * covariance)
    wanted = -0.5 * (ratio + y @ np.linalg.solve(covariance, y))
    np.testing.assert_allclose(fitted.log_marginal_likelihood, wanted, rtol=1e-5)


class TestNoise:
    """Against Bayes' linear regression in closed form, whose labels are jointly normal."""

    Y = X @ [1.0, -1.0, 0.5] + 0.4 * np.random.default_rng(5).normal(size=20)

    def evidence(self, noise, prior):
        covariance = X @ X.T / prior + noise**2 * np.eye(20)
        _, ratio = np.linalg.slogdet(2 * np.pi * covariance)
        return -0.5 * (ratio + self.Y @ np.linalg.solve(covariance, self.Y))

    def best(self, prior=None):
        """(noise, precision of the prior) of the largest evidence."""
        if prior is None:
            of = lambda v: -self.evidence(*np.exp(v))  # noqa: E731
            options = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 2000}
            found = scipy.optimize.minimize(of, [0, 0], method="Nelder-Mead", options=options)
            return np.exp(found.x)
        of = lambda v: -self.evidence(np.exp(v), prior)  # noqa: E731
        return np.exp(scipy.optimize.minimize_scalar(of, (-2, 0), tol=1e-12).x), prior

    def model(self, noise, prior):
        """With the weights that are most probable, where the approximation is exact."""
        precision = X.T @ X / noise**2 + prior * np.eye(3)
        model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1, use_bias=False)])
        model.set_weights([np.linalg.solve(precision, X.T @ self.Y / noise**2)[:, None]])
        return model, np.linalg.inv(precision)

    @pytest.mark.promise("it is that which makes")
    @pytest.mark.parametrize("structure", ["full", "last_layer"])
    @pytest.mark.parametrize("given", [None, 2.0, 1e-3])
    def test_it_is_that_of_the_evidence(self, structure, given):
        noise, prior = self.best(given)
        model, covariance = self.model(noise, prior)
        fitted = uncertainty.laplace(
            model,
            X,
            self.Y,
            structure=structure,
            likelihood="regression",
            prior_precision="marglik" if given is None else given,
        )
        np.testing.assert_allclose(fitted.noise, noise, rtol=1e-4)
        np.testing.assert_allclose(fitted.prior_precision, prior, rtol=1e-3)
        close(fitted.covariance, covariance, 1e-3)
        wanted = self.evidence(noise, prior)
        np.testing.assert_allclose(fitted.log_marginal_likelihood, wanted, rtol=1e-5)
        _, variance = fitted.predict(X_TEST)
        wanted = np.einsum("ri,ij,rj->r", X_TEST, covariance, X_TEST) + noise**2
        close(variance[:, 0], wanted, 1e-3)

    @pytest.mark.promise("With the noise of a regression")
    @pytest.mark.parametrize("structure", STRUCTURES)
    def test_no_other_noise_explains_more(self, structure):
        model = mlp((3, 6, 2), "linear")
        y = np.stack([self.Y, -self.Y], 1) * 1e3  # in other units
        given = {"structure": structure, "likelihood": "regression"}
        for prior in (1e-4, "marglik"):
            found = uncertainty.laplace(model, X, y, prior_precision=prior, **given)
            others = [
                uncertainty.laplace(
                    model,
                    X,
                    y,
                    noise=found.noise * by,
                    prior_precision=found.prior_precision,
                    **given,
                )
                for by in (0.97, 1.0, 1.03)
            ]
            lower, same, higher = (other.log_marginal_likelihood for other in others)
            np.testing.assert_allclose(found.log_marginal_likelihood, same, rtol=1e-5)
            assert same > max(lower, higher)

    @pytest.mark.promise("it is that which makes")
    def test_one_that_is_given_stays(self):
        model, _ = self.model(0.4, 1.0)
        fitted = uncertainty.laplace(model, X, self.Y, likelihood="regression", noise=2.0)
        assert fitted.noise == 2.0 and float(fitted.posterior.residuals.noise) == 2.0

    @pytest.mark.promise("A regression that hits")
    def test_errors(self):
        model, _ = self.model(0.4, 1.0)
        hit = model.predict(X, verbose=0)
        with pytest.raises(ValueError, match="of which no noise is found.*give `noise=`"):
            uncertainty.laplace(model, X, hit, likelihood="regression")
        for noise in (0, -1.0, float("nan"), "margin"):
            with pytest.raises((ValueError, TypeError), match="noise above 0, or 'marglik'"):
                uncertainty.laplace(model, X, hit, likelihood="regression", noise=noise)


def test_one_sigmoid_is_a_softmax_of_two():
    """Of logits (0, f): the same probabilities, likelihood and curvature by f."""
    y = np.int32(Y > 0)
    kernel, bias = weights(3, 1)
    one = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1, "sigmoid")])
    one.set_weights([kernel, bias])
    inputs = jkeras.Input((3,))
    logit = layers.Dense(1)(inputs)
    two = jkeras.Model(inputs, layers.Softmax()(layers.Concatenate()([0 * logit, logit])))
    two.set_weights([kernel, bias])
    for structure in STRUCTURES:
        ours = uncertainty.laplace(one, X, y, structure=structure)
        others = uncertainty.laplace(two, X, y, structure=structure)
        close(ours.covariance, others.covariance, 1e-5)
        np.testing.assert_allclose(
            ours.log_marginal_likelihood, others.log_marginal_likelihood, rtol=1e-5
        )
        close(ours.predict(X_TEST)[:, 0], others.predict(X_TEST)[:, 1], 1e-5)


@pytest.mark.promise("Models with a softmax or")
def test_logits_and_their_probabilities_give_the_same():
    y = np.eye(3)[Y]  # labels as probabilities, too
    found = []
    inputs = jkeras.Input((3,))
    for activation, end, options in (
        ("softmax", None, {}),
        (None, None, {"from_logits": True}),
        (None, layers.Softmax(), {}),
    ):
        model = mlp(SMALL, activation)
        if end is not None:
            model = jkeras.Model(inputs, end(model(inputs)))
        found.append(uncertainty.laplace(model, X, y, prior_precision=PRIOR, **options))
    compiled = mlp(SMALL, None)
    compiled.compile("sgd", jkeras.losses.CategoricalCrossentropy(from_logits=True))
    found.append(uncertainty.laplace(compiled, X, Y, prior_precision=PRIOR))
    for other in found[1:]:
        close(other.covariance, found[0].covariance, 1e-6)
        close(other.predict(X_TEST), found[0].predict(X_TEST), 1e-6)


@pytest.mark.promise("Logits are found up to")
@pytest.mark.promise("The curvature does not")
def test_the_logarithm_of_probabilities_has_the_same_curvature():
    """Where nothing tells of a softmax: its logarithm is the logits but for a number a row."""
    inputs = jkeras.Input((3,))
    exponents = jkeras.ops.exp(mlp(SMALL, None)(inputs))
    model = jkeras.Model(inputs, exponents / jkeras.ops.sum(exponents, axis=-1, keepdims=True))
    by_hand = uncertainty.laplace(model, X, Y, from_logits=False)
    close(by_hand.covariance, uncertainty.laplace(mlp(SMALL), X, Y).covariance, 1e-5)


@pytest.mark.promise("`link` says how probabilities follow")
def test_samples_of_logits_agree_with_integration():
    """Of one logit, whose integral is found by points."""
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1, "sigmoid")])
    model.set_weights(weights(3, 1))
    fitted = uncertainty.laplace(model, X, np.int32(Y > 0))
    found = fitted.predict(X_TEST, link="mc", rng=0, samples=20_000)[:, 0]
    rows = np.concatenate([np.ones((2, 1)), X_TEST], 1)
    mean = rows @ np.concatenate([model.get_weights()[1], model.get_weights()[0][:, 0]])
    deviation = np.sqrt(np.einsum("ri,ij,rj->r", rows, fitted.covariance, rows))
    points, shares = np.polynomial.hermite_e.hermegauss(60)
    values = 1 / (1 + np.exp(-(mean[:, None] + deviation[:, None] * points)))
    wanted = values @ shares / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(found, wanted, atol=4 * 0.5 / math.sqrt(20_000))


# ---------------------------------------------------------------- the prior


@pytest.mark.promise("takes the precision of")
@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_best_prior_is_best(structure):
    model = mlp(SMALL)
    fitted = uncertainty.laplace(model, X, Y, structure=structure, prior_precision="marglik")
    best = fitted.log_marginal_likelihood
    for factor in (0.9, 1.1):
        other = uncertainty.laplace(
            model, X, Y, structure=structure, prior_precision=factor * fitted.prior_precision
        )
        assert other.log_marginal_likelihood < best
    mean = ravel_pytree(fitted.posterior.mean)[0]
    values = np.float64(fitted.posterior.curvature.eigenvalues())
    determined = (values / (values + fitted.prior_precision)).sum()  # MacKay's fixed point
    np.testing.assert_allclose(fitted.prior_precision * (mean**2).sum(), determined, rtol=1e-4)


# ---------------------------------------------------------------- values


def problem(structure):
    """A pure function of params, and what its posterior at x gives for `X_TEST`."""
    y = jnp.asarray(Y)

    def run(params, x):
        options = {"structure": structure, "likelihood": Likelihood("softmax")}
        fitted = posterior(logits_of_small, params, x, y, prior_precision=PRIOR, **options)
        found = outputs_and_covariance(logits_of_small, fitted, jnp.float32(X_TEST))
        return fitted.log_marginal_likelihood, found

    return run


@pytest.mark.promise("So many models are one")
@pytest.mark.promise("`fitted.posterior` is a")
@pytest.mark.parametrize("structure", ["full", "kron", "diag"])
def test_is_pure(structure):
    params = mlp(SMALL).params
    several = jax.tree_util.tree_map(lambda v: jnp.stack([v, 0.5 * v]), params)
    run = problem(structure)
    x = jnp.float32(X)
    at_once = jax.jit(jax.vmap(run, (0, None)))(several, x)
    alone = jax.jit(run)
    for i in range(2):
        one = alone(jax.tree_util.tree_map(lambda v, i=i: v[i], several), x)
        for found, wanted in zip(*map(jax.tree_util.tree_leaves, (at_once, one))):
            close(found[i], wanted, 1e-4)


@pytest.mark.promise("`fitted.sample(rng, count)` samples")
@pytest.mark.parametrize("structure", STRUCTURES)
def test_samples_have_the_covariance(structure):
    fitted = uncertainty.laplace(mlp(SMALL), X, Y, structure=structure, prior_precision=2.0)
    draws = fitted.sample(0, 20_000)
    numbers = lambda params: ravel_pytree(params)[0]  # noqa: E731
    flat = np.float64(jax.vmap(numbers)(draws))
    mean = np.float64(numbers(mlp(SMALL).params))
    covariance = fitted.covariance
    covariance = np.diag(covariance) if covariance.ndim == 1 else covariance
    certain = flat.shape[1] - len(covariance)
    np.testing.assert_allclose(flat[:, :certain], np.tile(mean[:certain], (20_000, 1)), 1e-6)
    changes = (flat - mean)[:, certain:]
    variances = np.diag(covariance)
    errors = np.sqrt(np.outer(variances, variances) + covariance**2) / math.sqrt(20_000)
    assert (np.abs(changes.T @ changes / 20_000 - covariance) < 5 * errors).all()
    assert (np.abs(changes.mean(0)) < 5 * np.sqrt(variances / 20_000)).all()


@pytest.mark.promise("normalizations, depthwise convolutions and recurrent layers")
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.LayerNormalization(center=False, name="other"),
        pytest.param(
            lambda: layers.DepthwiseConv1D(2, depth_multiplier=2, use_bias=False, name="other"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["normalization", "depthwise"],
)
def test_other_weights_have_the_whole_matrix(make):
    """Where all others are frozen, "kron" is "full"."""
    model = jkeras.Sequential(
        [
            jkeras.Input((5, 2)),
            make(),
            layers.Flatten(),
            layers.Dense(3, "softmax", trainable=False),
        ]
    )
    x = np.float32(np.random.default_rng(3).normal(size=(20, 5, 2)))
    full, kron = (
        uncertainty.laplace(model, x, Y, structure=structure) for structure in ("full", "kron")
    )
    assert set(kron.posterior.mean) == {"other"}
    assert abs(full.covariance - np.diag(np.diag(full.covariance))).max() > 1e-3
    close(kron.covariance, full.covariance, 1e-5)


@pytest.mark.promise("The model is not changed")
@pytest.mark.promise("Frozen layers are certain, and batch normalization is that of inference")
def test_state_and_frozen_layers_stay():
    model = jkeras.Sequential(
        [
            jkeras.Input((3,)),
            layers.Dense(4, name="low"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5),
            layers.Dense(3, "softmax", name="head"),
        ]
    )
    model.get_layer("low").trainable = False
    state = jax.tree_util.tree_map(np.asarray, model.state)
    for structure in STRUCTURES:
        fitted = uncertainty.laplace(model, X, Y, structure=structure)
        names = {"head"} if structure == "last_layer" else {"norm", "head"}
        assert set(fitted.posterior.mean) == names
        whole = fitted.predict(X)
        np.testing.assert_allclose(fitted.predict(X, batch_size=3), whole, atol=1e-6)
    jax.tree_util.tree_map(np.testing.assert_array_equal, model.state, state)


def test_what_it_was_fitted_to_stays():
    model = mlp(SMALL)
    fitted = uncertainty.laplace(model, X, Y)
    before = fitted.predict(X_TEST)
    model.set_weights([0 * w for w in model.get_weights()])
    np.testing.assert_array_equal(fitted.predict(X_TEST), before)


def test_compiles_once():
    traces = []

    class Counting(layers.Layer):
        def call(self, x):
            traces.append(1)
            return x

    model = jkeras.Sequential([jkeras.Input((3,)), Counting(), layers.Dense(3, "softmax")])
    uncertainty.laplace(model, X, Y).predict(X_TEST)
    before = len(traces)
    uncertainty.laplace(model, 2 * X, Y, prior_precision=3.0).predict(3 * X_TEST)
    assert len(traces) - before <= 3  # shapes alone


# ---------------------------------------------------------------- errors


@pytest.mark.promise("the whole generalized Gauss-Newton")
def test_what_is_refused():
    model = mlp(SMALL)
    wide = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(5000), layers.Dense(3, "softmax")])
    deep = jkeras.Sequential([jkeras.Input((3,)), layers.Reshape((3, 1)), layers.Dense(3)])
    with pytest.raises(ValueError, match="at most 16,384.*35,003 parameters.*'kron'.*'diag'"):
        uncertainty.laplace(wide, X, Y)
    with pytest.raises(ValueError, match="structure.*'kron'"):
        uncertainty.laplace(model, X, Y, structure="kronecker")
    with pytest.raises(ValueError, match="from_logits"):
        uncertainty.laplace(mlp(SMALL, None), X, Y)
    with pytest.raises(ValueError, match=r"integer labels \(20,\).*shape \(20,\) of float"):
        uncertainty.laplace(model, X, Y + 0.5)
    with pytest.raises(ValueError, match="above 0"):
        uncertainty.laplace(model, X, Y, prior_precision=0.0)
    with pytest.raises(ValueError, match=r"labels of .* \(rows, …\) = \(20, 3\)"):
        uncertainty.laplace(deep, X, Y)
    fitted = uncertainty.laplace(model, X, Y)
    with pytest.raises(ValueError, match="key"):
        fitted.predict(X_TEST, link="mc")
    with pytest.raises(ValueError, match="link.*'bridge'"):
        fitted.predict(X_TEST, link="bridges")


@pytest.mark.promise("for each weight the Kronecker")
@pytest.mark.promise("such as the table of an `Embedding`, is refused by its name")
def test_kronecker_factors_name_what_they_cannot_take():
    model = jkeras.Sequential(
        [
            jkeras.Input((2,), dtype="int32"),
            layers.Embedding(5000, 2, name="words"),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    x = np.zeros((20, 2), "int32")
    with pytest.raises(ValueError, match=r"10,000 for 'words/embeddings' \(5000, 2\).*gather"):
        uncertainty.laplace(model, x, Y, structure="kron")
    model.get_layer("words").trainable = False
    assert uncertainty.laplace(model, x, Y, structure="kron").predict(x).shape == (20, 3)


@pytest.mark.parametrize(
    "activation, y, message",
    [
        ("softmax", Y + 1, "labels that are integers from 0 to 2, received labels from 1 to 3"),
        ("softmax", Y - 1, "received labels from -1 to 1"),
        ("softmax", RANDOM.normal(size=(20, 3)), "`y` between 0 and 1 that add up to 1"),
        ("softmax", Y[:0], "`y` of 1 row or more"),
        ("sigmoid", Y.astype(float), "`y` between 0 and 1, received numbers from 0 to 2"),
        ("linear", np.where(Y > 0, np.nan, 1.0), "`y` of numbers, received NaN"),
    ],
)
def test_labels_that_are_none(activation, y, message):
    sizes = SMALL if activation == "softmax" else (*SMALL[:2], 1)
    kind = "regression" if activation == "linear" else "classification"
    with pytest.raises(ValueError, match=message):
        uncertainty.laplace(mlp(sizes, activation), X, y, likelihood=kind)


def test_outputs_that_are_no_probabilities():
    model = mlp(SMALL, "linear")
    with pytest.raises(ValueError, match="`outputs` between 0 and 1.*`from_logits=True`"):
        uncertainty.laplace(model, X, Y, from_logits=False)
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="`outputs` between 0 and 1"):
        uncertainty.laplace(model, X, Y)


def regression(offset, scale):
    rng = np.random.default_rng(0)
    x = np.float32(rng.normal(size=(200, 3)) * scale + offset)
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)])
    given = {"likelihood": "regression", "prior_precision": 1e-4, "noise": 0.3}
    return model, x, np.float32(rng.normal(size=(200, 1))), given


def test_inputs_far_from_zero_are_refused():
    """A variance of roundings would be a million times the true one, or NaN."""
    model, x, y, given = regression(1e4, 1.0)
    with pytest.raises(ValueError, match="rounding hides. To fix it: standardize the inputs"):
        uncertainty.laplace(model, x, y, structure="full", **given)
    with pytest.warns(UserWarning, match="times the largest rounding. To fix it: standardize"):
        uncertainty.laplace(model, x, y, structure="kron", **given)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("structure", ["full", "kron", "diag"])
def test_inputs_of_other_units_are_not(structure):
    scale = [1e2, 1.0, 1e-1] if structure == "kron" else [1e4, 1.0, 1e-3]
    model, x, y, given = regression(0.0, scale)
    assert np.isfinite(
        uncertainty.laplace(model, x, y, structure=structure, **given).predict(x)[1]
    ).all()
