"""Which programs XLA compiles."""

import contextlib

import jax


@contextlib.contextmanager
def compilations():
    """A list, to which the names of the programs are added that are compiled inside."""
    names = []

    def listener(event, seconds, fun_name="", **more):
        if event.endswith("backend_compile_duration"):
            names.append(fun_name)

    jax.monitoring.register_event_duration_secs_listener(listener)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)
