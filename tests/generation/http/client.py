"""Calls an ASGI application by hand, and a small model behind it."""

import asyncio
import contextlib
import json

from jkeras.generation import Generator, HttpLimits, Server, ServerOptions, http_app
from tests.generation.models import made

STOP = 22
NAME = "small"


class Letters:
    """A token is a letter, from "a" on."""

    def encode(self, text):
        return [ord(letter) - 97 for letter in text]

    def decode(self, tokens):
        return "".join(chr(97 + token) for token in tokens)


class Template:
    """A template of chats as of `jkeras.utils.ChatTemplate`."""

    def prompt(self, messages):
        if messages[0]["role"] not in ("user", "system"):
            raise ValueError("a conversation begins with the user")
        return Letters().encode("".join(m["role"][0] + m["content"] for m in messages) + "a")


def small_server(slots=3, queue=20):
    generator = Generator(made("grouped"), 40, stop=STOP, logprobs=3)
    options = ServerOptions(queue=queue)
    return Server(generator, slots=slots, steps=4, tokenizer=Letters(), options=options)


def application(server, **options):
    limits = HttpLimits(**{"body_seconds": 0.3, "body_bytes": 20_000, **options.pop("limits", {})})
    return http_app(server, NAME, chat_template=Template(), limits=limits, **options)


class Answer:
    """What came back.

    Attributes:
        pieces: of the body, as they were sent.
    """

    def __init__(self):
        self.status, self.headers, self.pieces = None, {}, []

    async def take(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
        else:
            self.pieces.append(message.get("body", b""))

    @property
    def json(self):
        return json.loads(b"".join(self.pieces))

    @property
    def events(self):
        """The values of a stream; it ends with [DONE]."""
        lines = b"".join(self.pieces).decode().split("\n\n")
        assert lines[-1] == "" and all(line.startswith("data: ") for line in lines[:-1])
        assert lines[-2] == "data: [DONE]"
        return [json.loads(line[6:]) for line in lines[:-2]]


async def call(app, path, fields=None, *, body=None, headers=(), method=None, gone=None):
    """The answer.

    Args:
        fields: of the body; None: GET.
        body: chunks of it, in place of fields; None among them: nothing comes any more.
        gone: an event with which the client goes away.
    """
    if body is None:
        body = [b"" if fields is None else json.dumps(fields).encode()]
    given = {b"content-type": b"application/json", **dict(headers)}
    method = method or ("GET" if fields is None else "POST")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": list(given.items()),
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    chunks, answer, gone = list(body), Answer(), gone or asyncio.Event()

    async def receive():
        if chunks and chunks[0] is not None:
            chunk = chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}
        await gone.wait()
        return {"type": "http.disconnect"}

    await app(scope, receive, answer.take)
    return answer


@contextlib.asynccontextmanager
async def running(app):
    """The application between its begin and its end."""
    incoming, outgoing = asyncio.Queue(), asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.ensure_future(app(scope, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    assert (await outgoing.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        assert (await outgoing.get())["type"] == "lifespan.shutdown.complete"
        await task


def answered(app, *calls):
    """The answers to calls, (path, fields) or a function of the application, at the same time."""

    async def all_of():
        async with running(app):
            each = [one(app) if callable(one) else call(app, *one) for one in calls]
            return await asyncio.gather(*each)

    return asyncio.run(all_of())
