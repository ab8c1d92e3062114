"""Randomized smoothing: the class that a model gives to most noisy copies of an input, and how far
no change of the input can alter that.
"""

import typing
from typing import Any
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.weights.rng import as_key
from jkeras.explain.running import by_batches, program_of, rows_of, values_of
from jkeras.random.keys import sampling_key
from jkeras.robust.attacks import as_floats

ABSTAINS = -1


class Certificate(typing.NamedTuple):
    """What holds for each row.

    Attributes:
        classes: (rows,) of the smoothed model; -1 where it does not say, for want of samples.
        radii: (rows,) distances within which no other input has another class, by Euclid.
        counts: (rows, classes) of how many noisy copies the model gave each class.

    >>> Certificate(np.array([3]), np.array([0.5]), np.array([[0, 0, 0, 9]])).classes.tolist()
    [3]
    """

    classes: np.ndarray
    radii: np.ndarray
    counts: np.ndarray


def randomized_smoothing(
    model: Any,
    x: Any,
    *,
    stddev: float = 0.25,
    samples: int = 1000,
    samples_to_choose: int = 100,
    alpha: float = 0.001,
    rng: jax.Array | int | None = None,
    batch_size: int = 32,
    params: dict | None = None,
    state: dict | None = None,
) -> Certificate:
    """The class that a model gives most often to an input with normal noise, and a radius within
    which this cannot change, whatever the model is (Cohen et al. 2019, arXiv:1902.02918): `stddev`
    times the normal quantile of a lower bound for how often the class is predicted (Clopper and
    Pearson). The certificate is of the smoothed model, which is this function, and not of `model`.

    Args:
        x: one array of rows.
        stddev: of the noise, in the units of `x`: more noise, larger radii of fewer rows.
        samples: how many noisy copies the bound is from.
        samples_to_choose: how many others the class is chosen by.
        alpha: the probability that a certificate is wrong, for each row.
        rng: a key or an integer, by default another one each time.
        batch_size: how many copies the model sees at once.
        params, state: values of the model, by default its own.

    Raises:
        ValueError: a model whose output is no score for each class; no noise, no samples, an
            `alpha` that is no probability.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(2, use_bias=False)])
    >>> model.params = {"dense": {"kernel": np.array([[1.0, -1.0], [0.0, 0.0]])}}
    >>> found = randomized_smoothing(model, np.array([[9.0, 0.0], [0.0, 0.0]]), rng=0)
    >>> found.classes.tolist(), found.radii.round(2).tolist()
    ([0, -1], [0.62, 0.0])
    """
    _check(stddev, alpha, samples=samples, samples_to_choose=samples_to_choose)
    x = as_floats(x)
    params, state = values_of(model, x, params, state)
    choosing, bounding = jax.random.split(as_key(rng))
    count = _counter(model, params, state, x, stddev, batch_size)
    classes = count(choosing, samples_to_choose).argmax(1)
    counts = count(bounding, samples)
    votes = counts[np.arange(len(counts)), classes]
    radii = certified_radius(votes, samples, stddev, alpha)
    return Certificate(np.where(radii > 0, classes, ABSTAINS), radii, counts)


def _check(stddev: float, alpha: float, **counts: int) -> None:
    where = "randomized_smoothing"
    if not stddev > 0:
        raise ValueError(explain(where, "a stddev above 0", f"stddev={stddev}"))
    if not 0 < alpha < 1:
        raise ValueError(explain(where, "0 < alpha < 1", f"alpha={alpha}"))
    for name, count in counts.items():
        if count < 1:
            raise ValueError(explain(where, f"`{name}` of 1 or more", f"{name}={count}"))


def certified_radius(successes: Any, samples: int, stddev: float, alpha: float) -> np.ndarray:
    """The radius that so many of the samples certify, 0 where half of all could be others.

    >>> certified_radius([100, 60, 30], 100, 1.0, 0.001).round(4).tolist()
    [1.5005, 0.0, 0.0]
    """
    from scipy import special  # it comes with JAX

    successes = np.asarray(successes, float)
    lowest = special.betaincinv(np.maximum(successes, 1), samples - successes + 1, alpha)
    lowest = np.where(successes == 0, 0.0, lowest)
    return stddev * np.maximum(special.ndtri(np.maximum(lowest, 0.5)), 0.0)


def _counter(
    model: Any, params: Any, state: Any, x: Any, stddev: float, batch_size: int
) -> Callable[[jax.Array, int], np.ndarray]:
    """`(key, samples) -> (rows, classes)`: how often the model gives each class to noisy copies."""
    rows = rows_of(x)
    copies = max(batch_size // max(min(rows, batch_size), 1), 1)

    def make() -> Callable[..., Any]:
        def run(
            params: Any, state: Any, x: Any, key: jax.Array, begin: Any, sample: Any, valid: Any
        ) -> jax.Array:
            keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(begin + jnp.arange(len(x)))

            def noisy(own: jax.Array, row: jax.Array) -> jax.Array:
                draw = lambda i: jax.random.normal(  # noqa: E731
                    sampling_key(jax.random.fold_in(own, i)), row.shape, row.dtype
                )
                return row + stddev * jax.vmap(draw)(sample + jnp.arange(copies))

            many = jax.vmap(noisy)(keys, x)
            y = model.apply(params, state, many.reshape(-1, *x.shape[1:]), training=False)[0]
            if y.ndim != 2 or y.shape[1] < 2:
                expected = "a model that gives a score for each class"
                raise ValueError(explain("randomized_smoothing", expected, f"outputs {y.shape}"))
            chosen = jax.nn.one_hot(y.argmax(-1), y.shape[-1], dtype="int32")
            chosen = chosen.reshape(len(x), copies, -1)
            return (chosen * valid[None, :, None]).sum(1)

        return jax.jit(run)

    program = program_of(model, ("randomized_smoothing", float(stddev), copies), make)

    def count(key: jax.Array, samples: int) -> np.ndarray:
        def of_rows(inputs: Any, begin: Any) -> Any:
            total = 0
            for sample in range(0, samples, copies):
                valid = np.arange(sample, sample + copies) < samples
                total = total + program(params, state, inputs, key, begin, sample, valid)
            return total

        return by_batches(of_rows, x, batch_size, is_pure=False)

    return count


__all__ = ["Certificate", "certified_radius", "randomized_smoothing"]
