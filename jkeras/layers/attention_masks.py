"""What attention layers let be seen: the masks of their inputs, put together."""

import math
import typing
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.ops.attention_plain import (
    HIDDEN_TARGET,
    Form,
    Segments,
    all_of,
    both,
    padding_segments,
    seen,
    without_padding,
)


class Masks(typing.NamedTuple):
    """What may be seen, by the masks of the inputs; each of them may be None.

    Args:
        attention: (batch, targets, sources).
        target: (batch, targets), False for padding.
        source: (batch, sources).
        segments: `Segments`, ids (batch, targets) and (batch, sources).
        targets, sources: the sizes of the axes attended over.
    """

    attention: typing.Any
    target: typing.Any
    source: typing.Any
    segments: typing.Any = None
    targets: tuple = ()
    sources: tuple = ()

    def over(self, targets: tuple[int, ...], sources: tuple[int, ...]) -> Any:
        """The same for axes of these sizes."""
        return self._replace(targets=targets, sources=sources)

    def whole(self, rank: int) -> Any:
        """One mask (batch, 1 ..., target, source) with `rank` axes, or None."""
        target = source = same = None
        if self.target is not None:
            target = jnp.expand_dims(self.target, -1)
        if self.source is not None:
            source = jnp.expand_dims(self.source, -2)
        if self.segments is not None:
            same = self.segments.target[:, :, None] == self.segments.source[:, None, :]
        mask = all_of([self.attention, target, source, same])
        if mask is None:
            return None
        return spread(mask, rank, self.targets, self.sources)

    def combined(self, form: Form) -> Any:
        """One mask (batch, *targets, *sources) of these and of what a `Form` lets be seen, or
        None.
        """
        targets, sources = math.prod(self.targets), math.prod(self.sources)
        mask = both(self.whole(3), seen(form, None, targets, sources))
        if mask is None:
            return None
        lead = mask.shape[:-2] or (1,)  # a batch axis, where only positions count
        seen_by, seen_of = mask.shape[-2:]
        if (seen_by, seen_of) == (targets, sources):
            return mask.reshape(*lead, *self.targets, *self.sources)
        return mask.reshape(*lead, seen_by, seen_of)

    def apart(self, batch: int) -> tuple[jax.Array | None, ...]:
        """(mask, segments) for `attention`: only what differs from target to target is a mask."""
        attention, source = self.attention, self.source
        if attention is not None and attention.ndim == 3 and attention.shape[1] == 1:
            attention, source = None, both(attention[:, 0], source)
        if attention is not None:
            attention = spread(attention, 4, self.targets, self.sources)
        if self.segments is None:
            return attention, padding_segments(
                self.target, source, batch, *self.targets, *self.sources
            )
        segments = without_padding(self.segments, self.target, source)
        sees_itself = source is None and self.segments.target is self.segments.source
        return attention, segments if sees_itself else sighted(segments)

    def check_segments(self, where: str) -> None:
        """Raises ValueError where the ids of segments do not fit what is attended over.

        Args:
            where: the layer.
        """
        if self.segments is None:
            return
        sizes = (*self.targets, *self.sources)
        for ids in self.segments:
            if ids.ndim != 2 or not jnp.issubdtype(ids.dtype, jnp.integer):
                raise ValueError(
                    f"{where}: expected `segment_ids` of whole numbers (batch, time), or a "
                    f"pair of them for query and key. Received: {ids.dtype}{list(ids.shape)}"
                )
        if tuple(ids.shape[1] for ids in self.segments) != sizes:
            raise ValueError(
                f"{where}: expected `segment_ids` as long as the one axis of query and key "
                f"that is attended over: {sizes}. Received: "
                f"{[list(ids.shape) for ids in self.segments]}. Where query and key have not the "
                "same ids, give the pair `segment_ids=(of_query, of_key)`."
            )


UNMASKED = Masks(None, None, None)


def sighted(segments: Any) -> Any:
    """`Segments` where a target whose segment has no source at all is marked as such: kernels leave
    such rows, and what replaces them has to know.
    """
    target, source = segments
    ordered = jnp.sort(source, axis=-1)
    index = jax.vmap(jnp.searchsorted)(ordered, target)
    nearest = jnp.take_along_axis(ordered, jnp.minimum(index, source.shape[-1] - 1), axis=-1)
    return Segments(jnp.where(nearest == target, target, HIDDEN_TARGET), source)


def segments_of(segment_ids: Any) -> Segments | None:
    """`Segments` of a call's argument: ids, or a pair of ids for query and key; or None."""
    if segment_ids is None:
        return None
    if isinstance(segment_ids, (list, tuple)):
        return Segments(*segment_ids)
    return Segments(segment_ids, segment_ids)


def masks_of(
    query_mask: jax.Array | None,
    value_mask: jax.Array | None,
    key_mask: jax.Array | None,
    attention_mask: jax.Array | None,
    segment_ids: Any = None,
) -> Any:
    """`Masks` from the masks and the ids of segments of a call."""
    masks = attention_mask, query_mask, value_mask, key_mask
    if {type(None)}.issuperset(map(type, (*masks, segment_ids))):
        return UNMASKED
    attention, target, value, key = [m if m is None else m.astype(bool) for m in masks]
    return Masks(attention, target, both(value, key), segments_of(segment_ids))


def spread(
    mask: jax.Array | None, rank: int, targets: jax.Array | None, sources: jax.Array | None
) -> Any:
    """(batch, targets, sources) -> (batch, 1 …, target, source), with `rank` axes."""
    count = len(targets) + len(sources)
    lead = mask.shape[:-count]
    if len(targets) > 1:
        mask = jnp.broadcast_to(mask, (*lead, *targets, *sources))
        mask = mask.reshape(*lead, math.prod(targets), math.prod(sources))
    return mask.reshape(*lead, *[1] * (rank - 2 - len(lead)), *mask.shape[-2:])
