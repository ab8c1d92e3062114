"""What the uncertainty of several models comes from: the data, or that the models disagree."""

import typing
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special

from jkeras.core.errors import check_choice, explain
from jkeras.uncertainty.checks import as_floats, as_probabilities, check_numbers, check_some

VARIANCES = ("softplus", "exp", "linear")
SMALLEST_VARIANCE = 1e-6


class Decomposition(typing.NamedTuple):
    """The parts of an entropy, for each row, in nats: `total = aleatoric + mutual_information`.

    Attributes:
        total: entropy of the mean of the members' probabilities.
        aleatoric: mean of the members' entropies: what each of them leaves open.
        mutual_information: mean divergence of a member from their mean: how much they disagree,
            which more data would settle.

    >>> Decomposition(0.7, 0.4, 0.3).total
    0.7
    """

    total: jax.Array
    aleatoric: jax.Array
    mutual_information: jax.Array


def decomposition(member_probabilities: Any, from_logits: bool = False) -> Decomposition:
    """The uncertainty of an ensemble, or of samples of dropout, about the class of each row
    (Depeweg et al. 2018, arXiv:1710.07283; Smith and Gal 2018, arXiv:1803.08533).

    Args:
        member_probabilities: (members, rows, classes), or any axes in place of rows; of one class
            the probability of label 1.
        from_logits: whether they are logits.

    Returns:
        `Decomposition`, whose entries are (rows,).

    Raises:
        ValueError: fewer than two axes, no members, numbers that are no probabilities.

    >>> agree = decomposition([[[0.5, 0.5]], [[0.5, 0.5]]])
    >>> differ = decomposition([[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> print(agree.total.round(3), agree.mutual_information.round(3))
    [0.693] [0.]
    >>> print(differ.total.round(3), differ.mutual_information.round(3))
    [0.693] [0.693]
    """
    members = as_floats(member_probabilities)
    if members.ndim < 2:
        wanted = "`member_probabilities` of shape (members, rows, classes)"
        raise ValueError(explain("decomposition", wanted, f"shape {members.shape}"))
    check_some(members, "decomposition", "member_probabilities")
    name = "member_probabilities"
    members = as_probabilities(members, "decomposition", name, from_logits=from_logits)
    if members.shape[-1] == 1:
        members = jnp.concatenate([1 - members, members], axis=-1)
    mean = jnp.mean(members, axis=0)
    divergences = jnp.sum(jax.scipy.special.rel_entr(members, mean), axis=-1)
    return Decomposition(_entropy(mean), jnp.mean(_entropy(members), axis=0), divergences.mean(0))


def _entropy(probabilities: jax.Array) -> jax.Array:
    return jnp.sum(jax.scipy.special.entr(probabilities), axis=-1)


class Mixture(typing.NamedTuple):
    """Mean and variance of a mixture of normal distributions, `variance = aleatoric + epistemic`.

    Attributes:
        mean: of all members.
        variance: of the mixture.
        aleatoric: mean of the members' variances: the noise of the data.
        epistemic: variance of the members' means: how much they disagree.

    >>> Mixture(0.0, 3.0, 1.0, 2.0).variance
    3.0
    """

    mean: jax.Array
    variance: jax.Array
    aleatoric: jax.Array
    epistemic: jax.Array


def mixture(means: Any, variances: Any) -> Mixture:
    """What an ensemble of regressions says together, by the law of total variance
    (Lakshminarayanan et al. 2017, arXiv:1612.01474).

    Args:
        means, variances: (members, rows, …).

    Returns:
        `Mixture`, whose entries are (rows, …).

    Raises:
        ValueError: of different shapes, or without an axis of members; NaN, variances below 0.

    >>> found = mixture([[0.0], [2.0]], [[1.0], [3.0]])
    >>> found.mean.tolist(), found.variance.tolist()  # 2 of the data, 1 of the members
    ([1.0], [3.0])
    """
    means, variances = as_floats(means), as_floats(variances)
    if means.shape != variances.shape or not means.ndim:
        wanted = "`means` and `variances` of the same shape (members, rows, …)"
        raise ValueError(explain("mixture", wanted, f"{means.shape} and {variances.shape}"))
    check_some(means, "mixture", "means")
    check_numbers(means, "mixture", "means")
    check_numbers(variances, "mixture", "variances", 0)
    aleatoric, epistemic = jnp.mean(variances, axis=0), jnp.var(means, axis=0)
    return Mixture(jnp.mean(means, axis=0), aleatoric + epistemic, aleatoric, epistemic)


def as_gaussian(outputs: Any, variance: str = "softplus") -> tuple[jax.Array, jax.Array]:
    """(mean, variance) from the outputs of a model, (…, 2 n) -> twice (…, n): the first half of the
    last axis are means.

    Args:
        outputs: (…, 2 n), of a model.
        variance: what makes a variance of the second half: "softplus" (with 1e-6 added), "exp" or
            "linear", where it is one already.

    Returns:
        (mean, variance), (…, n) each.

    Raises:
        ValueError: an odd number of outputs, an unknown `variance`; "linear" ones below 0.

    >>> mean, variance = as_gaussian([[3.0, 0.0]], "exp")
    >>> mean.tolist(), variance.tolist()
    ([[3.0]], [[1.0]])
    """
    check_choice("variance", variance, VARIANCES, "as_gaussian")
    outputs = as_floats(outputs)
    if not outputs.ndim or outputs.shape[-1] % 2 or not outputs.shape[-1]:
        wanted = "as many means as variances along the last axis of the outputs"
        fix = "end the model with `Dense(2)` for one number"
        raise ValueError(explain("as_gaussian", wanted, f"shape {outputs.shape}", fix))
    mean, raw = jnp.split(outputs, 2, axis=-1)
    if variance == "softplus":
        return mean, jax.nn.softplus(raw) + SMALLEST_VARIANCE
    if variance == "exp":
        return mean, jnp.exp(raw)
    check_numbers(raw, "as_gaussian with `variance='linear'`", "variances", 0)
    return mean, raw


__all__ = ["Decomposition", "Mixture", "as_gaussian", "decomposition", "mixture"]
