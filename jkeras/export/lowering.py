"""A function on layers as a pure program on their weights, lowered for several platforms at
once.
"""

import contextlib
import functools
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
from jax import export, lax

from jkeras.core.weights import frame
from jkeras.core.weights.by_variable import ByVariable, unique
from jkeras.core.weights.paths import children_of
from jkeras.core.errors import ExportError, explain, place_of
from jkeras.core.session.settings import settings
from jkeras.ops.kernels import is_static, traced_for

if typing.TYPE_CHECKING:
    from jkeras.core.layer.contract import Layer
    from jkeras.core.weights.variable import Variable

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


class Program(typing.NamedTuple):
    """What `lower` gives.

    Attributes:
        exported: of a function of the list of weights and the arguments.
        variables: whose values are the weights.
    """

    exported: export.Exported
    variables: list


class Inference(frame.Run):
    """A run that remembers which variables are read, and refuses what a program without state
    cannot do.

    Args:
        values: (variable, array) pairs; variables that are not there have their own values.
    """

    def __init__(self, values: "Iterable[tuple[Variable, typing.Any]]" = ()) -> None:
        super().__init__(values=ByVariable(values), training=False)
        self.used = []  # variables, in order

    def read(self, variable: "Variable") -> typing.Any:
        self.used.append(variable)
        return super().read(variable)

    def write(self, variable: "Variable", value: typing.Any) -> None:
        raise ExportError(
            explain(
                self._layer(),
                "a forward pass that keeps nothing",
                f"one that writes to the variable '{variable.path}'",
                "export a function that takes the state and returns it",
            )
        )

    def sample_key(self, generator: typing.Any) -> None:
        raise ExportError(
            explain(
                self._layer(),
                "a forward pass without random numbers",
                "one that draws some at inference",
                "draw them outside and pass them as an input",
            )
        )

    def call(
        self, layer: "Layer", args: tuple, kwargs: dict[str, typing.Any], bare: bool = False
    ) -> typing.Any:
        return layer.run_on(DeviceScope(self, layer), args, kwargs, bare)

    def _layer(self) -> str:
        if not self.stack:
            return "The function"
        return place_of(self.stack[-1][0])


class DeviceScope(frame.ObjectScope):
    """A layer's slice of an inference; layers that run on the host are refused."""

    __slots__ = ()

    def enter(self, layer: "Layer", call: typing.Any) -> None:
        arguments = jax.tree_util.tree_leaves(call.arguments)
        is_traced = any(isinstance(value, jax.core.Tracer) for value in arguments)
        if is_traced and getattr(layer, "runs_on_host", False):
            raise ExportError(host_layer(layer))
        super().enter(layer, call)

    def child(self, name: str) -> "DeviceScope":
        return DeviceScope(self.flow, dict(children_of(self.layer))[name])


def host_layer(layer: "Layer") -> str:
    """The message for a layer that looks at its inputs in Python."""
    return explain(
        place_of(layer),
        "layers that run on the device",
        "one that looks at texts or tables on the host",
        "export the layers behind it, `Model(layer.output, model.output)`, and call this one "
        "before the program",
    )


def lower(
    function: Callable[..., typing.Any], arguments: tuple, platforms: Sequence[str], where: str
) -> Program:
    """The program of a function of arrays, at inference.

    The weights that it reads are its first argument, not constants inside: XLA takes seconds and
    copies for these.

    Args:
        arguments: structures of `jax.ShapeDtypeStruct`, one for each.
        platforms: names among "cpu", "cuda", "rocm" and "tpu".
        where: names the endpoint in notes to errors.
    """
    if isinstance(function, jax.stages.Wrapped):
        function = function.__wrapped__  # no trace of old weights
    with explained(arguments, where), on_one_device():
        run, variables = on_weights(function, arguments)
        weights = [jax.ShapeDtypeStruct(v.shape, v.own_dtype) for v in variables]
        lowered = export.export(jax.jit(_for_platforms(run, platforms)), platforms=platforms)
        return Program(lowered(weights, *arguments), variables)


def on_weights(
    function: Callable[..., typing.Any], arguments: tuple
) -> "tuple[Callable[..., typing.Any], list[Variable]]":
    """(the function with the list of weights as its first argument, the variables they are of)."""
    variables = _variables_of(function, arguments)

    def run(weights: list, *args: typing.Any) -> typing.Any:
        with Inference(zip(variables, weights)):
            return function(*args)

    return run, variables


def _variables_of(function: Callable[..., typing.Any], arguments: tuple) -> "list[Variable]":
    """The variables that a function reads."""
    used = []

    def run(*args: typing.Any) -> typing.Any:
        with Inference() as inference:
            y = function(*args)
        used.extend(inference.used)
        return y

    jax.eval_shape(run, *arguments)
    return unique(used)


def _for_platforms(
    function: Callable[..., typing.Any], platforms: Sequence[str]
) -> Callable[..., typing.Any]:
    """The function, traced for each kind of platform: the CPU has forms of its own."""

    def form(platform: str) -> Callable[..., typing.Any]:
        def traced(*args: typing.Any) -> typing.Any:
            with traced_for(platform):
                return function(*args)

        return traced

    others = [p for p in platforms if p != "cpu"]
    if not others or others == list(platforms):
        return form(platforms[0])
    return functools.partial(lax.platform_dependent, cpu=form("cpu"), default=form(others[0]))


@contextlib.contextmanager
def on_one_device() -> Iterator[None]:
    """Inside this block nothing is laid out over a mesh, which the machine that runs the program
    may not have.
    """
    before = settings.distribution
    settings.distribution = None
    try:
        yield
    finally:
        settings.distribution = before


@contextlib.contextmanager
def explained(arguments: tuple, where: str) -> Iterator[None]:
    """Adds to an error for which shapes the function was traced, since letters among them may be
    the reason.
    """
    try:
        yield
    except ExportError:
        raise
    except Exception as error:
        if isinstance(error, NotImplementedError) and "callback" in str(error):
            raise ExportError(
                explain(
                    where,
                    "a function that runs on the device",
                    "one that calls back into Python "
                    "(`jax.pure_callback`, `io_callback` or `jax.debug.print`)",
                )
            ) from error
        shapes = [v.shape for v in jax.tree_util.tree_leaves(arguments)]
        if not all(map(is_static, shapes)):
            error.add_note(
                f"{where} was traced for inputs of the shapes {', '.join(map(str, shapes))}, where "
                "a letter is any size. If it depends on a size, say so: "
                "`input_signature=[InputSpec(shape=…, dtype=…)]` with numbers; or, if on two being "
                "equal or one being large enough, `jax.ShapeDtypeStruct` with a shape like "
                '`jax.export.symbolic_shape("b, h, w, 3", constraints=["h >= 32", "w >= 32"])`.'
            )
        raise
