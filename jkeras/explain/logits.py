"""The residual stream read as logits: what a model would say after each layer, and what each part
of it adds to what it says.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.core.run.tap_places import Names
from jkeras.core.weights.paths import walk
from jkeras.explain.activations import paths_of
from jkeras.explain.running import is_traced, values_of

Structure = Any


@public("jkeras.explain.logit_lens")
def logit_lens(
    model: Any,
    x: Structure,
    at: Any,
    *,
    into: str | None = None,
    params: Any = None,
    state: Any = None,
) -> dict[str, jax.Array]:
    """What a model gives where the residual stream goes from each place right to the end
    (nostalgebraist 2020): the layers behind `into`, such as a last norm and the head, see what is
    at the place.

    Args:
        x: inputs.
        at: places along the stream, a list or a pattern such as "block_*".
        into: the last place of the stream; by default the last of `at`.
        params, state: by default those of the model.

    Returns:
        {path: outputs}.

    Raises:
        ValueError: a place that has not the shape of `into`.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([
    ...     jkeras.Input((2,)), jkeras.layers.Identity(name="block_0"),
    ...     jkeras.layers.Rescaling(2.0, name="block_1"), jkeras.layers.Rescaling(10.0)])
    >>> found = logit_lens(model, np.ones((1, 2)), "block_*")
    >>> {path: y.tolist() for path, y in found.items()}
    {'block_0': [[10.0, 10.0]], 'block_1': [[20.0, 20.0]]}
    """
    values = values_of(model, x, params, state)
    paths = paths_of(model, values, x, at)
    into = into or paths[-1]
    seen = model.tap(*values, x, at=[*paths, into], training=False)[2]
    for path in paths:
        if jnp.shape(seen[path]) != jnp.shape(seen[into]):
            wanted = f"places of the shape {jnp.shape(seen[into])} of '{into}'"
            received = f"{jnp.shape(seen[path])} at '{path}'"
            raise ValueError(explain("logit_lens", wanted, received))

    def read(value: jax.Array) -> jax.Array:
        return model.tap(*values, x, set={into: value}, training=False)[0]

    outputs = jax.vmap(read)(jnp.stack([seen[path] for path in paths]))
    return dict(zip(paths, outputs))


@public("jkeras.explain.LogitAttribution")
class LogitAttribution(NamedTuple):
    """What parts of the residual stream add to a logit.

    Attributes:
        parts: by path (rows,), or (rows, heads) of what each head adds.
        rest: (rows,) what does not depend on the stream: biases behind it.
        logits: (rows,).

    >>> LogitAttribution({"mlp": jnp.ones(1)}, jnp.zeros(1), jnp.ones(1)).logits.tolist()
    [1.0]
    """

    parts: dict[str, jax.Array]
    rest: jax.Array
    logits: jax.Array


@public("jkeras.explain.logit_attribution")
def logit_attribution(
    model: Any,
    x: Structure,
    target: Any,
    at: Any,
    *,
    into: str,
    norm: str | None = None,
    position: int = -1,
) -> LogitAttribution:
    """How much each part that is added to the residual stream adds to a logit directly (direct
    logit attribution; Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"). A
    norm between stream and head is taken as linear, at the scale that it has for the whole stream.

    Args:
        model: a layer or model.
        x: inputs, rows along the first axis.
        target: number of the logit, or one for each row.
        at: the parts: places such as ["words", "block_*/mha/results", "block_*/mlp"]. Where they
            are all that is added, `parts` and `rest` add up to the logits. In a dict a place of
            what heads give, (rows, time, heads, size), stands before the layer that makes of it
            what is added: {"block_*/attention/heads": "block_*/attention/output"}, for attention
            that has no `results`; the layer's bias is in no part.
        into: the end of the stream, such as the last block.
        norm: the norm that follows; None: there is none.
        position: along the time.

    Returns:
        `LogitAttribution`: what each part adds, (rows,), the rest, and the logits.

    Raises:
        ValueError: what follows the stream, or the norm, is not linear.

    >>> import jkeras, numpy as np
    >>> x = jkeras.Input((1, 2))
    >>> a = jkeras.layers.Rescaling(2.0, name="a")(x)
    >>> b = jkeras.layers.Rescaling(3.0, name="b")(x)
    >>> stream = jkeras.layers.Add(name="sum")([a, b])
    >>> model = jkeras.Model(x, jkeras.layers.Rescaling(10.0)(stream))
    >>> found = logit_attribution(model, np.ones((1, 1, 2)), 0, ["a", "b"], into="sum")
    >>> {path: part.tolist() for path, part in found.parts.items()}, found.logits.tolist()
    ({'a': [20.0], 'b': [30.0]}, [50.0])
    """
    values = values_of(model, x, None, None)
    paths, through = _parts(model, values, x, at)
    y, _, seen = model.tap(*values, x, at=[*paths, into, *([norm] if norm else [])], training=False)
    stream = seen[into][:, position]
    reading = _Reading(model, values, x, norm or into, (target, position))
    read = reading.of
    if norm is not None:
        layer, scale = _scale(model, values, norm, stream, seen[norm][:, position])
        read = lambda part: reading.of(scale(part))  # noqa: E731
    reading.check_linear(seen[norm or into][:, position])
    parts = {}
    for path in paths:
        part = seen[path][:, position]  # (rows, [heads], features)
        if path in through:
            part = _of_each_head(part, *_layer_at(model, values, through[path]))
        if part.ndim == stream.ndim:
            parts[path] = read(part)
        else:
            parts[path] = jax.vmap(read, in_axes=1, out_axes=1)(part)
    rest = reading.logits(jnp.zeros_like(stream))
    if norm is not None:
        rest = rest + reading.of(_shift(layer, stream))
    return LogitAttribution(parts, rest, reading.chosen(y))


def _parts(model: Any, values: tuple, x: Structure, at: Any) -> tuple[list[str], dict[str, str]]:
    """(paths of the parts, the paths of the layers that parts of heads go through)."""
    through: dict[str, str] = {}
    for place, layer in at.items() if isinstance(at, Mapping) else ():
        if layer is None:
            continue
        places, layers = (paths_of(model, values, x, key) for key in (place, layer))
        if len(places) != len(layers):
            wanted = f"a layer for each of {places}"
            raise ValueError(explain("logit_attribution", wanted, f"{layers}"))
        through |= zip(places, layers)
    return paths_of(model, values, x, at), through


def _of_each_head(part: jax.Array, layer: Any, params: Any, state: Any) -> jax.Array:
    """(rows, heads, features): what a linear layer makes of each head alone, without its bias."""

    def run(heads: jax.Array) -> jax.Array:
        return layer.apply(params, state, heads[:, None], training=False)[0][:, 0]

    alone = jax.vmap(lambda head: run(part * head[:, None]), out_axes=1)(jnp.eye(part.shape[1]))
    return alone - run(jnp.zeros_like(part))[:, None]


class _Reading:
    """What follows a place, as a function of what is there at one position."""

    def __init__(
        self, model: Any, values: tuple, x: Structure, place: str, chosen: tuple[Any, int]
    ) -> None:
        self._model, self._values, self._x, self._place = model, values, x, place
        self._target, self._position = jnp.asarray(chosen[0]), chosen[1]

    def chosen(self, y: jax.Array) -> jax.Array:
        """(rows,) the logits."""
        y = y[:, self._position]
        return jnp.take_along_axis(y, jnp.broadcast_to(self._target, y.shape[:1])[:, None], axis=1)[
            :, 0
        ]

    def logits(self, value: jax.Array) -> jax.Array:
        """The logits (rows,) where a value (rows, features) is at the place."""

        def edit(now: jax.Array) -> jax.Array:
            return now.at[:, self._position].set(value.astype(now.dtype))

        run = self._model.tap
        y = run(*self._values, self._x, edit={self._place: edit}, training=False)[0]
        return self.chosen(y)

    def of(self, value: jax.Array) -> jax.Array:
        """What a value adds to the logits."""
        return self.logits(value) - self.logits(jnp.zeros_like(value))

    def check_linear(self, value: jax.Array) -> None:
        """Raises ValueError where what follows is not linear."""
        if is_traced(value):
            return
        once, twice = np.asarray(self.of(value)), np.asarray(self.of(2 * value))
        if not np.allclose(twice, 2 * once, rtol=1e-3, atol=1e-3 * np.abs(once).max()):
            wanted = f"nothing but linear layers behind '{self._place}'"
            fix = "name the last norm by `norm=`, and let `into` be the end of the stream"
            raise ValueError(explain("logit_attribution", wanted, "others", fix))


def _layer_at(model: Any, values: tuple, path: str) -> tuple[Any, Any, Any]:
    """(layer, its params, its state) of a path."""
    names = Names(model)
    parts = [part for part in path.split("/") if part]
    found = [(p, m) for p, m in walk(model) if p and names.end(p, parts)]
    if len(found) != 1:
        known = ["/".join(p) for p, _ in walk(model) if p]
        wanted = f"the path of a layer: {known[:20]}"
        raise ValueError(explain("logit_attribution", wanted, repr(path)))
    (keys, layer), below = found[0], []
    for tree in values:
        for key in keys:
            tree = tree.get(key, {}) if isinstance(tree, dict) else {}
        below.append(tree)
    return layer, *below


class _Norm(NamedTuple):
    """A norm as `scale * (x - mean) * r + shift`, r a number of each row.

    Attributes:
        scale, shift: (features,).
        is_centered: whether the mean is taken away.
    """

    scale: jax.Array
    shift: jax.Array
    is_centered: bool

    def centered(self, x: jax.Array) -> jax.Array:
        """What is scaled."""
        return x - x.mean(-1, keepdims=True) if self.is_centered else x


def _scale(
    model: Any, values: tuple, path: str, stream: jax.Array, normed: jax.Array
) -> tuple[_Norm, Any]:
    """(the norm, what it makes of a part of the stream at the scale of the whole)."""
    norm = _read_norm(_layer_at(model, values, path), stream)
    scaled = norm.scale * norm.centered(stream)
    rows = ((normed - norm.shift) * scaled).sum(-1, keepdims=True)
    rows = rows / jnp.square(scaled).sum(-1, keepdims=True)
    if not is_traced(normed) and not np.allclose(scaled * rows + norm.shift, normed, atol=1e-3):
        wanted = "`norm` of the form scale * (x - mean) / size + shift, of what is at `into`"
        raise ValueError(explain("logit_attribution", wanted, f"the layer '{path}'"))
    return norm, lambda part: norm.scale * norm.centered(part) * rows


def _read_norm(layer: tuple[Any, Any, Any], stream: jax.Array) -> _Norm:
    """A norm, found out by what it does to vectors so long that its epsilon is nothing."""
    count = stream.shape[-1]
    signs = np.resize([1.0, -1.0], count)
    if count % 2:
        signs[-3:] = [2.0, -1.0, -1.0]
    signs *= 1e4

    def run(x: np.ndarray) -> jax.Array:
        module, params, state = layer
        given = jnp.asarray(x, "float32").reshape(1, 1, count)
        return module.apply(params, state, given, training=False)[0].reshape(count)

    shift = run(np.zeros(count))
    scale = (run(signs) - shift) / (signs / np.sqrt(np.square(signs).mean()))
    is_centered = bool(np.allclose(run(np.ones(count)), shift, atol=1e-3))
    return _Norm(scale, shift, is_centered)


def _shift(norm: _Norm, stream: jax.Array) -> jax.Array:
    return jnp.broadcast_to(norm.shift, stream.shape)
