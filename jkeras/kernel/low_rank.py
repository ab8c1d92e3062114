"""Low-rank changes that lie beside a weight: `w + alpha / rank * a @ b`.

A layer that has a weight `kernel` may have values `kernel_adapter_a`, `kernel_adapter_b` and
`kernel_adapter_alpha` beside it. Hu et al. 2021, arXiv:2106.09685.
"""

import typing

import jax
import jax.numpy as jnp

MARK = "_adapter_"  # no weight of a layer has it in its name
PARTS = ("a", "b", "alpha")


class Change(typing.NamedTuple):
    """A low-rank change of a weight.

    Attributes:
        a: (blocks…, inputs…, rank).
        b: (blocks…, rank, outputs…).
        alpha: scale of the product, which is divided by the rank.
    """

    a: jax.Array
    b: jax.Array
    alpha: jax.Array | float

    @property
    def scaled_b(self) -> jax.Array:
        """b with the scale in it."""
        return self.b * (self.alpha / self.a.shape[-1]).astype(self.b.dtype)

    def blocks(self, ndim: int) -> int:
        """How many axes at the front of a weight with `ndim` axes count blocks."""
        return self.a.ndim + self.b.ndim - 2 - ndim

    def dense(self, ndim: int) -> jax.Array:
        """The change in the shape of its weight, which has `ndim` axes.

        >>> change = Change(jnp.ones((3, 2)), jnp.ones((2, 4, 5)), jnp.asarray(2.0))
        >>> change.dense(3).shape
        (3, 4, 5)
        """
        b = self.scaled_b
        blocks, rank = self.blocks(ndim), self.a.shape[-1]
        inputs, outputs = self.a.shape[:-1], b.shape[blocks + 1 :]
        around = inputs[:blocks]
        product = self.a.reshape(*around, -1, rank) @ b.reshape(*around, rank, -1)
        return product.reshape(*inputs, *outputs)

    def added_to(self, weight: jax.Array) -> jax.Array:
        """The weight with the change, in the weight's dtype."""
        return (weight + self.dense(weight.ndim)).astype(weight.dtype)


def name_of(weight: str, part: str) -> str:
    """The name of a part of a change.

    >>> name_of("kernel", "a")
    'kernel_adapter_a'
    """
    return f"{weight}{MARK}{part}"


def has_part(names: typing.Iterable[str]) -> bool:
    """Whether any of the names of values is that of a part of a change.

    >>> has_part(["kernel", "kernel_adapter_b"]), has_part(["kernel", "bias"])
    (True, False)
    """
    return MARK in " ".join(names)


def beside(values: dict[str, jax.Array], weight: str) -> Change | None:
    """The change that lies beside a weight among a layer's values by name; None: there is none."""
    a = values.get(name_of(weight, "a"))
    if a is None:
        return None
    return Change(a, *(values[name_of(weight, part)] for part in PARTS[1:]))


def is_part(name: str) -> bool:
    """Whether a value is a part of a change.

    >>> is_part("kernel_adapter_b"), is_part("kernel")
    (True, False)
    """
    return MARK in name


def changed(values: dict[str, jax.Array]) -> list[str]:
    """The names of the weights that have a change among a layer's values by name.

    >>> changed({"kernel": 0, "kernel_adapter_a": 0, "kernel_adapter_b": 0})
    ['kernel']
    """
    end = name_of("", "a")
    return [name.removesuffix(end) for name in values if name.endswith(end)]


def adapted(values: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """A layer's values by name with the changes of float weights added to them. Those of weights in
    few bits stay beside them, for the layer to add to its product.
    """
    summed = dict(values)
    for name in changed(values):
        weight = values.get(name)
        if weight is None or not jnp.issubdtype(weight.dtype, jnp.floating):
            continue
        summed[name] = beside(values, name).added_to(weight)
        for part in PARTS:
            del summed[name_of(name, part)]
    return summed
