"""Patching: a part of one pass put into another one, and what it does to the outputs. All parts in
one `jax.vmap`.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.explain.activations import paths_of
from jkeras.explain.running import values_of

Structure = Any
ScoreFunction = Callable[[Structure], jax.Array]


class Options(TypedDict, total=False):
    """What all methods take besides; see `activation_patching`."""

    axes: Sequence[int] | None
    batch_size: int | None
    params: Any
    state: Any


def read(where: str, model: Any, x: Structure, options: Mapping[str, Any]) -> tuple:
    """(values of the model, axes, batch size) of the options.

    Raises:
        TypeError: an option that there is not.
    """
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise TypeError(f"{where}() got an unexpected keyword argument {unknown[0]!r}")
    values = values_of(model, x, options.get("params"), options.get("state"))
    return values, options.get("axes"), options.get("batch_size")


@public("jkeras.explain.Patched")
class Patched(NamedTuple):
    """The scores of a model into which parts were put.

    Attributes:
        places: the paths, as along the first axis of `scores`.
        scores: (places, part of the first axis, part of the second, ...); what the score of the
            whole is, behind it.
        before: the score without a change.
        clean: the score of the pass that parts are from; None where they are from none.

    >>> Patched(["mlp"], jnp.array([3.0]), jnp.array(1.0), jnp.array(5.0)).recovered.tolist()
    [0.5]
    """

    places: list[str]
    scores: jax.Array
    before: jax.Array
    clean: jax.Array | None

    @property
    def effects(self) -> jax.Array:
        """How much each part changes the score."""
        return self.scores - self.before

    @property
    def recovered(self) -> jax.Array:
        """The share of the difference to the clean score that each part makes up for."""
        return self.effects / (self.clean - self.before)


class Parts:
    """The parts of places of one shape that are changed one by one.

    Args:
        paths: of the places.
        shape: of what is at each, rows first.
        axes: along which each index is a part; None: all between the rows and the last one.
    """

    def __init__(self, paths: list[str], shape: tuple, axes: Any) -> None:
        if axes is None:
            axes = range(1, max(len(shape) - 1, 1))
        self.axes = [axis % len(shape) for axis in axes]
        self.paths, self.shape = paths, shape
        if len(set(self.axes)) < len(self.axes) or 0 in self.axes:
            expected = "`axes` that differ, none of them that of the rows"
            raise ValueError(explain("patching", expected, f"axes={list(axes)}"))
        self.sizes = [shape[axis] for axis in self.axes]

    def numbers(self) -> jax.Array:
        """(parts, 1 + axes): the number of the place and of the part along each axis."""
        ranges = [range(len(self.paths)), *map(range, self.sizes)]
        return jnp.asarray(list(itertools.product(*ranges)))

    def edits(self, number: jax.Array, values: Mapping[str, jax.Array]) -> dict[str, Callable]:
        """Edits that put values into the part of a number, and leave all others."""
        chosen = jnp.ones((), bool)
        for axis, size, at in zip(self.axes, self.sizes, number[1:]):
            behind = (1,) * (len(self.shape) - axis - 1)
            chosen = chosen & (jnp.arange(size) == at).reshape(-1, *behind)

        def edit(place: int, path: str) -> Callable:
            here = chosen & (number[0] == place)
            return lambda value: jnp.where(here, values[path], value)

        return {path: edit(place, path) for place, path in enumerate(self.paths)}

    def arranged(self, scores: jax.Array) -> jax.Array:
        """Scores of all parts as (places, part of each axis, ...)."""
        return scores.reshape(len(self.paths), *self.sizes, *scores.shape[1:])


def parts_of(model: Any, values: tuple, x: Structure, at: Any, axes: Any) -> Parts:
    """The parts at places.

    Raises:
        ValueError: places of several shapes, or of more than one array.
    """
    shapes = jax.eval_shape(lambda: model.tap(*values, x, at=at, training=False)[2])
    of_each = {path: getattr(value, "shape", None) for path, value in shapes.items()}
    if len(set(of_each.values())) > 1 or None in of_each.values():
        wanted = "places of one shape, an array each"
        fix = "patch those of one shape at a time"
        raise ValueError(explain("patching", wanted, f"{of_each}", fix))
    return Parts(list(of_each), next(iter(of_each.values())), axes)


def run_all(one: Callable, numbers: jax.Array, batch_size: int | None) -> Structure:
    """A function of each number of parts, all at once or so many at a time."""
    if batch_size is None:
        return jax.vmap(one)(numbers)
    return jax.lax.map(one, numbers, batch_size=batch_size)


def _scored(score: ScoreFunction, y: Structure) -> jax.Array:
    value = jnp.asarray(score(y))
    if not jnp.issubdtype(value.dtype, jnp.floating):
        wanted = "`score` to give floats of the outputs"
        raise ValueError(explain("patching", wanted, f"{value.dtype}"))
    return value


@public("jkeras.explain.activation_patching")
def activation_patching(
    model: Any,
    clean: Structure,
    corrupted: Structure,
    at: Any,
    score: ScoreFunction,
    **options: Unpack[Options],
) -> Patched:
    """For each part of each place, the score of the corrupted pass in which this part is as in the
    clean one (Vig et al. 2020; Meng et al. 2022, arXiv:2202.05262): for "block_*/mha/heads"
    (rows, time, heads, size) each head of each layer at each position.

    Args:
        model: a layer or model.
        clean, corrupted: inputs of the same shape.
        at: places of one shape, a list or a pattern.
        score: of the outputs, a number or several.
        options: `axes` along which each index is a part by itself, by default all between that
            of the rows and the last one: of a pattern (rows, heads, target, source) `axes=[1]` is
            the heads; `batch_size`, how many parts are run at once, by default all; `params` and
            `state`, by default those of the model.

    Returns:
        `Patched`: its `scores` by place and part, those of the two passes, and `recovered`.

    Raises:
        ValueError: inputs or places of several shapes.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([jkeras.Input((3, 2)), jkeras.layers.Identity(name="all")])
    >>> clean, corrupted = np.ones((1, 3, 2)), np.zeros((1, 3, 2))
    >>> found = activation_patching(model, clean, corrupted, "all", lambda y: y[0, 1].sum())
    >>> found.recovered.tolist()
    [[0.0, 1.0, 0.0]]
    """
    values, axes, batch_size = read("activation_patching", model, corrupted, options)
    _check_alike(clean, corrupted)
    parts = parts_of(model, values, corrupted, at, axes)
    y, _, seen = model.tap(*values, clean, at=parts.paths, training=False)
    change = functools.partial(parts.edits, values=seen)
    scores, before = _with_each((model, values, corrupted), parts, change, score, batch_size)
    return Patched(parts.paths, scores, before, _scored(score, y))


def _with_each(
    call: tuple[Any, tuple, Structure],
    parts: Parts,
    change: Callable[[jax.Array], dict],
    score: ScoreFunction,
    batch_size: int | None,
) -> tuple[jax.Array, jax.Array]:
    """(scores with the edits of each part, the score without).

    Args:
        call: model, its values, its input.
    """
    model, values, x = call

    def one(number: jax.Array) -> jax.Array:
        return _scored(score, model.tap(*values, x, edit=change(number), training=False)[0])

    before = _scored(score, model.apply(*values, x, training=False)[0])
    return parts.arranged(run_all(one, parts.numbers(), batch_size)), before


@public("jkeras.explain.ablation")
def ablation(
    model: Any,
    x: Structure,
    at: Any,
    score: ScoreFunction,
    *,
    by: str = "mean",
    **options: Unpack[Options],
) -> Patched:
    """For each part of each place, the score without it.

    Args:
        model: a layer or model.
        x: inputs, rows along the first axis.
        at, score, options: as for `activation_patching`.
        by: what is there in its stead: "zero", or the "mean" over the rows.

    Returns:
        `Patched`, without `clean`; its `effects` are the changes of the score.

    Raises:
        ValueError: places of several shapes, or another `by`.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([jkeras.Input((3, 2)), jkeras.layers.Identity(name="all")])
    >>> ablation(model, np.ones((1, 3, 2)), "all", lambda y: y.sum(), by="zero").effects.tolist()
    [[-2.0, -2.0, -2.0]]
    """
    if by not in ("zero", "mean"):
        raise ValueError(explain("ablation", "`by` 'zero' or 'mean'", f"by={by!r}"))
    values, axes, batch_size = read("ablation", model, x, options)
    parts = parts_of(model, values, x, at, axes)
    seen = model.tap(*values, x, at=parts.paths, training=False)[2]
    found = {path: jnp.zeros_like(value) for path, value in seen.items()}
    if by == "mean":
        found = {path: value.mean(0, keepdims=True) for path, value in seen.items()}
    change = functools.partial(parts.edits, values=found)
    scores, before = _with_each((model, values, x), parts, change, score, batch_size)
    return Patched(parts.paths, scores, before, None)


# ---------------------------------------------------------------- paths


@public("jkeras.explain.path_patching")
def path_patching(
    model: Any,
    clean: Structure,
    corrupted: Structure,
    path: tuple[Any, Any],
    score: ScoreFunction,
    *,
    frozen: Any,
    **options: Unpack[Options],
) -> Patched:
    """For each part of the senders, the score of the corrupted pass in which receivers get what
    they would get if this part alone were as in the clean one, and nothing else between them had
    changed by it: the effect by the direct path (Wang et al. 2022, arXiv:2211.00593; Goldowsky-Dill
    et al. 2023, arXiv:2304.05969).

    Args:
        model: a layer or model.
        clean, corrupted: inputs of the same shape.
        path: (senders, receivers): places of one shape, such as "block_0/mha/heads", and those
            whose values follow from them, such as "block_1/mha/queries".
        frozen: places that stay as they are in the corrupted pass while receivers are computed,
            such as ["block_*/mha/heads", "block_*/mlp"]; none of the receivers.
        score, options: as of `activation_patching`; axes of the senders.

    Returns:
        `Patched` of the senders' parts.

    Raises:
        ValueError: inputs or senders of several shapes, a receiver that is frozen.

    >>> import jkeras, numpy as np
    >>> x = jkeras.Input((2, 1))
    >>> a = jkeras.layers.Identity(name="a")(x)
    >>> model = jkeras.Model(x, a + jkeras.layers.Identity(name="b")(a))
    >>> clean, corrupted = np.ones((1, 2, 1)), np.zeros((1, 2, 1))
    >>> score = lambda y: y.sum()
    >>> path_patching(model, clean, corrupted, ("a", "b"), score, frozen=[]).effects.tolist()
    [[1.0, 1.0]]
    """
    values, axes, batch_size = read("path_patching", model, corrupted, options)
    _check_alike(clean, corrupted)
    paths = _Paths(model, values, (clean, corrupted), (*path, frozen), axes)

    def one(number: jax.Array) -> jax.Array:
        received = paths.received(number)
        y = model.tap(*values, corrupted, set=received, training=False)[0]
        return _scored(score, y)

    scores = paths.parts.arranged(run_all(one, paths.parts.numbers(), batch_size))
    ends = (model.apply(*values, x, training=False)[0] for x in (corrupted, clean))
    before, after = (_scored(score, y) for y in ends)
    return Patched(paths.parts.paths, scores, before, after)


class _Paths:
    """What receivers get from a part of the senders by the direct path."""

    def __init__(
        self,
        model: Any,
        values: tuple,
        inputs: tuple[Structure, Structure],
        places: tuple[Any, Any, Any],
        axes: Any,
    ) -> None:
        (clean, corrupted), (senders, receivers, frozen) = inputs, places
        self._model, self._values, self._x = model, values, corrupted
        self.parts = parts_of(model, values, corrupted, senders, axes)
        self.receivers = paths_of(model, values, corrupted, receivers)
        stays = paths_of(model, values, corrupted, frozen) if frozen else []
        both = sorted(set(stays) & set(self.receivers))
        if both:
            raise ValueError(explain("path_patching", "no receiver in `frozen`", f"{both}"))
        at = [*stays, *self.receivers]
        seen = model.tap(*values, corrupted, at=at, training=False)[2]
        self._stays = {path: seen[path] for path in stays}
        self.base = {path: seen[path] for path in self.receivers}
        self._sent = model.tap(*values, clean, at=self.parts.paths, training=False)[2]

    def received(self, number: jax.Array) -> dict[str, jax.Array]:
        """What is at the receivers, by the number of a part."""
        edits = self.parts.edits(number, self._sent)
        options = {"at": self.receivers, "set": self._stays, "edit": edits, "training": False}
        return self._model.tap(*self._values, self._x, **options)[2]


@public("jkeras.explain.edge_attribution")
def edge_attribution(
    model: Any,
    clean: Structure,
    corrupted: Structure,
    path: tuple[Any, Any],
    score: ScoreFunction,
    *,
    frozen: Any,
    **options: Unpack[Options],
) -> dict[str, Patched]:
    """How much each edge from a part of the senders to a receiver counts: the change of what the
    receiver gets by the direct path, times the gradient of the score by it (Syed et al. 2023,
    arXiv:2310.10348). To first order it is what `path_patching` gives for each receiver, all at the
    price of one pass for each part.

    Args:
        model, clean, corrupted, path, frozen, options: as for `path_patching`.
        score: of the outputs, one number.

    Returns:
        `Patched` by receiver; its `effects` are the edges' scores.

    Raises:
        ValueError: as for `path_patching`.

    >>> import jkeras, numpy as np
    >>> x = jkeras.Input((2, 1))
    >>> a = jkeras.layers.Identity(name="a")(x)
    >>> model = jkeras.Model(x, a + 2 * jkeras.layers.Identity(name="b")(a))
    >>> clean, corrupted = np.ones((1, 2, 1)), np.zeros((1, 2, 1))
    >>> edges = edge_attribution(
    ...     model, clean, corrupted, ("a", "b"), lambda y: y.sum(), frozen=[])
    >>> edges["b"].effects.tolist()
    [[2.0, 2.0]]
    """
    values, axes, batch_size = read("edge_attribution", model, corrupted, options)
    _check_alike(clean, corrupted)
    paths = _Paths(model, values, (clean, corrupted), (*path, frozen), axes)

    def whole(added: dict) -> jax.Array:
        value = _scored(score, model.tap(*values, corrupted, add=added, training=False)[0])
        if value.ndim:
            raise ValueError(explain("edge_attribution", "`score` of one number", f"{value.shape}"))
        return value

    zeros = jax.tree_util.tree_map(jnp.zeros_like, paths.base)
    before, slopes = jax.value_and_grad(whole)(zeros)

    def one(number: jax.Array) -> dict[str, jax.Array]:
        received = paths.received(number)
        moved = jax.tree_util.tree_map(jnp.subtract, received, paths.base)
        return {path: before + _dot(slopes[path], moved[path]) for path in moved}

    scores = run_all(one, paths.parts.numbers(), batch_size)
    after = _scored(score, model.apply(*values, clean, training=False)[0])
    arranged = {path: paths.parts.arranged(each) for path, each in scores.items()}
    return {path: Patched(paths.parts.paths, s, before, after) for path, s in arranged.items()}


def _dot(a: Structure, b: Structure) -> jax.Array:
    products = jax.tree_util.tree_map(lambda u, v: jnp.sum(u * v), a, b)
    return sum(jax.tree_util.tree_leaves(products), jnp.zeros(()))


def _check_alike(clean: Structure, corrupted: Structure) -> None:
    shapes = [jax.tree_util.tree_map(np.shape, x) for x in (clean, corrupted)]
    if shapes[0] != shapes[1]:
        wanted = f"`clean` of the shape of `corrupted`, {shapes[1]}"
        raise ValueError(explain("patching", wanted, f"{shapes[0]}"))
