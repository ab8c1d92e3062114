"""One optimizer for each part of a model."""

import collections.abc
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax

from jkeras.core.names.patterns import check_patterns, fitting
from jkeras.core.record import Any, Kind, Record, record
from jkeras.core.names.registry import CustomObjectScope, deserialize, serialize
from jkeras.core.weights.variable import Variable
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.by_path import ByPath, build_by_path
from jkeras.optimizers.fields import optimizer
from jkeras.optimizers.loss_scale import LossScaleOptimizer, refuse_common
from jkeras.optimizers.transform.leaves import Leaf, Path, describe, over
from jkeras.optimizers.transform.pair import State, Transform, Tree, stepping


@record("keras.optimizers")
class OptimizerMap(Record, collections.abc.MutableMapping):
    """Which optimizer updates which variable: by regular expressions that match the whole path.

    Args:
        default_optimizer: for variables that nothing matches.
        optimizer_map: dict from patterns to optimizers.
    Raises:
        TypeError: arguments of other types.
        ValueError: a pattern set twice, or a path that several patterns match.

    >>> from jkeras.optimizers import SGD
    >>> OptimizerMap(SGD(name="slow"), {".*bias": SGD(name="fast")})["dense/bias"].name
    'fast'
    """

    default_optimizer: Any
    optimizer_map: Any = None

    def __post_init__(self):
        if not isinstance(self.default_optimizer, Optimizer):
            raise TypeError(
                f"default_optimizer must be an Optimizer. Received: {self.default_optimizer!r}"
            )
        if not isinstance(self.optimizer_map, (dict, type(None))):
            raise TypeError(f"optimizer_map must be a dictionary. Received: {self.optimizer_map!r}")
        self.optimizer_map = self.optimizer_map or {}

    def __getitem__(self, key: str) -> Optimizer:
        if key in self.optimizer_map:
            return self.optimizer_map[key]
        matching = fitting(self.optimizer_map, key)
        if len(matching) > 1:
            raise ValueError(
                f"Multiple optimizers assigned to variable {key}: the patterns {matching} match."
            )
        if matching:
            return self.optimizer_map[matching[0]]
        return self.default_optimizer

    def __setitem__(self, key: str, value: Optimizer):
        if not isinstance(key, str) or key in self.optimizer_map:
            raise ValueError(
                f"Expected a new pattern, a string. Received: {key!r}; known: "
                f"{list(self.optimizer_map)}"
            )
        if not isinstance(value, Optimizer) or isinstance(value, NEVER_INSIDE):
            raise ValueError(
                "Expected an Optimizer that is no LossScaleOptimizer or MultiOptimizer. "
                f"Received: {value!r}"
            )
        self.optimizer_map[key] = value

    def __delitem__(self, key: str):
        del self.optimizer_map[key]

    def __len__(self) -> int:
        return len(self.optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self.optimizer_map)

    def __call__(self, variable: Any) -> Optimizer:
        return self[variable.path]

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "OptimizerMap":
        """The map of a config."""
        check_patterns(config["optimizer_map"] or (), cls.__name__)
        with CustomObjectScope(custom_objects):
            return cls(
                deserialize(config["default_optimizer"]), deserialize(config["optimizer_map"])
            )


class MapKind(Kind):
    """A map of optimizers, read from its config."""

    def read(self, value: Any) -> Any:
        if isinstance(value, dict) and "class_name" in value:
            return deserialize(value)
        return value

    def write(self, value: Any) -> Any:
        return serialize(value)


@optimizer(only="optimizer_map, loss_scale_factor, name", base_init=refuse_common)
class MultiOptimizer(ByPath, Optimizer):
    """Several optimizers, each for some of the variables.

    Args:
        optimizer_map: an `OptimizerMap`, or a callable from a variable (with `name` and `path`) to
            its optimizer.
        loss_scale_factor: passed to all of them.
        name: as for `Optimizer`.
    Raises:
        ValueError: another common argument than these, or an inner optimizer that is none, or is a
            `LossScaleOptimizer` or `MultiOptimizer`.

    >>> from jkeras.optimizers import SGD, Adam
    >>> multi = MultiOptimizer(OptimizerMap(Adam(), {".*bias": SGD()}))
    >>> [type(o).__name__ for o in multi.optimizers]
    ['SGD', 'Adam']
    """

    optimizer_map: MapKind()

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            optimizer_map: typing.Any,
            loss_scale_factor: float | None = None,
            name: str | None = None,
        ) -> None: ...

    def check(self):
        default = getattr(self.optimizer_map, "default_optimizer", None)
        self.optimizers = []
        for inner in getattr(self.optimizer_map, "values", tuple)():
            self._join(inner)
        if default is not None:
            self._join(default)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "loss_scale_factor":
            for inner in getattr(self, "optimizers", ()):
                inner.loss_scale_factor = value

    def _join(self, inner: Any) -> int:
        """The index of an inner optimizer, which is added where it is new."""
        if not isinstance(inner, Optimizer) or isinstance(inner, NEVER_INSIDE):
            raise ValueError(
                "MultiOptimizer: expected an Optimizer for each variable, no LossScaleOptimizer or "
                f"MultiOptimizer. Received: {inner!r}"
            )
        for i, other in enumerate(self.optimizers):
            if inner is other:
                return i
        inner.loss_scale_factor = self.loss_scale_factor
        self.optimizers.append(inner)
        return len(self.optimizers) - 1

    def _split(self, params: Tree, variables: Tree) -> tuple[set[int], Callable[[Tree, int], Tree]]:
        """The indices of the optimizers that have a part, and a function that gives an optimizer's
        part of a tree.
        """

        def owner_of(_: Any, leaf: Leaf) -> int:
            if leaf.variable is None:
                return self._join(self.optimizer_map(leaf))
            return self._join(self.optimizer_map(leaf.variable))

        owners = over(owner_of, params, describe(params, variables))

        def part(tree: Tree, index: int) -> Tree:
            if tree is None:
                return None
            return over(lambda owner, x: x if owner == index else None, owners, tree)

        return set(jax.tree.leaves(owners)), part

    def _chain(self, link: Transform) -> Transform:
        plain = super()._chain(link)

        def init(params: Tree, variables: Tree = None) -> State:
            _, part = self._split(params, variables)
            inner = {
                str(i): o.init(part(params, i), part(variables, i))
                for i, o in enumerate(self.optimizers)
            }
            return {**plain.init(params, variables), "inner": inner}

        def step(grads: Tree, state: State, params: Tree, variables: Tree = None, **extra: Any):
            present, part = self._split(params, variables)
            new, inner = params, dict(state["inner"])
            for i in sorted(present):
                mine = part(params, i), part(variables, i)
                extra_args = _args_for_part(extra, params)
                moved, inner[str(i)] = self.optimizers[i].step(
                    part(grads, i), inner[str(i)], *mine, **extra_args
                )
                new = _with_part(new, moved)
            return new, {**state, "inner": inner, "iterations": state["iterations"] + 1}

        return stepping(init, step)

    def addresses(self, state: State, order: Sequence[Path]) -> Iterator[Path]:
        yield from super().addresses(state, order)
        for i, o in enumerate(self.optimizers):
            for address in o.addresses(state["inner"][str(i)], order):
                yield ("inner", str(i), *address)

    def build(self, variables: Iterable[Variable]):
        """Creates the variables of all optimizers."""
        if self.built:
            return
        variables = list(variables)
        present, part = self._split(variables, variables)
        self.know(variables)
        for i in sorted(present):
            own = zip(part(variables, i), self.parameter_paths)
            pairs = [(v, path) for v, path in own if v is not None]
            build_by_path(self.optimizers[i], *zip(*pairs))
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        """Its own variables, then those of each optimizer."""
        return [*self._variables, *(v for o in self.optimizers for v in o.variables)]

    @property
    def learning_rate(self) -> Any:
        """There is none; each of `optimizers` has its own."""
        raise AttributeError(
            "A MultiOptimizer has no learning rate. Use that of each of `multi.optimizers`."
        )

    @learning_rate.setter
    def learning_rate(self, value: Any):
        raise AttributeError(
            "A MultiOptimizer has no learning rate. Set that of each of `multi.optimizers`."
        )

    def finalize(self, state: State, params: Tree) -> Tree:
        return params

    def finalize_variable_values(self, var_list: Iterable[Variable]):
        for o in self.optimizers:
            o.finalize_variable_values(o.among_its_own(var_list))

    def constants(self) -> tuple:
        return (*super().constants(), *(o.constants() for o in self.optimizers))

    def get_config(self) -> dict[str, Any]:
        return self.field_config()


def _with_part(params: Tree, part: Tree) -> Tree:
    """Parameters with those of a part, which has None for the others."""
    return over(lambda p, own: p if own is None else own, params, part)


def _args_for_part(extra: dict[str, Any], params: Tree) -> dict[str, Any]:
    """An optimizer's extra arguments: the loss as a function of its part of the parameters."""
    value_fn = extra.get("value_fn")
    if value_fn is None:
        return extra
    return {**extra, "value_fn": lambda part: value_fn(_with_part(params, part))}


NEVER_INSIDE = (LossScaleOptimizer, MultiOptimizer)
