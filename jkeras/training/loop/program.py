"""Compiled programs of a model: cached as long as its structure stays the same, and what they were
traced for.
"""

import functools
import inspect
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.errors import StepError
from jkeras.core.session.settings import settings
from jkeras.core.system.signals import Signals
from jkeras.kernel import in_force
from jkeras.training.loop import memory
from jkeras.training.loop.careful import waited_for
from jkeras.training.data import placement
from jkeras.training.step.state import TrainState

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

# the program that may be traced now: by its first call with some shapes, which measures it
MAY_TRACE = "may trace"


MOST_SHAPES = 64  # for which a program is cached


class Untraced(Exception):
    """A program is called with shapes that it was not traced for."""


class Program:
    """A jitted function that remembers the shapes and dtypes it was traced for. Ctrl-C does not
    break into a trace.

    It sees first that there is memory for all that it needs: nothing would bring the arguments back
    that it consumes.

    Args:
        donate: numbers of the arguments that it may consume.
        out_shardings: where its results lie; None: as the compiler likes.
        jit: False runs the function as it is.
        what: it is, for the message where there is no memory for it.
        name: of what is compiled, in profiles.

    Attributes:
        may_raise: whether what the program calls on the host may leave an error in `raised`: it is
            then waited for, and consumes nothing. It is set while the program is traced, by who
            calls; `in_force.value_of(MAY_TRACE)` is the program.

    Raises:
        MemoryError: on a call, as said above.
        StepError: one was left in `raised`.

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
        what: str = "This program",
        name: str = "program",
    ) -> None:
        self.function = function
        self.what = what
        self.name = name
        self.donate = donate
        self.names = list(inspect.signature(function).parameters)
        self.signatures = []
        self.needs = 0  # bytes beside the arguments
        self.out_shardings = out_shardings
        # A jitted function that raised an error at a signature is slow with it ever after: there is
        # one for each signature, keyed by the shapes of all arguments but the first, whose own are
        # mostly the same.
        self._jitted: dict[tuple, tuple[Callable, ...]] = {}
        self.run = self._run if jit else function
        self.may_raise = False
        self.raised: list[StepError] = []

    def __call__(self, *arguments: Any) -> Any:
        return self.run(*arguments)

    def _run(self, *arguments: Any) -> Any:
        if self.needs > memory.LITTLE:
            memory.check(self.needs, arguments, self.what)
        shapes = _shapes(arguments[1:])
        if len(self._jitted) == MOST_SHAPES and shapes in self._jitted:
            self._jitted[shapes] = self._jitted.pop(shapes)  # behind those used longer ago
        for jitted in self._jitted.get(shapes, ()):
            try:
                return jitted(*arguments)
            except Untraced:
                pass  # no error that is raised from here on is to name this one
        traced = functools.partial(self._traced)
        traced.__name__ = self.name
        jitted = jax.jit(traced, donate_argnums=self.donate, out_shardings=self.out_shardings)
        with in_force.having(MAY_TRACE, self):
            if not jax.config.jax_disable_jit:
                lowered = jitted.lower(*arguments)
                if self.may_raise and self.donate:
                    self.donate = ()  # JAX finds the trace again
                    return self._run(*arguments)
                # the call below finds what is traced and compiled here
                self._weigh(jitted, lowered.compile(), arguments)
                self._keep(shapes, jitted)
            if self.may_raise:
                self.run = self._run_carefully
                return self._run_carefully(*arguments)
            is_large = self.needs > memory.LITTLE
            # what is saved takes memory too, as much as the state
            if is_large and memory.is_scarce(self.needs, arguments):
                return self._try(jitted, arguments)
            return jitted(*arguments)

    def _run_carefully(self, *arguments: Any) -> Any:
        """The results of a program that may leave an error on the host, once it has run."""
        self.raised.clear()
        results = waited_for(self._run(*arguments))
        if not self.raised:
            return results
        error = self.raised[0]
        error.saved = arguments[:1]  # it consumed nothing
        raise error

    def traced(self, *arguments: Any) -> Callable | None:
        """The jitted function for arguments with which the program ran, where there is nothing to
        see to before a call; None otherwise. It raises `Untraced` for others.
        """
        if self.needs > memory.LITTLE or self.may_raise:
            return None
        return next(iter(self._jitted.get(_shapes(arguments[1:]), ())), None)

    def _keep(self, shapes: tuple, jitted: Callable) -> None:
        """Keeps a function for arguments of some shapes, and lets go of those for others that were
        used longest ago: each has megabytes.
        """
        before = self._jitted.pop(shapes, ())
        while len(self._jitted) >= MOST_SHAPES:
            for old in self._jitted.pop(next(iter(self._jitted))):
                _forget(old)
        self._jitted[shapes] = (jitted, *before)

    def _try(self, jitted: Callable, arguments: tuple) -> Any:
        """The results of a large program where memory is scarce and the estimate may be wrong: what
        it consumes is saved until it has run, and goes with the error as `saved` where it has not.
        """
        saved = memory.host_copies([arguments[i] for i in self.donate])
        try:
            return jax.block_until_ready(jitted(*arguments))
        except jax.errors.JaxRuntimeError as error:
            explained = memory.as_memory_error(error, self.what)
            if self.donate:
                explained.saved = memory.on_devices(saved, [arguments[i] for i in self.donate])
            if explained is error:
                raise
            raise explained from error

    def _weigh(self, jitted: Callable, compiled: Any, arguments: tuple) -> None:
        """Sees whether there is memory for what was compiled."""
        needs = memory.needed(compiled)
        if needs > memory.LITTLE:
            try:
                memory.check(needs, arguments, self.what)
            except MemoryError:
                # else the next call with such shapes would find the trace
                _forget(jitted)
                self.signatures.pop()
                raise
        self.needs = max(self.needs, needs)

    def _traced(self, *arguments: Any) -> Any:
        if not in_force.value_of(MAY_TRACE):
            raise Untraced
        leaves = jax.tree_util.tree_leaves_with_path(arguments)
        self.signatures.append({self._name(path): _Kind(v) for path, v in leaves})
        with Signals():
            return self.function(*arguments)

    def _name(self, path: tuple) -> str:
        argument, *keys = path
        name = self.names[argument.idx]
        if name == "batch":
            position, *keys = keys
            name = ("x", "y", "sample_weight")[position.idx]
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


def _shapes(arguments: tuple) -> tuple:
    """The shapes and dtypes of the arrays in arguments, by which jitted functions are looked up."""
    leaves = jax.tree_util.tree_leaves(arguments)
    return tuple([(getattr(v, "shape", ()), getattr(v, "dtype", type(v))) for v in leaves])


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
    """What `make` gives, cached on the model for as long as its structure stays the same."""
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
    state: Callable[[], TrainState] | None = None,
) -> Program:
    """The compiled function of a kind, cached on the model for as long as its structure stays the
    same.

    Args:
        state: of a function `(state, ...) -> (state, logs)`: gives what it will take; its arrays
            stay where they are.
    """

    def make_program() -> Program:
        shardings = None if state is None else placement.shardings(state())
        out_shardings = None if shardings is None else (shardings, None)
        what = f"The step '{kind}' of model '{model.name}'"
        return Program(make(), donate, out_shardings, model.jit_compile, what, _name_of(kind))

    return cached(model, kind, key, make_program)


def _name_of(kind: Any) -> str:
    """The name of a program of a kind, which may be a tuple that begins with it.

    >>> _name_of("train_many"), _name_of(("mc_dropout", 3))
    ('train_many', 'mc_dropout')
    """
    return kind if isinstance(kind, str) else str(kind[0])


def _forget(jitted: Callable) -> None:
    """Lets go of what is compiled of a function, where this JAX can."""
    getattr(jitted, "clear_cache", lambda: None)()
