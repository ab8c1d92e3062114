"""Prompts and answers as arrays, which `fit` takes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public

Tokens = Sequence[int]


@public("jkeras.alignment.pairs")
def pairs(
    prompts: Sequence[Tokens],
    chosen: Sequence[Tokens],
    rejected: Sequence[Tokens],
    *,
    length: int | None = None,
) -> dict[str, np.ndarray]:
    """Pairs of answers as arrays for `DPO` and `ORPO`: "chosen", "chosen_mask", "rejected",
    "rejected_mask".

    Args:
        prompts, chosen, rejected: lists of tokens. Prompts have one or more, such as that of the
            beginning, and so have answers.
        length: of the rows; None: of the longest.

    Raises:
        ValueError: not as many of each; an empty prompt or answer; a row longer than `length`;
            two answers that are the same.

    >>> rows = pairs([[1, 2]], [[3]], [[4, 5]])
    >>> rows["chosen"].tolist(), rows["chosen_mask"].tolist()
    ([[1, 2, 3, 0]], [[0, 0, 1, 0]])
    """
    _check_counts("pairs", prompts=prompts, chosen=chosen, rejected=rejected)
    for number, answers in enumerate(zip(chosen, rejected)):
        if list(answers[0]) == list(answers[1]):
            expected = "two answers of which one is preferred"
            raise ValueError(explain("pairs", expected, f"the same twice, in row {number}"))
    texts = [*zip(prompts, chosen), *zip(prompts, rejected)]
    tokens, mask = (np.split(part, 2) for part in _rows("pairs", texts, length))
    return {
        "chosen": tokens[0],
        "chosen_mask": mask[0],
        "rejected": tokens[1],
        "rejected_mask": mask[1],
    }


@public("jkeras.alignment.unpaired")
def unpaired(
    prompts: Sequence[Tokens],
    answers: Sequence[Tokens],
    labels: Sequence[Any],
    *,
    length: int | None = None,
) -> dict[str, np.ndarray]:
    """Answers with labels as arrays for `KTO`: "answer", "answer_mask", "label"; and each prompt
    with the answer of the next row, "other", "other_mask".

    Args:
        prompts, answers: lists of tokens, as of `pairs`.
        labels: true for desirable answers.
        length: of the rows; None: of the longest.

    Raises:
        ValueError: as of `pairs`; fewer than two rows.

    >>> rows = unpaired([[1], [2]], [[3], [4]], [True, False])
    >>> rows["other"].tolist(), rows["label"].tolist()
    ([[1, 4], [2, 3]], [1, 0])
    """
    _check_counts("unpaired", prompts=prompts, answers=answers, labels=labels)
    if len(prompts) < 2:
        raise ValueError(explain("unpaired", "two rows or more", f"{len(prompts)}"))
    others = [*answers[1:], answers[0]]
    texts = [*zip(prompts, answers), *zip(prompts, others)]
    tokens, mask = (np.split(part, 2) for part in _rows("unpaired", texts, length))
    return {
        "answer": tokens[0],
        "answer_mask": mask[0],
        "other": tokens[1],
        "other_mask": mask[1],
        "label": np.array([int(bool(label)) for label in labels], "int32"),
    }


def _check_counts(where: str, **parts: Sequence) -> None:
    counts = {name: len(part) for name, part in parts.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise ValueError(explain(where, "as many of each, one or more", f"{counts}"))


def _rows(
    where: str, texts: Sequence[tuple[Tokens, Tokens]], length: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """(tokens, masks of answers) of texts in two parts, padded behind."""
    longest = max(len(prompt) + len(answer) for prompt, answer in texts)
    length = longest if length is None else length
    tokens, mask = np.zeros((2, len(texts), length), "int32")
    for row, (prompt, answer) in enumerate(texts):
        _check_text(where, row % (len(texts) // 2), prompt, answer, length)
        end = len(prompt) + len(answer)
        tokens[row, :end] = [*prompt, *answer]
        mask[row, len(prompt) : end] = 1
    return tokens, mask


def _check_text(where: str, row: int, prompt: Tokens, answer: Tokens, length: int) -> None:
    for name, part in (("prompt", prompt), ("answer", answer)):
        array = np.asarray(part)
        are_tokens = array.ndim == 1 and array.dtype.kind in "iu"
        if not array.size or not are_tokens or array.min() < 0:
            expected = "prompts and answers of one token or more, whole numbers from 0 on"
            fix = "begin prompts with the token of the beginning, end answers with that of the end"
            raise ValueError(explain(where, expected, f"{name} {row}: {part!r}", fix))
    if len(prompt) + len(answer) > length:
        expected = f"at most {length} tokens"
        received = f"{len(prompt)} and {len(answer)} in row {row}"
        raise ValueError(explain(where, expected, received, "cut it, or make `length` larger"))
