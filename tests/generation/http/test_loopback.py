"""A folder of transformers behind a socket: OpenAI's own client, and clients that mean no good."""

import argparse
import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")

import jkeras
from jkeras.generation import HttpLimits, SamplingParams
from jkeras.generation.http.command import add_arguments, application_of
from jkeras.generation.http.guard import Guard
from jkeras.generation.http.running import server_of

CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 259,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "eos_token_id": 257,
}
TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def write_folder(folder):
    """A small model with a token for each byte."""
    jkeras.utils.set_random_seed(3)
    model = jkeras.models.LanguageTransformer(CONFIG)
    model.set_weights([value * 3 for value in model.get_weights()])
    jkeras.saving.to_transformers(model, folder)
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(["<pad>", "<eos>", "<user>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"chat_template": TEMPLATE, "eos_token": "<eos>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return model, tokenizer


@contextlib.contextmanager
def served(application):
    """The port of an application that is served."""
    server = server_of(application, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return (folder, *write_folder(folder))


@pytest.fixture(scope="module")
def application(folder):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = [str(folder[0]), "--slots", "4", "--max-length", "60", "--api-key", "k"]
    return application_of(parser.parse_args(given))


@pytest.fixture(scope="module")
def port(application):
    limits = HttpLimits(header_seconds=0.6, body_seconds=0.6, body_bytes=100_000)
    with served(Guard(application.application, limits, "k")) as port:
        yield port


def alone(folder, prompt, tokens, **params):
    _, model, tokenizer = folder
    params = SamplingParams(**{"temperature": 0.0, "max_new_tokens": tokens, "stop": 257, **params})
    ids = tokenizer.encode(prompt).ids
    text = model.generate(ids, 60, params, strip_prompt=True)
    return tokenizer.decode(text.tolist())


def post(port, fields, path="/v1/completions"):
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
    body = json.dumps({"model": "tiny", "temperature": 0, **fields}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


@pytest.mark.promise("`python -m jkeras serve FOLDER`")
@pytest.mark.promise("messages that would write control tokens")
def test_a_folder(folder, port):
    answer = post(port, {"prompt": "The sea", "max_tokens": 9})
    assert answer["choices"][0]["text"] == alone(folder, "The sea", 9)
    messages = [{"role": "user", "content": "hi"}]
    answer = post(port, {"messages": messages, "max_tokens": 7}, "/v1/chat/completions")
    text = alone(folder, "user: hi\nassistant:", 7)
    assert answer["choices"][0]["message"]["content"] == text
    messages[0]["content"] = "<eos>"
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(port, {"messages": messages}, "/v1/chat/completions")
    assert refused.value.code == 400 and b"control tokens" in refused.value.read()
    refused.value.close()


@pytest.mark.promise("OpenAI's own client drives it")
def test_the_client_of_openai(folder, port):
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k") as client:
        assert [model.id for model in client.models.list()] == ["tiny"]
        options = {"model": "tiny", "temperature": 0}
        text = alone(folder, "äö", 12)
        found = client.completions.create(prompt="äö", max_tokens=12, logprobs=2, **options)
        assert found.choices[0].text == text and len(found.choices[0].logprobs.tokens) == 12
        assert found.usage.completion_tokens == 12
        stream = client.completions.create(prompt="äö", max_tokens=12, stream=True, **options)
        assert "".join(piece.choices[0].text for piece in stream) == text
        chat = [{"role": "user", "content": "hi"}]
        text = alone(folder, "user: hi\nassistant:", 9)
        create = client.chat.completions.create
        found = create(messages=chat, max_completion_tokens=9, logprobs=True, **options)
        assert found.choices[0].message.content == text
        assert len(found.choices[0].logprobs.content) == 9
        usage = {"include_usage": True}
        stream = create(messages=chat, max_tokens=9, stream=True, stream_options=usage, **options)
        *pieces, last = list(stream)
        assert "".join(p.choices[0].delta.content or "" for p in pieces) == text
        assert last.usage.completion_tokens == 9
        with pytest.raises(openai.BadRequestError, match="top_k"):
            create(messages=chat, extra_body={"top_k": 3}, **options)
        with pytest.raises(openai.BadRequestError, match="control tokens"):
            create(messages=[{"role": "user", "content": "<eos>"}], **options)
        with pytest.raises(openai.NotFoundError):
            create(messages=chat, model="other")
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=client.base_url, api_key="x").models.list()


def raw(port, content, seconds=20.0):
    """What comes back for bytes, until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(content)
        found = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                found += part
        return found


HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\n"
JSON = HEAD + b"Content-Type: application/json\r\n"
HOSTILE = {  # what is sent, and what comes before the connection is closed
    "nothing": (b"", b""),
    "half a line": (b"POST /v1/compl", b""),
    "half of the headers": (HEAD, b""),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"HTTP/1.1 400"),
    "large headers": (HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", b"HTTP/1.1 431"),
    "large headers without an end": (HEAD + b"X: " + b"a" * 100_000, b"HTTP/1.1 400"),
    "half a body": (JSON + b"Content-Length: 90\r\n\r\n{", b"HTTP/1.1 408"),
    "a chunk that does not end": (
        JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 408",
    ),
    "a large body": (
        JSON + b"Content-Length: 200000\r\n\r\n" + b"a" * 200_000,
        b"HTTP/1.1 413",
    ),
    "chunks without an end": (
        JSON + b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + b"a" * 16384 + b"\r\n") * 8,
        b"HTTP/1.1 413",
    ),
    "two lengths": (JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", b"HTTP/1.1 400"),
}


@pytest.mark.promise("slow, half-sent, oversized and hostile requests")
def test_hostile_clients_cost_the_others_nothing(folder, port):
    """All at once, each several times, beside a text that is asked for."""
    found = {}

    def attack(name, number):
        found[name, number] = raw(port, HOSTILE[name][0])

    threads = [
        threading.Thread(target=attack, args=(name, number))
        for name in HOSTILE
        for number in (0, 1)
    ]
    for thread in threads:
        thread.start()
    answer = post(port, {"prompt": "The sea", "max_tokens": 9})
    assert answer["choices"][0]["text"] == alone(folder, "The sea", 9)
    for thread in threads:
        thread.join(60)
    assert len(found) == 2 * len(HOSTILE)
    for (name, _), content in found.items():
        begin = HOSTILE[name][1]
        # a client that still sends may see the connection end before it has read the answer
        assert content.startswith(begin) or (content == b"" and len(HOSTILE[name][0]) > 60_000), (
            name
        )
    assert post(port, {"prompt": "a", "max_tokens": 1})["usage"]["completion_tokens"] == 1


def test_a_connection_is_used_again(port):
    one = JSON + b'Content-Length: 48\r\n\r\n{"model": "tiny", "prompt": "a", "max_tokens":1}'
    assert raw(port, one * 3).count(b"HTTP/1.1 200") == 3


@pytest.mark.slow
@pytest.mark.promise("`python -m jkeras serve FOLDER`")
def test_the_command(folder):
    command = [sys.executable, "-m", "jkeras", "serve", str(folder[0]), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        port = None
        for line in process.stderr:
            if "running on http://127.0.0.1:" in line:
                port = int(line.split("127.0.0.1:")[1].split()[0])
                break
        answer = post(port, {"prompt": "The sea", "max_tokens": 9})
        assert answer["choices"][0]["text"] == alone(folder, "The sea", 9)
    finally:
        process.terminate()
        process.communicate(timeout=60)


WRONG = {
    "no such folder": (["nowhere"], "there is no file or folder nowhere"),
    "no tokenizer": (["m.keras"], "--tokenizer FILE"),
    "too long": (["tiny", "--max-length", "9000"], "positions"),
    "an unknown stop": (["tiny", "--stop", "300"], "300"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_are_one_line(folder, name, monkeypatch, capsys):
    from jkeras.__main__ import WRONG_CALL, main

    monkeypatch.setattr("jkeras.generation.http.running.run", None)  # it is not reached
    monkeypatch.chdir(folder[0].parent)
    pathlib.Path("m.keras").touch()
    arguments, expected = WRONG[name]
    with pytest.raises(SystemExit) as raised:
        main(["serve", *arguments])
    assert raised.value.code == WRONG_CALL
    error = capsys.readouterr().err
    assert expected in error and error.count("\n") == 1


def test_a_missing_package_is_named(folder, monkeypatch, capsys):
    from jkeras.__main__ import main

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        main(["serve", str(folder[0])])
    assert "pip install 'starlette" in capsys.readouterr().err
