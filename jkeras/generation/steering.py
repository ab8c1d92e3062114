"""Changes of outputs while a text is written, of a model with an encoder: those in the encoder
happen once, those in the decoder in each pass.
"""

from typing import Any, NamedTuple

import jax

from jkeras.core.errors import explain
from jkeras.core.graph.halves import ForEncoder, halves_of
from jkeras.core.run.tap_changes import Changes
from jkeras.core.run.tap_places import UnknownPlaceError, find
from jkeras.core.run.tap_survey import survey
from jkeras.generation.inputs import fixed_length, whole_inputs
from jkeras.generation.memory import Memory, Source, memory_shapes


class Halved(NamedTuple):
    """Changes by the half of a model in which they happen.

    Attributes:
        encoder: in the pass over what the encoder reads.
        decoder: in the passes over the text.
    """

    encoder: list
    decoder: list


def halved(model: Any, values: tuple, changes: Changes, source: Source | None) -> Halved:
    """Changes by halves; a model that runs as a whole has but the second one.

    Args:
        values: params and state.
        source: the inputs of the encoder; None: there is none.

    Raises:
        ValueError: a place that both halves have, such as a layer that they share.
    """
    if not changes or source is None or halves_of(model) is None:
        return Halved([], list(changes))
    params, state = values
    read = ForEncoder([source[name] for name in halves_of(model).source])
    text = _text(model, memory_shapes(model, params, state, source))
    encoder, decoder = (_reached(model, values, inputs, changes) for inputs in (read, text))
    shared = [key for key in encoder if key in decoder]
    if shared:
        expected = "a place of the encoder or of the decoder"
        raise ValueError(explain(f"steered at {shared[0]!r}", expected, "one that both have"))
    halves = Halved([], [])
    for change in changes:
        halves[change[0] not in encoder].append(change)
    return halves


def _text(model: Any, memory: Memory) -> Any:
    """What the decoder is called with, by its shapes."""
    batch = jax.tree_util.tree_leaves(memory)[0].shape[0]
    tokens = jax.ShapeDtypeStruct((batch, fixed_length(model) or 2), "int32")
    lengths = jax.ShapeDtypeStruct((batch,), "int32")
    return jax.eval_shape(lambda *given: whole_inputs(model, *given), tokens, lengths, memory)


def _reached(model: Any, values: tuple, inputs: Any, changes: Changes) -> list:
    """The places among those of changes that a pass reaches."""
    paths = list(survey(model, values, (inputs,), {}, training=False))
    return [key for key, _ in changes if _is_among(model, key, paths)]


def _is_among(model: Any, key: Any, paths: list) -> bool:
    """Whether a place is among some, which are all of a pass."""
    try:
        (taps,) = find(model, [key], model, lambda: paths)
    except UnknownPlaceError:
        return False
    return any(tap.path in paths for tap in taps)
