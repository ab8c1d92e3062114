"""Runs an application by uvicorn, with bounds on connections that say nothing."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from jkeras.generation.http.guard import HEADER_BYTES, Guard, HttpLimits

CONNECTIONS = 512


def timed_protocol(seconds: float) -> type[H11Protocol]:
    """HTTP whose connections are closed where the first lines of a request do not come in time."""

    class TimedProtocol(H11Protocol):
        """A connection with a timer from its begin, and from the end of each answer."""

        timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._start()

        def _start(self) -> None:
            self._stop()
            self.timer = self.loop.call_later(seconds, self.transport.close)

        def _stop(self) -> None:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

        def handle_events(self) -> None:
            before = self.cycle
            super().handle_events()
            if self.cycle is not before:  # the first lines of a request are there
                self._stop()

        def on_response_complete(self) -> None:
            self._start()
            super().on_response_complete()

        def connection_lost(self, error: Exception | None) -> None:
            self._stop()
            super().connection_lost(error)

    return TimedProtocol


def server_of(application: Guard, host: str, port: int) -> uvicorn.Server:
    """What serves an application."""
    limits: HttpLimits = application.limits
    config = uvicorn.Config(
        application,
        host,
        port,
        http=timed_protocol(limits.header_seconds),
        ws="none",
        lifespan="on",
        h11_max_incomplete_event_size=HEADER_BYTES,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=int(max(1, limits.header_seconds)),
        timeout_graceful_shutdown=5,
        server_header=False,
        access_log=False,
        log_level="info",
    )
    return uvicorn.Server(config)


def run(application: Guard, host: str, port: int) -> None:
    """Serves until it is stopped."""
    server_of(application, host, port).run()
