"""What is at a place for many rows, and directions that are made of it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.explain.running import BATCH_SIZE, by_batches, rows_of, values_of

Structure = Any


def paths_of(model: Any, values: tuple, x: Structure, at: Any) -> list[str]:
    """The paths of the places that keys stand for, patterns among them."""
    seen = jax.eval_shape(lambda: model.tap(*values, x, at=at, training=False)[2])
    return list(seen)


@public("jkeras.explain.activations")
def activations(
    model: Any,
    x: Structure,
    at: Any,
    *,
    batch_size: int = BATCH_SIZE,
    params: Any = None,
    state: Any = None,
) -> Any:
    """What is at a place of a model, for all rows of `x`.

    Args:
        at: a place as of `model.tap`, or a list or pattern of several.
        batch_size: how many rows the model sees at once.
        params, state: by default those of the model.

    Returns:
        An array, rows along the first axis; for a list or pattern a dict by path.

    Raises:
        ValueError: no such place, or one whose first axis is not that of the rows.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2, name="hidden")])
    >>> activations(model, np.ones((5, 3)), "hidden").shape
    (5, 2)
    """
    params, state = values_of(model, x, params, state)

    @jax.jit
    def run(params: Any, state: Any, x: Structure) -> dict:
        return model.tap(params, state, x, at=at, training=False)[2]

    def of_batch(rows: Structure, _: int) -> dict:
        seen = run(params, state, rows)
        for path, value in seen.items():
            leaves = jax.tree_util.tree_leaves(value)
            if any(leaf.shape[:1] != (rows_of(rows),) for leaf in leaves):
                received = jax.tree_util.tree_map(jnp.shape, value)
                fix = "look at it with `model.tap`"
                raise ValueError(
                    explain(f"activations at {path!r}", "rows first", f"{received}", fix)
                )
        return seen

    seen = by_batches(of_batch, x, min(batch_size, max(rows_of(x), 1)), False)
    is_one = not isinstance(at, (list, tuple, set)) and list(seen) == [at]
    return seen[at] if is_one else seen


@public("jkeras.explain.steering_vector")
def steering_vector(
    model: Any,
    positive: Structure,
    negative: Structure,
    at: str,
    *,
    position: int | None = -1,
    **options: Any,
) -> np.ndarray:
    """The difference of the means at a place between inputs that show something and others (Turner
    et al. 2023, arXiv:2308.10248; Rimsky et al. 2024, arXiv:2312.06681). Added at the place, it
    steers the model: `model.tap(..., add={at: 2 * vector})`, `generator.steered(add=...)`.

    Args:
        positive, negative: inputs.
        at: a place (rows, time, features), or (rows, features).
        position: which one along the time; None: the mean of all.
        options: as of `activations`.

    Returns:
        (features,).

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([jkeras.layers.Identity(name="all")])
    >>> steering_vector(model, np.ones((2, 3)), np.zeros((4, 3)), "all").tolist()
    [1.0, 1.0, 1.0]
    """
    means = []
    for x in (positive, negative):
        value = np.asarray(activations(model, x, at, **options))
        if value.ndim not in (2, 3):
            wanted = "a place (rows, time, features) or (rows, features)"
            raise ValueError(explain(f"steering_vector at {at!r}", wanted, f"{value.shape}"))
        if value.ndim == 3:
            value = value.mean(1) if position is None else value[:, position]
        means.append(value.mean(0, dtype="float64"))
    return (means[0] - means[1]).astype("float32")
