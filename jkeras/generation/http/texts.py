"""Texts of one call: several requests of a server, whole or as a stream."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

from jkeras.core.session.settings import default_seed
from jkeras.generation.http.answers import DONE, Answers, event, usage
from jkeras.generation.http.call import Call
from jkeras.generation.http.errors import ApiError
from jkeras.generation.server import Server
from jkeras.generation.serving.errors import (
    DeviceFailedError,
    RequestCancelledError,
    ServerClosedError,
    ServerFullError,
)
from jkeras.generation.serving.progress import FINISHED
from jkeras.generation.serving.request import Request


def submitted(server: Server, call: Call) -> list[Request]:
    """The requests of a call, all of them or none.

    Raises:
        ApiError: a prompt is refused, or there is no room.
    """
    count, most = len(call.prompts) * call.n, server.options.queue
    if count > most:
        message = f"The call asks for {count} texts, and at most {most} may wait here."
        raise ApiError(message, "n", code="invalid_value")
    params = call.params
    if params.seed is None:
        params = dataclasses.replace(params, seed=default_seed())
    requests: list[Request] = []
    try:
        for prompt in call.prompts:
            for sample in range(call.n):
                options = {"stop": call.stop, "sample": sample}
                requests.append(server.submit(prompt, params, **options))
                if requests[-1].error is not None:
                    raise requests[-1].error
    except Exception as error:
        cancel(requests)
        raise api_error(error) from error
    return requests


def cancel(requests: list[Request]) -> None:
    """Ends those that have not ended."""
    for request in requests:
        request.cancel()


def api_error(error: BaseException) -> ApiError:
    """What a client is told of an error."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ServerFullError):
        return ApiError(str(error), code="queue_full", status=503, retry_after=1)
    if isinstance(error, (ServerClosedError, RequestCancelledError)):
        return ApiError("The server is closing.", code="closing", status=503, retry_after=10)
    if isinstance(error, DeviceFailedError):
        message = "The device failed while the text was written."
        return ApiError(message, code="device_failed", status=500)
    if isinstance(error, (ValueError, TypeError, OverflowError)):
        return ApiError(str(error), code="invalid_value")
    return ApiError("The server failed.", code="server_error", status=500)


async def whole(requests: list[Request], answers: Answers) -> dict[str, Any]:
    """The answer with all texts.

    Raises:
        ApiError: one of them was lost.
    """
    choices = []
    for index, request in enumerate(requests):
        tokens, logs, text = [], [], []
        try:
            async for piece in request.pieces():
                tokens += piece.tokens
                logs += piece.logs
                text.append(piece.text)
        except Exception as error:
            raise api_error(error) from error
        reason = request.result(0).finish_reason
        choices.append(answers.choice(index, "".join(text), tokens, logs, reason))
    return answers.whole(choices, used(requests, answers.call.n))


def used(requests: list[Request], n: int) -> dict[str, int]:
    """How many tokens there were; those of a prompt count once."""
    prompts = sum(len(request.prompt) for request in requests[::n])
    return usage(prompts, sum(len(request.tokens) for request in requests))


async def stream(requests: list[Request], answers: Answers) -> AsyncIterator[bytes]:
    """The pieces of all texts, as they come, as events."""
    found: asyncio.Queue = asyncio.Queue()
    tasks = [asyncio.ensure_future(_forward(*pair, found)) for pair in enumerate(requests)]
    try:
        if answers.call.is_chat:
            yield answers.chunk([answers.first(index) for index in range(len(requests))])
        left = len(requests)
        while left:
            index, piece, error = await found.get()
            if error is not None:
                yield event(api_error(error).body())
                return
            reason = None
            if piece.status == FINISHED:
                reason = requests[index].result(0).finish_reason
                left -= 1
            given = piece.text, piece.tokens, piece.logs, reason
            if piece.text or reason or answers.call.logprobs is not None:
                yield answers.chunk([answers.piece(index, *given)])
        if answers.call.has_usage:
            yield answers.chunk([], used(requests, answers.call.n))
        yield DONE
    finally:
        for task in tasks:
            task.cancel()


async def _forward(index: int, request: Request, found: asyncio.Queue) -> None:
    """Puts the pieces of a text, and what it ends with, into a queue of all."""
    try:
        async for piece in request.pieces():
            await found.put((index, piece, None))
    except Exception as error:
        await found.put((index, None, error))
