"""Compiled programs of a model: kept as long as its structure stays the same, and what they were
traced for.
"""

import inspect
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.settings import settings
from jkeras.core.signals import Signals
from jkeras.training import placement
from jkeras.training.state import TrainState

if TYPE_CHECKING:
    from jkeras.training.trainer import Trainer


class Program:
    """A jitted function that remembers the shapes and dtypes it was traced for. Ctrl-C does not
    break into a trace.

    Args:
        donate: numbers of the arguments that it may consume.
        out_shardings: where its results lie; None: as the compiler likes.
        jit: False runs the function as it is.

    >>> import numpy as np
    >>> double = Program(lambda x: 2 * x)
    >>> for x in (np.ones(3, "float32"), np.ones(4, "float32"), np.zeros(4, "float32")):
    ...     _ = double(x)
    >>> double.traces, double.what_changed()
    (2, 'x from float32[3] to float32[4]')
    """

    def __init__(
        self,
        function: Callable,
        donate: tuple[int, ...] = (),
        out_shardings: Any = None,
        jit: bool = True,
    ) -> None:
        self.function = function
        self.names = list(inspect.signature(function).parameters)
        self.signatures = []
        self.run = function
        if jit:
            self.run = jax.jit(self._traced, donate_argnums=donate, out_shardings=out_shardings)

    def __call__(self, *arguments: Any) -> Any:
        return self.run(*arguments)

    def _traced(self, *arguments: Any) -> Any:
        leaves = jax.tree_util.tree_leaves_with_path(arguments)
        self.signatures.append({self._name(path): _Kind(v) for path, v in leaves})
        with Signals():
            return self.function(*arguments)

    def _name(self, path: tuple) -> str:
        argument, *keys = path
        name = self.names[argument.idx]
        if name == "batch":
            place, *keys = keys
            name = ("x", "y", "sample_weight")[place.idx]
        return "/".join([name, *(jax.tree_util.keystr((key,), simple=True) for key in keys)])

    @property
    def traces(self) -> int:
        """How often the function was traced."""
        return len(self.signatures)

    def what_changed(self) -> str:
        """The arguments that made the last trace necessary, in words."""
        before, now = self.signatures[-2:]
        changed = [
            f"{name} from {before.get(name, 'nothing')} to {now.get(name, 'nothing')}"
            for name in {**before, **now}
            if before.get(name) != now.get(name)
        ]
        if not changed:
            return "the sharding, or a setting of JAX"
        more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
        return ", ".join(changed[:3]) + more

    def only_fewer_rows(self) -> bool:
        """Whether the last trace differs from the one before by a smaller first axis of some
        arguments alone.
        """
        before, now = self.signatures[-2:]
        if before.keys() != now.keys():
            return False
        return all(now[name].is_same_or_shorter(before[name]) for name in now)


class _Kind:
    """Shape, dtype and weakness of the type of an array."""

    def __init__(self, value: Any) -> None:
        aval = jax.typeof(value)
        self.shape = tuple(aval.shape)
        self.dtype = aval.dtype
        self.weak = getattr(aval, "weak_type", False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kind) and str(self) == str(other)

    def is_same_or_shorter(self, other: "_Kind") -> bool:
        """Whether it is another kind at most by a smaller first axis."""
        if self == other:
            return True
        if self.dtype != other.dtype or self.shape[1:] != other.shape[1:]:
            return False
        return self.shape[:1] < other.shape[:1]

    def __str__(self) -> str:
        weak = " (weak)" if self.weak else ""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]{weak}"

    __format__ = lambda self, spec: str(self)  # noqa: E731


def cached(model: "Trainer", kind: str, key: Hashable, make: Callable[[], Any]) -> Any:
    """What `make` gives, kept with the model for as long as its structure stays the same."""
    functions = model.__dict__.setdefault("_functions", {})
    key = kind, key, settings.distribution
    if key not in functions:
        functions[key] = make()
    return functions[key]


def program_of(
    model: "Trainer",
    kind: str,
    key: Hashable,
    make: Callable[[], Callable],
    donate: tuple[int, ...] = (),
    state: TrainState | None = None,
) -> Program:
    """The compiled function of a kind, kept with the model for as long as its structure stays the
    same.

    Args:
        state: of a function `(state, ...) -> (state, logs)`: what it will be given; its arrays stay
            where they are.
    """

    def make_program() -> Program:
        shardings = placement.shardings(state)
        out_shardings = None if shardings is None else (shardings, None)
        return Program(make(), donate, out_shardings, model.jit_compile)

    return cached(model, kind, key, make_program)
