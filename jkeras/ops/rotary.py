"""Positions that rotate queries and keys, and how texts are read that are longer than those of
training (Su et al. 2021, arXiv:2104.09864).
"""

import collections.abc
import dataclasses
import math
import typing

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.ops.kernels import on_cpu


@dataclasses.dataclass(frozen=True)
class Rotary:
    """Positions that rotate queries and keys.

    Attributes:
        size: how many features of a head are rotated.
        theta: the wavelength of the slowest ones, divided by 2 pi.
        kind: how positions are scaled; a key of `KINDS`.
        scaling: the numbers of that.
        is_interleaved: features of a pair are neighbours; else they lie half a head apart.
        denominator: of the exponents of `theta`; None: `size`.
    """

    size: int
    theta: float
    kind: str = "default"
    scaling: collections.abc.Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    is_interleaved: bool = False
    denominator: int | None = None


class Frequencies(typing.NamedTuple):
    """Of the rotations.

    Attributes:
        values: radians a position, of each pair of features.
        factor: of what is rotated.
    """

    values: np.ndarray
    factor: float = 1.0


def frequencies(rotary: Rotary, length: int) -> Frequencies:
    """The frequencies for a text of so many positions.

    >>> frequencies(Rotary(4, 10000.0), 8).values
    array([1.  , 0.01], dtype=float32)
    """
    return KINDS[rotary.kind](rotary, length)


def rotated(x: jax.Array, rotary: Rotary, positions: jax.Array, length: int) -> jax.Array:
    """Queries or keys (batch, time, ..., size), the first features of each head rotated.

    Args:
        positions: (batch, time), or (1, time) of all rows.
        length: of the text.

    >>> x = jnp.ones((1, 1, 1, 2))
    >>> rotated(x, Rotary(2, 10000.0), jnp.array([[0]]), 2).tolist()
    [[[[1.0, 1.0]]]]
    """
    values, factor = frequencies(rotary, length)
    positions = positions.astype("float32").reshape(*positions.shape, *(x.ndim - 2) * [1])
    angles = positions * jnp.asarray(values)
    cos, sin = ((_computed_once(f(angles)) * factor).astype(x.dtype) for f in (jnp.cos, jnp.sin))
    x, rest = x[..., : rotary.size], x[..., rotary.size :]
    if rotary.is_interleaved:
        first, second = x[..., ::2], x[..., 1::2]
    else:
        first, second = jnp.split(x, 2, axis=-1)
    parts = first * cos - second * sin, second * cos + first * sin
    if rotary.is_interleaved:
        turned = jnp.stack(parts, axis=-1).reshape(x.shape)
    else:
        turned = jnp.concatenate(parts, axis=-1)
    return jnp.concatenate([turned, rest], axis=-1)


def _computed_once(table: jax.Array) -> jax.Array:
    """A table (..., features) as it is. XLA's CPU compiler fuses sines with what reads them, and
    computes them again for each head of each layer; with a product it does not.
    """
    if not on_cpu() or table.size == table.shape[-1]:  # of one position, they cost nothing
        return table
    same = jnp.eye(table.shape[-1], dtype=table.dtype)
    return jnp.matmul(table, same, precision="highest")


# ---------------------------------------------------------------- kinds


def _plain(rotary: Rotary, theta: float | None = None) -> np.ndarray:
    """Those of positions that are not scaled."""
    if theta is None:
        theta = rotary.theta
    denominator = rotary.size if rotary.denominator is None else rotary.denominator
    exponents = np.arange(0, rotary.size, 2, dtype="float32") / np.float32(denominator)
    return (1.0 / np.float32(theta) ** exponents).astype("float32")


def _default(rotary: Rotary, length: int) -> Frequencies:
    return Frequencies(_plain(rotary))


def _linear(rotary: Rotary, length: int) -> Frequencies:
    """Positions that are divided."""
    return Frequencies(_plain(rotary) / np.float32(rotary.scaling["factor"]))


def _dynamic(rotary: Rotary, length: int) -> Frequencies:
    """A longer wavelength for texts longer than those of training."""
    factor, trained = rotary.scaling["factor"], rotary.scaling["max_position_embeddings"]
    stretch = factor * max(length, trained) / trained - (factor - 1)
    power = rotary.size / (rotary.size - 2)
    return Frequencies(_plain(rotary, rotary.theta * stretch**power))


def _stretched(rotary: Rotary, length: int) -> Frequencies:
    """Of a longer wavelength, whatever the length of the text is."""
    power = rotary.size / max(1, rotary.size - 2)
    return Frequencies(_plain(rotary) / np.float32(rotary.scaling["factor"] ** power))


def _yarn(rotary: Rotary, length: int) -> Frequencies:
    """Slow rotations are divided, fast ones are not (Peng et al. 2023, arXiv:2309.00071)."""
    scaling = rotary.scaling
    factor, trained = scaling["factor"], scaling["original_max_position_embeddings"]

    def feature_of(rotations: float) -> float:
        """Which feature turns so often in a text of training."""
        ratio = math.log(trained / (rotations * 2 * math.pi))
        return rotary.size * ratio / (2 * math.log(rotary.theta))

    first = feature_of(scaling.get("beta_fast") or 32)
    last = feature_of(scaling.get("beta_slow") or 1)
    if scaling.get("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, rotary.size - 1)
    if first == last:
        last += 0.001
    ramp = (np.arange(rotary.size // 2, dtype="float32") - first) / (last - first)
    share = np.clip(ramp, 0, 1).astype("float32")
    plain = _plain(rotary)
    values = plain / np.float32(factor) * share + plain * (1 - share)
    return Frequencies(values.astype("float32"), _yarn_factor(scaling))


def _yarn_factor(scaling: typing.Mapping[str, typing.Any]) -> float:
    """What queries and keys are multiplied with."""
    if scaling.get("attention_factor") is not None:
        return scaling["attention_factor"]

    def growth(weight: float) -> float:
        factor = scaling["factor"]
        return 0.1 * weight * math.log(max(factor, 1.0)) + 1.0

    upper, lower = scaling.get("mscale"), scaling.get("mscale_all_dim")
    if upper and lower:
        return growth(upper) / growth(lower)
    return growth(1.0)


def _longrope(rotary: Rotary, length: int) -> Frequencies:
    """A factor for each rotation, others for long texts (Ding et al. 2024, arXiv:2402.13753)."""
    scaling = rotary.scaling
    trained = scaling["original_max_position_embeddings"]
    factors = scaling["long_factor"] if length > trained else scaling["short_factor"]
    factor = scaling.get("factor")
    if factor is None:
        factor = scaling["max_position_embeddings"] / trained
    attention = scaling.get("attention_factor")
    if attention is None:
        attention = 1.0
        if factor > 1:
            attention = math.sqrt(1 + math.log(factor) / math.log(trained))
    return Frequencies(_plain(rotary) / np.asarray(factors, "float32"), attention)


def _llama3(rotary: Rotary, length: int) -> Frequencies:
    """Slow rotations are divided, fast ones are not, as in Llama 3.1."""
    scaling, plain = rotary.scaling, _plain(rotary)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = scaling["original_max_position_embeddings"] * plain / (2 * math.pi)
    share = np.clip((turns - low) / (high - low), 0, 1)
    values = (1 - share) * plain / scaling["factor"] + share * plain
    return Frequencies(values.astype("float32"))


KINDS = {
    "default": _default,
    "linear": _linear,
    "dynamic": _dynamic,
    "stretched": _stretched,
    "yarn": _yarn,
    "longrope": _longrope,
    "llama3": _llama3,
}
