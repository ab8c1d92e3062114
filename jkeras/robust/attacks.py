"""Inputs close to others at which a model's loss is high."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_choice, explain
from jkeras.core.weights.rng import as_key
from jkeras.explain.running import (
    as_array,
    by_batches,
    is_traced,
    loss_of,
    program_of,
    rows_of,
    values_of,
)
from jkeras.random.keys import sampling_key

NORMS = ("inf", "2")
SAME_NORMS = {2: "2", float("inf"): "inf"}  # as other libraries write them
SMALLEST = 1e-12  # so that a gradient of zero is not divided by its length

map_structure = jax.tree_util.tree_map


@dataclasses.dataclass(frozen=True)
class FGSM:
    """The fast gradient sign method: one step of a size in the direction in which the loss grows
    (Goodfellow et al. 2014, arXiv:1412.6572). As a value for `compile(adversarial=)`; `fgsm` runs
    it.

    Args:
        epsilon: the size of the step, in the units of the inputs.
        norm: "inf" or `np.inf`: of each number; "2" or 2: of the row's whole change.
        bounds: (lowest, highest) value of an input; None: any.

    >>> attack = FGSM(epsilon=0.5)
    >>> attack.perturb(lambda x: (x**2).sum(), jnp.array([[1.0, -2.0]])).tolist()
    [[1.5, -2.5]]
    """

    epsilon: float = 0.1
    norm: str | float = "inf"
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        _check(self)

    def perturb(self, loss_of: Callable, x: Any, key: jax.Array | None = None) -> Any:
        """Inputs at which a loss is higher.

        Args:
            loss_of: `x -> scalar`, in which rows do not depend on each other.
        """
        step = _direction(jax.grad(loss_of)(x), self.norm)
        moved = map_structure(lambda v, s: v + self.epsilon * s, x, step)
        return _within(moved, self.bounds)


@dataclasses.dataclass(frozen=True)
class PGD:
    """Projected gradient descent: many steps in the direction in which the loss grows, each brought
    back to within a distance of the input (Madry et al. 2017, arXiv:1706.06083). As a value for
    `compile(adversarial=)`; `pgd` runs it.

    Args:
        epsilon: the largest distance from the input.
        steps: how many.
        step_size: of each; by default 2.5 times `epsilon / steps`.
        norm: of the distance, "inf" or "2"; `np.inf` or 2.
        bounds: (lowest, highest) value of an input; None: any.
        random_start: whether to begin at a random point within the distance; that needs a key.

    >>> attack = PGD(epsilon=0.5, steps=4, random_start=False)
    >>> attack.perturb(lambda x: (x**2).sum(), jnp.array([[1.0, -2.0]])).tolist()
    [[1.5, -2.5]]
    """

    epsilon: float = 0.1
    steps: int = 10
    step_size: float | None = None
    norm: str | float = "inf"
    bounds: tuple[float, float] | None = None
    random_start: bool = True

    def __post_init__(self) -> None:
        _check(self)
        if self.steps < 1:
            raise ValueError(explain("PGD", "1 step or more", f"steps={self.steps}"))
        if self.step_size is not None and not self.step_size > 0:
            raise ValueError(explain("PGD", "a step above 0", f"step_size={self.step_size}"))

    def perturb(self, loss_of: Callable, x: Any, key: jax.Array | None = None) -> Any:
        """Inputs at which a loss is higher.

        Args:
            loss_of: `x -> scalar`, in which rows do not depend on each other.
            key: of the random start.
        """
        size = 2.5 * self.epsilon / self.steps if self.step_size is None else self.step_size

        def step(moved: Any, _: None) -> tuple[Any, None]:
            direction = _direction(jax.grad(loss_of)(moved), self.norm)
            moved = map_structure(lambda v, s: v + size * s, moved, direction)
            return self._project(moved, x), None

        begin = self._project(self._random_start(x, key), x) if self.random_start else x
        return jax.lax.scan(step, begin, None, length=self.steps)[0]

    def _random_start(self, x: Any, key: jax.Array | None) -> Any:
        if key is None:
            raise ValueError(explain("PGD", "a key for the random start", "none"))
        leaves, treedef = jax.tree_util.tree_flatten(x)
        keys = jax.random.split(key, len(leaves))
        noise = [
            jax.random.uniform(sampling_key(k), v.shape, v.dtype, -self.epsilon, self.epsilon)
            for k, v in zip(keys, leaves)
        ]
        return map_structure(jnp.add, x, jax.tree_util.tree_unflatten(treedef, noise))

    def _project(self, moved: Any, x: Any) -> Any:
        """The nearest inputs within the distance and the bounds."""
        change = map_structure(jnp.subtract, moved, x)
        if self.norm == "inf":
            change = map_structure(lambda c: jnp.clip(c, -self.epsilon, self.epsilon), change)
        else:
            factor = jnp.minimum(1.0, self.epsilon / jnp.maximum(_lengths(change), SMALLEST))
            change = map_structure(lambda c: c * _by_row(factor, c), change)
        return _within(map_structure(jnp.add, x, change), self.bounds)


def fgsm(
    model: Any,
    x: Any,
    y: Any,
    *,
    epsilon: float = 0.1,
    loss: Any = None,
    norm: str | float = "inf",
    bounds: tuple[float, float] | None = None,
    targeted: bool = False,
    **options: Any,
) -> Any:
    """Inputs made to mislead a model by one step, see `FGSM`.

    Args:
        x, y: rows and their targets.
        targeted: whether `y` are what the model is to be made to say: the loss is lowered then.
        loss: name or function of a loss, by default that which the model was compiled with.
        batch_size: how many rows the model sees at once (32).
        params, state: values of the model, by default its own. With them the function is pure.

    Returns:
        As `x`.

    Raises:
        ValueError: inputs that are no floats; no loss; an unknown norm.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
    >>> x, y = np.ones((3, 2), "float32"), np.ones((3, 1), "float32")
    >>> moved = fgsm(model, x, y, epsilon=0.1, loss="mse")
    >>> bool(np.isclose(np.abs(moved - x).max(), 0.1))
    True
    """
    attack = FGSM(epsilon, norm, bounds)
    return _attack(attack, model, (x, y), Aim(loss, targeted), **options)


def pgd(
    model: Any,
    x: Any,
    y: Any,
    *,
    epsilon: float = 0.1,
    steps: int = 10,
    step_size: float | None = None,
    loss: Any = None,
    norm: str | float = "inf",
    bounds: tuple[float, float] | None = None,
    random_start: bool = False,
    rng: jax.Array | int | None = None,
    targeted: bool = False,
    **options: Any,
) -> Any:
    """Inputs made to mislead a model by many steps, see `PGD`. Arguments and errors as of `fgsm`,
    and:

    Args:
        rng: a key or an integer, of the random start; by default another one each time.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
    >>> x, y = np.ones((3, 2), "float32"), np.ones((3, 1), "float32")
    >>> moved = pgd(model, x, y, epsilon=0.1, steps=5, loss="mse")
    >>> bool(np.abs(moved - x).max() < 0.1001)
    True
    """
    attack = PGD(epsilon, steps, step_size, norm, bounds, random_start)
    key = as_key(rng) if random_start else None
    return _attack(attack, model, (x, y), Aim(loss, targeted, key), **options)


# ---------------------------------------------------------------- a model's loss


class Aim(NamedTuple):
    """What an attack is after: a higher `loss`, or a lower one where it is `targeted`."""

    loss: Any
    targeted: bool
    key: jax.Array | None = None  # of a random start


def _attack(
    attack: FGSM | PGD,
    model: Any,
    examples: tuple[Any, Any],
    aim: Aim,
    batch_size: int = 32,
    params: Any = None,
    state: Any = None,
) -> Any:
    """What an attack makes of all examples `(x, y)`, some at a time."""
    (x, y), (loss, targeted, key) = examples, aim
    is_pure = params is not None or is_traced(x)
    x = as_floats(x)
    function = loss_of(model, loss, type(attack).__name__)
    params, state = values_of(model, x, params, state)
    sign = 1
    if targeted:
        sign = -1

    def make() -> Callable[..., Any]:
        def run(params: Any, state: Any, rows: dict[str, Any], number: Any) -> Any:
            def total(x: Any) -> jax.Array:
                outputs = model.apply(params, state, x, training=False)[0]
                return sign * jnp.sum(function(rows["y"], outputs))

            own = None if key is None else jax.random.fold_in(key, number)
            return attack.perturb(total, rows["x"], own)

        return jax.jit(run)

    program = program_of(model, (attack, function, sign), make)
    arguments = {"x": x, "y": map_structure(jnp.asarray, y)}
    return by_batches(
        lambda rows, begin: program(params, state, rows, begin), arguments, batch_size, is_pure
    )


def as_floats(x: Any) -> Any:
    """Inputs as arrays of floats."""
    x = as_array(x)
    for leaf in jax.tree_util.tree_leaves(x):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            advice = "give floats: images divided by 255, say"
            raise ValueError(explain("robust", "inputs of floats", leaf.dtype, advice))
    rows_of(x)
    return x


# ---------------------------------------------------------------- steps


def _check(attack: FGSM | PGD) -> None:
    where = type(attack).__name__
    if not isinstance(attack.norm, (str, list, dict)):
        object.__setattr__(attack, "norm", SAME_NORMS.get(attack.norm, attack.norm))
    check_choice("norm", attack.norm, NORMS, where)
    if attack.bounds is not None and not attack.bounds[0] < attack.bounds[1]:
        expected = "bounds (lowest, highest)"
        raise ValueError(explain(where, expected, f"bounds={attack.bounds}"))
    if not attack.epsilon >= 0:
        raise ValueError(explain(where, "a distance of 0 or more", f"epsilon={attack.epsilon}"))


def _direction(gradient: Any, norm: str | float) -> Any:
    if norm == "inf":
        return map_structure(jnp.sign, gradient)
    lengths = jnp.maximum(_lengths(gradient), SMALLEST)
    return map_structure(lambda g: g / _by_row(lengths, g), gradient)


def _lengths(structure: Any) -> jax.Array:
    """The Euclidean length of each row."""
    leaves = jax.tree_util.tree_leaves(structure)
    return jnp.sqrt(sum((v.reshape(len(v), -1) ** 2).sum(1) for v in leaves))


def _by_row(values: jax.Array, like: jax.Array) -> jax.Array:
    return values.reshape(-1, *[1] * (like.ndim - 1)).astype(like.dtype)


def _within(x: Any, bounds: tuple[float, float] | None) -> Any:
    if bounds is None:
        return x
    return map_structure(lambda v: jnp.clip(v, *bounds), x)


__all__ = ["FGSM", "PGD", "fgsm", "pgd"]
