"""Errors as OpenAI's interface has them."""

import json
from typing import Any

MEDIA = "application/json"
KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}


class ApiError(Exception):
    """What is answered instead of a text.

    Args:
        message: for people.
        param: the field that is wrong.
        code: for programs.
        status: of HTTP.
        retry_after: seconds after which to ask again.

    >>> ApiError("no", "prompt").body()["error"]["type"]
    'invalid_request_error'
    """

    def __init__(
        self,
        message: str,
        param: str | None = None,
        *,
        code: str | None = None,
        status: int = 400,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The answer."""
        kind = KINDS.get(self.status, "invalid_request_error")
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return {"error": error}

    def content(self) -> bytes:
        """The answer as bytes."""
        return json.dumps(self.body()).encode()

    def headers(self) -> dict[str, str]:
        """What is said beside it."""
        headers = {"content-type": MEDIA}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return headers
