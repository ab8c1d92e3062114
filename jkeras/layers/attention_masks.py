"""What attention layers let be seen: the masks of their inputs, put together."""

import math
import typing

import jax.numpy as jnp

from jkeras.ops.attention_plain import all_of, both, padding_segments, seen


class Masks(typing.NamedTuple):
    """What may be seen, by the masks of the inputs; each of them may be None.

    Args:
        attention: (batch, targets, sources).
        target: (batch, targets), False for padding.
        source: (batch, sources).
        targets, sources: the sizes of the axes attended over.
    """

    attention: typing.Any
    target: typing.Any
    source: typing.Any
    targets: tuple = ()
    sources: tuple = ()

    def over(self, targets, sources):
        """The same for axes of these sizes."""
        return self._replace(targets=targets, sources=sources)

    def whole(self, rank):
        """One mask (batch, 1 ..., target, source) with `rank` axes, or None."""
        target = source = None
        if self.target is not None:
            target = jnp.expand_dims(self.target, -1)
        if self.source is not None:
            source = jnp.expand_dims(self.source, -2)
        mask = all_of([self.attention, target, source])
        if mask is None:
            return None
        return spread(mask, rank, self.targets, self.sources)

    def combined(self, form):
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

    def apart(self, batch):
        """(mask, segments) for `attention`: only what differs from target to target is a mask."""
        attention, source = self.attention, self.source
        if attention is not None and attention.ndim == 3 and attention.shape[1] == 1:
            attention, source = None, both(attention[:, 0], source)
        if attention is not None:
            attention = spread(attention, 4, self.targets, self.sources)
        return attention, padding_segments(self.target, source, batch, *self.targets, *self.sources)


def masks_of(query_mask, value_mask, key_mask, attention_mask):
    """`Masks` from the masks that a call is given."""
    attention, target, value, key = (
        None if mask is None else mask.astype(bool)
        for mask in (attention_mask, query_mask, value_mask, key_mask)
    )
    return Masks(attention, target, both(value, key))


def spread(mask, rank, targets, sources):
    """(batch, targets, sources) -> (batch, 1 …, target, source), with `rank` axes."""
    count = len(targets) + len(sources)
    lead = mask.shape[:-count]
    if len(targets) > 1:
        mask = jnp.broadcast_to(mask, (*lead, *targets, *sources))
        mask = mask.reshape(*lead, math.prod(targets), math.prod(sources))
    return mask.reshape(*lead, *[1] * (rank - 2 - len(lead)), *mask.shape[-2:])
