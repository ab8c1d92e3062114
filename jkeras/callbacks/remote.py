"""RemoteMonitor: the results of each epoch, sent to a server."""

import json
import warnings

import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.core.registry import public


@public("keras.callbacks.RemoteMonitor")
class RemoteMonitor(Callback):
    """Sends the logs of each epoch to a server by HTTP POST. An address that does not answer is
    only warned of.

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
        root="http://localhost:9000",
        path="/publish/epoch/end/",
        field="data",
        headers=None,
        send_as_json=False,
    ):
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch, logs=None):
        """Sends the logs."""
        values = {"epoch": epoch}
        for name, value in (logs or {}).items():
            if isinstance(value, (np.ndarray, np.generic)):
                value = value.item()
            values[name] = value
        self._send(json.dumps(values))

    def _send(self, body):
        """Posts the text of one epoch; warns where that fails."""
        import http.client  # both take time to import, and only this function needs them
        import urllib.request

        kind = "application/json"
        if not self.send_as_json:
            body = urllib.parse.urlencode({self.field: body})
            kind = "application/x-www-form-urlencoded"
        address = self.root + self.path
        try:
            if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
                raise ValueError("`root` must begin with http:// or https://")
            request = urllib.request.Request(
                address, body.encode(), {"Content-Type": kind, **(self.headers or {})}
            )
            urllib.request.urlopen(request, timeout=10).close()
        except (OSError, ValueError, http.client.HTTPException) as error:
            warnings.warn(
                f"Could not reach RemoteMonitor root server at {address}: {error}", stacklevel=2
            )
