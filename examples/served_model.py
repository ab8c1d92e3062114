"""A language model that adds, behind OpenAI's interface, and a client that asks it.

A small Llama with a token for each byte learns all sums of two digits. It is written as a folder of
Hugging Face, with a tokenizer and a template for chats, and `python -m jkeras serve` serves that
folder to this machine, on a free port. The client is `http.client` of Python: it asks for many
texts in one call, then for a chat whose answer comes letter by letter as server-sent events. Where
the package `openai` is installed, its client has the same chat. Run it with
`python examples/served_model.py`; it takes the packages of the extra `serve`.
"""

import contextlib
import http.client
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

import jkeras

END, LENGTH = 256, 8  # the token behind the bytes; tokens of a sum
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": END + 1,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
    "eos_token_id": END,
}
CHAT = "{% for message in messages %}{{ message.content }}{% endfor %}="
SUMS = {f"{a}+{b}=": str(a + b) for a in range(10) for b in range(10)}


def taught(epochs):
    """A model of rows (batch, time) of bytes that knows the sums."""
    jkeras.utils.set_random_seed(0)
    model = jkeras.models.LanguageTransformer(CONFIG)
    texts = [(question + answer).encode() for question, answer in SUMS.items()]
    rows = np.array([[*text, *[END] * (LENGTH - len(text))] for text in texts], "int32")
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(5e-3), loss)
    model.fit(rows[:, :-1], rows[:, 1:], batch_size=len(rows), epochs=epochs, verbose=0)
    return model


def write_folder(model, folder):
    """The model, and the tokenizer and the template that `serve` looks for beside it."""
    import tokenizers

    jkeras.saving.to_transformers(model, folder)
    as_letters = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    # the alphabet has printable bytes first; its letters are put in the order of their bytes
    letter_of = {b: as_letters.pre_tokenize_str(chr(b))[0][0] for b in range(128)}
    others = sorted(set(as_letters.alphabet()) - set(letter_of.values()))
    vocabulary = {letter: number for number, letter in enumerate([*letter_of.values(), *others])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = as_letters, tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(["<end>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"chat_template": CHAT, "eos_token": "<end>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


@contextlib.contextmanager
def served(folder):
    """The port at which a process serves a folder; behind `with` it is stopped."""
    log = folder / "log.txt"
    command = [sys.executable, "-m", "jkeras", "serve", str(folder), "--port", "0"]
    command += ["--steps", "1"]  # a look at requests after each token
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ.copy())
    try:
        while not (found := re.search(r"running on http://127.0.0.1:(\d+)", log.read_text())):
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.05)
        yield int(found[1])
    finally:
        process.terminate()  # what is being written is brought to its end
        process.wait(timeout=60)


def call(port, path, fields):
    """The connection on which the answer to a call comes, and that answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"/v1/{path}", json.dumps(fields), headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(answer.read().decode())
    return connection, answer


def completions(port, model, prompts):
    """What comes behind prompts, all of them in one call."""
    fields = {"model": model, "prompt": prompts, "max_tokens": 4, "temperature": 0}
    connection, answer = call(port, "completions", fields)
    with contextlib.closing(connection):
        return [choice["text"] for choice in json.load(answer)["choices"]]


def streamed(port, model, question):
    """The pieces of the answer in a chat, as they come."""
    messages = [{"role": "user", "content": question}]
    fields = {"model": model, "messages": messages, "temperature": 0, "stream": True}
    connection, answer = call(port, "chat/completions", fields)
    with contextlib.closing(connection):
        for line in answer:
            event = line.decode().removeprefix("data: ").strip()
            if event and event != "[DONE]":
                yield json.loads(event)["choices"][0]["delta"].get("content") or ""


def by_openai(port, model, question):
    """The same by the package of OpenAI; None where it is not installed."""
    if importlib.util.find_spec("openai") is None:
        return None
    import openai

    messages = [{"role": "user", "content": question}]
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as client:
        options = {"model": model, "messages": messages, "temperature": 0, "stream": True}
        pieces = client.chat.completions.create(**options)
        return "".join(piece.choices[0].delta.content or "" for piece in pieces)


def main(epochs=150):
    """Prints and returns the share of sums that are answered rightly over HTTP, whether they are
    what the model writes in this process, the pieces of a chat, and what OpenAI's client got.
    """
    model = taught(epochs)
    with tempfile.TemporaryDirectory() as parent:
        folder = pathlib.Path(parent) / "adder"
        write_folder(model, folder)
        with served(folder) as port:
            answers = completions(port, "adder", list(SUMS))
            pieces = [piece for piece in streamed(port, "adder", "7+8") if piece]
            of_openai = by_openai(port, "adder", "7+8")
        stopped = "Finished server process" in (folder / "log.txt").read_text()
    right = float(np.mean([a == b for a, b in zip(answers, SUMS.values())]))
    prompts = [list(question.encode()) for question in SUMS]
    here = model.generate(prompts, max_new_tokens=4, stop=END, strip_prompt=True)
    same = answers == [bytes(text[text != END].tolist()).decode(errors="replace") for text in here]
    print(f"{right:.2f} of the sums are right; those that the model writes here: {same}")
    print(f"7+8 as a stream: {pieces}; by the package openai: {of_openai}")
    print(f"the server stopped by itself: {stopped}")
    return right, same, pieces, of_openai, stopped


if __name__ == "__main__":
    main()
