"""Writes processors.npz: what transformers' processors of logits give for random logits, so that
the tests need neither it nor torch:

    python -m tests.generation.record_processors   # transformers 5.24, torch 2.13
"""

import pathlib

import numpy as np

PATH = pathlib.Path(__file__).parent / "processors.npz"
ROWS, VOCABULARY, LENGTH, PROMPT, STOP = 40, 30, 12, 4, (3, 7)
BIAS = {2: 5.0, 11: -3.5, 29: -1e4}
SCALES = 2.0, 1e-4, 1e4  # of the logits
CASES = {  # name: (class, arguments)
    "repetition_penalty 1.3": ("RepetitionPenaltyLogitsProcessor", [1.3]),
    "repetition_penalty 0.7": ("RepetitionPenaltyLogitsProcessor", [0.7]),
    "no_repeat_ngram_size 1": ("NoRepeatNGramLogitsProcessor", [1]),
    "no_repeat_ngram_size 2": ("NoRepeatNGramLogitsProcessor", [2]),
    "no_repeat_ngram_size 3": ("NoRepeatNGramLogitsProcessor", [3]),
    "no_repeat_ngram_size 13": ("NoRepeatNGramLogitsProcessor", [13]),
    "min_new_tokens 5": ("MinNewTokensLengthLogitsProcessor", [PROMPT, 5, list(STOP)]),
    "min_new_tokens 9": ("MinNewTokensLengthLogitsProcessor", [PROMPT, 9, list(STOP)]),
    "logit_bias": ("SequenceBiasLogitsProcessor", [[[[k], v] for k, v in BIAS.items()]]),
    "temperature 0.6": ("TemperatureLogitsWarper", [0.6]),
    "top_k 5": ("TopKLogitsWarper", [5]),
    "top_p 0.8": ("TopPLogitsWarper", [0.8]),
    "min_p 0.1": ("MinPLogitsWarper", [0.1]),
    "typical_p 0.3": ("TypicalLogitsWarper", [0.3]),
    "typical_p 0.9": ("TypicalLogitsWarper", [0.9]),
}


def inputs():
    """(tokens, logits of each scale); few tokens, so that some come again."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, VOCABULARY, (ROWS, LENGTH))
    tokens[: ROWS // 2] %= 4
    logits = rng.normal(size=(ROWS, VOCABULARY)).astype("float32")
    return tokens, [np.float32(scale) * logits for scale in SCALES]


def main():
    """Writes the file."""
    import torch
    from transformers.generation import logits_process

    tokens, logits = inputs()
    recorded = {}
    for name, (kind, arguments) in CASES.items():
        process = getattr(logits_process, kind)(*arguments)
        given = [torch.tensor(rows) for rows in logits]
        recorded[name] = np.stack([process(torch.tensor(tokens), rows).numpy() for rows in given])
    np.savez_compressed(PATH, **recorded)


if __name__ == "__main__":
    main()
