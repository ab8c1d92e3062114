"""Sparse autoencoders: what is at a place of a model, as a sum of few directions of many."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.constraints import UnitNorm
from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.initializers import RandomNormal
from jkeras.layers import Dense
from jkeras.models import Model


class Directions:
    """Random directions of length 1, the first values of a decoder; turned around those of the
    encoder, which begins as its inverse, nearly.
    """

    def __init__(self, seed: Any) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> jax.Array:
        values = jax.random.normal(jax.random.key(self.seed), shape, dtype)
        return values / jnp.linalg.norm(values, axis=1, keepdims=True)

    def turned(self, shape: tuple[int, ...], dtype: Any = None) -> jax.Array:
        """The same, (features, latents)."""
        return self(shape[::-1], dtype).T


@public("jkeras.explain.SparseAutoencoder")
class SparseAutoencoder(Model):
    """Directions of which each activation has few (Bricken et al. 2023, "Towards
    Monosemanticity"; with `k`: Gao et al. 2024, arXiv:2406.04093). It is a model: compiled with
    "mse", `fit(values, values)` trains it.

    (rows, ..., features) -> the same, reconstructed.

    Args:
        features: size of an activation.
        latents: how many directions.
        l1: the weight of the sum of the sizes of the latents in the loss; 0 with `k`.
        k: how many latents of each activation are not 0; None: as many as the loss leaves.
    Raises:
        ValueError: sizes below 1, both of `k` and `l1`, or a `k` above `latents`.

    >>> import jkeras, numpy as np
    >>> model = SparseAutoencoder(4, 16, k=2)
    >>> model.compile("adam", "mse")
    >>> values = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    >>> _ = model.fit(values, values, verbose=0)
    >>> int((model.encode(values) > 0).sum(-1).max())
    2
    """

    def __init__(
        self,
        features: int,
        latents: int,
        *,
        l1: float | None = None,
        k: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        counts = {"features": features, "latents": latents} | ({} if k is None else {"k": k})
        for name, value in counts.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(explain("SparseAutoencoder", f"`{name}` of 1 or more", f"{value}"))
        if k is not None and any((l1, k > latents)):
            wanted = f"`k` of at most {latents} latents, and no `l1`"
            raise ValueError(explain("SparseAutoencoder", wanted, f"k={k}, l1={l1}"))
        self.features, self.latents, self.k = features, latents, k
        self.l1 = (1e-3 if k is None else 0.0) if l1 is None else l1
        directions = Directions(RandomNormal().seed)
        turned = directions.turned
        self.encoder = Dense(latents, "relu", kernel_initializer=turned, name="encoder")
        unit = {"kernel_initializer": directions, "kernel_constraint": UnitNorm(axis=1)}
        self.decoder = Dense(features, name="decoder", **unit)

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
        self.encoder.build((None, self.features))
        self.decoder.build((None, self.latents))
        super().build(input_shape)

    def encode(self, x: Any) -> jax.Array:
        """The latents (rows, ..., latents) of activations."""
        z = self.encoder(x - self.decoder.bias)
        if self.k is None:
            return z
        least = jax.lax.top_k(z, self.k)[0][..., -1:]
        return jnp.where(z >= least, z, 0)

    def call(self, x: Any) -> jax.Array:
        """The reconstruction."""
        z = self.encode(x)
        if self.l1:
            self.add_loss(self.l1 * z.sum(-1).mean())
        return self.decoder(z)

    @property
    def directions(self) -> np.ndarray:
        """(latents, features), of length 1."""
        return np.asarray(self.decoder.kernel)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = {"features": self.features, "latents": self.latents, "l1": self.l1, "k": self.k}
        return {**super().get_config(), **own}
