"""The posterior of a model with `Heads`, as a function of arrays."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.uncertainty.curvature import AT_ONCE, over_rows
from jkeras.uncertainty.heads import TUNED, Heads, PredictHeads, best_noises, each
from jkeras.uncertainty.likelihood import WHERE
from jkeras.uncertainty.posterior import Posterior, outputs_at, posterior

EXACT = 1e-6  # of the labels' size; what outputs miss by rounding


@dataclasses.dataclass(frozen=True)
class FitHeads:
    """The posterior and the noise of each head.

    Args:
        function: all outputs in one row.
        structure, batch_size: as of `posterior`.
        is_tuned: whether the precision of the prior is to be found; that of each head's noise.
    """

    function: Callable
    heads: Heads
    structure: str
    batch_size: int | None
    is_tuned: tuple[bool, tuple[bool, ...]]

    def __call__(
        self, uncertain: Any, fixed: Any, state: Any, x: Any, y: Any, *numbers: Any
    ) -> tuple[Posterior, jax.Array]:
        precision, noise = numbers
        function = lambda params, x: self.function(params, fixed, state, x)  # noqa: E731
        is_prior_tuned, are_noises_tuned = self.is_tuned
        options = {"structure": self.structure, "likelihood": self.heads}

        def fit(noise: jax.Array) -> Posterior:
            found = posterior(
                function,
                uncertain,
                x,
                y,
                prior_precision=precision,
                noise=noise,
                batch_size=self.batch_size,
                **options,
            )
            return found.tuned(is_prior_tuned)

        def parts(fitted: Posterior, noise: jax.Array) -> jax.Array:
            return self._parts(function, fitted, x, y, noise)

        if any(are_noises_tuned):
            noise = best_noises(fit, noise, jnp.asarray(are_noises_tuned), parts)
        return fit(noise), noise

    def _parts(
        self, function: Callable, fitted: Posterior, x: Any, y: Any, noise: jax.Array
    ) -> jax.Array:
        """As `best_noises` asks for them."""

        def add(total: jax.Array, rows: tuple, counts: jax.Array) -> jax.Array:
            outputs, scaled = outputs_at(function, fitted, rows[0])
            sums = jax.vmap(lambda o, y: self.heads.squares(o[None], jax.tree.map(_row, y)))
            found = sums(outputs, rows[1]) * counts[:, None, None]
            return total + jnp.concatenate([found.sum(0), self._gamma(outputs, scaled, counts)], 1)

        numbers = fitted.parameters * jax.eval_shape(function, fitted.mean, x).shape[1]
        at_once = self.batch_size or max(AT_ONCE // numbers, 1)
        start = jnp.zeros((len(self.heads.heads), 3))
        total = over_rows(add, start, (x, y), at_once)
        return total.at[:, 2].divide(noise**2)

    def _gamma(self, outputs: jax.Array, scaled: jax.Array, counts: jax.Array) -> jax.Array:
        """(heads, 1): for noise 1 the variances of all outputs that have a label."""
        found = []
        variances = jnp.sum(scaled**2, axis=-1) * counts[:, None]
        for (values, _), (_, mask) in zip(self.heads.split(variances), self.heads.split(outputs)):
            of_positions = values.sum(-1)
            if mask is not None:
                of_positions = of_positions * mask
            found.append(jnp.sum(of_positions))
        return jnp.stack(found)[:, None]


def _row(array: jax.Array) -> jax.Array:
    return array[None]


def noises_of(heads: Heads, noise: Any) -> tuple[jax.Array, tuple[bool, ...]]:
    """(the noise of each head, whether it is to be found) from the argument of `laplace`.

    Raises:
        ValueError: one that is none.
    """
    numbers, is_tuned = [], []
    for head, of_head in zip(heads.heads, each(noise, heads.names, "noise")):
        is_number = isinstance(of_head, (int, float)) and of_head > 0
        if of_head != TUNED and not is_number:
            wanted = f"a noise above 0, or {TUNED!r}"
            raise ValueError(explain(WHERE, wanted, repr(of_head)))
        is_tuned.append(head.has_noise and of_head == TUNED)
        if not is_number:
            of_head = 1.0
        numbers.append(float(of_head))
    return jnp.asarray(numbers), tuple(is_tuned)


def check_noises(heads: Heads, noise: jax.Array, y: tuple) -> None:
    """Raises ValueError where a regression hits all its labels."""
    for head, found, labels in zip(heads.heads, noise.tolist(), y):
        size = float(jnp.sqrt(jnp.mean(jnp.asarray(labels, "float32") ** 2)))
        if head.has_noise and not found > EXACT * size:
            received = (
                f"outputs {head.name!r} that are equal to the labels, of which no noise is found"
            )
            fix = "give `noise=`, the standard deviation of the labels"
            raise ValueError(explain(WHERE, "labels around the outputs", received, fix))


@dataclasses.dataclass(frozen=True)
class PredictionsOfHeads:
    """Predictions under the posterior, as a function of arrays."""

    function: Callable
    heads: Heads
    link: str
    samples: int

    def __call__(
        self, fitted: Posterior, fixed: Any, state: Any, x: Any, key: Any, noise: jax.Array
    ) -> list:
        function = lambda params, x: self.function(params, fixed, state, x)  # noqa: E731
        mean, scaled = outputs_at(function, fitted, x)
        predict = PredictHeads(self.heads, self.link)
        if self.link != "mc":
            return predict.of_normal(mean, scaled, noise)
        normal = jax.random.normal(key, (self.samples, scaled.shape[-1]), scaled.dtype)
        samples = mean + jnp.einsum("rop,sp->sro", scaled, normal, precision="highest")
        return predict.of_samples(samples, mean, scaled, noise)
