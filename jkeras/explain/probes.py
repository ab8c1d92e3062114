"""Linear probes: what can be read off the activations at a place by a linear classifier."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jkeras.core.errors import explain
from jkeras.core.names.registry import public

STEPS = 200


@public("jkeras.explain.Probe")
class Probe(NamedTuple):
    """A linear classifier of activations.

    Attributes:
        accuracy: on groups that it was not trained on.
        train_accuracy: on those that it was trained on.
        majority: of a guess that is always the most frequent class.
        control: the accuracy of a probe whose labels were shuffled among the rows it is trained
            on; what is above it is not the probe's own doing.
        weights, bias: (features, classes), (classes,), of activations as they are.
        classes: (classes,).

    >>> round(Probe(0.9, 0.95, 0.5, 0.6, np.eye(2), np.zeros(2), np.arange(2)).selectivity, 2)
    0.3
    """

    accuracy: float
    train_accuracy: float
    majority: float
    control: float
    weights: np.ndarray
    bias: np.ndarray
    classes: np.ndarray

    @property
    def selectivity(self) -> float:
        """How much more accurate it is than the control (Hewitt and Liang 2019)."""
        return self.accuracy - self.control


@public("jkeras.explain.linear_probe")
def linear_probe(
    values: Any,
    labels: Any,
    *,
    groups: Any = None,
    test_size: float = 0.25,
    l2: float = 1e-2,
    seed: int = 0,
) -> Probe:
    """Trains a linear classifier on activations, and tests it on groups that it has not seen (Alain
    and Bengio 2016, arXiv:1610.01644; Hewitt and Liang 2019, arXiv:1909.03368).

    Args:
        values: (rows, features), or (rows, time, features): each position is an example then, and
            a text is a group.
        labels: (rows,), or (rows, time).
        groups: (rows,) what must not be on both sides of the split, such as the number of the text
            that rows are from; by default each row is one.
        test_size: the share of groups that is held out.
        l2: the weight of the squares of the weights, for values of unit variance.
        seed: of the split and the control.

    Returns:
        `Probe`: its accuracies, and the weights.

    Raises:
        ValueError: shapes that do not fit, fewer than two classes or groups.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> values = rng.normal(size=(200, 5))
    >>> probe = linear_probe(values, values[:, 2] > 0)
    >>> probe.accuracy > 0.9, int(np.abs(probe.weights).sum(1).argmax())
    (True, 2)
    """
    values, labels = np.asarray(values, "float64"), np.asarray(labels)
    if values.shape[:-1] != labels.shape or values.ndim not in (2, 3):
        wanted = "`values` (rows, [time,] features) and `labels` (rows, [time])"
        raise ValueError(explain("linear_probe", wanted, f"{values.shape} and {labels.shape}"))
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if groups.shape != labels.shape[:1]:
        expected = f"`groups` of {len(labels)} rows"
        raise ValueError(explain("linear_probe", expected, f"{groups.shape}"))
    if values.ndim == 3:
        groups = np.repeat(groups, values.shape[1])
    values, labels = values.reshape(-1, values.shape[-1]), labels.reshape(-1)
    classes, numbers = np.unique(labels, return_inverse=True)
    rng = np.random.default_rng(seed)
    is_test = _held_out(groups, test_size, rng)
    if len(classes) < 2:
        raise ValueError(explain("linear_probe", "two classes or more", f"{classes}"))
    train = values[~is_test], numbers[~is_test]
    weights, bias = _fitted(*train, len(classes), l2)
    shuffled = rng.permutation(numbers[~is_test])
    control = _fitted(train[0], shuffled, len(classes), l2)

    def accuracy(rows: np.ndarray, of: tuple) -> float:
        return float((np.argmax(values[rows] @ of[0] + of[1], -1) == numbers[rows]).mean())

    most = np.bincount(numbers[~is_test]).argmax()
    return Probe(
        accuracy(is_test, (weights, bias)),
        accuracy(~is_test, (weights, bias)),
        float((numbers[is_test] == most).mean()),
        accuracy(is_test, control),
        weights,
        bias,
        classes,
    )


def _held_out(groups: np.ndarray, test_size: float, rng: np.random.Generator) -> np.ndarray:
    """Which rows are tested on: whole groups."""
    each = rng.permutation(np.unique(groups))
    count = round(len(each) * test_size)
    if not 0 < count < len(each):
        wanted = "`test_size` that leaves groups on both sides"
        received = f"test_size={test_size} of {len(each)} groups"
        raise ValueError(explain("linear_probe", wanted, received))
    return np.isin(groups, each[:count])


def _fitted(
    values: np.ndarray, numbers: np.ndarray, classes: int, l2: float
) -> tuple[np.ndarray, np.ndarray]:
    """(weights, bias) of multinomial logistic regression, by L-BFGS."""
    mean, size = values.mean(0), values.std(0)
    size = np.where(size == 0, 1.0, size)
    x, y = jnp.asarray((values - mean) / size, "float32"), jnp.asarray(numbers)

    def loss(params: tuple[jax.Array, jax.Array]) -> jax.Array:
        weights, bias = params
        each = optax.softmax_cross_entropy_with_integer_labels(x @ weights + bias, y)
        return each.mean() + l2 * jnp.square(weights).sum()

    start = jnp.zeros((x.shape[1], classes)), jnp.zeros(classes)
    weights, bias = _minimized(loss, start)
    weights = np.asarray(weights, "float64") / size[:, None]
    return weights, np.asarray(bias, "float64") - mean @ weights


def _minimized(loss: Any, start: Any) -> Any:
    optimizer = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(loss)

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        params, state = carry
        value, slope = value_and_grad(params, state=state)
        given = {"value": value, "grad": slope, "value_fn": loss}
        updates, state = optimizer.update(slope, state, params, **given)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    def run(start: Any) -> Any:
        return jax.lax.scan(step, (start, optimizer.init(start)), length=STEPS)[0][0]

    return run(start)
