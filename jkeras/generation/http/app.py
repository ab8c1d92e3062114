"""http_app: OpenAI's interface of a server, as an ASGI application."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.core.say.extras import install_line
from jkeras.generation.http import texts
from jkeras.generation.http.answers import Answers
from jkeras.generation.http.call import Call, chat_of, completion_of
from jkeras.generation.http.errors import ApiError
from jkeras.generation.http.fields import parsed, text_of
from jkeras.generation.http.guard import Guard, HttpLimits, Receive, Send, refuse
from jkeras.generation.http.metrics import metrics
from jkeras.generation.server import Server
from jkeras.generation.texts import decoder_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


@public("jkeras.generation.http_app")
def http_app(
    server: Server,
    name: str,
    *,
    chat_template: Any = None,
    api_key: str | None = None,
    limits: HttpLimits = HttpLimits(),  # noqa: B008 (it is frozen)
) -> Guard:
    """OpenAI's HTTP interface of a server, an ASGI application of Starlette, for uvicorn or any
    other program that runs one: `/v1/completions`, `/v1/chat/completions`, `/v1/models`, `/health`
    and `/metrics`. `python -m jkeras serve` runs it.

    The server's thread runs as long as the application does.

    Args:
        server: with a `tokenizer`.
        name: of the model, which calls have as "model".
        chat_template: a `jkeras.utils.ChatTemplate`; None: there are no chats.
        api_key: that clients send as `Authorization: Bearer KEY`; None: anybody may call.
        limits: of clients.

    Returns:
        the application, to hand to a program that runs one.

    Raises:
        ImportError: Starlette is not installed.
        ValueError: the server has no tokenizer.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Embedding(20, 20)(tokens))
    >>> http_app(Server(jkeras.generation.Generator(model, 6)), "mine")
    Traceback (most recent call last):
        ...
    ValueError: http_app: expected a server with a tokenizer, received none.
    """
    if server.tokenizer is None:
        raise ValueError(explain("http_app", "a server with a tokenizer", "none"))
    return Guard(Interface(server, name, chat_template).application(), limits, api_key)


class Interface:
    """What answers calls.

    Args:
        server, name, chat_template: as of `http_app`.
    """

    def __init__(self, server: Server, name: str, chat_template: Any) -> None:
        self.server, self.name, self.template = server, name, chat_template
        self.decode = decoder_of(server.tokenizer)
        self.begin = int(time.time())

    def application(self) -> Any:
        """The routes, of Starlette."""
        try:
            from starlette.applications import Starlette
            from starlette.exceptions import HTTPException
            from starlette.routing import Route
        except ImportError as error:
            raise ImportError(
                "The HTTP interface takes the packages `starlette` and `uvicorn`. To fix it: "
                f"`{install_line('serve')}`."
            ) from error
        routes = [
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/models", self.models),
            Route("/v1/models/{name:path}", self.model),
            Route("/health", self.health),
            Route("/metrics", self.metrics),
        ]
        handlers = {HTTPException: _of_http, ApiError: _of_api, Exception: _of_any}
        return Starlette(routes=routes, exception_handlers=handlers, lifespan=self.lifespan)

    @contextlib.asynccontextmanager
    async def lifespan(self, application: Any) -> AsyncIterator[None]:
        """The server writes as long as the application runs; what is asked for then is dropped."""
        self.server.__enter__()
        try:
            yield
        finally:
            await asyncio.to_thread(self.server.close, cancel=True)

    # ------------------------------------------------------------ texts

    async def completions(self, request: "Request") -> Any:
        """Texts after prompts."""
        return await self._answer(request, completion_of)

    async def chat(self, request: "Request") -> Any:
        """Messages of the assistant."""
        return await self._answer(request, lambda fields: chat_of(fields, self._render))

    def _render(self, messages: list[dict[str, str]]) -> np.ndarray:
        """The tokens of a conversation."""
        if self.template is None:
            message = "The model has no template of chats; `/v1/completions` takes a prompt."
            raise ApiError(message, "messages", code="no_chat_template")
        return self.template.prompt(messages)

    async def _answer(self, request: "Request", call_of: Callable[[dict], Call]) -> Any:
        """The answer to a call: whole, or as a stream."""
        content = await request.body()
        call, requests = await asyncio.to_thread(self._asked, content, call_of)
        answers = Answers(call, self.name, self.decode)
        if call.is_stream:
            return Stream(texts.stream(requests, answers), requests)
        return Whole(lambda: texts.whole(requests, answers), requests)

    def _asked(self, content: bytes, call_of: Callable[[dict], Call]) -> tuple[Call, list]:
        """(the call, its requests); in a thread, since tokenizers and templates take their time."""
        fields = parsed(content)
        name = text_of(fields, "model")
        if name != self.name:
            raise self._no_model(name)
        call = call_of(fields)
        kept = self.server.generator.logprobs
        most = -1 if kept is None else kept
        if call.logprobs is not None and call.logprobs > most:
            message = f"The server keeps {kept or 0} likeliest tokens: begin it with more."
            raise ApiError(message, "logprobs", code="unsupported_parameter")
        return call, texts.submitted(self.server, call)

    def _no_model(self, name: str) -> ApiError:
        message = f"There is no model of that name here, but '{self.name}'."
        return ApiError(message, "model", code="model_not_found", status=404)

    # ------------------------------------------------------------ what is there

    async def models(self, request: "Request") -> "Response":
        """The models, which is one."""
        return _json({"object": "list", "data": [self._model()]})

    async def model(self, request: "Request") -> "Response":
        """One of them."""
        if request.path_params["name"] != self.name:
            raise self._no_model(request.path_params["name"])
        return _json(self._model())

    def _model(self) -> dict[str, Any]:
        return {
            "id": self.name,
            "object": "model",
            "created": self.begin,
            "owned_by": "jkeras",
            "max_model_len": self.server.generator.max_length,
        }

    async def health(self, request: "Request") -> "Response":
        """Whether texts are written."""
        if not self.server.is_alive:
            raise ApiError("The server has ended.", code="ended", status=503)
        return _json({"status": "ok"})

    async def metrics(self, request: "Request") -> "Response":
        """What was done."""
        from starlette.responses import PlainTextResponse

        media = "text/plain; version=0.0.4; charset=utf-8"
        return PlainTextResponse(metrics(self.server.counters()), media_type=media)


# ---------------------------------------------------------------- answers


class Watched:
    """An answer that is written while its client is there.

    Args:
        content: what makes it.
        requests: that are cancelled where the client goes away.
    """

    def __init__(self, content: Any, requests: list[Any]) -> None:
        self.content, self.requests = content, requests

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answers, until it is done or the client goes away."""
        answering = asyncio.ensure_future(self.answer(send))
        watching = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                with contextlib.suppress(OSError):  # the client does not read
                    await answering
        finally:
            texts.cancel(self.requests)
            for task in (answering, watching):
                task.cancel()
            await asyncio.gather(answering, watching, return_exceptions=True)

    async def answer(self, send: Send) -> None:
        """Sends it."""
        raise NotImplementedError


class Whole(Watched):
    """An answer of one piece."""

    async def answer(self, send: Send) -> None:
        """Sends it, or an error."""
        try:
            content = json.dumps(await self.content()).encode()
        except ApiError as error:
            await refuse(error, send)
            return
        headers = {"content-type": "application/json", "content-length": str(len(content))}
        await _start(send, headers)
        await send({"type": "http.response.body", "body": content})


class Stream(Watched):
    """An answer of events."""

    async def answer(self, send: Send) -> None:
        """Sends them as they come."""
        await _start(send, {"content-type": "text/event-stream", "cache-control": "no-cache"})
        async with contextlib.aclosing(self.content) as pieces:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _start(send: Send, headers: dict[str, str]) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": pairs})


async def _gone(receive: Receive) -> None:
    """Returns when the client goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _json(value: Any, error: ApiError | None = None) -> "Response":
    from starlette.responses import JSONResponse

    if error is None:
        return JSONResponse(value)
    return JSONResponse(value, status_code=error.status, headers=error.headers())


async def _of_api(request: "Request", error: ApiError) -> "Response":
    return _json(error.body(), error)


async def _of_http(request: "Request", error: Any) -> "Response":
    """An address that is not there, or another method."""
    message = f"{request.method} {request.url.path}: {error.detail}."
    found = ApiError(message, code="not_found", status=error.status_code)
    return _json(found.body(), found)


async def _of_any(request: "Request", error: Exception) -> "Response":
    """What went wrong here is not told; the log has it."""
    found = ApiError("The server failed.", code="server_error", status=500)
    return _json(found.body(), found)
