"""Methods run on many rows: compiled once, some rows at a time."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.family import families
from jkeras.core.layer import Layer
from jkeras.core.weights.module import Parts
from jkeras.core.weights.paths import walk
from jkeras.explain.locations import as_locations, split
from jkeras.explain.score import Score, Structure, Target, check_target, split_target
from jkeras.ops.kernels import rounding

BATCH_SIZE = 32  # rows that a model sees at once


def attribute(
    method: Callable,
    model: Any,
    x: Structure,
    target: Target,
    arrays: dict[str, Any] | None = None,
    shared: dict[str, Any] | None = None,
    *,
    at: Any = None,
    differentiates: bool = True,
    rounds: bool = True,
    batch_size: int | None = None,
    params: dict | None = None,
    state: dict | None = None,
    **options: Any,
) -> Structure:
    """What a method gives for all rows of `x`.

    Args:
        method: `(score, at_once=, **arrays, **shared, **options) -> structure of rows`; `score` is
            a `Scored`, `at_once` how many rows the model may see for each row of it.
        differentiates: whether it asks for gradients by the inputs.
        rounds: whether layers in few bits round their inputs; else it is the function of their
            weights that is explained.
        arrays: what the method takes besides, rows along the first axis.
        shared: arrays that it takes for all rows.
        options: what it takes that is no array; static when it is compiled.
        batch_size: how many rows the model sees at once, at most.
        params, state: values of the model; by default those that it has. With them the result are
            arrays of JAX, without them numpy's.

    Raises:
        ValueError: an input that has no gradient, a target that the outputs do not have, a layer
            that is stateful.
    """
    is_pure = params is not None or is_traced(x)
    at = as_locations(at)
    x = _inputs(x, differentiates and at is None, at)
    rows = rows_of(x)
    select, target = split_target(target, rows)
    params, state = values_of(model, x, params, state)
    size = min(batch_size or BATCH_SIZE, max(rows, 1))
    at_once = max((batch_size or BATCH_SIZE) // size, 1)
    static = tuple(sorted({**options, "at_once": at_once}.items())), rounds
    score = Score(model, at, select)
    if isinstance(model, Layer):
        _refuse_stateful(model)
        key = method, at, select, static
        program = program_of(model, key, lambda: _Program(score, method, *static))
    else:
        program = _of_function(score, method, *static)
    data = {"x": x, "target": target, "arrays": arrays or {}}
    result = by_batches(
        lambda rows, _: program.run(params, state, rows, shared or {}), data, size, is_pure
    )
    if isinstance(target, np.ndarray):
        check_target(target, program.shape)
    return result


def by_batches(
    run: Callable[[Structure, int], Structure], data: Structure, size: int, is_pure: bool
) -> Structure:
    """What a function gives for all rows.

    Args:
        run: `(so many rows, number of the first) -> structure of rows`.
        size: how many rows it takes at once; the last ones are filled up.
        is_pure: False gives arrays of numpy.
    """
    rows = rows_of(data)
    size = min(size, max(rows, 1))
    results = [
        _cut(run(_rows(data, begin, size), begin), rows - begin) for begin in range(0, rows, size)
    ]
    result = jax.tree_util.tree_map(lambda *parts: jnp.concatenate(parts), *results)
    return result if is_pure else jax.tree_util.tree_map(np.array, result)


def as_array(x: Structure) -> Structure:
    """Numbers in lists as an array; structures of arrays as they are."""
    leaves = jax.tree_util.tree_leaves(x)
    if all(isinstance(leaf, (int, float)) for leaf in leaves):
        return np.asarray(x, "float32")
    return x


def rows_of(x: Structure) -> int:
    """How many rows inputs have."""
    counts = {len(leaf) for leaf in jax.tree_util.tree_leaves(x)}
    if len(counts) != 1:
        raise ValueError(explain("explain", "inputs of as many rows each", f"{sorted(counts)}"))
    (count,) = counts
    if not count:
        raise ValueError(explain("explain", "inputs of one row or more", "none"))
    return count


def is_traced(x: Structure) -> bool:
    """Whether inputs are traced by a transformation of JAX."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(x))


def variable_like(
    model: Any,
    x: Structure,
    at: Any = None,
    *,
    params: dict | None = None,
    state: dict | None = None,
    **others: Any,
) -> Structure:
    """What attributions are of, as structures with a `shape`: the inputs, or the output of the
    layer at a location for them.

    Args:
        others: options of `attribute` that do not change it.
    """
    if at is None:
        return x
    params, state = values_of(model, x, params, state)
    score = Score(model, as_locations(at))
    x = _inputs(x, False, score.at)
    return jax.eval_shape(lambda *values: score.activations(*values)[0], params, state, x)


def floats_of(x: Structure) -> Structure:
    """Inputs as arrays of floats, which masks and images are turned into.

    Raises:
        ValueError: other integers.
    """
    return _inputs(x, True)


def numbers_of(x: Structure) -> Structure:
    """Inputs as arrays, masks and images of them as floats; other integers as they are, which
    stand for categories.
    """
    return jax.tree_util.tree_map(_as_number, x)


def _inputs(x: Structure, as_floats: bool, at: Any = None) -> Structure:
    """Inputs as arrays; as floats where gradients are taken by them: by all, or by those that are
    among several locations.
    """
    if not as_floats and isinstance(at, tuple):
        chosen, _ = split(x, at)
        if chosen:
            return {name: _inputs(value, name in chosen) for name, value in x.items()}
    return jax.tree_util.tree_map(_as_float if as_floats else _as_array, x)


def _as_array(value: Any) -> Any:
    return value if isinstance(value, jax.Array) else np.asarray(value)


def _as_number(value: Any) -> Any:
    value = _as_array(value)
    if value.dtype.kind == "b" or value.dtype == "uint8":  # masks and images
        return value.astype("float32")
    return value


def _as_float(value: Any) -> Any:
    value = _as_number(value)
    if jnp.issubdtype(value.dtype, jnp.floating):
        return value
    advice = (
        "give floats, or the layer that makes some of them: `at='embedding'`; with inputs of a "
        "dict beside it, `at=['price', 'embedding']`"
    )
    raise ValueError(explain("explain", "inputs that have a gradient", value.dtype, advice))


def loss_of(model: Any, loss: Any, where: str) -> Callable:
    """The function `(y_true, y_pred) -> losses` of a loss: the one given by name or as itself, else
    the model's.

    Raises:
        ValueError: there is none.
    """
    if loss is None:
        loss = getattr(model, "loss", None)
    if loss is None:
        raise ValueError(explain(where, "a loss", "a model without one", "give `loss='mse'`"))
    return families["losses"].get(loss)


def values_of(model: Any, x: Structure, params: dict | None, state: dict | None) -> tuple:
    """The values of a model: those given, else its own; it is built where it is not."""
    if params is not None:
        return params, state or {}
    if not isinstance(model, Layer):
        return {}, {}
    if getattr(model, "ensemble_members", None) is not None:
        model.refuse_ensemble("what is computed with the values of a model")
    if not model.built:
        model(jax.tree_util.tree_map(lambda v: v[:1], x))
    return model.params, model.state


def _refuse_stateful(model: Layer) -> None:
    """Raises ValueError where scores depend on the calls before."""
    for path, layer in walk(model):
        if getattr(layer, "stateful", False):
            wanted = "a model whose scores do not depend on the calls before"
            received = f"layer '{'/'.join(path)}' with `stateful=True`"
            advice = "build the same model with `stateful=False` and set its weights"
            raise ValueError(explain("explain", wanted, received, advice))


def _rows(data: dict[str, Any], begin: int, size: Any) -> dict[str, Any]:
    """`size` rows from `begin` on, the last one repeated where there are fewer."""

    def rows(value: Any) -> Any:
        part = value[begin : begin + size]
        missing = size - len(part)
        if not missing:
            return part
        return jnp.concatenate([part, jnp.repeat(part[-1:], missing, axis=0)])

    return jax.tree_util.tree_map(rows, data)


def _cut(result: Any, rows: int) -> Any:
    return jax.tree_util.tree_map(lambda v: v[:rows], result)


def program_of(model: Layer, key: tuple, make: Callable[[], Any]) -> Any:
    """The compiled program of a key, cached on a model for as long as no module changes its
    parts.
    """
    cached = vars(model).setdefault("_explanations", {})
    if cached.get("parts") != Parts.changes:
        cached.clear()
        cached["parts"] = Parts.changes
    if key not in cached:
        cached[key] = make()
    return cached[key]


class _Program:
    """A compiled method.

    Attributes:
        shape: of the model's output, which targets index; set when it has been traced.
    """

    def __init__(self, score: Score, method: Callable, static: tuple, rounds: bool) -> None:
        self.shape = ()

        def run(params: dict, state: dict, data: dict, shared: dict) -> Structure:
            with rounding(rounds):
                scored = score.begin(params, state, data["x"], data["target"], self._note)
                return method(scored, **data["arrays"], **shared, **dict(static))

        self.run = jax.jit(run)

    def _note(self, shape: tuple[int, ...]) -> None:
        self.shape = shape


# of functions, which keep no programs: the last ones
_of_function = functools.lru_cache(maxsize=64)(_Program)
