"""The inputs of an encoder, with which a text begins: what a user gives, as arrays, checked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.graph.halves import ENCODER
from jkeras.generation.inputs import ARE_THERE, DECODER, TOKENS, kinds_of, source_names, tokens_name
from jkeras.generation.memory import Source


class Asked(NamedTuple):
    """What texts begin with.

    Attributes:
        source: the inputs of the encoder; None: the model has none.
        prompts, lengths: of the decoder, as of `Generator`.
    """

    source: Source | None
    prompts: Any
    lengths: Any


def check_no_encoder(
    where: str,
    model: Any,
    fix: str = "write its texts by `model.generate` or `jkeras.generation.Generator`",
) -> None:
    """Raises ValueError for a model with an encoder, whose inputs there is no place for."""
    names = source_names(model)
    if names:
        expected = "a model of tokens alone"
        raise ValueError(explain(where, expected, f"one with the inputs {names}", fix))


def asked(model: Any, prompts: Any, lengths: Any, side: str) -> Asked:
    """What texts of a model begin with.

    Args:
        prompts: (batch, time), or of a model with an encoder a dict of all its inputs, of which
            those of the decoder may be left out where texts begin with a token that it knows.
        lengths: of the decoder's prompts; None: all of the time, or as the dict says.
        side: where these are padded.

    Raises:
        ValueError: an input is missing, unknown, or has other rows than the others.
    """
    names = source_names(model)
    if not names:
        if isinstance(prompts, Mapping):
            expected = "prompts (batch, time), since the model has no encoder"
            raise ValueError(explain("Generator", expected, f"a dict of {list(prompts)}"))
        return Asked(None, prompts, lengths)
    if not isinstance(prompts, Mapping):
        expected = f"a dict of the encoder's inputs {names} and of `{DECODER}token_ids`"
        received = f"a {type(prompts).__name__}"
        fix = "`generation.Server` and drafts of a small model have no place for them"
        raise ValueError(explain("Generator", expected, received, fix))
    given = dict(prompts)
    own = tokens_name(model)
    tokens, there = given.pop(own, None), _there(model, given)
    source = _source(names, given)
    batch = len(next(iter(source.values())))
    if tokens is None:
        tokens = np.full((batch, 1), start_of(model, own), "int32")
    if lengths is None and there is not None:
        lengths = lengths_of(there, side)
    rows = {**source, own: tokens}
    if any(len(value) != batch for value in rows.values()):
        shapes = {name: tuple(np.shape(value)) for name, value in rows.items()}
        raise ValueError(explain("Generator", "inputs of the same number of rows", f"{shapes}"))
    return Asked(source, tokens, lengths)


def complete(model: Any, given: Source | None) -> Source | None:
    """The inputs of an encoder, with those that may be left out; None: there is none."""
    return None if given is None else _source(source_names(model), dict(given))


def start_of(model: Any, name: str) -> int:
    """The token that a model's texts begin with.

    Args:
        name: of the input that would say it.

    Raises:
        ValueError: the model does not know it.
    """
    start = getattr(model, "decoder_start_token_id", None)
    if start is None:
        fix = "give the token that texts begin with, `[[start]]` for each row"
        raise ValueError(explain("generate", f"an input `{name}`", "none", fix))
    return start


def _there(model: Any, given: dict[str, Any]) -> Any:
    """What says where the decoder's tokens are, taken out of inputs; None: nothing does."""
    name = next((name for name, kind in kinds_of(model).items() if kind in ARE_THERE), None)
    return given.pop(name, None)


def lengths_of(there: Any, side: str) -> np.ndarray:
    """How many tokens there are, of a mask.

    Raises:
        ValueError: they do not lie side by side, at the side where there is no padding.
    """
    there = np.asarray(there).astype(bool)
    lengths = there.sum(axis=-1)
    places = np.arange(there.shape[-1])
    if side == "left":
        places = places[::-1]
    if there.ndim != 2 or (there != (places < lengths[:, None])).any():
        expected = f"a mask of the decoder's tokens (batch, time), with padding on the {side}"
        raise ValueError(explain("Generator", expected, f"{there.astype(int).tolist()}"))
    return lengths


def _source(names: list[str], given: dict[str, Any]) -> Source:
    """The inputs of an encoder as arrays.

    Raises:
        ValueError: one is missing or unknown, or a row has nothing that is read.
    """
    masks, tokens = _of_kind(names, ARE_THERE), (_of_kind(names, TOKENS) or [None])[0]
    for mask in masks:
        if given.get(mask) is None and tokens in given:
            given[mask] = np.ones(np.shape(given[tokens]), "int32")
    if set(given) != set(names):
        expected = f"the encoder's inputs {names}"
        raise ValueError(explain("Generator", expected, f"{list(given)}"))
    source = {name: _array(name, given[name]) for name in names}
    if tokens is not None:
        _check_tokens(tokens, source[tokens])
    for mask in masks:
        like = source[tokens or mask]
        _check_mask(mask, source[mask], like.shape)
    return source


def _of_kind(names: list[str], kinds: tuple[str, ...]) -> list[str]:
    """Those of an encoder's inputs that are of some kinds."""
    return [name for name in names if name.removeprefix(ENCODER) in kinds]


def _check_tokens(name: str, tokens: Any) -> None:
    """Raises ValueError for what are no tokens (batch, time)."""
    if tokens.ndim != 2 or not jnp.issubdtype(tokens.dtype, jnp.integer):
        received = f"`{name}` of {tokens.dtype}{list(tokens.shape)}"
        raise ValueError(explain("Generator", "whole numbers (batch, time)", received))


def _check_mask(name: str, mask: Any, shape: tuple[int, ...]) -> None:
    """Raises ValueError for a mask of another shape, or that leaves nothing of a row."""
    if mask.shape != shape:
        expected = f"`{name}` of the shape {shape}, of the tokens"
        raise ValueError(explain("Generator", expected, f"{mask.shape}"))
    if isinstance(mask, jax.core.Tracer):
        return
    if not np.asarray(mask).any(axis=1).all():
        expected = f"`{name}` with a token or more in each row"
        raise ValueError(explain("Generator", expected, "a row of padding alone"))


def _array(name: str, value: Any) -> Any:
    """An input as an array with rows.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, jax.Array):
        return value
    array = np.asarray(value)
    if array.ndim < 2 or not array.size or array.dtype.kind not in "iufb":
        expected = f"`{name}` of numbers (batch, ...)"
        raise ValueError(explain("Generator", expected, f"{array.dtype}{list(array.shape)}"))
    if array.dtype.kind in "iu":
        return array.astype("int32")
    if array.dtype == "float64":
        return array.astype("float32")
    return array
