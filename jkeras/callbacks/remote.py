"""RemoteMonitor: the results of each epoch, sent to a server."""

import json
import queue
import threading
import urllib.parse
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.core.names.registry import public

PROMPT = 0.25  # seconds that an epoch waits for a server that has answered so far
LAST = 5  # seconds that the end of a training waits for what is under way
DEADLINE = 10  # seconds for one exchange with the server
MOST_WAITING = 100  # epochs that wait to be sent


@public("keras.callbacks.RemoteMonitor")
class RemoteMonitor(Callback):
    """Sends the logs of each epoch to a server by HTTP POST. An address that does not answer is
    only warned of, and holds no training up: the logs are sent in order by a thread, and the end of
    the training waits a few seconds for those that are left.

    Args:
        root, path: the address.
        field: name of the form field that holds the JSON.
        headers: dict of HTTP headers.
        send_as_json: send the JSON as the body instead of in a form.

    >>> RemoteMonitor(root="http://localhost:8000").path
    '/publish/epoch/end/'
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json
        self._sender = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the thread, which no copy shares."""
        return {**self.__dict__, "_sender": None}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sends the logs."""
        values = {"epoch": epoch}
        for name, value in (logs or {}).items():
            if isinstance(value, (np.ndarray, np.generic)):
                value = value.item()
            values[name] = value
        if self._sender is None:
            self._sender = _Sender(self.root + self.path)
        was_idle = self._sender.is_idle()
        self._sender.put(*self._form(json.dumps(values)))
        if was_idle:
            self._sender.wait(PROMPT)
        self._warn()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Waits a moment for what is under way."""
        if self._sender is None:
            return
        if not self._sender.wait(LAST):
            self._sender.give_up()
        self._warn()
        self._sender = None

    def _form(self, text: str) -> tuple[bytes, dict[str, str]]:
        """(body, headers) of a request."""
        kind = "application/json"
        if not self.send_as_json:
            text = urllib.parse.urlencode({self.field: text})
            kind = "application/x-www-form-urlencoded"
        return text.encode(), {"Content-Type": kind, **(self.headers or {})}

    def _warn(self) -> None:
        """Warns of what could not be sent since the last time."""
        from jkeras.core.system.web import without_password  # which takes time to import

        for problem in self._sender.problems():
            warnings.warn(
                "Could not reach RemoteMonitor root server at "
                f"{without_password(self._sender.address)}: {problem}",
                stacklevel=3,
            )


class _Sender:
    """Sends requests one after the other in a thread, which ends when there are none.

    Args:
        address: where to.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._left = 0  # requests that are waiting or under way
        self._runs = False  # whether there is a thread
        self._requests = queue.SimpleQueue()
        self._problems = queue.SimpleQueue()
        self._changed = threading.Condition()

    def is_idle(self) -> bool:
        """Whether all has been sent."""
        return self._left == 0

    def put(self, body: bytes, headers: dict[str, str]) -> None:
        """Has a request sent, unless too many are waiting."""
        with self._changed:
            if self._left >= MOST_WAITING:
                self._problems.put(f"{MOST_WAITING} epochs are waiting; one is left out")
                return
            self._requests.put((body, headers))
            self._left += 1
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._send_all, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Waits until all has been sent, but no longer than so many seconds; returns whether it
        has.
        """
        with self._changed:
            return self._changed.wait_for(self.is_idle, seconds)

    def give_up(self) -> None:
        """Leaves out what is waiting."""
        with self._changed:
            self._problems.put(f"{self._left} epochs have not been sent")
            while not self._requests.empty():
                self._requests.get()
                self._left -= 1

    def problems(self) -> Iterator[str]:
        """What went wrong since the last call, one text each."""
        while not self._problems.empty():
            yield self._problems.get()

    def _send_all(self) -> None:
        while True:
            with self._changed:
                if self._requests.empty():
                    self._runs = False
                    return
                body, headers = self._requests.get()
            problem = _post(self.address, body, headers)
            with self._changed:
                if problem:
                    self._problems.put(problem)
                self._left -= 1
                self._changed.notify_all()


def _post(address: str, body: bytes, headers: dict[str, str]) -> str | None:
    """Sends one request; returns what went wrong, or None."""
    import http.client  # these take time to import, and only this function needs them
    import urllib.request

    from jkeras.core.errors import readable
    from jkeras.core.system import web

    if not web.is_web(address):
        return "`root` must begin with http:// or https://"
    faults = (OSError, ValueError, http.client.HTTPException, web.OverTime, web.AnotherScheme)
    try:
        request = urllib.request.Request(address, body, headers)
        web.open_url(request, web.Deadline(DEADLINE), DEADLINE).close()
    except faults as error:
        return readable(web.without_password(str(error)))
    return None
