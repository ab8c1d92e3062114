"""`model.generate`: texts for prompts of any lengths, with a progress bar or as a stream."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.callbacks.progress import screen
from jkeras.core.errors import explain
from jkeras.generation.generator import Generator, Rows, check_side, cached_on, stop_tokens
from jkeras.generation.sampler import Sampler

if TYPE_CHECKING:
    from jkeras.kernel.tree import Tree

AT_ONCE = 16  # tokens between two drawings of the progress bar


def generate(
    model: Any,
    prompts: Any,
    max_length: int,
    sampler: Sampler,
    stop: Sequence[int] | int,
    rng: jax.Array | int | None,
    stream: bool,
    verbose: int,
    prompt_lengths: Any,
    padding_side: str,
) -> Any:
    """See `Model.generate`."""
    if prompt_lengths is not None:
        prompts = unpadded(prompts, prompt_lengths, padding_side)
    is_one = len(prompts) > 0 and np.ndim(prompts[0]) == 0
    if isinstance(prompts, str):
        is_one = True
    rows, lengths = padded([prompts] if is_one else prompts)
    arguments = max_length, sampler, stop_tokens(stop)
    generator = cached_on(model, arguments, lambda: Generator(model, *arguments))
    if stream:
        tokens = generator.stream(model.params, rows, lengths, rng)
        return _of_one(tokens) if is_one else tokens
    texts = _whole(generator, model.params, rows, lengths, rng, verbose)
    return texts[0] if is_one else texts


def padded(prompts: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Prompts of any lengths as one array, padded on the right, and their lengths.

    Raises:
        ValueError: no prompt, one without a token, or with what is none.

    >>> padded([[1, 2], [3]])[0].tolist()
    [[1, 2], [3, 0]]
    """
    arrays = [_tokens_of(prompt, number) for number, prompt in enumerate(prompts)]
    lengths = np.array([len(array) for array in arrays], "int32")
    if not len(lengths) or not lengths.all():
        raise ValueError(explain("generate", "prompts of one token or more", f"{prompts!r}"))
    rows = np.zeros((len(lengths), lengths.max()), "int64")
    for row, array in zip(rows, arrays):
        row[: len(array)] = array
    return rows, lengths


def _tokens_of(prompt: Any, number: int) -> np.ndarray:
    """A prompt as an array.

    Raises:
        ValueError: it is a text, or has other numbers than whole ones.
    """
    array = np.asarray(prompt)
    are_tokens = array.ndim == 1 and array.dtype.kind in "iu"
    if array.size and not are_tokens:
        expected = "prompts of tokens, which are whole numbers"
        is_text = array.dtype.kind in "USO"
        fix = None
        if is_text:
            fix = "give what a tokenizer makes of a text"
        raise ValueError(explain("generate", expected, f"prompt {number}: {prompt!r}", fix))
    return array.reshape(-1)


def unpadded(prompts: Any, lengths: Any, padding_side: str) -> list[np.ndarray]:
    """The rows of an array without their padding.

    Raises:
        ValueError: lengths that are not those of rows, or no such side.

    >>> unpadded([[0, 5], [6, 7]], [1, 2], "left")
    [array([5]), array([6, 7])]
    """
    check_side("generate", padding_side)
    rows, lengths = np.asarray(prompts), np.asarray(lengths)
    is_fit = rows.ndim == 2 and lengths.shape == rows.shape[:1]
    if not is_fit or (lengths < 1).any() or (lengths > rows.shape[1]).any():
        expected = "rows (batch, time), and as `prompt_lengths` a number from 1 to time for each"
        raise ValueError(explain("generate", expected, f"shape {rows.shape} and {lengths}"))
    if padding_side == "left":
        return [row[-length:] for row, length in zip(rows, lengths)]
    return [row[:length] for row, length in zip(rows, lengths)]


def _whole(
    generator: Generator,
    params: "Tree",
    rows: np.ndarray,
    lengths: np.ndarray,
    rng: Any,
    verbose: int,
) -> list[np.ndarray]:
    """The texts, each as long as it is."""
    texts = generator.begin(params, rows, lengths, rng)
    if verbose:
        texts = _shown(generator, params, texts)
    texts = generator.go_on(params, texts)
    ends = np.asarray(texts.lengths)
    return [row[:end] for row, end in zip(np.asarray(texts.tokens), ends)]


def _shown(generator: Generator, params: "Tree", texts: Rows) -> Rows:
    """The texts, with a line that says how far they are."""
    show, begin, first = screen(), time.perf_counter(), int(np.asarray(texts.lengths).sum())
    is_over = False
    while not is_over:
        texts = generator.go_on(params, texts, AT_ONCE)
        ends, is_over = np.asarray(texts.lengths), bool(np.asarray(texts.done).all())
        rate = (int(ends.sum()) - first) / (time.perf_counter() - begin)
        line = f"{ends.max()}/{generator.max_length} tokens - {rate:.0f} tokens/s"
        if show.live:
            show.redraw(line, end=is_over)
        elif is_over:
            show.write(f"{line}\n")
    return texts


def _of_one(tokens: Iterator[np.ndarray]) -> Iterator[int]:
    for batch in tokens:
        yield int(batch[0])
