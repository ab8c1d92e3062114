"""Which rows of the training data a prediction comes from: TracIn and influence functions."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.scipy.sparse.linalg import cg

from jkeras.training.data.sizes import in_passes
from jkeras.explain.running import BATCH_SIZE, loss_of, rows_of
from jkeras.explain.score import Structure
from jkeras.explain.several import is_ensemble, mean, of_members, values_of_members
from jkeras.ops.kernels import traced_for

if TYPE_CHECKING:
    from jkeras.training.types import Tree

ITERATIONS = 1000  # of conjugate gradients, at most
PRECISION = 1e-6  # relative residual where they end


def tracin(
    model: Any,
    x: Structure,
    y: Structure,
    x_train: Structure,
    y_train: Structure,
    *,
    checkpoints: Iterable[dict] | None = None,
    learning_rates: Any = 1.0,
    loss: Any = None,
    state: dict | None = None,
    batch_size: int = BATCH_SIZE,
) -> np.ndarray:
    """How much training on each row lowered the loss of each other row: the products of their
    gradients, summed over checkpoints of the training (TracInCP; Pruthi et al. 2020,
    arXiv:2002.08484).

    Args:
        x, y: rows whose loss is explained, and their targets.
        x_train, y_train: rows that were trained on.
        checkpoints: params at some steps of the training, such as the `params` of states that a
            `Checkpointer` restored; by default those that the model has.
        learning_rates: of each checkpoint, or of all.
        loss: name or function of a loss, by default that which the model was compiled with.
        state: what the forward pass carries, by default the model's.
        batch_size: how many gradients are there at once.

    Returns:
        (rows, training rows); positive where training on the one helped the other.

    Raises:
        ValueError: no `loss`, and the model was not compiled with one.

    >>> import numpy as np, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1, use_bias=False)])
    >>> model.params = {'dense': {'kernel': [[1.0]]}}
    >>> one, two = np.array([[1.0]]), np.array([[2.0], [-2.0]])
    >>> tracin(model, one, 2 * one, two, 2 * two, loss="mse").tolist()
    [[16.0, 16.0]]
    """
    rows = x, y, x_train, y_train
    options = {"learning_rates": learning_rates, "loss": loss, "batch_size": batch_size}
    if is_ensemble(model):
        return _of_members(model, rows, checkpoints, options)
    checkpoints = [model.params] if checkpoints is None else list(checkpoints)
    state = model.state if state is None else state
    return _tracin(model, rows, checkpoints, state, **options)


def _tracin(
    model: Any,
    rows: tuple[Structure, Structure, Structure, Structure],
    checkpoints: list[dict],
    state: dict,
    *,
    learning_rates: Any,
    loss: Any,
    batch_size: int,
) -> np.ndarray:
    x, y, x_train, y_train = rows
    rates = np.broadcast_to(np.asarray(learning_rates, "float32"), (len(checkpoints),))
    gradients = _gradients(_loss_of_row(model, loss, "tracin"))
    total = np.zeros((rows_of(x), rows_of(x_train)), "float32")
    for params, rate in zip(checkpoints, rates):
        for part, ours in _batches(gradients, params, state, x, y, batch_size):
            for others, theirs in _batches(gradients, params, state, x_train, y_train, batch_size):
                total[part, others] += rate * np.asarray(ours @ theirs.T)
    return total


def _of_members(
    model: Any, rows: tuple, checkpoints: Iterable[dict] | None, options: dict[str, Any]
) -> np.ndarray:
    """The mean over the members of an ensemble."""
    if checkpoints is not None:
        model.refuse_ensemble("`tracin` over `checkpoints`")
    return mean(
        [
            _tracin(model, rows, [params], state, **options)
            for params, state in values_of_members(model)
        ]
    )


@of_members
def influence(
    model: Any,
    x: Structure,
    y: Structure,
    x_train: Structure,
    y_train: Structure,
    *,
    loss: Any = None,
    damping: float = 0.01,
    params: dict | None = None,
    state: dict | None = None,
    batch_size: int = BATCH_SIZE,
) -> np.ndarray:
    """How much the loss of each row would grow if a training row weighed more, by the Hessian of
    the training loss: `-g (H + damping)^-1 g'` (Koh and Liang 2017, arXiv:1703.04730). Products
    with the inverse are found by conjugate gradients, so the Hessian is never formed. The loss
    should be convex near the params, or `damping` make it so.

    Args:
        model, x, y, x_train, y_train, loss, state, batch_size: as for `tracin`.
        damping: added to the diagonal of the Hessian.
        params: by default the model's.

    Returns:
        (rows, training rows); negative where the training row helps. Leaving it out changes the
        loss by about `-influence / training rows`.

    >>> import numpy as np, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1, use_bias=False)])
    >>> model.params = {'dense': {'kernel': [[1.0]]}}
    >>> one, two = np.array([[1.0]]), np.array([[2.0], [-2.0]])
    >>> found = influence(model, one, 2 * one, two, 2 * two, loss="mse", damping=0.0)
    >>> found.round(4).tolist()  # gradients of -2 and -8, a Hessian of 8
    [[-2.0, -2.0]]
    """
    params = model.params if params is None else params
    state = model.state if state is None else state
    of_row = _loss_of_row(model, loss, "influence")
    gradients = _gradients(of_row)
    solve = _solver(of_row, params, state, x_train, y_train, damping, batch_size)
    result = np.zeros((rows_of(x), rows_of(x_train)), "float32")
    for rows, ours in _batches(gradients, params, state, x, y, batch_size):
        solved = jnp.stack([solve(gradient) for gradient in ours])
        for others, theirs in _batches(gradients, params, state, x_train, y_train, batch_size):
            result[rows, others] = -np.asarray(solved @ theirs.T)
    return result


# ---------------------------------------------------------------- losses and gradients of rows


def _loss_of_row(model: Any, loss: Any, where: str) -> Callable[..., Any]:
    """`(params, state, x, y) -> loss` of one row without its first axis, not in training."""
    function = loss_of(model, loss, where)

    def of_row(params: "Tree", state: "Tree", x: Any, y: Any) -> jax.Array:
        x, y = jax.tree_util.tree_map(lambda v: v[None], (x, y))
        outputs, _ = model.apply(params, state, x, training=False)
        return jnp.mean(function(y, outputs))

    return of_row


def _gradients(of_row: Callable) -> Callable:
    """`(params, state, x, y) -> (rows, parameters)`, compiled."""

    def gradient(params: "Tree", state: "Tree", x: Any, y: Any) -> jax.Array:
        return ravel_pytree(jax.grad(of_row)(params, state, x, y))[0]

    return jax.jit(jax.vmap(gradient, (None, None, 0, 0)))


def _batches(
    gradients: Callable[..., Any],
    params: "Tree",
    state: "Tree",
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int,
) -> Iterator[tuple[slice, Any]]:
    """(slice of rows, their gradients), some at a time."""
    for begin in range(0, rows_of(x), batch_size):
        rows = slice(begin, begin + batch_size)
        part = jax.tree_util.tree_map(lambda v, rows=rows: np.asarray(v)[rows], (x, y))
        yield rows, gradients(params, state, *part)


def _solver(
    of_row: Callable[..., Any],
    params: "Tree",
    state: "Tree",
    x: np.ndarray,
    y: np.ndarray,
    damping: float,
    batch_size: int,
) -> Callable[..., Any]:
    """`gradient -> (H + damping)^-1 gradient`, H of the mean loss over the training rows."""
    flat, restore = ravel_pytree(params)
    rows = rows_of(x)
    numbers, counts = in_passes(rows, batch_size)
    batches = jax.tree_util.tree_map(lambda v: np.asarray(v)[numbers], (x, y))
    losses_of = jax.vmap(of_row, (None, None, 0, 0))

    def product(vector: jax.Array, batches: Any) -> jax.Array:
        def add_one(total: jax.Array, batch: Any) -> tuple[jax.Array, None]:
            examples, counts = batch
            loss = lambda p: (losses_of(restore(p), state, *examples) * counts).sum()  # noqa: E731
            with traced_for("plain"):  # kernels have no second derivative forwards
                moved = jax.jvp(jax.grad(loss), (flat,), (vector,))[1]
            return total + moved / rows, None

        return jax.lax.scan(add_one, damping * vector, batches)[0]

    @jax.jit
    def solve(gradient: jax.Array, batches: Any) -> jax.Array:
        multiply = lambda vector: product(vector, batches)  # noqa: E731
        return cg(multiply, gradient, tol=PRECISION, maxiter=ITERATIONS)[0]

    return lambda gradient: solve(gradient, (batches, counts))


__all__ = ["influence", "tracin"]
