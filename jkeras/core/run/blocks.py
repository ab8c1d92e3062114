"""What goes into the blocks of a loop beside values: what is tapped in them, and their caches."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jkeras.kernel import apply as kernel


class Within(NamedTuple):
    """The two of one loop, each None where there is nothing.

    Attributes:
        taps: what the observer of the pass has for the blocks.
        cache: what its cache has for them.
    """

    taps: Any
    cache: Any

    def changes(self, count: int, shape_of: Callable[[str], Any]) -> tuple[dict, dict]:
        """What the loop goes over beside weights, of all blocks along the first axis.

        Args:
            count: how many blocks there are.
            shape_of: the output of one block's layer at a place, as `jax.ShapeDtypeStruct`s.
        """
        changes, before = {}, {}
        if self.taps is not None:
            changes = self.taps.changes(count, shape_of)
        if self.cache is not None:
            before = self.cache.before()
        return changes, before

    def output(
        self, layer: Any, params: dict, state: dict, x: Any, place: str, options: Any
    ) -> Any:
        """What one block gives at a place, where there is an observer; `options` as of `run`."""
        kwargs = dict(options)
        flow = {"training": kwargs.pop("training"), "rng": kwargs.pop("rng")}
        return self.taps.output(layer, (params, state), x, place, kwargs, **flow)

    def run(
        self, layer: Any, params: dict, state: dict, x: Any, slices: tuple[dict, dict], options: Any
    ) -> tuple[Any, dict, tuple[dict, dict]]:
        """One block: `(y, state, what is seen and cached in it)`.

        Args:
            slices: what of `changes` is this block's.
            options: of its call, and `training` and `rng` of its pass.
        """
        changes, before = slices
        kwargs, seen, new = dict(options), {}, {}
        flow = {"training": kwargs.pop("training"), "rng": kwargs.pop("rng")}
        if self.cache is not None:
            cache = flow["cache"] = self.cache.of_block(before)
            new = cache.new
        if self.taps is None:
            y, state = kernel.apply(layer, params, state, (x,), kwargs, **flow)
        else:
            y, state, seen = self.taps.run(layer, (params, state), x, changes, kwargs, **flow)
        return y, state, (seen, new)

    def keep(self, seen: tuple[dict, dict]) -> None:
        """Takes what the blocks saw and cached, of all blocks along the first axis."""
        for each, values in zip(self, seen):
            if each is not None:
                each.keep(values)
