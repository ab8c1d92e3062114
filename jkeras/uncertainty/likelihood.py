"""Likelihoods of labels by a model's outputs, and what a Laplace approximation asks of them."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.uncertainty.decomposition import as_gaussian
from jkeras.uncertainty.checks import as_probabilities, check_labels, check_numbers, check_some

WHERE = "uncertainty.laplace"
LINKS = ("probit", "mc", "bridge")


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """How likely a label is.

    Args:
        kind: "softmax" of logits (rows, classes), "sigmoid" of logits (rows, 1), or "gaussian"
            around outputs (rows, numbers); "heteroscedastic" around the first half of outputs
            (rows, 2 numbers), with variances that the second half makes.
        variance: of "heteroscedastic", as of `as_gaussian`.

    >>> Likelihood("sigmoid").log_prob(jnp.zeros((1, 1)), jnp.array([[1]]), jnp.ones(()))
    Array([-0.6931472], dtype=float32)
    """

    kind: str
    variance: str = "softplus"

    @property
    def is_of_classes(self) -> bool:
        """Whether labels are classes."""
        return self.kind in ("softmax", "sigmoid")

    def root(self, outputs: jax.Array, noise: jax.Array) -> jax.Array:
        """S of which `S @ S.T` is the Hessian of a row's negative log-likelihood by its outputs:
        (outputs, outputs).

        >>> root = Likelihood("sigmoid").root(jnp.zeros(1), jnp.ones(()))
        >>> (root @ root.T).tolist()  # p (1 - p)
        [[0.25]]
        """
        if self.kind == "gaussian":
            return jnp.eye(len(outputs), dtype=outputs.dtype) / noise
        if self.kind == "heteroscedastic":
            return self._root_of_both(outputs)
        if self.kind == "sigmoid":
            p = jax.nn.sigmoid(outputs)
            return jnp.sqrt(p * jax.nn.sigmoid(-outputs))[:, None]
        p = jax.nn.softmax(outputs)
        return jnp.diag(jnp.sqrt(p)) - jnp.outer(p, jnp.sqrt(p))

    def _root_of_both(self, outputs: jax.Array) -> jax.Array:
        """Of a mean and a variance, whose Hessian is taken in the mean over labels: it is that of
        Fisher, `1 / v` of the mean and `(dv / v)^2 / 2` of what makes the variance.
        """
        _, variance = as_gaussian(outputs, self.variance)
        raw = outputs[len(variance) :]
        made = lambda raw: as_gaussian(jnp.concatenate([raw, raw]), self.variance)[1]  # noqa: E731
        _, slopes = jax.jvp(made, (raw,), (jnp.ones_like(raw),))
        both = jnp.concatenate([1 / jnp.sqrt(variance), slopes / (jnp.sqrt(2.0) * variance)])
        return jnp.diag(both)

    def log_prob(self, outputs: jax.Array, y: jax.Array, noise: jax.Array) -> jax.Array:
        """The log-likelihood of each row, (rows,).

        >>> Likelihood("softmax").log_prob(jnp.zeros((1, 2)), jnp.array([1]), jnp.ones(()))
        Array([-0.6931472], dtype=float32)
        """
        if self.kind == "gaussian":
            squares = ((outputs - y) / noise) ** 2
            constants = jnp.log(noise) + 0.5 * math.log(2 * math.pi)
            return -jnp.sum(0.5 * squares + constants, axis=-1)
        if self.kind == "heteroscedastic":
            mean, variance = as_gaussian(outputs, self.variance)
            constants = jnp.log(variance) + math.log(2 * math.pi)
            return -0.5 * jnp.sum((mean - y) ** 2 / variance + constants, axis=-1)
        if self.kind == "sigmoid":
            y = y.astype(outputs.dtype)
            signed = y * jax.nn.log_sigmoid(outputs) + (1 - y) * jax.nn.log_sigmoid(-outputs)
            return signed[:, 0]
        log_p = jax.nn.log_softmax(outputs)
        if y.ndim == 2:
            return jnp.sum(y * log_p, axis=-1)
        return jnp.take_along_axis(log_p, y[:, None], axis=-1)[:, 0]

    def labels(self, y: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Labels as `log_prob` takes them, for outputs of a shape (rows, numbers).

        Raises:
            ValueError: labels that do not go with the outputs, or are none.
        """
        y = jnp.asarray(y)
        check_some(y, WHERE, "y")
        if self.kind == "heteroscedastic":
            shape = (shape[0], shape[1] // 2)
        column = y.ndim == 2 and y.shape[1] == 1
        if self.kind == "softmax":
            integers = jnp.issubdtype(y.dtype, jnp.integer) or y.dtype == bool
            if y.shape == shape:
                return as_probabilities(y, WHERE, "y", fix="give integers or probabilities")
            y = y[:, 0] if column else y
            if y.shape == shape[:1] and integers:
                check_labels(y, shape[1], WHERE)
                return y.astype("int32")
            wanted = f"integer labels ({shape[0]},) or probabilities {shape}"
        else:
            y = y[:, None] if y.ndim == 1 and shape[1] == 1 else y
            if y.shape == shape:
                return self._numbers(y)
            wanted = f"labels {shape}"
        raise ValueError(explain(WHERE, wanted, f"shape {y.shape} of {y.dtype}"))

    def _numbers(self, y: jax.Array) -> jax.Array:
        """Labels of one sigmoid, which are probabilities, or of a regression."""
        if self.kind == "sigmoid":
            return as_probabilities(y, WHERE, "y", fix="give 0 and 1, or probabilities")
        check_numbers(y, WHERE, "y")
        return y


def averaged(mean: jax.Array, covariance: jax.Array, kind: str, link: str) -> jax.Array:
    """Probabilities where the logits of each row are normally distributed.

    Args:
        mean, covariance: (rows, outputs) and (rows, outputs, outputs).
        kind: of the likelihood, "softmax" or "sigmoid".
        link: "probit" (MacKay 1992; Gibbs 1998 for several classes), or "bridge" to a Dirichlet
            distribution (Hobbhahn et al. 2022, arXiv:2003.01227).

    >>> wide = 100.0 * jnp.eye(2)[None]
    >>> averaged(jnp.array([[2.0, 0.0]]), wide, "softmax", "probit").round(2).tolist()
    [[0.5799999833106995, 0.41999998688697815]]
    """
    if link == "bridge":
        return _by_bridge(mean, covariance)
    variance = jnp.diagonal(covariance, axis1=-2, axis2=-1)
    scaled = mean / jnp.sqrt(1 + math.pi / 8 * variance)
    return jax.nn.sigmoid(scaled) if kind == "sigmoid" else jax.nn.softmax(scaled)


def _by_bridge(mean: jax.Array, covariance: jax.Array) -> jax.Array:
    """The mean of the Dirichlet distribution that a normal one of logits is turned into.

    Logits matter up to a number for each row, so the normal distribution is first conditioned on a
    sum of zero.
    """
    classes = mean.shape[-1]
    sums = covariance.sum(-1)
    total = sums.sum(-1)
    mean = mean - sums * (mean.sum(-1) / total)[:, None]
    covariance = covariance - sums[:, :, None] * sums[:, None, :] / total[:, None, None]
    variance = jnp.diagonal(covariance, axis1=-2, axis2=-1)
    others = jnp.exp(-mean).sum(-1, keepdims=True)
    alpha = (1 - 2 / classes + jnp.exp(mean) * others / classes**2) / variance
    return alpha / alpha.sum(-1, keepdims=True)
