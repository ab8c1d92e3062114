"""The normal distribution of the params that a Laplace approximation gives, as a value."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_choice, explain
from jkeras.uncertainty.curvature import (
    LARGEST,
    Axes,
    Columns,
    diagonal,
    flat,
    full,
    over_rows,
)
from jkeras.uncertainty.evidence import (
    Residuals,
    best_of_both,
    best_precision,
    best_variance,
)
from jkeras.uncertainty.kron import kronecker
from jkeras.uncertainty.likelihood import WHERE, Likelihood

STRUCTURES: dict[str, Callable] = {"full": full, "kron": kronecker, "diag": diagonal}
Tree = Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Posterior:
    """The normal distribution around trained params whose precision is the curvature of the
    log-likelihood and the prior's. A pytree, so that it goes through `jit` and `vmap`.

    Attributes:
        mean: the params.
        curvature: the generalized Gauss-Newton matrix of the negative log-likelihood.
        factor: a root of the covariance.
        prior_precision: of the normal prior around 0, the same for all params.
        log_likelihood: of all labels, at the mean.
        residuals: of a regression: the noise of the labels, and what it is found by.

    >>> x = jnp.array([[3.0], [4.0]])
    >>> fitted = posterior(
    ...     lambda w, x: x * w, jnp.array(2.0), x, 2 * x, likelihood=Likelihood("gaussian"))
    >>> fitted.parameters, fitted.sample(jax.random.key(0), 5).shape
    (1, (5,))
    """

    mean: Tree
    curvature: Any
    factor: Any
    prior_precision: jax.Array
    log_likelihood: jax.Array
    residuals: Residuals | None = None

    @property
    def parameters(self) -> int:
        """How many parameters there are."""
        return sum(leaf.size for leaf in jax.tree_util.tree_leaves(self.mean))

    @property
    def covariance(self) -> jax.Array:
        """(parameters, parameters), in the order of `jax.flatten_util.ravel_pytree` of the mean; of
        the diagonal structure the diagonal alone, (parameters,).

        Raises:
            ValueError: more parameters than a matrix is made of.
        """
        if isinstance(getattr(self.curvature, "basis", None), Axes):
            return self.factor.variances
        if self.parameters > LARGEST:
            wanted = f"at most {LARGEST:,} parameters in a covariance"
            advice = "look at `sample`, or at what `predict` gives"
            raise ValueError(explain(WHERE, wanted, f"{self.parameters:,}", advice))
        root = flat(self.factor.colour(jnp.eye(self.parameters), self.mean), 1)
        return _exact(root.T, root)

    @property
    def digits(self) -> jax.Array:
        """How many times as large as what rounding may hide the smallest precision of the params
        is; NaN where float32 has no root of their covariance.
        """
        return self.curvature.digits(self.factor)

    @property
    def log_marginal_likelihood(self) -> jax.Array:
        """The logarithm of the probability of all labels, the params integrated out."""
        scatter = self.prior_precision * jnp.sum(flat(self.mean) ** 2)
        return self.log_likelihood - 0.5 * (self.factor.log_ratio() + scatter)

    def tuned(self, prior: bool = True, noise: bool = False) -> "Posterior":
        """With the precision of the prior, or the noise of a regression's labels, or both, that
        make the marginal likelihood largest, the mean and the curvature as they are (MacKay 1992).

        Raises:
            ValueError: the noise of what is no regression.
        """
        square = jnp.sum(flat(self.mean) ** 2)
        values = self.curvature.eigenvalues()
        if not noise:
            return self.with_precision(best_precision(values, square)) if prior else self
        if self.residuals is None:
            raise ValueError(explain(WHERE, "a regression, for its noise", "a classification"))
        values = values * self.residuals.noise**2
        if prior:
            precision, variance = best_of_both(values, square, self.residuals)
            return self.with_noise(jnp.sqrt(variance)).with_precision(precision)
        variance = best_variance(values, self.prior_precision, self.residuals)
        return self.with_noise(jnp.sqrt(variance))

    def with_noise(self, noise: jax.Array) -> "Posterior":
        """With another standard deviation of a regression's labels."""
        residuals = self.residuals._replace(noise=noise)
        curvature = self.curvature.times((self.residuals.noise / noise) ** 2)
        changed = dataclasses.replace(
            self,
            curvature=curvature,
            residuals=residuals,
            log_likelihood=residuals.log_likelihood(),
        )
        return changed.with_precision(self.prior_precision)

    def with_precision(self, prior_precision: jax.Array) -> "Posterior":
        """With another precision of the prior."""
        factor = self.curvature.factor(prior_precision)
        return dataclasses.replace(self, factor=factor, prior_precision=prior_precision)

    def sample(self, rng: jax.Array, count: int = 1) -> Tree:
        """Samples of the params: a tree like the mean, with the samples along a first axis."""
        normal = jax.random.normal(rng, (count, self.parameters))
        with jax.default_matmul_precision("highest"):
            changes = self.factor.colour(normal, self.mean)
        return jax.tree_util.tree_map(jnp.add, self.mean, changes)


def posterior(
    function: Callable,
    params: Tree,
    x: Any,
    y: jax.Array,
    *,
    structure: str = "full",
    likelihood: Likelihood,
    prior_precision: Any = 1.0,
    noise: Any = 1.0,
    batch_size: int | None = None,
) -> Posterior:
    """The Laplace approximation of a function of params. Pure.

    Args:
        function: `(params, x) -> (rows, outputs)`: logits, or the outputs of a regression.
        params: a tree, trained.
        x, y: the rows that it was trained on, and their labels.
        structure: "full", "kron" or "diag".
        likelihood: of the labels.
        prior_precision: of the normal prior around 0, a number above 0.
        noise: standard deviation of the labels of a regression.
        batch_size: how many rows there are at once; None: as many as memory has place for.

    Returns:
        `Posterior`.

    Raises:
        ValueError: an unknown structure, or one that these params are too many for.

    >>> x, y = jnp.array([[3.0], [4.0]]), jnp.array([[6.0], [8.0]])
    >>> gaussian = Likelihood("gaussian")
    >>> fitted = posterior(lambda w, x: x * w, jnp.array(2.0), x, y, likelihood=gaussian, noise=0.5)
    >>> round(float(1 / fitted.covariance[0, 0]), 3)  # (9 + 16) / 0.25 + 1
    101.0
    """
    check_choice("structure", structure, STRUCTURES, WHERE)
    noise = jnp.asarray(noise, "float32")
    with jax.default_matmul_precision("highest"):
        root = lambda outputs: likelihood.root(outputs, noise)  # noqa: E731
        columns = Columns(function, root, params, x, batch_size, WHERE)
        curvature = STRUCTURES[structure](columns)

        def add(total: jax.Array, rows: tuple, counts: jax.Array) -> jax.Array:
            outputs = function(params, rows[0])
            if likelihood.kind == "gaussian":
                values = jnp.sum((outputs - rows[1]) ** 2, axis=-1)
            else:
                values = likelihood.log_prob(outputs, rows[1], noise)
            return total + jnp.sum(jnp.where(counts, values, 0))

        total = over_rows(add, jnp.zeros(()), (x, y), columns.rows_at_once())
        precision = jnp.asarray(prior_precision, "float32")
        factor = curvature.factor(precision)
    if likelihood.kind != "gaussian":
        return Posterior(params, curvature, factor, precision, total)
    residuals = Residuals(noise, total, jnp.asarray(y.size, "float32"))
    total = residuals.log_likelihood()
    return Posterior(params, curvature, factor, precision, total, residuals)


def outputs_at(function: Callable, fitted: Posterior, x: Any) -> tuple[jax.Array, jax.Array]:
    """(outputs (rows, outputs), products of their Jacobians with the root of the covariance (rows,
    outputs, parameters)). Pure.
    """

    def of_row(x: Any) -> tuple:
        def outputs(params: Tree) -> tuple:
            values = function(params, jax.tree_util.tree_map(lambda v: v[None], x))[0]
            return values, values

        return jax.jacrev(outputs, has_aux=True)(fitted.mean)

    with jax.default_matmul_precision("highest"):
        jacobians, outputs = jax.vmap(of_row)(x)
        scaled = fitted.factor.whiten(jacobians, axes=2)
    return outputs, scaled


def outputs_and_covariance(
    function: Callable, fitted: Posterior, x: Any
) -> tuple[jax.Array, jax.Array]:
    """The distribution of the outputs of the model that is linear in its params around the mean:
    (mean (rows, outputs), covariance (rows, outputs, outputs)). Pure.

    Args:
        function: as for `posterior`.
        fitted: of `posterior`.
        x: rows.

    Returns:
        (mean (rows, outputs), covariance (rows, outputs, outputs)).

    >>> linear = lambda w, x: x * w
    >>> x = jnp.array([[3.0], [4.0]])
    >>> fitted = posterior(linear, jnp.array(2.0), x, 2 * x, likelihood=Likelihood("gaussian"))
    >>> mean, covariance = outputs_and_covariance(linear, fitted, jnp.array([[1.0]]))
    >>> mean.tolist(), (26 * covariance).round(5).tolist()
    ([[2.0]], [[[1.0]]])
    """
    outputs, scaled = outputs_at(function, fitted, x)
    return outputs, _exact(scaled, jnp.swapaxes(scaled, -1, -2))


def sampled_outputs(
    function: Callable, fitted: Posterior, x: Any, rng: jax.Array, samples: int
) -> jax.Array:
    """Outputs of that linear model for sampled params, the same for all rows: (samples,
    rows, outputs). Pure.
    """
    outputs, scaled = outputs_at(function, fitted, x)
    normal = jax.random.normal(rng, (samples, scaled.shape[-1]), scaled.dtype)
    return outputs + jnp.einsum("rop,sp->sro", scaled, normal, precision="highest")


def _exact(left: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.matmul(left, right, precision="highest")
