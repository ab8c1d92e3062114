"""Models with several outputs, with outputs per position, or with a mean and a variance: their
numbers in one row, and likelihoods that go with its parts.
"""

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_choice, explain
from jkeras.core.layer import Layer
from jkeras.kernel import tree
from jkeras.uncertainty.decomposition import as_gaussian
from jkeras.uncertainty.likelihood import WHERE, Likelihood, averaged
from jkeras.uncertainty.losses import GaussianNegativeLogLikelihood
from jkeras.uncertainty.outputs import layer_heads, takes_logits

KINDS = ("classification", "regression", "heteroscedastic")
TUNED = "marglik"


class Head(typing.NamedTuple):
    """One output of a model.

    Attributes:
        name: of the output.
        likelihood: of the labels of one position.
        shape: of one row's numbers: (…, numbers); all axes but the last are positions.
        is_masked: whether positions may be masked: these do not count.
        from_logits: as of `laplace`.

    >>> Head("tags", Likelihood("softmax"), (7, 3), False, None).size
    21
    """

    name: str
    likelihood: Likelihood
    shape: tuple[int, ...]
    is_masked: bool
    from_logits: bool | None

    @property
    def positions(self) -> int:
        """How many there are, each with a label."""
        return math.prod(self.shape[:-1])

    @property
    def size(self) -> int:
        """How many numbers a row has, without those of the mask."""
        return self.positions * self.shape[-1]

    @property
    def has_noise(self) -> bool:
        """Whether labels have a noise that the model does not say."""
        return self.likelihood.kind == "gaussian"


@dataclasses.dataclass(frozen=True)
class Heads:
    """The likelihood of all labels of a row, given all outputs in one row; methods as of
    `Likelihood`. What a row has is the numbers of each head and behind them its mask.

    >>> both = Heads(tuple(Head(n, Likelihood("gaussian"), (1,), False, None) for n in "ab"))
    >>> both.log_prob(jnp.zeros((1, 2)), (jnp.zeros((1, 1, 1)),) * 2, jnp.ones(2))  # 2 of 0.919
    Array([-1.837877], dtype=float32)
    """

    heads: tuple[Head, ...]
    kind: typing.ClassVar[str] = "heads"

    def split(self, row: jax.Array) -> list[tuple[jax.Array, jax.Array | None]]:
        """(numbers (…, positions, numbers), mask (…, positions) or None) of each head."""
        parts, begin = [], 0
        for head in self.heads:
            values = row[..., begin : begin + head.size]
            values = values.reshape(*row.shape[:-1], head.positions, head.shape[-1])
            begin += head.size
            mask = None
            if head.is_masked:
                mask = row[..., begin : begin + head.positions]
                begin += head.positions
            parts.append((values, mask))
        return parts

    def root(self, row: jax.Array, noise: jax.Array) -> jax.Array:
        """As of `Likelihood`: blocks of positions; zero in the numbers of masks."""
        blocks = []
        for (values, mask), head, of_head in zip(self.split(row), self.heads, noise):
            root = lambda one, n=of_head, h=head: h.likelihood.root(one, n)  # noqa: E731
            roots = jax.vmap(root)(values)  # (positions, numbers, columns)
            if mask is not None:
                roots = roots * jnp.sqrt(mask)[:, None, None]
            eye = jnp.eye(head.positions, dtype=roots.dtype)
            block = eye[:, None, :, None] * roots[:, :, None, :]
            block = block.reshape(head.size, -1)
            if mask is not None:
                block = jnp.pad(block, ((0, head.positions), (0, 0)))
            blocks.append(block)
        return jax.scipy.linalg.block_diag(*blocks)

    def log_prob(self, rows: jax.Array, y: tuple, noise: jax.Array) -> jax.Array:
        """As of `Likelihood`; labels of each head with an axis of positions."""
        total = jnp.zeros(len(rows), rows.dtype)
        for (values, mask), head, labels, of_head in zip(self.split(rows), self.heads, y, noise):
            of_labels = head.likelihood.log_prob(_merged(values), _merged(labels), of_head)
            of_labels = of_labels.reshape(len(rows), head.positions)
            if mask is not None:
                of_labels = of_labels * mask
            total = total + jnp.sum(of_labels, axis=1)
        return total

    def squares(self, rows: jax.Array, y: tuple) -> jax.Array:
        """(heads, 2): sums of the squared distances of labels, and how many there are; of heads
        that have a noise.
        """
        found = []
        for (values, mask), head, labels in zip(self.split(rows), self.heads, y):
            sums = jnp.zeros(2)
            if head.has_noise:
                counts = mask
                if mask is None:
                    counts = jnp.ones(values.shape[:-1])
                distances = jnp.sum((values - labels) ** 2, axis=-1)
                sums = jnp.stack([jnp.sum(distances * counts), jnp.sum(counts) * head.shape[-1]])
            found.append(sums)
        return jnp.stack(found)

    def labels(self, y: Any, rows: int) -> tuple[jax.Array, ...]:
        """Labels in the structure of the outputs, as `log_prob` takes them.

        Raises:
            ValueError: labels that do not go with the outputs, or are none.
        """
        found = []
        for head, labels in zip(self.heads, each(y, self.names, "y", are_arrays=True)):
            labels = jnp.asarray(labels)
            axes = len(head.shape)
            if labels.shape[:axes] != (rows, *head.shape[:-1]):
                wanted = f"labels of {head.name!r} (rows, …) = {(rows, *head.shape[:-1])}"
                raise ValueError(explain(WHERE, wanted, f"shape {labels.shape}"))
            count = rows * head.positions
            flat = labels.reshape(count, *labels.shape[axes:])
            flat = head.likelihood.labels(flat, (count, head.shape[-1]))
            found.append(flat.reshape(rows, head.positions, *flat.shape[1:]))
        return tuple(found)

    @property
    def names(self) -> list[str]:
        """Of the outputs."""
        return [head.name for head in self.heads]


def _merged(array: jax.Array) -> jax.Array:
    """(rows, positions, …) with one axis for both."""
    return array.reshape(-1, *array.shape[2:])


def each(value: Any, names: Sequence[str], what: str, are_arrays: bool = False) -> list:
    """An argument for each output: given for all, or as a list or dict of them.

    Raises:
        ValueError: another number of them, or other names.
    """
    if isinstance(value, Mapping):
        if set(value) != set(names):
            raise ValueError(explain(WHERE, f"{what} of {list(names)}", f"{sorted(value)}"))
        return [value[name] for name in names]
    if isinstance(value, (list, tuple)) and not (are_arrays and len(names) == 1):
        if len(value) != len(names):
            raise ValueError(explain(WHERE, f"{len(names)} of {what}", f"{len(value)}"))
        return list(value)
    if are_arrays and len(names) > 1:
        wanted = f"{what} for each of the outputs {list(names)}"
        raise ValueError(explain(WHERE, wanted, f"one {type(value).__name__}"))
    return [value] * len(names)


@dataclasses.dataclass(frozen=True)
class HeadsFunction:
    """All outputs of a model in one row, as a function of its values."""

    model: Layer
    heads: Heads

    def __call__(self, uncertain: dict, fixed: dict, state: dict, x: Any) -> jax.Array:
        params = tree.merge(fixed, uncertain)
        flags = [_what_it_gives(head) for head in self.heads.heads]
        found = layer_heads(self.model, params, state, x, flags, where=WHERE)
        parts = []
        for (values, mask), head in zip(found, self.heads.heads):
            parts.append(values.reshape(len(values), -1))
            if head.is_masked:
                mask = jax.lax.stop_gradient(mask).astype(values.dtype)
                parts.append(mask.reshape(len(values), -1))
        return jnp.concatenate(parts, axis=1)


def _what_it_gives(head: Head) -> bool | None:
    """What `layer_heads` is asked for: True is the outputs themselves."""
    if head.likelihood.kind in ("gaussian", "heteroscedastic"):
        return True
    return head.from_logits


def heads_of(
    model: Layer, values: tuple, likelihood: Any, from_logits: Any
) -> tuple[Heads, Any] | None:
    """(the heads of a model, the structure of its outputs); None where it has one plain output
    (rows, numbers), which is no mean and variance.

    Args:
        values: (params, state, x).
        likelihood, from_logits: as of `laplace`.

    Raises:
        ValueError: outputs without rows and numbers; a likelihood that is none.
    """
    run = lambda *values: layer_heads(model, *values, None, where=WHERE)  # noqa: E731
    found = jax.eval_shape(run, *values)
    outputs, _ = jax.eval_shape(lambda *v: model.apply(*v, training=False), *values)
    structure = jax.tree_util.tree_structure(outputs)
    names = _names(model, outputs)
    kinds = each(likelihood, names, "likelihood")
    for kind in kinds:
        check_choice("likelihood", kind, KINDS, WHERE)
    shapes = [leaf.shape for leaf, _ in found]
    if len(shapes) == 1 and len(shapes[0]) == 2 and kinds != ["heteroscedastic"]:
        return None
    if any(len(shape) < 2 for shape in shapes):
        wanted = "outputs (rows, …, numbers)"
        raise ValueError(explain(WHERE, wanted, f"{dict(zip(names, shapes))}"))
    flags = each(from_logits, names, "from_logits")
    losses = _losses(model, names)
    heads = []
    for number, (_, mask) in enumerate(found):
        shape, loss = shapes[number], losses[number]
        flag = flags[number]
        if flag is None:
            flag = takes_logits(loss)
        of_labels = _likelihood(kinds[number], shape, loss)
        heads.append(Head(names[number], of_labels, shape[1:], mask is not None, flag))
    return Heads(tuple(heads)), structure


def _likelihood(kind: str, shape: tuple[int, ...], loss: Any) -> Likelihood:
    if kind == "regression":
        return Likelihood("gaussian")
    if kind == "classification":
        return Likelihood("sigmoid" if shape[-1] == 1 else "softmax")
    if shape[-1] % 2:
        fix = "end the model with `Dense(2)` for one number"
        wanted = "as many means as variances along the last axis of the outputs"
        raise ValueError(explain(WHERE, wanted, f"shape {shape}", fix))
    variance = "softplus"
    if isinstance(loss, GaussianNegativeLogLikelihood):
        variance = loss.variance
    return Likelihood("heteroscedastic", variance)


def _names(model: Any, outputs: Any) -> list[str]:
    leaves = jax.tree_util.tree_leaves_with_path(outputs)
    if isinstance(outputs, dict):
        return [str(getattr(path[-1], "key", path[-1])) for path, _ in leaves]
    names = getattr(model, "output_names", None)
    if names and len(names) == len(leaves):
        return list(names)
    return [f"output {number}" for number in range(len(leaves))]


def _losses(model: Any, names: Sequence[str]) -> list:
    """The loss of each output; None where nothing says it."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        return [loss.get(name) for name in names]
    if isinstance(loss, (list, tuple)) and len(loss) == len(names):
        return list(loss)
    if isinstance(loss, (list, tuple)):
        return [None] * len(names)
    return [loss] * len(names)


# ---------------------------------------------------------------- predictions


@dataclasses.dataclass(frozen=True)
class PredictHeads:
    """What is predicted of each head, from outputs that are normally distributed.

    Args:
        draws: whether probabilities are means over samples.
    """

    heads: Heads
    link: str

    def of_samples(
        self, samples: jax.Array, mean: jax.Array, scaled: jax.Array, noise: Any
    ) -> list:
        """With probabilities as means over samples of outputs (samples, rows, numbers)."""
        parts = self.of_normal(mean, scaled, noise)
        for number, (values, _) in enumerate(self.heads.split(samples)):
            head = self.heads.heads[number]
            if head.likelihood.is_of_classes:
                activation = jax.nn.softmax
                if head.likelihood.kind == "sigmoid":
                    activation = jax.nn.sigmoid
                parts[number] = activation(values).mean(0).reshape(len(mean), *head.shape)
        return parts

    def of_normal(self, mean: jax.Array, scaled: jax.Array, noise: jax.Array) -> list:
        """Of a mean (rows, numbers) and its products with a root (rows, numbers, parameters)."""
        roots = self.heads.split(jnp.moveaxis(scaled, -1, 0))  # (parameters, rows, …)
        parts = []
        for (values, _), (root, _), head, of_head in zip(
            self.heads.split(mean), roots, self.heads.heads, noise
        ):
            covariance = jnp.einsum("prsi,prsj->rsij", root, root, precision="highest")
            parts.append(self._of_head(head, values, covariance, of_head))
        return parts

    def _of_head(self, head: Head, mean: jax.Array, covariance: jax.Array, noise: Any) -> Any:
        shape = (len(mean), *head.shape)
        variance = jnp.diagonal(covariance, axis1=-2, axis2=-1)
        if head.likelihood.kind == "gaussian":
            return mean.reshape(shape), (variance + noise**2).reshape(shape)
        if head.likelihood.kind == "heteroscedastic":
            center, aleatoric = as_gaussian(mean, head.likelihood.variance)
            shape = (*shape[:-1], shape[-1] // 2)
            total = aleatoric + variance[..., : shape[-1]]
            return center.reshape(shape), total.reshape(shape)
        link = self.link
        if link == "mc":
            link = "probit"  # is replaced by the mean over samples
        numbers = head.shape[-1]
        merged = covariance.reshape(-1, numbers, numbers)
        found = averaged(mean.reshape(-1, numbers), merged, head.likelihood.kind, link)
        return found.reshape(shape)


# ---------------------------------------------------------------- noise


def best_noises(fit: Callable, noise: jax.Array, is_tuned: jax.Array, parts: Callable) -> jax.Array:
    """The noise of each head that makes the marginal likelihood largest: `v = squares / (labels -
    gamma)` again and again, where gamma is how many params its labels determine (MacKay 1992).

    Args:
        fit: `noise -> posterior`.
        is_tuned: booleans (heads,).
        parts: `posterior, noise -> (heads, 3)`: the sum of squared distances of labels, how many
            there are, and gamma.
    """

    def step(_: int, noise: jax.Array) -> jax.Array:
        squares, labels, gamma = parts(fit(noise), noise).T
        found = jnp.sqrt(squares / jnp.maximum(labels - gamma, 1e-6 * labels))
        return jnp.where(is_tuned, found, noise)

    return jax.lax.fori_loop(0, ROUNDS, step, noise)


ROUNDS = 40
