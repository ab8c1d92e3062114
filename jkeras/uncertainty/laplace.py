"""`laplace`: how sure a trained model is of its predictions, by a normal distribution of its
params.
"""

import dataclasses
import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.errors import check_choice, explain
from jkeras.core.layer import Layer
from jkeras.core.weights.structure import named_weights
from jkeras.programs.trail import Trail
from jkeras.explain.running import by_batches, program_of, values_of
from jkeras.kernel import apply as kernel
from jkeras.kernel import tree
from jkeras.uncertainty.curvature import AT_ONCE
from jkeras.uncertainty.checks import as_probabilities
from jkeras.uncertainty.head_fits import FitHeads, PredictionsOfHeads, check_noises, noises_of
from jkeras.uncertainty.heads import TUNED, Heads, HeadsFunction, each, heads_of
from jkeras.uncertainty.likelihood import LINKS, WHERE, Likelihood, averaged
from jkeras.uncertainty.outputs import logits_of, loss_takes_logits, outputs_of
from jkeras.uncertainty.posterior import (
    STRUCTURES,
    Posterior,
    outputs_and_covariance,
    posterior,
    sampled_outputs,
)
from jkeras.uncertainty.subnetwork import Subnetwork, Within, check_structure, chosen_of

if TYPE_CHECKING:
    from jkeras.training.types import Tree

LAST = "last_layer"
ROWS_LOOKED_AT = 32  # of outputs that are to be probabilities
DIGITS = 1.0  # of the smallest precision: below that many roundings it is not known
EXACT = 1e-6  # of the labels' size; what outputs miss by rounding


class Laplace:
    """A model with the normal distribution of its params, as `laplace` gives it.

    Attributes:
        model: whose values it keeps as they were.
        posterior: the distribution, a value. Its mean are the params that are uncertain.
        rest: (params, state) of the model that are certain.
        likelihood: of labels by outputs.
        noise: standard deviation of the labels of a regression, as it was given or found; of a
            model with several outputs, or outputs per position, a dict by their names.

    >>> import numpy as np, jkeras
    >>> x = np.array([[3.0], [4.0]])
    >>> model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1, use_bias=False)])
    >>> model.params = {"dense": {"kernel": [[2.0]]}}
    >>> given = {"likelihood": "regression", "prior_precision": "marglik", "noise": 1.0}
    >>> fitted = laplace(model, x, 2 * x, **given)
    >>> round(fitted.prior_precision, 2), fitted.covariance.round(4).tolist()
    (0.25, [[0.03959999978542328]])
    """

    def __init__(
        self,
        model: Layer,
        fitted: Posterior,
        rest: tuple[dict, dict],
        likelihood: "_Plain | _OfHeads",
        noise: Any,
    ) -> None:
        self.model, self.posterior, self.likelihood = model, fitted, likelihood.likelihood
        self.noise = likelihood.named(noise)
        self._noises = noise
        self._rest = rest  # params that are not uncertain, state
        self._of = likelihood

    @property
    def covariance(self) -> np.ndarray:
        """The covariance of the params, in the order of `jax.flatten_util.ravel_pytree`; of the
        diagonal structure the variances alone.
        """
        return np.asarray(self.posterior.covariance)

    @property
    def prior_precision(self) -> float:
        """That of the prior, as it was given or found."""
        return float(self.posterior.prior_precision)

    @property
    def log_marginal_likelihood(self) -> float:
        """The logarithm of the probability of the labels, the params integrated out: higher for a
        model, or a prior, that explains the data better.
        """
        return float(self.posterior.log_marginal_likelihood)

    def sample(self, rng: jax.Array | int, count: int = 1) -> dict:
        """Samples of the params of the whole model, along a first axis; those that are
        not uncertain are the same in all of them.
        """
        rng = jax.random.key(rng) if isinstance(rng, int) else rng
        fixed, _ = self._rest
        samples = self.posterior.sample(rng, count)
        if isinstance(self._of.function, Within):
            samples = jax.vmap(self._of.function.whole, (0, None))(samples, fixed)
            fixed = fixed["fixed"]
        repeated = jax.tree_util.tree_map(lambda v: jnp.repeat(v[None], count, axis=0), fixed)
        return tree.merge(repeated, samples)

    def predict(
        self,
        x: Any,
        *,
        link: str = "probit",
        samples: int = 100,
        rng: jax.Array | int | None = None,
        batch_size: int | None = None,
    ) -> Any:
        """Predictions by the model that is linear in its params around the trained ones, the params
        integrated out.

        Args:
            x: rows.
            link: how probabilities follow from uncertain logits: "probit", by one formula for each
                of them; "mc", the mean over `samples` at random, by a key `rng`; "bridge", by a
                Dirichlet distribution, for several classes.
            batch_size: how many rows there are at once; None: as many as memory has place for.

        Returns:
            Of a classifier probabilities (rows, classes). Of a regression (mean, variance), both
            (rows, outputs); the variance is that of labels, their noise in it. Of several outputs
            the structure of these, with axes of positions after the rows.

        Raises:
            ValueError: an unknown link, no key for "mc", "bridge" for a single output.
        """
        self._check_link(link, rng)
        key = jax.random.key(rng) if isinstance(rng, int) else rng
        predict = self._of.predictor(link, samples)
        program = program_of(self.model, ("laplace", predict), lambda: jax.jit(predict))
        if batch_size is None:
            function = self._of.function
            outputs = jax.eval_shape(function, self.posterior.mean, *self._rest, x).shape[1]
            batch_size = max(AT_ONCE // (outputs * self.posterior.parameters), 1)

        def run(rows: Any, _: int) -> Any:
            return program(self.posterior, *self._rest, rows, key, self._noises)

        return self._of.arranged(by_batches(run, x, batch_size, is_pure=False))

    def _check_link(self, link: str, rng: Any) -> None:
        check_choice("link", link, LINKS, WHERE)
        kinds = self._of.kinds
        if not kinds & {"softmax", "sigmoid"}:
            return
        if link == "mc" and rng is None:
            advice = "give `rng=0`, or a key"
            raise ValueError(explain(WHERE, "a key for samples", "rng=None", advice))
        if link == "bridge" and "sigmoid" in kinds:
            advice = "take 'probit' or 'mc'"
            raise ValueError(explain(WHERE, "several classes for 'bridge'", "one output", advice))

    def __repr__(self) -> str:
        parameters = f"{self.posterior.parameters:,} parameters"
        return f"<Laplace of {self.model.name}, {parameters}, prior {self.prior_precision:.4g}>"


def laplace(
    model: Layer,
    x: Any,
    y: Any,
    *,
    structure: str = "full",
    prior_precision: float | str = 1.0,
    likelihood: Any = "classification",
    noise: Any = TUNED,
    from_logits: Any = None,
    batch_size: int | None = None,
    subnetwork: Subnetwork | None = None,
) -> Laplace:
    """A Laplace approximation of a trained model: its params become a normal distribution around
    what they are, with the curvature of the likelihood and of a prior as its precision (MacKay
    1992; Daxberger et al. 2021, arXiv:2106.14806). The curvature is the generalized Gauss-Newton
    matrix over all rows. The model itself stays as it is, and is asked as at inference.

    Args:
        model: trained, with outputs (rows, …, numbers), such as those of each token. Params that
            are frozen are certain.
        x, y: the rows that it was trained on, and labels: integers or probabilities of classes, 0
            and 1 for one output, numbers for a regression; in the structure of the outputs. Labels
            of positions that are masked do not count.
        structure: of the curvature. "full": the whole matrix, of up to 16,384 parameters. "kron":
            for each weight the Kronecker product of two matrices, one of what goes into the
            layer, one of the gradients of what comes out (Martens and Grosse 2015,
            arXiv:1503.05671). "diag": the diagonal alone. "last_layer": the whole matrix of the
            last layer that has weights; all others are certain.
        prior_precision: of the normal prior around 0; "marglik": that which makes the marginal
            likelihood largest.
        likelihood: "classification", "regression", or "heteroscedastic" for outputs that say a mean
            and a variance, as `losses.GaussianNegativeLogLikelihood` takes them. With several
            outputs a list or dict, or one for all of them; `noise` and `from_logits` too.
        noise: standard deviation of the labels of a regression around the outputs; "marglik": that
            which makes the marginal likelihood largest, together with the precision of the prior
            where that is to be found, too.
        from_logits: whether outputs of a classifier are logits; None: what it was compiled with
            says, or a softmax or sigmoid at its end.
        batch_size: how many rows there are at once; None: as many as memory has place for.
        subnetwork: which numbers are uncertain, with "full", "diag" or "last_layer"; None: all.

    Returns:
        `Laplace`: it predicts, and has the marginal likelihood.

    Raises:
        ValueError: an unknown structure or likelihood, more parameters than the structure takes,
            outputs or labels of other shapes; a regression that hits all labels, whose noise
            cannot be found.

    >>> import numpy as np, jkeras
    >>> x, y = np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([0, 0, 1, 1])
    >>> model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(2, "softmax")])
    >>> model.params = {"dense": {"kernel": [[-1.0, 1.0]], "bias": [0.0, 0.0]}}
    >>> fitted = laplace(model, x, y)
    >>> model.predict(np.array([[10.0]]), verbose=0).round(2).tolist()
    [[0.0, 1.0]]
    >>> fitted.predict(np.array([[10.0]])).round(2).tolist()  # no row was that far out
    [[0.029999999329447746, 0.9700000286102295]]
    """
    check_choice("structure", structure, (*STRUCTURES, LAST), WHERE)
    x = jax.tree_util.tree_map(jnp.asarray, x)
    params, state = values_of(model, x, None, None)
    found = heads_of(model, (params, state, x), likelihood, from_logits)
    uncertain, fixed = _uncertain(model, params, state, x, structure == LAST)
    if found is None:
        (likelihood,) = each(likelihood, [""], "likelihood")
        (from_logits,), (noise,) = (
            each(from_logits, [""], "from_logits"),
            each(noise, [""], "noise"),
        )
        _check_precision(prior_precision, noise)
        of = _plain(model, likelihood, from_logits, (params, state, x))
        y = of.likelihood.labels(y, jax.eval_shape(of.function, uncertain, fixed, state, x).shape)
    else:
        _check_precision(prior_precision, 1.0)
        of = _OfHeads(*found, HeadsFunction(model, found[0]))
        y = of.likelihood.labels(y, len(jax.tree_util.tree_leaves(x)[0]))
        _check_heads(model, found[0], params, state, x)
    chosen = "full" if structure == LAST else structure
    precision = prior_precision
    if prior_precision == TUNED:
        precision = 1.0
    if subnetwork is not None:
        check_structure(structure)
        fit, noises = of.fit("diag", batch_size, False, 1.0)
        alone = program_of(model, ("laplace", fit), lambda f=fit: jax.jit(f))

        def diagonal() -> jax.Array:
            return alone(uncertain, fixed, state, x, y, 1.0, noises)[0].curvature.values

        uncertain, fixed = chosen_of(subnetwork, uncertain, fixed, diagonal)
        of = dataclasses.replace(of, function=Within(of.function))
    fit, noises = of.fit(chosen, batch_size, prior_precision == TUNED, noise)
    program = program_of(model, ("laplace", fit), lambda: jax.jit(fit))
    fitted, noises = program(uncertain, fixed, state, x, y, precision, noises)
    of.check(fitted, y, noises, noise)
    _check_digits(float(fitted.digits))
    return Laplace(model, fitted, (fixed, state), of, noises)


def _check_precision(prior_precision: Any, noise: Any) -> None:
    for name, value in (("a prior_precision", prior_precision), ("noise", noise)):
        is_number = not isinstance(value, str) and np.ndim(value) == 0
        if not (is_number and value > 0) and value != TUNED:
            wanted = f"{name} above 0, or {TUNED!r}"
            raise ValueError(explain(WHERE, wanted, f"{value!r}"))


def _check_probabilities(model: Any, params: "Tree", state: "Tree", x: Any) -> None:
    """Looks at what a classifier that is to give probabilities gives for some rows."""
    some = jax.tree_util.tree_map(lambda v: v[:ROWS_LOOKED_AT], x)
    outputs, _ = model.apply(params, state, some, training=False)
    fix = "say `from_logits=True` where they are logits"
    as_probabilities(outputs, WHERE, "outputs", fix=fix)


def _check_residuals(fitted: Posterior, y: Any) -> None:
    """Where all labels are hit, any noise makes less of them than a smaller one."""
    scatter = float(jnp.sum(jnp.asarray(y, "float32") ** 2))
    if float(fitted.residuals.squares) <= EXACT**2 * scatter:
        received = "outputs that are equal to the labels, of which no noise is found"
        fix = "give `noise=`, the standard deviation of the labels"
        raise ValueError(explain(WHERE, "labels around the outputs", received, fix))


def _check_digits(digits: Any) -> None:
    """Sees that the covariance is not made of roundings: of inputs far from zero, which are nearly
    the same in all rows, float32 keeps no digits of how they differ.
    """
    wanted = "params whose precision float32 can tell from its roundings"
    fix = (
        "standardize the inputs (`layers.Normalization`), or take a larger `prior_precision`, or "
        "`structure='diag'`"
    )
    if math.isnan(digits):
        received = "a curvature whose smallest eigenvalues rounding hides"
        raise ValueError(explain(WHERE, wanted, received, fix))
    if digits < DIGITS:
        received = f"the smallest as {digits:.2g} times the largest rounding"
        warnings.warn(explain(WHERE, wanted, received, fix), stacklevel=3)


def _plain(model: Any, likelihood: str, from_logits: bool | None, values: tuple) -> "_Plain":
    """Of a model with one output (rows, numbers).

    Args:
        values: (params, state, x).
    """
    params, state, x = values
    if likelihood == "regression":
        return _Plain(Likelihood("gaussian"), _Outputs(model, None, True))
    from_logits = loss_takes_logits(model) if from_logits is None else from_logits
    function = _Outputs(model, from_logits, False)
    outputs = jax.eval_shape(function, params, {}, state, x)
    if from_logits is False:
        _check_probabilities(model, params, state, x)
    return _Plain(Likelihood("sigmoid" if outputs.shape[1] == 1 else "softmax"), function)


@dataclasses.dataclass(frozen=True)
class _Plain:
    """What is done with one output (rows, numbers)."""

    likelihood: Likelihood
    function: Callable

    @property
    def kinds(self) -> set[str]:
        return {self.likelihood.kind}

    def fit(
        self, structure: str, batch_size: int | None, is_prior_tuned: bool, noise: Any
    ) -> tuple[Callable, jax.Array]:
        is_noise_tuned = self.likelihood.kind == "gaussian" and noise == TUNED
        tuned = is_prior_tuned, is_noise_tuned
        fit = _Fit(self.function, self.likelihood.kind, structure, batch_size, tuned)
        return fit, jnp.asarray(1.0 if noise == TUNED else noise)

    def check(self, fitted: Posterior, y: Any, noises: jax.Array, noise: Any) -> None:
        if self.likelihood.kind == "gaussian" and noise == TUNED:
            _check_residuals(fitted, y)

    def named(self, noises: jax.Array) -> float:
        return float(noises)

    def predictor(self, link: str, samples: int) -> Callable:
        return _Predict(self.function, self.likelihood.kind, link, samples)

    def arranged(self, result: Any) -> Any:
        return result


@dataclasses.dataclass(frozen=True)
class _OfHeads:
    """The same of `Heads`."""

    likelihood: Heads
    structure: Any
    function: Callable

    @property
    def kinds(self) -> set[str]:
        return {head.likelihood.kind for head in self.likelihood.heads}

    def fit(
        self, structure: str, batch_size: int | None, is_prior_tuned: bool, noise: Any
    ) -> tuple[Callable, jax.Array]:
        noises, are_tuned = noises_of(self.likelihood, noise)
        tuned = is_prior_tuned, are_tuned
        return FitHeads(self.function, self.likelihood, structure, batch_size, tuned), noises

    def check(self, fitted: Posterior, y: Any, noises: jax.Array, noise: Any) -> None:
        check_noises(self.likelihood, noises, y)

    def named(self, noises: jax.Array) -> dict[str, float]:
        pairs = zip(self.likelihood.heads, noises.tolist())
        return {head.name: found for head, found in pairs if head.has_noise}

    def predictor(self, link: str, samples: int) -> Callable:
        return PredictionsOfHeads(self.function, self.likelihood, link, samples)

    def arranged(self, result: list) -> Any:
        return jax.tree_util.tree_unflatten(self.structure, result)


def _check_heads(model: Any, heads: Heads, params: "Tree", state: "Tree", x: Any) -> None:
    """Looks at what the heads that are to give probabilities give for some rows."""
    some = jax.tree_util.tree_map(lambda v: v[:ROWS_LOOKED_AT], x)
    outputs, _ = model.apply(params, state, some, training=False)
    for head, values in zip(heads.heads, jax.tree_util.tree_leaves(outputs)):
        if head.likelihood.is_of_classes and head.from_logits is False:
            fix = "say `from_logits=True` where they are logits"
            as_probabilities(values, WHERE, f"outputs {head.name!r}", fix=fix)


@dataclasses.dataclass(frozen=True)
class _Outputs:
    """What the likelihood of a model is a function of, as a function of its values."""

    model: Layer
    from_logits: bool | None
    is_regression: bool

    def __call__(self, uncertain: dict, fixed: dict, state: dict, x: Any) -> jax.Array:
        params = tree.merge(fixed, uncertain)
        if self.is_regression:
            return outputs_of(self.model, params, state, x, where=WHERE)
        options = {"from_logits": self.from_logits, "where": WHERE}
        return logits_of(self.model, params, state, x, **options)


@dataclasses.dataclass(frozen=True)
class _Fit:
    """The posterior, as a function of arrays."""

    function: _Outputs
    kind: str
    structure: str
    batch_size: int | None
    tuned: tuple

    def __call__(
        self, uncertain: "Tree", fixed: "Tree", state: "Tree", x: Any, y: Any, *numbers: Any
    ) -> tuple[Posterior, jax.Array]:
        prior_precision, noise = numbers
        fitted = posterior(
            lambda params, x: self.function(params, fixed, state, x),
            uncertain,
            x,
            y,
            structure=self.structure,
            likelihood=Likelihood(self.kind),
            prior_precision=prior_precision,
            noise=noise,
            batch_size=self.batch_size,
        )
        fitted = fitted.tuned(*self.tuned)
        return fitted, noise if fitted.residuals is None else fitted.residuals.noise


@dataclasses.dataclass(frozen=True)
class _Predict:
    """Predictions under the posterior, as a function of arrays."""

    function: _Outputs
    kind: str
    link: str
    samples: int

    def __call__(
        self, fitted: Posterior, fixed: "Tree", state: "Tree", x: Any, key: Any, noise: jax.Array
    ) -> Any:
        of_params = lambda params, x: self.function(params, fixed, state, x)  # noqa: E731
        if self.link == "mc" and self.kind != "gaussian":
            logits = sampled_outputs(of_params, fitted, x, key, self.samples)
            activation = jax.nn.sigmoid if self.kind == "sigmoid" else jax.nn.softmax
            return activation(logits).mean(0)
        mean, covariance = outputs_and_covariance(of_params, fitted, x)
        if self.kind == "gaussian":
            return mean, jnp.diagonal(covariance, axis1=-2, axis2=-1) + noise**2
        return averaged(mean, covariance, self.kind, self.link)


def _uncertain(
    model: Any, params: "Tree", state: "Tree", x: Any, only_last: bool
) -> "tuple[Tree, Tree]":
    """(params that are uncertain, others).

    Raises:
        ValueError: there are none of the former.
    """
    paths = ByVariable((variable, path) for path, variable in named_weights(model))
    trainable = set(paths.of(model.trainable_variables))
    if only_last:
        trail = Trail()
        run = lambda x: kernel.apply(  # noqa: E731
            model, params, state, (x,), {}, observer=trail, training=False
        )
        jax.eval_shape(run, x)
        owners = {path[:-1] for path in trainable}
        last = next((path for path in reversed(trail.paths) if path in owners), None)
        trainable = {path for path in trainable if path[:-1] == last}
    uncertain, fixed = tree.partition(params, trainable.__contains__)
    if not trainable:
        advice = "unfreeze a layer: `layer.trainable = True`"
        raise ValueError(explain(WHERE, "params that are trained", "a model without", advice))
    return uncertain, fixed


__all__ = ["Laplace", "laplace"]
