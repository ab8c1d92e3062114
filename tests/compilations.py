"""Which programs XLA compiles."""

import contextlib

import jax

_open = []  # lists of `compilations`; the lowest JAX cannot unregister a listener


def _listener(event, seconds, fun_name="", **more):
    if event.endswith("backend_compile_duration"):
        for names in _open:
            names.append(fun_name)


jax.monitoring.register_event_duration_secs_listener(_listener)


@contextlib.contextmanager
def compilations():
    """A list, to which the names of the programs are added that are compiled inside."""
    names = []
    _open.append(names)
    try:
        yield names
    finally:
        _open.pop()
