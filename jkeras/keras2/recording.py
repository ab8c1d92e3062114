"""What JAX computes, written down while it happens, so that it can be differentiated afterwards.

JAX has no tape: it differentiates functions. What is asked of JAX's inside for one is here alone.
"""

import typing
from collections.abc import Callable
from typing import Any

import jax

from jkeras.core.graph.by_identity import ByIdentity

try:
    from jax._src import core as inside

    Trace = inside.Trace
    IS_THERE = all(hasattr(inside, name) for name in ("trace_ctx", "set_current_trace"))
except (ImportError, AttributeError):  # another JAX: `GradientTape` says that there is none
    Trace, IS_THERE = object, False


class Step(typing.NamedTuple):
    """One operation that was computed.

    Attributes:
        function: of its inputs; gives the list of its outputs.
    """

    function: Callable
    inputs: tuple
    outputs: list


class Recording(Trace):
    """Lets JAX compute as before, and keeps each step. Arrays stay what they are: what a step made
    and another one takes is known by its identity.
    """

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.steps: list[Step] = []

    def stage_value(self, value: Any) -> Any:
        """A value of the outer computation, which has no tracers of ours."""
        return self.parent.stage_value(value)

    def process_primitive(self, primitive: Any, values: Any, params: dict, /) -> Any:
        """Computes one operation of JAX's, and keeps it."""
        result = self.parent.process_primitive(primitive, values, params)

        def again(*inputs: Any) -> list:
            return _listed(primitive, primitive.bind(*inputs, **params))

        self.steps.append(Step(again, tuple(values), _listed(primitive, result)))
        return result

    def process_custom_jvp_call(
        self, primitive: Any, function: Any, jvp: Any, values: Any, /, **params: Any
    ) -> list:
        """A function with a derivative of its own."""

        def call(*inputs: Any) -> Any:
            trace = inside.trace_ctx.trace
            return trace.process_custom_jvp_call(primitive, function, jvp, inputs, **params)

        return self._as_program(call, values)

    def process_custom_vjp_call(
        self,
        primitive: Any,
        function: Any,
        forward: Any,
        backward: Any,
        values: Any,
        /,
        **params: Any,
    ) -> list:
        """A function with a gradient of its own."""

        def call(*inputs: Any) -> Any:
            trace = inside.trace_ctx.trace
            arguments = (primitive, function, forward, backward, inputs)
            return trace.process_custom_vjp_call(*arguments, **params)

        return self._as_program(call, values)

    def _as_program(self, call: Callable, values: Any) -> list:
        """Traces a call, whose function can be called once only, and computes what was traced."""
        with inside.set_current_trace(self.parent):
            program = inside.jaxpr_as_fun(jax.make_jaxpr(call)(*values))
            outputs = list(program(*values))
        self.steps.append(Step(program, tuple(values), outputs))
        return outputs


def _listed(primitive: Any, result: Any) -> list:
    """The results of an operation, of which most have one."""
    return list(result) if primitive.multiple_results else [result]


class recording:  # noqa: N801 - used as a function
    """A block in which JAX's steps are kept; it gives their list.

    >>> x = jax.numpy.ones(2)
    >>> with recording() as steps:
    ...     y = (x * 3.0).sum()
    >>> steps_to([y], [x], steps)([x * 2])[0].item()
    12.0
    """

    def __enter__(self) -> list[Step]:
        trace = Recording(inside.trace_ctx.trace)
        self._block = inside.set_current_trace(trace)
        self._block.__enter__()
        return trace.steps

    def __exit__(self, *exc: Any) -> None:
        self._block.__exit__(*exc)


def steps_to(targets: list, sources: list, steps: list[Step]) -> Callable:
    """The function of values for the sources that gives the targets, by the steps that were kept;
    what does not follow from the sources is taken as it was.
    """
    needed = _between(targets, sources, steps)
    fixed = ByIdentity.of_keys(sources)

    def function(values: list) -> list:
        now = ByIdentity(zip(sources, values))
        for step in needed:
            outputs = step.function(*(now.find(x, x) for x in step.inputs))
            for was, output in zip(step.outputs, outputs):
                if not fixed.has(was):
                    now.set(was, output)
        return [now.find(target, target) for target in targets]

    return function


def _between(targets: list, sources: list, steps: list[Step]) -> list[Step]:
    """The steps that follow from the sources and lead to the targets."""
    reached, after = ByIdentity.of_keys(sources), []
    for step in steps:
        if any(map(reached.has, step.inputs)):
            after.append(step)
            for output in step.outputs:
                reached.set(output, None)
    return leading_to(targets, after)[1]


def leading_to(targets: list, steps: list[Step]) -> tuple[ByIdentity, list[Step]]:
    """(the arrays on which targets depend, the steps between)."""
    wanted, needed = ByIdentity.of_keys(targets), []
    for step in reversed(steps):
        if any(map(wanted.has, step.outputs)):
            needed.append(step)
            for x in step.inputs:
                wanted.set(x, None)
    return wanted, needed[::-1]


def made_by(x: Any, steps: list[Step]) -> bool:
    """Whether a step made this array."""
    return any(output is x for step in steps for output in step.outputs)


def taken_by(x: Any, steps: list[Step]) -> bool:
    """Whether a step took this array."""
    return any(value is x for step in steps for value in step.inputs)
