"""Which trace of JAX the code that runs belongs to; the one module to ask JAX's inside for it."""

import functools
from collections.abc import Callable


@functools.cache
def marker() -> Callable:
    """The function behind `trace_state`, from where this version of JAX has it."""
    try:
        from jax.extend.core import get_opaque_trace_state  # since 0.10; heavy to import
    except ImportError:
        try:
            from jax.core import get_opaque_trace_state
        except ImportError:
            return _no_mark
    mark = functools.partial(get_opaque_trace_state, convention="flax")
    try:
        mark()
    except TypeError:  # another signature
        return _no_mark
    return mark


def _no_mark():
    return None


def trace_state():
    """A mark of the innermost transformation (jit, grad, scan, …) that is going on. Equal marks are
    of the same one.

    None where JAX does not say. Then all marks are equal, and what comes out of an inner
    transformation that it should not leave is detected by JAX itself, as a leaked tracer.

    >>> import jax
    >>> outside, inside = trace_state(), []
    >>> _ = jax.make_jaxpr(lambda x: [x, inside.append(trace_state())][0])(1.0)
    >>> trace_state() == outside, inside[0] == outside
    (True, False)
    """
    return marker()()
