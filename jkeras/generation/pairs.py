"""What `Model.generate` is given for a model with an encoder: its inputs, of any lengths, and the
beginnings of the texts that are written.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jkeras.core.errors import explain
from jkeras.core.graph.halves import ENCODER
from jkeras.generation.inputs import ARE_THERE, TOKENS, kinds_of, source_names, tokens_name
from jkeras.generation.memory import Source
from jkeras.generation.prompts import bucket_of, unpadded
from jkeras.generation.source import lengths_of, start_of
from jkeras.generation.texts import encode


class Pairs(NamedTuple):
    """Sources and prompts.

    Attributes:
        source: the inputs of the encoder, as far as they are given, (batch, ...).
        prompts: of the decoder, one for each row; tokens or texts.
        is_one: whether a single one was given, and no list.
        is_text: of each row, whether a text was given.
    """

    source: Source
    prompts: list
    is_one: bool
    is_text: list[bool]


def pairs_of(model: Any, given: Any, tokenizer: Any, side: str) -> Pairs:
    """Rows of a model with an encoder.

    Args:
        side: where prompts are padded that have a mask beside them.

    Raises:
        ValueError: not a dict of its inputs, or of different numbers of rows.
    """
    names = source_names(model)
    own = tokens_name(model)
    if not isinstance(given, Mapping):
        expected = f"a dict of the encoder's inputs {names}, and of `{own}`"
        raise ValueError(explain("generate", expected, f"a {type(given).__name__}"))
    given = _without_padding(model, given, own, side)
    known = {*names, own}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(explain("generate", f"inputs of the names {sorted(known)}", f"{unknown}"))
    source, is_one = _as_rows(names, given)
    count = len(next(iter(source.values())))
    prompts = _prompts(model, given.get(own), own, count)
    counts = {name: len(value) for name, value in {**source, own: prompts}.items()}
    if len(set(counts.values())) > 1 or count == 0:
        expected = "the same number of rows, one or more, of each input"
        raise ValueError(explain("generate", expected, f"{counts}"))
    is_text = [any(isinstance(row, str) for row in rows) for rows in zip(*source.values())]
    for name, value in source.items():
        if name.removeprefix(ENCODER) in TOKENS:
            source = {**source, **_padded(name, value, names, source, tokenizer)}
    return Pairs(source, prompts, is_one, is_text)


def without_padding(source: Source) -> Source:
    """The inputs of an encoder, no longer than the longest row of tokens."""
    masks = [name for name in source if name.removeprefix(ENCODER) in ARE_THERE]
    if not masks:
        return source
    places = np.arange(1, np.shape(source[masks[0]])[1] + 1)
    longest = int((np.asarray(source[masks[0]]).astype(bool) * places).max(initial=1))
    of_tokens = (*TOKENS, *ARE_THERE)
    return {
        name: value[:, :longest] if name.removeprefix(ENCODER) in of_tokens else value
        for name, value in source.items()
    }


def _as_rows(names: list[str], given: Mapping) -> tuple[Source, bool]:
    """(the inputs of the encoder as far as they are given, in rows; whether it was a single row).

    Raises:
        ValueError: there are none.
    """
    source = {name: given[name] for name in names if given.get(name) is not None}
    if not source:
        raise ValueError(explain("generate", f"the encoder's inputs {names}", f"{list(given)}"))
    is_one = all(_is_one(name, value) for name, value in source.items())
    if is_one:
        source = {name: [value] for name, value in source.items()}
    return source, is_one


def _without_padding(model: Any, given: Mapping, own: str, side: str) -> dict[str, Any]:
    """The inputs without the mask of the decoder's, and its tokens without their padding."""
    given = dict(given)
    names = [name for name, kind in kinds_of(model).items() if kind in ARE_THERE]
    masks = [given.pop(name, None) for name in names]
    if not masks or masks[0] is None or given.get(own) is None:
        return given
    rows, there = np.atleast_2d(given[own]), np.atleast_2d(masks[0])
    if rows.shape != there.shape:
        expected = f"`{own}` and its mask of one shape"
        raise ValueError(explain("generate", expected, f"{rows.shape} and {there.shape}"))
    prompts = unpadded(rows, lengths_of(there, side), side)
    return {**given, own: prompts if np.ndim(given[own]) > 1 else prompts[0]}


def _is_one(name: str, value: Any) -> bool:
    """Whether an input is that of a single row: a text, or without the axis of rows."""
    if isinstance(value, str):
        return True
    if len(value) == 0 or isinstance(value[0], str):
        return False
    is_of_tokens = name.removeprefix(ENCODER) in (*TOKENS, *ARE_THERE)
    return np.ndim(value[0]) == (0 if is_of_tokens else 1)


def _prompts(model: Any, given: Any, name: str, count: int) -> list:
    """The beginnings of texts, one for each row.

    Raises:
        ValueError: none is given, and the model does not know a token that texts begin with.
    """
    if given is None:
        given = [start_of(model, name)]
    is_same = isinstance(given, str)
    if not is_same and len(given) > 0:
        is_same = not isinstance(given[0], str) and np.ndim(given[0]) == 0
    return [given] * count if is_same else list(given)


def _padded(
    name: str, rows: Sequence[Any], names: list[str], source: Source, tokenizer: Any
) -> Source:
    """Rows of tokens as an array, and what says where they are.

    Raises:
        ValueError: rows of different lengths, and nothing that says so to the encoder.
    """
    rows = [_tokens(name, row, tokenizer) for row in rows]
    lengths = np.array([len(row) for row in rows])
    mask = next((one for one in names if one.removeprefix(ENCODER) in ARE_THERE), None)
    if mask in source:
        if len(set(lengths)) > 1:
            expected = f"rows of one length in `{name}`, beside `{mask}`"
            raise ValueError(explain("generate", expected, f"lengths {lengths.tolist()}"))
        return {name: np.stack(rows), mask: np.asarray(source[mask])}
    longest = int(lengths.max())
    if mask is None:
        if len(set(lengths)) > 1:
            expected = f"rows of one length in `{name}`, since the model has no mask of padding"
            raise ValueError(explain("generate", expected, f"lengths {lengths.tolist()}"))
        return {name: np.stack(rows)}
    tokens = np.zeros((len(rows), bucket_of(longest)), "int32")
    for row, values in zip(tokens, rows):
        row[: len(values)] = values
    return {name: tokens, mask: (np.arange(tokens.shape[1]) < lengths[:, None]).astype("int32")}


def _tokens(name: str, row: Any, tokenizer: Any) -> np.ndarray:
    """The tokens of a row.

    Raises:
        ValueError: there are none.
    """
    if isinstance(row, str) and tokenizer is not None:
        row = encode(tokenizer, row)
    array = np.asarray(row)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        expected = f"rows of one token or more in `{name}`; or texts, with a `tokenizer`"
        raise ValueError(explain("generate", expected, f"{row!r}"))
    return array
