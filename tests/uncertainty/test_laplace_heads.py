"""Laplace approximations of several outputs, outputs per position, heads that say a variance, and
of parts of a network: beside models that are taken apart, and closed forms.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, uncertainty
from jkeras.uncertainty.likelihood import Likelihood
from tests.uncertainty.test_laplace import STRUCTURES, close, mlp, weights

RANDOM = np.random.default_rng(0)
ROWS, POSITIONS, CLASSES = 12, 4, 3
X = RANDOM.normal(size=(ROWS, POSITIONS, 3)).astype("float32")
Y = RANDOM.integers(0, CLASSES, (ROWS, POSITIONS))
MERGED = X.reshape(-1, 3), Y.reshape(-1)
SIZES = (3, 5, CLASSES)


def per_position(activation="softmax", masked=False):
    inputs = jkeras.Input((POSITIONS, 3))
    x = layers.Masking()(inputs) if masked else inputs
    x = layers.Dense(5, "tanh")(x)
    model = jkeras.Model(inputs, layers.Dense(CLASSES, activation)(x))
    model.set_weights(weights(*SIZES))
    return model


@pytest.mark.promise("Of outputs for each token")
@pytest.mark.parametrize("structure", [*STRUCTURES[:1], *STRUCTURES[2:]])
def test_positions_are_as_rows_of_their_own(structure):
    options = {"structure": structure, "prior_precision": "marglik"}
    alone = uncertainty.laplace(mlp(SIZES), *MERGED, **options)
    fitted = uncertainty.laplace(per_position(), X, Y, **options)
    close(fitted.covariance, alone.covariance, 1e-4)
    close(fitted.log_marginal_likelihood, alone.log_marginal_likelihood, 1e-5)
    for link in ("probit", "bridge"):
        wanted = alone.predict(MERGED[0], link=link).reshape(ROWS, POSITIONS, CLASSES)
        close(fitted.predict(X, link=link), wanted, 1e-5)
    drawn = fitted.predict(X, link="mc", rng=0, samples=20_000)
    exact = alone.predict(MERGED[0], link="mc", rng=1, samples=20_000)
    np.testing.assert_allclose(drawn.reshape(exact.shape), exact, atol=0.02)


@pytest.mark.promise("Of outputs for each token")
def test_factors_share_their_positions():
    fitted = uncertainty.laplace(per_position(), X, Y, structure="kron")
    assert fitted.predict(X).shape == (ROWS, POSITIONS, CLASSES)


@pytest.mark.promise("Positions that are masked do not count")
def test_masked_positions_do_not_count():
    counts = RANDOM.random((ROWS, POSITIONS)) < 0.6
    x = np.where(counts[..., None], X, 0).astype("float32")
    alone = uncertainty.laplace(mlp(SIZES), X[counts], Y[counts])
    for labels in (Y, np.where(counts, Y, 0)):
        fitted = uncertainty.laplace(per_position(masked=True), x, labels)
        close(fitted.covariance, alone.covariance, 1e-5)
        close(fitted.log_marginal_likelihood, alone.log_marginal_likelihood, 1e-6)
    close(fitted.predict(x)[counts], alone.predict(X[counts]), 1e-5)


def two_heads(kind=dict):
    """A classifier and a regression that share nothing but their inputs."""
    inputs = jkeras.Input((3,), name="features")
    kind_of = layers.Dense(CLASSES, "softmax", name="a_kind")(inputs)
    size = layers.Dense(2, name="b_size")(inputs)
    outputs = {"a_kind": kind_of, "b_size": size} if kind is dict else [kind_of, size]
    model = jkeras.Model(inputs, outputs)
    found = weights(3, CLASSES, seed=3) + weights(3, 2, seed=4)
    model.set_weights(found)
    return model, found


FLAT = RANDOM.normal(size=(40, 3)).astype("float32")
KINDS = RANDOM.integers(0, CLASSES, 40)
NUMBERS = FLAT @ RANDOM.normal(size=(3, 2)) + 0.4 * RANDOM.normal(size=(40, 2))


def alone_of(found, activation):
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(len(found[1]), activation)])
    model.set_weights(found)
    return model


@pytest.mark.promise("Of several outputs each has its likelihood")
@pytest.mark.parametrize("structure", ["full", "diag", "kron"])
@pytest.mark.parametrize("kind", [dict, list])
def test_heads_that_share_nothing_are_as_two_models(kind, structure):
    model, found = two_heads(kind)
    likelihoods = {"a_kind": "classification", "b_size": "regression"}
    labels = {"a_kind": KINDS, "b_size": NUMBERS}
    if kind is list:
        likelihoods, labels = list(likelihoods.values()), list(labels.values())
    fitted = uncertainty.laplace(
        model, FLAT, labels, likelihood=likelihoods, structure=structure, prior_precision=0.3
    )
    first = uncertainty.laplace(
        alone_of(found[:2], "softmax"), FLAT, KINDS, structure=structure, prior_precision=0.3
    )
    second = uncertainty.laplace(
        alone_of(found[2:], None),
        FLAT,
        NUMBERS,
        structure=structure,
        likelihood="regression",
        prior_precision=0.3,
    )
    assert fitted.noise == {"b_size": pytest.approx(second.noise, rel=1e-4)}
    both = first.log_marginal_likelihood + second.log_marginal_likelihood
    close(fitted.log_marginal_likelihood, both, 1e-4)
    predicted = fitted.predict(FLAT)
    if kind is dict:
        predicted = list(predicted.values())
    close(predicted[0], first.predict(FLAT), 1e-4)
    for one, other in zip(predicted[1], second.predict(FLAT)):
        close(one, other, 1e-3)


@pytest.mark.promise("the noise of each is found")
def test_the_noises_of_several_regressions_are_best():
    inputs = jkeras.Input((3,))
    hidden = layers.Dense(4, "tanh")(inputs)
    model = jkeras.Model(inputs, [layers.Dense(1)(hidden), layers.Dense(1)(hidden)])
    model.set_weights(weights(3, 4) + weights(4, 1, seed=1) + weights(4, 1, seed=2))
    outputs = model.predict(FLAT, verbose=0)
    noises = RANDOM.normal(size=(2, 40, 1))
    y = [outputs[0] + 0.1 * noises[0], outputs[1] + 1.5 * noises[1]]

    def fitted(noise, precision="marglik"):
        options = {"likelihood": "regression", "prior_precision": precision}
        return uncertainty.laplace(model, FLAT, y, noise=noise, **options)

    found = fitted("marglik")
    names = list(found.noise)
    assert found.noise[names[0]] < 0.2 and found.noise[names[1]] > 1
    best = fitted(found.noise, found.prior_precision).log_marginal_likelihood
    for name in names:
        for factor in (0.95, 1.05):
            other = {**found.noise, name: found.noise[name] * factor}
            assert fitted(other, found.prior_precision).log_marginal_likelihood < best
    for factor in (0.8, 1.25):
        other = fitted(found.noise, found.prior_precision * factor)
        assert other.log_marginal_likelihood < best
    one = fitted({names[0]: "marglik", names[1]: 2.0})
    assert one.noise[names[1]] == 2.0


# ---------------------------------------------------------------- a mean and a variance


@pytest.mark.promise("The curvature is then that of Fisher")
@pytest.mark.parametrize("variance", ["softplus", "exp", "linear"])
def test_the_curvature_of_a_mean_and_a_variance_is_that_of_fisher(variance):
    likelihood = Likelihood("heteroscedastic", variance)
    outputs = jnp.array([0.7, -1.0, 0.4, 1.3])
    root = likelihood.root(outputs, jnp.ones(()))
    mean, spread = uncertainty.as_gaussian(outputs, variance)
    places, shares = np.polynomial.hermite_e.hermegauss(20)
    total = np.zeros((4, 4))
    for a, share_a in zip(places, shares):
        for b, share_b in zip(places, shares):
            y = mean + jnp.sqrt(spread) * jnp.array([a, b])
            loss = lambda o, y=y: -likelihood.log_prob(o[None], y[None], None)[0]  # noqa: E731
            total += share_a * share_b * np.asarray(jax.hessian(loss)(outputs))
    close(root @ root.T, total / shares.sum() ** 2, 1e-4)


@pytest.mark.promise('with `likelihood="heteroscedastic"`')
def test_a_line_with_known_variances_is_that_of_bayes():
    x = RANDOM.normal(size=(30, 2)).astype("float32")
    inputs = jkeras.Input((2,))
    raw = layers.Dense(1, trainable=False)
    outputs = layers.Concatenate()([layers.Dense(1, use_bias=False)(inputs), raw(inputs)])
    model = jkeras.Model(inputs, outputs)
    loss = uncertainty.losses.GaussianNegativeLogLikelihood("exp")
    model.compile("sgd", loss)
    raw.set_weights([np.array([[1.0], [-0.5]]), np.array([0.3])])
    variances = np.exp(x @ [1.0, -0.5] + 0.3)
    y = x @ [0.5, 2.0] + np.sqrt(variances) * RANDOM.normal(size=30)
    fitted = uncertainty.laplace(
        model, x, y[:, None], likelihood="heteroscedastic", prior_precision=0.7
    )
    wanted = np.linalg.inv((x.T / variances) @ x + 0.7 * np.eye(2))
    close(fitted.covariance, wanted, 1e-5)
    mean, variance = fitted.predict(x)
    close(mean, model.predict(x, verbose=0)[:, :1], 1e-6)
    close(variance[:, 0], variances + np.einsum("ri,ij,rj->r", x, wanted, x), 1e-5)
    assert fitted.noise == {}


# ---------------------------------------------------------------- parts of a network


@pytest.mark.promise("with `subnetwork=`")
@pytest.mark.parametrize("by", ["variance", "magnitude"])
def test_a_part_of_the_network_has_its_part_of_the_matrix(by):
    x, y = MERGED
    model = mlp(SIZES)
    whole = uncertainty.laplace(model, x, y, prior_precision=0.5)
    precision = np.linalg.inv(whole.covariance)
    diagonal = uncertainty.laplace(model, x, y, structure="diag", prior_precision=0.5)
    flat, _ = jax.flatten_util.ravel_pytree(whole.posterior.mean)
    scores = diagonal.covariance if by == "variance" else np.abs(flat)
    chosen = np.sort(np.argsort(-scores)[:9])
    part = uncertainty.laplace(
        model, x, y, prior_precision=0.5, subnetwork=uncertainty.Subnetwork(9, by)
    )
    wanted = np.linalg.inv(precision[np.ix_(chosen, chosen)])
    close(part.covariance, wanted, 1e-4)
    samples = part.sample(0, 4000)
    found = jax.vmap(lambda p: jax.flatten_util.ravel_pytree(p)[0])(samples)
    assert jax.tree.structure(samples) == jax.tree.structure(model.params)
    np.testing.assert_array_equal(np.flatnonzero(np.asarray(found).std(0) > 1e-4), chosen)
    np.testing.assert_allclose(
        np.cov(np.asarray(found)[:, chosen].T), wanted, atol=0.1 * np.abs(wanted).max()
    )


@pytest.mark.promise("with `subnetwork=`")
def test_the_whole_network_is_a_part_of_it():
    x, y = MERGED
    whole = uncertainty.laplace(mlp(SIZES), x, y, prior_precision="marglik")
    count = whole.posterior.parameters
    part = uncertainty.laplace(
        mlp(SIZES), x, y, prior_precision="marglik", subnetwork=uncertainty.Subnetwork(count)
    )
    close(part.predict(x), whole.predict(x), 1e-5)
    close(part.log_marginal_likelihood, whole.log_marginal_likelihood, 1e-5)
    tokens = uncertainty.laplace(
        per_position(), X, Y, subnetwork=uncertainty.Subnetwork(7), structure="diag"
    )
    assert tokens.covariance.shape == (7,)
    assert tokens.predict(X).shape == (ROWS, POSITIONS, CLASSES)


# ---------------------------------------------------------------- what is refused


def test_what_is_refused():
    model, _ = two_heads()
    kinds = {"a_kind": "classification", "b_size": "regression"}
    y = {"a_kind": KINDS, "b_size": NUMBERS}
    refused = [
        ("labels of 'b_size'", {}, {"a_kind": KINDS, "b_size": NUMBERS[:10]}),
        (r"y of \['a_kind', 'b_size'\]", {}, {"a_kind": KINDS}),
        ("y for each of the outputs", {}, KINDS),
        ("2 of y", {}, [KINDS]),
        ("2 of likelihood", {"likelihood": ["regression"]}, y),
        ("likelihood", {"likelihood": {"a_kind": "classification", "b_size": "ranking"}}, y),
        ("noise above 0", {"noise": {"a_kind": 1.0, "b_size": 0.0}}, y),
        (
            "no noise is found",
            {},
            {"a_kind": KINDS, "b_size": model.predict(FLAT, verbose=0)["b_size"]},
        ),
        ("labels that are integers from 0 to 2", {}, {"a_kind": KINDS + 1, "b_size": NUMBERS}),
    ]
    for message, options, labels in refused:
        with pytest.raises(ValueError, match=message):
            uncertainty.laplace(model, FLAT, labels, **{"likelihood": kinds, **options})
    with pytest.raises(ValueError, match="as many means as variances"):
        uncertainty.laplace(mlp(SIZES, None), *MERGED, likelihood="heteroscedastic")
    fitted = uncertainty.laplace(model, FLAT, y, likelihood=kinds)
    with pytest.raises(ValueError, match="a key for samples"):
        fitted.predict(FLAT, link="mc")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"structure": "kron"}, "a part of a weight has no Kronecker factors"),
        ({"subnetwork": uncertainty.Subnetwork(10_000)}, "at most 38"),
    ],
)
def test_parts_that_are_refused(options, message):
    options = {"subnetwork": uncertainty.Subnetwork(3), **options}
    with pytest.raises(ValueError, match=message):
        uncertainty.laplace(mlp(SIZES), *MERGED, **options)


def test_wrong_subnetworks():
    with pytest.raises(ValueError, match="`size` of 1 or more"):
        uncertainty.Subnetwork(0)
    with pytest.raises(ValueError, match="by"):
        uncertainty.Subnetwork(3, by="luck")
