"""All places of a forward pass, found by running it on shapes alone."""

import typing

from jkeras.core.run.tap_loops import STATES, Steps
from jkeras.core.run.tap_places import ALL_BLOCKS
from jkeras.core.run.taps import Taps
from jkeras.core.system.traces import trace_state
from jkeras.kernel import apply as kernel
from jkeras.kernel.scope import Path


class Survey(Taps):
    """Looks at every place; those within other loops than a `Stack`'s are left out.

    Attributes:
        kinds: the classes of the layers by path, None for a value on the way.
    """

    def __init__(self, *nothing: typing.Any) -> None:
        super().__init__([], [], _unused)
        self.kinds: dict[Path, type | None] = {}

    def through(
        self, layer: typing.Any, scope: typing.Any, inputs: tuple[tuple, dict], outputs: typing.Any
    ) -> typing.Any:
        """Takes a layer's outputs."""
        path = scope.path_of(layer)
        if path is None:
            return outputs
        self.kinds[path] = type(layer)
        return self.at_place(path, scope.flow, outputs)

    def at_place(self, path: Path, flow: typing.Any, value: typing.Any) -> typing.Any:
        """Takes what is at a place."""
        self.paths.add(path)
        self.kinds.setdefault(path, None)
        return super().at_place(path, flow, value)

    def out_of_reach(self, path: Path) -> None:
        """Leaves a place out."""
        self.kinds.pop(path, None)

    def asks_for(self, path: Path | None) -> bool:
        """Always."""
        return True

    def inside(self, path: Path) -> "SurveyInside | None":  # type: ignore[override]
        """All that is in the blocks of a loop."""
        return SurveyInside(self, path) if trace_state() == self.level else None

    def steps(self, path: Path, gives_state: bool) -> Steps | None:
        """The states of a recurrent layer."""
        if trace_state() != self.level:
            return None
        place = (*path, STATES)
        self.paths.add(place)
        self.kinds[place] = None
        return Steps(self, place, {}, gives_state)

    def join(self, inner: Taps, seen: tuple[dict, dict]) -> None:
        """Takes what an inner pass saw."""
        super().join(inner, seen)
        self.kinds |= typing.cast(Survey, inner).kinds


def _unused(*args: typing.Any) -> typing.NoReturn:
    """Runs no block: `SurveyInside` does."""
    raise AssertionError


class SurveyInside:
    """What there is in the blocks of one loop."""

    def __init__(self, survey: Survey, path: Path) -> None:
        self._survey = survey
        self._path = path

    def changes(self, count: int, shape_of: typing.Any) -> dict:
        """Nothing is changed."""
        return {}

    def run(
        self,
        layer: typing.Any,
        values: tuple[dict, dict],
        x: typing.Any,
        changes: dict,
        kwargs: dict,
        **options: typing.Any,
    ) -> tuple[typing.Any, dict, dict]:
        """One block: `(y, state, {path: its calls})`."""
        inner = Survey()
        y, state = kernel.apply(layer, *values, (x,), kwargs, observer=inner, **options)
        self._survey.kinds |= {self._whole(path): kind for path, kind in inner.kinds.items()}
        return y, state, inner.seen

    def keep(self, seen: dict[Path, list]) -> None:
        """Takes what is in all blocks."""
        for path, calls in seen.items():
            self._survey.seen.setdefault(self._whole(path), []).extend(calls)

    def _whole(self, path: Path) -> Path:
        return (*self._path, ALL_BLOCKS, *path)


class Found(typing.NamedTuple):
    """A place of a pass.

    Attributes:
        kind: the class of the layer; None: a value on the way of one.
        calls: what it is in each call, `jax.ShapeDtypeStruct`s.
    """

    kind: type | None
    calls: list


def survey(
    layer: typing.Any,
    values: tuple[dict, dict],
    args: tuple,
    kwargs: dict,
    **options: typing.Any,
) -> dict[Path, Found]:
    """The places of a pass by path, in the order in which they are reached.

    Args:
        values: params and state, arrays or their shapes.
        args, kwargs: of the call.
        options: of the pass.
    """
    kinds: dict[Path, type | None] = {}

    def run(values: tuple[dict, dict], args: tuple, kwargs: dict) -> list[list]:
        looking = Survey()
        kernel.apply(layer, *values, args, kwargs, observer=looking, **options)
        kinds.update({path: looking.kinds[path] for path in looking.seen if path in looking.kinds})
        return [looking.seen[path] for path in kinds]

    if options.get("cache") is None:
        shapes = kernel.on_shapes(run, values, args, kwargs)
    else:  # it knows what came in, such as what an encoder gave, by being that itself
        shapes = kernel.on_shapes(lambda values: run(values, args, kwargs), values)
    return {path: Found(kind, calls) for (path, kind), calls in zip(kinds.items(), shapes)}
