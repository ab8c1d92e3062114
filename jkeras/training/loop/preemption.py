"""SIGTERM in one of several processes: all of them end after the same step."""

import jax
from jax.experimental import multihost_utils


class Preemption:
    """Lets the processes of a training agree on where to end, through JAX's distributed runtime,
    which notices SIGTERM.

    One process alone agrees on nothing: `core.signals` holds the signal for it.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._is_asked = jax.process_count() > 1
        # older versions of JAX lack the setting, and always have the service
        self._is_asked &= getattr(jax.config, "jax_enable_preemption_service", True)

    def ends_here(self) -> bool:
        """Whether all processes end after this dispatch.

        To be called after each of them: JAX takes a call for a step, and chooses the first one that
        no process has passed.
        """
        self._calls += 1
        return self._is_asked and multihost_utils.reached_preemption_sync_point(self._calls)
