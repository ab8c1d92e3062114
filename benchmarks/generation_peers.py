"""Text of a Llama beside keras-hub on Keras and transformers on torch: the figures of
docs/language-models.md.

    python -m benchmarks.generation_peers [--widths 256 512 1024] [--turns 2]

The same sizes, random weights, greedy, one core, each library in a process of its own, which take
turns: seconds of the processor, the least of all. "prefill" is a text with one new token, the whole
call; "decode" what each of 128 more takes; "read" reading all weights once, by numpy.
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
ROUNDS = {1: 20, NEW + 1: 3}  # by the number of new tokens; the short calls are noisier


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


def measured(library, width, rows):
    """{"prefill": seconds, "decode": seconds a token, "parameters": count} of one library."""
    run, parameters = MAKERS[library](sizes(width))
    prompts = np.random.default_rng(0).integers(1, VOCABULARY, (rows, PROMPT)).astype("int32")
    least = {}
    for count, rounds in ROUNDS.items():
        run(prompts, count)  # compiles
        least[count] = min(_seconds(run, prompts, count) for _ in range(rounds))
    decode = (least[NEW + 1] - least[1]) / NEW
    return {"prefill": least[1], "decode": decode, "parameters": int(parameters)}


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


def in_process(*arguments):
    """What this program prints with arguments, on one core."""
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
    done = subprocess.run(
        command, cwd=runner.ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


def side_by_side(width, rows, turns):
    """{library: what `measured` gives, the least of some turns; None: it is not installed}."""
    each = {}
    for _ in range(turns):
        for library in LIBRARIES:
            now = in_process("--one", library, str(width), str(rows))
            before = each.get(library) or now
            each[library] = now and {name: min(before[name], now[name]) for name in now}
            print(width, rows, library, each[library], flush=True)
    parameters = str(each["jkeras"]["parameters"])
    read = min(in_process("--read", parameters)["read"] for _ in range(turns))
    return {**each, "read": read}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--widths", type=int, nargs="*", default=[256, 512, 1024])
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--one", nargs=3, metavar=("LIBRARY", "WIDTH", "ROWS"))
    parser.add_argument("--read", type=int)
    given = parser.parse_args()
    if given.one:
        library, width, rows = given.one
        print(json.dumps(measured(library, int(width), int(rows))), flush=True)
        return
    if given.read:
        print(json.dumps({"read": seconds_to_read(given.read)}), flush=True)
        return
    found = kept.found("generation", "peers")  # of the other widths
    for width in given.widths:
        for rows in (1, 8):
            found[f"{width}, {rows}"] = side_by_side(width, rows, given.turns)
    kept.keep("generation", "peers", found, ("keras", "keras-hub", "transformers", "torch"))


if __name__ == "__main__":
    main()
