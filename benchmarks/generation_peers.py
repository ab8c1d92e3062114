"""Text of a Llama beside keras-hub on Keras and transformers on torch: the figures of
docs/language-models.md.

    python -m benchmarks.generation_peers [--widths 256 512 1024] [--rounds 8]

The same sizes, random weights, greedy, one core, each library in a process of its own. They take
turns of a few calls, so that all meet the same noise and have their caches: seconds of the
processor, the least of all. "prefill" is a text with one new token, the whole call; "decode" what
each of 128 more takes; "read" multiplying by as many numbers as there are weights once, by numpy.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np

from benchmarks import kept, runner

LIBRARIES = ("jkeras", "keras-hub", "transformers")
LAYERS, VOCABULARY, PROMPT, NEW = 4, 4096, 32, 128
TURNS = {1: 20, NEW + 1: 2}  # calls of a turn, by the number of new tokens


def sizes(width):
    """The entries of a `config.json`."""
    heads = width // 64
    return {
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "max_position_embeddings": 512,
        "tie_word_embeddings": False,
    }


# ---------------------------------------------------------------- each library


def of_jkeras(config):
    """(function of prompts and a number of tokens, how many parameters)."""
    import jkeras

    model = jkeras.models.LanguageTransformer(config, "causal_lm")
    model(np.zeros((1, PROMPT), "int32"))

    def run(prompts, count):
        return model.generate(prompts, max_new_tokens=count)

    return run, model.count_params()


def of_keras_hub(config):
    """The same of keras-hub, on Keras with the backend of JAX."""
    import keras_hub

    backbone = keras_hub.models.LlamaBackbone(
        vocabulary_size=config["vocab_size"],
        num_layers=config["num_hidden_layers"],
        num_query_heads=config["num_attention_heads"],
        num_key_value_heads=config["num_key_value_heads"],
        hidden_dim=config["hidden_size"],
        intermediate_dim=config["intermediate_size"],
    )
    model = keras_hub.models.LlamaCausalLM(backbone=backbone, preprocessor=None)
    model.compile(sampler="greedy")

    def run(prompts, count):
        tokens = np.pad(prompts, ((0, 0), (0, count)))
        mask = np.zeros(tokens.shape, bool)
        mask[:, : prompts.shape[1]] = True
        inputs = {"token_ids": tokens, "padding_mask": mask}
        return model.generate(inputs, stop_token_ids=None)["token_ids"]

    return run, backbone.count_params()


def of_transformers(config):
    """The same of transformers, on torch."""
    import torch
    import transformers

    torch.set_num_threads(1)
    entries = {k: v for k, v in config.items() if k != "model_type"}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**entries)).eval()

    @torch.no_grad()
    def run(prompts, count):
        tokens = torch.tensor(prompts).long()
        options = {"do_sample": False, "pad_token_id": 0, "eos_token_id": None}
        return model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=count,
            min_new_tokens=count,
            **options,
        )

    return run, sum(p.numel() for p in model.parameters())


MAKERS = {"jkeras": of_jkeras, "keras-hub": of_keras_hub, "transformers": of_transformers}


def answer(library, width, rows):
    """Says how many parameters a library's model has, and for each line on the input, a number of
    new tokens, the least seconds that they take in a turn.
    """
    run, parameters = MAKERS[library](sizes(width))
    prompts = np.random.default_rng(0).integers(1, VOCABULARY, (rows, PROMPT)).astype("int32")
    for count in TURNS:
        run(prompts, count)  # compiles
    print(json.dumps(int(parameters)), flush=True)
    for line in sys.stdin:
        count = int(line)
        least = min(_seconds(run, prompts, count) for _ in range(TURNS[count]))
        print(json.dumps(least), flush=True)


def _seconds(run, prompts, count):
    begin = time.process_time()
    np.asarray(run(prompts, count))
    return time.process_time() - begin


def seconds_to_read(count):
    """What reading so many floats once takes, a matrix times a vector, on one core."""
    side = int(np.sqrt(count))
    matrix, vector = np.ones((side, side), "float32"), np.ones(side, "float32")
    least = float("inf")
    for _ in range(10):
        begin = time.process_time()
        matrix @ vector
        least = min(least, time.process_time() - begin)
    return least * count / side**2


# ---------------------------------------------------------------- all of them


def process(*arguments):
    """This program with arguments, on one core; it answers in lines."""
    single = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": single,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.generation_peers", *arguments]
    if os.path.exists("/usr/bin/taskset"):
        command = ["taskset", "-c", "0", *command]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=runner.ROOT, env=environment, **pipes)


def said(child):
    """The next number that a process says, past what libraries print; None: it has ended."""
    for line in child.stdout:
        try:
            return json.loads(line)
        except ValueError:
            continue
    return None


def asked(child, count):
    """The least seconds that a process takes for so many new tokens, in a turn of it."""
    child.stdin.write(f"{count}\n")
    child.stdin.flush()
    return said(child)


def side_by_side(width, rows, rounds):
    """{library: {"prefill": seconds, "decode": seconds a token, "parameters": count}; None: it is
    not installed}.
    """
    children = {name: process("--one", name, str(width), str(rows)) for name in LIBRARIES}
    sizes_of = {name: said(child) for name, child in children.items()}
    there = {name: children[name] for name, size in sizes_of.items() if size is not None}
    least = {}
    for count in TURNS:
        each = [{name: asked(child, count) for name, child in there.items()} for _ in range(rounds)]
        least[count] = {name: min(seconds[name] for seconds in each) for name in there}
    for child in children.values():
        child.communicate()
    found = dict.fromkeys(LIBRARIES)
    for name in there:
        first, all_of_them = least[1][name], least[NEW + 1][name]
        decode = (all_of_them - first) / NEW
        found[name] = {"prefill": first, "decode": decode, "parameters": sizes_of[name]}
        print(width, rows, name, found[name], flush=True)
    with process("--read", str(sizes_of["jkeras"])) as child:
        return {**found, "read": said(child)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--widths", type=int, nargs="*", default=[256, 512, 1024])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--one", nargs=3, metavar=("LIBRARY", "WIDTH", "ROWS"))
    parser.add_argument("--read", type=int)
    given = parser.parse_args()
    if given.one:
        library, width, rows = given.one
        answer(library, int(width), int(rows))
        return
    if given.read:
        print(json.dumps(seconds_to_read(given.read)), flush=True)
        return
    found = kept.found("generation", "peers")  # of the other widths
    for width in given.widths:
        for rows in (1, 8):
            found[f"{width}, {rows}"] = side_by_side(width, rows, given.rounds)
    kept.keep("generation", "peers", found, ("keras", "keras-hub", "transformers", "torch"))


if __name__ == "__main__":
    main()
