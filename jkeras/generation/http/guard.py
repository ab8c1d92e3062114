"""Guard: what stands before an application, so that no client costs the others anything."""

import asyncio
import dataclasses
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.generation.http.errors import MEDIA, ApiError

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
HEADER_BYTES = 2**16
OPEN = ("/health",)  # for anybody


@public("jkeras.generation.HttpLimits")
@dataclasses.dataclass(frozen=True)
class HttpLimits:
    """What a client of `http_app` may take.

    Args:
        body_bytes: of a request.
        body_seconds: until a request's body is there.
        send_seconds: until a client has taken a piece of an answer.
        header_seconds: until the first lines of a request are there; `python -m jkeras serve` has
            it, other programs that run the application have one of their own.
        open_requests: that are answered at the same time; more are told to ask again.

    Raises:
        ValueError: a number that is not above 0.

    >>> HttpLimits(open_requests=8).body_bytes
    1048576
    """

    body_bytes: int = 2**20
    body_seconds: float = 20.0
    send_seconds: float = 60.0
    header_seconds: float = 20.0
    open_requests: int = 256

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(explain("HttpLimits", f"`{name}` above 0", f"{value!r}"))


class Guard:
    """An ASGI application around another one.

    Args:
        application: gets requests whose body is there.
        limits: of clients.
        api_key: that clients have to send; None: they have not.
    """

    def __init__(
        self, application: Application, limits: HttpLimits, api_key: str | None = None
    ) -> None:
        self.application, self.limits, self.api_key = application, limits, api_key
        self.open = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answers a request, or passes it on."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        try:
            _check_headers(scope)
            self._check_key(scope)
            body = await self._body(scope, receive)
        except ApiError as error:
            await refuse(error, send)
            return
        if body is None:  # the client is gone
            return
        passed = Replay(body, receive)
        if scope["method"] != "POST":
            await self.application(scope, passed, self._timed(send))
            return
        if self.open >= self.limits.open_requests:
            message = f"{self.open} requests are being answered, the most there may be."
            busy = {"code": "too_many_requests", "status": 429, "retry_after": 1}
            await refuse(ApiError(message, **busy), send)
            return
        self.open += 1
        try:
            await self.application(scope, passed, self._timed(send))
        finally:
            self.open -= 1

    def _check_key(self, scope: dict[str, Any]) -> None:
        """Raises ApiError for a request without the key."""
        if self.api_key is None or scope["path"] in OPEN:
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, key = given.partition(b" ")
        is_right = hmac.compare_digest(key.strip(), self.api_key.encode())
        if kind.lower() != b"bearer" or not is_right:
            message = "The API key is wrong or missing: send `Authorization: Bearer KEY`."
            raise ApiError(message, code="invalid_api_key", status=401)

    async def _body(self, scope: dict[str, Any], receive: Receive) -> bytes | None:
        """The body of a request; None: the client went away.

        Raises:
            ApiError: it is too long, too slow, or no JSON.
        """
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > self.limits.body_bytes:
            raise self._too_large()
        media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if scope["method"] == "POST" and media != MEDIA.encode():
            # a page in a browser may send other types to any server without being asked
            message = f"The content type has to be {MEDIA}."
            raise ApiError(message, code="unsupported_media_type", status=415)
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                return await self._read(receive)
        except TimeoutError:
            message = f"The body did not come within {self.limits.body_seconds:g} s."
            raise ApiError(message, code="body_timeout", status=408) from None

    async def _read(self, receive: Receive) -> bytes | None:
        content = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            content += message.get("body", b"")
            if len(content) > self.limits.body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(content)

    def _too_large(self) -> ApiError:
        message = f"The body is longer than {self.limits.body_bytes} bytes."
        return ApiError(message, code="body_too_large", status=413)

    def _timed(self, send: Send) -> Send:
        """`send` for a client that takes what it gets; for others it raises."""

        async def timed(message: Message) -> None:
            try:
                async with asyncio.timeout(self.limits.send_seconds):
                    await send(message)
            except TimeoutError:
                raise OSError("the client does not read") from None

        return timed


def _check_headers(scope: dict[str, Any]) -> None:
    """Raises ApiError for more than a client can need."""
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
        message = f"The headers are longer than {HEADER_BYTES} bytes."
        raise ApiError(message, code="headers_too_large", status=431)


class Replay:
    """`receive` of a request whose body was read.

    Args:
        body: all of it.
        receive: tells when the client goes away.
    """

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """The body, then what comes."""
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def refuse(error: ApiError, send: Send) -> None:
    """Answers with an error, and ends the connection: there may be a body that was not read."""
    content = error.content()
    headers = {**error.headers(), "content-length": str(len(content)), "connection": "close"}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})
