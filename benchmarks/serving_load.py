"""1,000 requests of 64 clients over loopback, and clients that mean no good beside them:
`python -m benchmarks.serving_load`.

Each text is compared with the one that its prompt alone gives; lost requests, the memory of the
process and the rates are told. Exit status 1: a text was lost, or is another one, or the memory
grows.
"""

import asyncio
import collections
import json
import resource
import socket
import sys
import threading
import time

import jax
import numpy as np

import jkeras
from jkeras.generation import (
    Generator,
    HttpLimits,
    SamplingParams,
    Server,
    ServerOptions,
    http_app,
)
from jkeras.generation.http.running import server_of

CLIENTS, REQUESTS, PROMPTS, SLOTS = 64, 1000, 40, 16
VOCABULARY, LENGTH = 96, 96
MOST_GROWTH = 16  # MiB, from one turn to the next
CONFIG = {
    "model_type": "llama",
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


class Letters:
    """A token is a letter."""

    def encode(self, text):
        return [ord(letter) - 32 for letter in text]

    def decode(self, tokens):
        return "".join(chr(32 + token) for token in tokens)


def asked():
    """Prompts of which some begin alike, and what they ask for."""
    rng = np.random.default_rng(0)
    words = ["".join(chr(x) for x in rng.integers(33, 127, 40)) for _ in range(4)]
    found = []
    for number in range(PROMPTS):
        prompt = words[number % 4][: rng.integers(1, 40)]
        fields = {"prompt": prompt, "max_tokens": int(rng.integers(1, 50)), "seed": number}
        found.append({**fields, "temperature": float(rng.choice([0.0, 1.0, 1.5]))})
    return found


def alone(generator, fields):
    """The text that a prompt alone gives."""
    given = {name: fields[name] for name in ("temperature", "seed")}
    params = SamplingParams(max_new_tokens=fields["max_tokens"], **given)
    tokens = np.array([Letters().encode(fields["prompt"])])
    text, length = generator(generator.model.params, tokens, sampling=params)
    return Letters().decode(np.asarray(text[0])[tokens.shape[1] : int(length[0])].tolist())


async def post(port, fields):
    """The text of an answer; half of the requests are streams."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"model": "load", **fields}).encode()
    head = (
        "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    content = await reader.read()
    writer.close()
    head, _, content = content.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    if status != 200:
        return status, None
    if not fields.get("stream"):
        return status, json.loads(content)["choices"][0]["text"]
    lines = [line for line in content.split(b"\n") if line.startswith(b"data: {")]
    assert b"[DONE]" in content
    return status, "".join(json.loads(line[6:])["choices"][0]["text"] for line in lines)


async def load(port, calls, expected):
    """(seconds, how many answers were of which kind)"""
    numbers, kinds = iter(range(REQUESTS)), collections.Counter()

    async def client():
        for number in numbers:
            fields = calls[number % len(calls)]
            status, text = await post(port, {**fields, "stream": number % 2 == 0})
            kind = "right" if text == expected[number % len(calls)] else "wrong"
            kinds[kind if status == 200 else status] += 1

    begin = time.perf_counter()
    await asyncio.gather(*[client() for _ in range(CLIENTS)])
    return time.perf_counter() - begin, kinds


def annoy(port, is_over):
    """Half requests and large ones, again and again."""
    sent = [b"", b"POST /v1/comp", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", b"a" * 90_000]
    while not is_over.is_set():
        held = []
        for content in sent * 4:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(content)
            held.append(connection)
        is_over.wait(0.5)
        for connection in held:
            connection.close()


def memory():
    """Of the process now, in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def main():
    jkeras.utils.set_random_seed(0)
    model = jkeras.models.LanguageTransformer(CONFIG)
    generator = Generator(model, LENGTH)
    calls = asked()
    expected = [alone(generator, fields) for fields in calls]
    most = -(-LENGTH // 16)
    options = ServerOptions(queue=CLIENTS, blocks=most * SLOTS // 2)  # half of what all may need
    server = Server(generator, SLOTS, 8, tokenizer=Letters(), options=options)
    http = server_of(http_app(server, "load", limits=HttpLimits(body_seconds=2.0)), "127.0.0.1", 0)
    thread = threading.Thread(target=http.run)
    thread.start()
    while not http.started:
        time.sleep(0.01)
    port = http.servers[0].sockets[0].getsockname()[1]
    is_right, before = True, None
    is_over = threading.Event()
    for turn in ("first", "again", "again, with hostile clients"):
        if turn.endswith("clients"):
            threading.Thread(target=annoy, args=(port, is_over)).start()
        seconds, kinds = asyncio.run(load(port, calls, expected))
        is_right &= kinds == {"right": REQUESTS}
        if before is not None:
            is_right &= memory() < before + MOST_GROWTH
        before = memory()
        print(f"{turn}: {dict(kinds)}, {REQUESTS / seconds:.0f} requests/s, {memory():.0f} MiB")
    is_over.set()
    print(server.counters(), jax.devices()[0].device_kind)
    http.should_exit = True
    thread.join()
    sys.exit(not is_right)


if __name__ == "__main__":
    main()
