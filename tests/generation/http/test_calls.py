"""OpenAI's interface: texts are those of the prompts alone, what is not known is refused."""

import asyncio
import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("starlette")

from jkeras.generation import Generator, SamplingParams, Server, http_app
from tests.generation.http.client import (
    NAME,
    STOP,
    Letters,
    answered,
    application,
    call,
    running,
    small_server,
)
from tests.generation.models import made

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
GREEDY = {"model": NAME, "temperature": 0}


@pytest.fixture(scope="module")
def server():
    return small_server()


def alone(server, prompt, n=None, **params):
    """The new tokens of a prompt, by `generate`; one text, or n of them."""
    params = SamplingParams(**{"temperature": 0.0, "max_new_tokens": 16, "stop": STOP, **params})
    model, tokens = server.generator.model, Letters().encode(prompt)
    texts = model.generate(tokens, 40, params, n=n or 1, strip_prompt=True)
    texts = [texts] if n is None else texts
    shown = [Letters().decode(text[text != STOP]) for text in texts]
    return shown[0] if n is None else shown


@pytest.mark.promise("`/v1/completions`, `/v1/chat/completions`, `/v1/models`")
@pytest.mark.promise("is the ASGI application alone")
def test_completions(server):
    prompts = ["abc", "hello", "q"]
    calls = [(COMPLETIONS, {**GREEDY, "prompt": p}) for p in prompts]
    calls.append((COMPLETIONS, {**GREEDY, "prompt": prompts, "max_tokens": 5}))
    calls.append((COMPLETIONS, {**GREEDY, "prompt": [0, 1, 2]}))
    calls.append((COMPLETIONS, {**GREEDY, "prompt": [[0, 1, 2], [16]]}))
    answers = [answer.json for answer in answered(application(server), *calls)]
    for prompt, answer in zip(prompts, answers):
        (choice,) = answer["choices"]
        assert choice["text"] == alone(server, prompt) and choice["index"] == 0
        assert answer["object"] == "text_completion" and answer["model"] == NAME
        assert answer["usage"]["prompt_tokens"] == len(prompt)
    several = answers[3]
    texts = [alone(server, p, max_new_tokens=5) for p in prompts]
    assert [choice["text"] for choice in several["choices"]] == texts
    assert [choice["index"] for choice in several["choices"]] == [0, 1, 2]
    assert several["usage"] == {"prompt_tokens": 9, "completion_tokens": 15, "total_tokens": 24}
    assert answers[4]["choices"][0]["text"] == answers[0]["choices"][0]["text"]
    assert [c["text"] for c in answers[5]["choices"]] == [alone(server, p) for p in ("abc", "q")]


@pytest.mark.promise("`/v1/completions`, `/v1/chat/completions`, `/v1/models`")
def test_chats(server):
    messages = [{"role": "system", "content": "bc"}, {"role": "user", "content": "de"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": t} for t in ("d", "e")]}]
    calls = [
        {**GREEDY, "messages": messages},
        {**GREEDY, "messages": parts, "max_tokens": 4},
        {**GREEDY, "messages": parts, "max_completion_tokens": 4, "max_tokens": 4},
    ]
    answers = [a.json for a in answered(application(server), *[(CHAT, c) for c in calls])]
    expected = [
        alone(server, "sbcudea", max_new_tokens=None),
        *[alone(server, "udea", max_new_tokens=4)] * 2,
    ]
    for answer, text in zip(answers, expected):
        (choice,) = answer["choices"]
        assert choice["message"] == {"role": "assistant", "content": text}
        assert answer["object"] == "chat.completion"


def test_sampled_texts_follow_from_the_seed(server):
    fields = {**GREEDY, "prompt": "abc", "temperature": 1.5, "seed": 9, "n": 3}
    fields |= {"top_p": 0.9, "presence_penalty": 0.5, "frequency_penalty": -0.5}
    fields |= {"logit_bias": {"3": 2, "4": -100}}
    first, again = answered(application(server), (COMPLETIONS, fields), (COMPLETIONS, fields))
    texts = [choice["text"] for choice in first.json["choices"]]
    same = {"temperature": 1.5, "seed": 9, "top_p": 0.9, "presence_penalty": 0.5}
    same |= {"frequency_penalty": -0.5, "logit_bias": {3: 2.0, 4: -100.0}}
    assert texts == alone(server, "abc", 3, **same) and len(set(texts)) == 3
    assert [choice["text"] for choice in again.json["choices"]] == texts
    del fields["seed"]
    one, other = answered(application(server), (COMPLETIONS, fields), (COMPLETIONS, fields))
    assert one.json["choices"] != other.json["choices"]


@pytest.mark.promise("Stop texts never show")
def test_stops(server):
    whole = alone(server, "abc")
    stop = whole[5:7]
    fields = {**GREEDY, "prompt": "abc", "stop": ["zz", stop]}
    plain, stream = answered(
        application(server), (COMPLETIONS, fields), (COMPLETIONS, {**fields, "stream": True})
    )
    text = whole[: whole.index(stop)]
    assert plain.json["choices"][0]["text"] == text
    assert plain.json["choices"][0]["finish_reason"] == "stop"
    assert "".join(e["choices"][0]["text"] for e in stream.events) == text


@pytest.mark.promise("a stream is of server-sent events")
@pytest.mark.promise("Texts are those of whole answers")
def test_streams(server):
    fields = {**GREEDY, "prompt": ["abc", "q"], "n": 2, "stream": True}
    fields["stream_options"] = {"include_usage": True}
    chat = {**GREEDY, "messages": [{"role": "user", "content": "de"}], "stream": True}
    stream, chat = answered(application(server), (COMPLETIONS, fields), (CHAT, chat))
    assert stream.headers["content-type"] == "text/event-stream"
    *events, last = stream.events
    assert last["choices"] == [] and last["usage"]["prompt_tokens"] == 4
    assert all(event["usage"] is None for event in events)
    for index, prompt in enumerate(["abc", "abc", "q", "q"]):
        mine = [c for e in events for c in e["choices"] if c["index"] == index]
        assert "".join(choice["text"] for choice in mine) == alone(server, prompt)
        assert [c["finish_reason"] for c in mine[:-1]] == [None] * (len(mine) - 1)
        assert mine[-1]["finish_reason"] in ("stop", "length")
    assert len(events) > 8  # pieces, not wholes
    first, *others = [event["choices"][0] for event in chat.events]
    assert first["delta"] == {"role": "assistant", "content": ""}
    text = "".join(choice["delta"].get("content", "") for choice in others)
    assert text == alone(server, "udea", max_new_tokens=None)
    assert others[-1]["finish_reason"] and "usage" not in chat.events[0]
    assert len({event["id"] for event in chat.events}) == 1


def test_logprobs(server):
    """The model's own numbers, by a pass over the whole text."""
    model = server.generator.model
    fields = {**GREEDY, "prompt": "abc", "max_tokens": 5, "logprobs": 2}
    message = {"role": "user", "content": "de"}
    chat = {**GREEDY, "messages": [message], "max_tokens": 5, "logprobs": True, "top_logprobs": 3}
    plain, stream, said = answered(
        application(server),
        (COMPLETIONS, fields),
        (COMPLETIONS, {**fields, "stream": True}),
        (CHAT, chat),
    )

    def check(prompt, tokens, chosen, top):
        text = Letters().encode(prompt + "".join(tokens))
        logits = model.predict(np.array([text]), verbose=0)[0]
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        for i, token in enumerate(tokens):
            row = logs[len(prompt) + i - 1]
            np.testing.assert_allclose(chosen[i], row[ord(token) - 97], atol=1e-4)
            best = np.sort(row)[::-1][: len(top[i])]
            np.testing.assert_allclose(top[i], best, atol=1e-4)

    logs = plain.json["choices"][0]["logprobs"]
    assert logs["text_offset"] == [0, 1, 2, 3, 4] and len(logs["top_logprobs"][0]) == 2
    top = [list(one.values()) for one in logs["top_logprobs"]]
    check("abc", logs["tokens"], logs["token_logprobs"], [sorted(one)[::-1] for one in top])
    parts = [e["choices"][0]["logprobs"] for e in stream.events]
    parts = [part for part in parts if part]
    joined = {name: sum((part[name] for part in parts), []) for name in logs}
    assert joined["tokens"] == logs["tokens"] and joined["text_offset"] == logs["text_offset"]
    content = said.json["choices"][0]["logprobs"]["content"]
    top = [[one["logprob"] for one in entry["top_logprobs"]] for entry in content]
    tokens = [entry["token"] for entry in content]
    check("udea", tokens, [entry["logprob"] for entry in content], top)
    assert content[0]["bytes"] == list(tokens[0].encode())


# ---------------------------------------------------------------- what is refused

MESSAGES = {"messages": [{"role": "user", "content": "de"}]}
REFUSED = {  # name: (path, what is changed, status, param)
    "another model": (COMPLETIONS, {"model": "gpt"}, 404, "model"),
    "no model": (COMPLETIONS, {"model": None}, 400, "model"),
    "an unknown field": (COMPLETIONS, {"top_k": 3}, 400, "top_k"),
    "a field of the other": (CHAT, {"prompt": "abc"}, 400, "prompt"),
    "echo": (COMPLETIONS, {"echo": True}, 400, "echo"),
    "best of": (COMPLETIONS, {"best_of": 3}, 400, "best_of"),
    "tools": (CHAT, {"tools": [{"type": "function"}]}, 400, "tools"),
    "JSON": (CHAT, {"response_format": {"type": "json_object"}}, 400, "response_format"),
    "no prompt": (COMPLETIONS, {"prompt": None}, 400, "prompt"),
    "an empty list": (COMPLETIONS, {"prompt": []}, 400, "prompt"),
    "a mixed list": (COMPLETIONS, {"prompt": ["a", 1]}, 400, "prompt"),
    "tokens below 0": (COMPLETIONS, {"prompt": [1, -1]}, 400, "prompt"),
    "truth as a token": (COMPLETIONS, {"prompt": [True]}, 400, "prompt"),
    "an unknown token": (COMPLETIONS, {"prompt": [1, 23]}, 400, None),
    "an empty text": (COMPLETIONS, {"prompt": ""}, 400, None),
    "too long a prompt": (COMPLETIONS, {"prompt": "a" * 41}, 400, None),
    "one wrong of two": (COMPLETIONS, {"prompt": ["ab", "AB"]}, 400, None),
    "no token": (COMPLETIONS, {"max_tokens": 0}, 400, "max_tokens"),
    "half a token": (COMPLETIONS, {"max_tokens": 1.5}, 400, "max_tokens"),
    "a temperature": (COMPLETIONS, {"temperature": 2.1}, 400, "temperature"),
    "a text as a number": (COMPLETIONS, {"temperature": "1"}, 400, "temperature"),
    "truth as a number": (COMPLETIONS, {"n": True}, 400, "n"),
    "top_p": (COMPLETIONS, {"top_p": 0}, 400, "top_p"),
    "a penalty": (COMPLETIONS, {"presence_penalty": -3}, 400, "presence_penalty"),
    "a seed": (COMPLETIONS, {"seed": 2**63}, 400, "seed"),
    "many texts": (COMPLETIONS, {"n": 65, "prompt": ["a", "b"]}, 400, "n"),
    "more than may wait": (COMPLETIONS, {"n": 21}, 400, "n"),
    "an empty stop": (COMPLETIONS, {"stop": ""}, 400, "stop"),
    "many stops": (COMPLETIONS, {"stop": list("abcde")}, 400, "stop"),
    "a stop that is none": (COMPLETIONS, {"stop": [3]}, 400, "stop"),
    "a bias": (COMPLETIONS, {"logit_bias": {"3": 101}}, 400, "logit_bias"),
    "a bias of no token": (COMPLETIONS, {"logit_bias": {"x": 1}}, 400, "logit_bias"),
    "a bias twice": (COMPLETIONS, {"logit_bias": {"3": 1, "03": 1}}, 400, "logit_bias"),
    "a bias of an unknown token": (COMPLETIONS, {"logit_bias": {"23": 1}}, 400, None),
    "a stream": (COMPLETIONS, {"stream": "yes"}, 400, "stream"),
    "usage of no stream": (COMPLETIONS, {"stream_options": {}}, 400, "stream_options"),
    "more of a stream": (CHAT, {"stream": True, "stream_options": {"x": 1}}, 400, "stream_options"),
    "logprobs of a chat": (COMPLETIONS, {"logprobs": True}, 400, "logprobs"),
    "many logprobs": (COMPLETIONS, {"logprobs": 6}, 400, "logprobs"),
    "more than are kept": (COMPLETIONS, {"logprobs": 4}, 400, "logprobs"),
    "top without logprobs": (CHAT, {"top_logprobs": 2}, 400, "top_logprobs"),
    "two lengths": (CHAT, {"max_tokens": 3, "max_completion_tokens": 4}, 400, "max_tokens"),
    "no messages": (CHAT, {"messages": []}, 400, "messages"),
    "a message without a role": (CHAT, {"messages": [{"content": "a"}]}, 400, "messages[0]"),
    "a message with more": (
        CHAT,
        {"messages": [{"role": "user", "content": "a", "tool_calls": []}]},
        400,
        "messages[0]",
    ),
    "a picture": (
        CHAT,
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": ""}]}]},
        400,
        "messages",
    ),
    "what a template refuses": (
        CHAT,
        {"messages": [{"role": "tool", "content": "a"}]},
        400,
        "messages",
    ),
    "a user that is none": (COMPLETIONS, {"user": 3}, 400, "user"),
}


@pytest.mark.promise("A field that is not known, or that asks for what is not there, is refused")
def test_what_is_refused(server):
    app = application(server)
    calls, expected = [], []
    for path, change, *what in REFUSED.values():
        base = {"prompt": "abc"} if path == COMPLETIONS else MESSAGES
        calls.append((path, {**GREEDY, **base, **change}))
        expected.append(what)
    answers = answered(app, *calls, *[(COMPLETIONS, {**GREEDY, "prompt": "abc"})])
    for name, (status, param), answer in zip(REFUSED, expected, answers):
        error = answer.json["error"]
        assert answer.status == status, name
        assert set(error) == {"message", "type", "param", "code"} and error["message"], name
        assert error["param"] == param and error["code"], name
    assert answers[-1].status == 200
    assert server.generator.model is not None


def test_values_that_ask_for_nothing_are_taken(server):
    fields = {**GREEDY, "prompt": "abc", "echo": False, "best_of": 1, "suffix": None, "user": "me"}
    chat = {**GREEDY, **MESSAGES, "tools": [], "response_format": {"type": "text"}}
    chat |= {"stream": False, "stop": None, "seed": None, "parallel_tool_calls": True}
    for answer in answered(application(server), (COMPLETIONS, fields), (CHAT, chat)):
        assert answer.status == 200


BODIES = {
    "no JSON": b"{",
    "no object": b"[]",
    "no text": b'{"model": "\xff"}',
    "half a letter": b'{"model": "small", "prompt": "\\ud800"}',
    "twice": b'{"model": "small", "model": "small"}',
    "no number": b'{"model": "small", "temperature": NaN}',
    "a long number": b'{"model": "small", "seed": ' + b"9" * 5000 + b"}",
    "deep": b'{"model": ' + b"[" * 9000 + b"]" * 9000 + b"}",
    "nothing": b"",
}


@pytest.mark.promise("slow, half-sent, oversized and hostile requests")
def test_bodies(server):
    calls = [
        lambda app, body=body: call(app, COMPLETIONS, {}, body=[body]) for body in BODIES.values()
    ]
    for name, answer in zip(BODIES, answered(application(server), *calls)):
        assert answer.status == 400 and answer.json["error"]["code"], name


# ---------------------------------------------------------------- what is there


def test_what_is_there(server):
    app = application(server)
    paths = ["/v1/models", f"/v1/models/{NAME}", "/v1/models/x", "/health", "/metrics", "/no"]
    answers = answered(app, *[(path,) for path in paths], lambda app: call(app, COMPLETIONS))
    models, model, missing, health, metrics, no, method = answers
    assert models.json["data"] == [model.json] and model.json["id"] == NAME
    assert missing.status == no.status == 404 and no.json["error"]["type"] == "not_found_error"
    assert method.status == 405 and "error" in method.json
    assert health.json == {"status": "ok"}
    lines = dict(
        line.split(" ") for line in b"".join(metrics.pieces).decode().splitlines() if line[0] != "#"
    )
    assert float(lines["jkeras_slots"]) == 3 and "jkeras_finished_total" in lines
    assert float(lines["jkeras_waiting"]) == 0 and "jkeras_tokens_per_second" in lines
    names = {field.name for field in dataclasses.fields(server.counters())}
    assert len(lines) == len(names) + 1
    server.close()


def test_a_server_that_does_not_write_is_not_healthy(server):
    answer = asyncio.run(call(application(server), "/health"))
    assert answer.status == 503


@pytest.mark.promise("with `--api-key` clients")
def test_a_key(server):
    app = application(server, api_key="secret-ü")
    right = {b"authorization": "Bearer secret-ü".encode()}
    headers = [{}, {b"authorization": b"Bearer wrong"}, {b"authorization": b"Basic secret"}, right]
    calls = [lambda app, h=h: call(app, "/v1/models", headers=h) for h in headers]
    *wrong, good, health = answered(app, *calls, ("/health",))
    assert {answer.status for answer in wrong} == {401} and good.status == health.status == 200
    assert wrong[0].json["error"]["code"] == "invalid_api_key"


def test_a_server_without_a_tokenizer():
    with pytest.raises(ValueError, match="a server with a tokenizer"):
        http_app(Server(Generator(made("grouped"), 8)), NAME)


# ---------------------------------------------------------------- clients that cost


@pytest.mark.promise("A client that goes away cancels its requests")
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_client_that_goes_away(server, is_stream):
    """It is gone while all slots are taken: the others' texts are whole."""
    gone = asyncio.Event()
    fields = {**GREEDY, "prompt": "abc", "max_tokens": 30, "stream": is_stream, "n": 8}

    async def run():
        app = application(server)
        async with running(app):
            lost = asyncio.ensure_future(call(app, COMPLETIONS, fields, gone=gone))
            while not server.counters().running:
                await asyncio.sleep(0.001)
            gone.set()
            await lost
            other = await call(app, COMPLETIONS, {**GREEDY, "prompt": "hello"})
            assert server.counters().cancelled > 0
            return other

    answer = asyncio.run(run())
    assert answer.json["choices"][0]["text"] == alone(server, "hello")


@pytest.mark.promise("slow, half-sent, oversized and hostile requests")
def test_bodies_that_do_not_end(server):
    """They do not count as open requests, and others are answered."""
    app = application(server, limits={"open_requests": 1})
    half = lambda app: call(app, COMPLETIONS, {}, body=[b'{"model"', None])
    large = lambda app: call(app, COMPLETIONS, {}, body=[b"a" * 9000] * 3)
    said = lambda app: call(app, COMPLETIONS, {}, headers={b"content-length": b"9" * 30})
    other = lambda app: call(app, COMPLETIONS, {}, headers={b"content-type": b"text/plain"})
    good = (COMPLETIONS, {**GREEDY, "prompt": "abc"})
    *halves, first, second, third, answer = answered(app, *[half] * 5, large, said, other, good)
    assert {one.status for one in halves} == {408}
    assert (first.status, second.status, third.status) == (413, 413, 415)
    assert answer.json["choices"][0]["text"] == alone(server, "abc")


@pytest.mark.promise("slow, half-sent, oversized and hostile requests")
def test_a_client_that_does_not_read(server):
    app = application(server, limits={"send_seconds": 0.05})

    async def run():
        async with running(app):
            fields = json.dumps({**GREEDY, "prompt": "abc", "stream": True}).encode()
            headers = [(b"content-type", b"application/json")]
            scope = {"type": "http", "method": "POST", "path": COMPLETIONS, "headers": headers}
            scope |= {"query_string": b"", "root_path": "", "http_version": "1.1"}
            sent = []

            async def receive():
                if not sent:
                    sent.append(True)
                    return {"type": "http.request", "body": fields}
                await asyncio.sleep(60)

            async def send(message):
                if message["type"] == "http.response.body":
                    await asyncio.sleep(60)

            async with asyncio.timeout(20):
                await app(scope, receive, send)
            assert app.open == 0
            return await call(app, COMPLETIONS, {**GREEDY, "prompt": "hello"})

    answer = asyncio.run(run())
    assert answer.json["choices"][0]["text"] == alone(server, "hello")


@pytest.mark.promise("More open requests than there may be")
def test_too_many(server):
    app = application(server, limits={"open_requests": 2})
    fields = {**GREEDY, "prompt": "abc"}
    answers = answered(app, *[(COMPLETIONS, fields)] * 6)
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) == 4 and all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert refused[0].json["error"]["type"] == "rate_limit_error"
    # a queue that is full: 20 wait, 3 are written
    many = {**fields, "n": 20, "max_tokens": 36}
    answers = answered(application(server), *[(COMPLETIONS, many)] * 4)
    full = [answer for answer in answers if answer.status == 503]
    assert full and full[0].headers["retry-after"] == "1"
    assert full[0].json["error"]["code"] == "queue_full"
