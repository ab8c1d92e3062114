"""Operations of a pass as places: `h + mlp(h)` in a layer's own code, looked at and changed by the
path of the layer and the name of the operation, "block_3/add".

The pass is read as a jaxpr. An operation belongs to the innermost layer whose outputs follow from
it and whose inputs do not.
"""

import collections
import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.run.adapting import built_for
from jkeras.core.run.tap_changes import Change, Changes
from jkeras.core.run.tap_loops import Inside
from jkeras.core.run.tap_places import WILD, Names, find, several_calls
from jkeras.core.run.tap_survey import Survey, SurveyInside, survey
from jkeras.core.run.tapping import run_tapped
from jkeras.core.run.taps import Taps
from jkeras.core.system.traces import trace_state
from jkeras.kernel import apply as kernel
from jkeras.kernel.scope import Path
from jkeras.programs.rerun import Key, as_one, rerun, steps_of
from jkeras.programs.walk import is_literal, makers, trace

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn


class Marks(Taps):
    """Taps that remember what each layer takes and gives, in order.

    Attributes:
        marks: (path, arrays taken, arrays given).
        loops: the paths of layers whose loops have taps of their own.
    """

    def __init__(self, *of_taps: Any) -> None:
        super().__init__(*of_taps)
        self.marks: list[tuple[Path, list, list]] = []
        self.loops: set[Path] = set()

    def inside(self, path: Path) -> Inside | None:
        """What is asked for within the blocks of a loop at a path; None: nothing."""
        self.loops.add(path)
        return super().inside(path)

    def through(self, layer: Any, scope: Any, inputs: tuple[tuple, dict], outputs: Any) -> Any:
        """The outputs of a layer's call, changed where that is asked for."""
        outputs = super().through(layer, scope, inputs, outputs)
        path = scope.path_of(layer)
        if path is not None and trace_state() == self.level:
            self.marks.append((path, _arrays(inputs), _arrays(outputs)))
        return outputs


def _arrays(structure: Any) -> list:
    return [v for v in jax.tree_util.tree_leaves(structure) if isinstance(v, jax.Array)]


class Mark(NamedTuple):
    """A layer's call in a program: its path, the variables that it takes and gives."""

    path: Path
    taken: list
    given: list


class Operation(NamedTuple):
    """An operation of a pass.

    Attributes:
        path: of the layer that it belongs to, and its name, behind "scan" where it is in the steps
            of one.
        number: which one of this path it is.
        shapes: of its outputs, `jax.ShapeDtypeStruct`s; one, where there is one. In a scan with an
            axis of steps in front.
    """

    path: Path
    number: int
    shapes: Any


class Reading:
    """A pass as a program: `tap` of its layers, which gives `(y, new state, seen)`.

    Attributes:
        operations: `Operation`s by their key in the program.
    """

    def __init__(
        self,
        layer: Any,
        values: tuple[dict, dict],
        args: tuple,
        kwargs: dict,
        at: list,
        changes: Changes,
        **options: Any,
    ) -> None:
        marks: list[tuple[Path, list, list]] = []
        loops: set[Path] = set()
        own = {**options, "taps_type": Marks, "beyond": tap_operations}
        self.cache = options.get("cache")
        self._filled: Any = None  # a fork of the cache, which the pass filled

        def run(arguments: tuple) -> tuple:
            values, *call = arguments
            new = {}
            if self.cache is not None:
                call = args, kwargs  # the cache knows what came in by being that itself
                self._filled = own["cache"] = self.cache.fork()
            y, state, taps = run_tapped(layer, *values, *call, at, changes, **own)
            marks.extend(taps.marks)
            loops.update(taps.loops)
            if self._filled is not None:
                new = self._filled.take()
            return (y, state, taps.results(), new), [each[1:] for each in taps.marks]

        arguments = (values, args, kwargs) if self.cache is None else (values,)
        self._leaves = jax.tree_util.tree_leaves(arguments)
        self._program, shapes = trace(run, arguments)
        self._treedef = jax.tree_util.tree_structure(shapes[0])
        outputs = iter(self._program.jaxpr.outvars[self._treedef.num_leaves :])
        parts = [
            Mark(path, *(list(itertools.islice(outputs, len(each))) for each in arrays))
            for path, *arrays in marks
        ]
        self.operations = _named(self._program.jaxpr, parts, loops)

    def run(
        self, changes: Mapping[Key, Changes], wanted: Collection[Key]
    ) -> tuple[Any, dict[Key, Any]]:
        """(what the pass gives, what operations give by their key), where some are changed; the
        cache of the pass has what is new in it.

        Args:
            changes: (place, `Change`) pairs by the key of the operation.
            wanted: the keys of the operations that are looked at.
        """
        whole = {
            key: [(place, self._of_steps(key, place, change)) for place, change in each]
            for key, each in changes.items()
        }
        outputs, seen = rerun(self._program, self._leaves, whole, wanted)
        del outputs[self._treedef.num_leaves :]
        *results, new = jax.tree_util.tree_unflatten(self._treedef, outputs)
        if self.cache is not None:
            self.cache.join(self._filled, new)
        return tuple(results), seen

    def _of_steps(self, key: Key, place: Any, change: Change) -> Change:
        """The change, its values in a scan with the axis of steps.

        Raises:
            ValueError: they do not fit.
        """
        if len(key) == 1 or change.kind == "edit":
            return change
        zeros = jax.tree_util.tree_map(
            lambda shape: jnp.zeros(shape.shape, shape.dtype), self.operations[key].shapes
        )
        return change._replace(value=change._replace(kind="set").of(place, zeros))


class InLoops(Survey):
    """A look at the operations in the blocks of loops.

    Attributes:
        operations: those of all blocks of a loop, along a first axis.
    """

    def __init__(self, *nothing: Any) -> None:
        super().__init__(*nothing)
        self.operations: list[Operation] = []

    def inside(self, path: Path) -> "InBlocks | None":  # type: ignore[override]
        """The operations in the blocks of a loop."""
        return InBlocks(self, path) if trace_state() == self.level else None

    def join(self, inner: Taps, seen: tuple[dict, dict]) -> None:
        """Takes what an inner pass saw."""
        super().join(inner, seen)
        self.operations += cast(InLoops, inner).operations


class InBlocks(SurveyInside):
    """What there is in the blocks of one loop, their operations too."""

    def changes(self, count: int, shape_of: Any) -> dict:
        """Nothing is changed; there are so many blocks."""
        self._count = count
        return super().changes(count, shape_of)

    def run(
        self,
        layer: Any,
        values: tuple[dict, dict],
        x: Any,
        changes: dict,
        kwargs: dict,
        **options: Any,
    ) -> tuple[Any, dict, dict]:
        """One block, see `SurveyInside.run`."""
        for one in operations_of(layer, values, (x,), kwargs, **options):
            shapes = jax.tree_util.tree_map(self._of_all, one.shapes)
            whole = one._replace(path=self._whole(one.path), shapes=shapes)
            self._survey.operations.append(whole)
        return super().run(layer, values, x, changes, kwargs, **options)

    def _of_all(self, shape: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self._count, *shape.shape), shape.dtype)


def operations_of(
    layer: Any, values: tuple[dict, dict], args: tuple, kwargs: dict, **options: Any
) -> list[Operation]:
    """All operations of a pass that are places, those in the blocks of a `Stack` last; arguments as
    of `survey`.
    """
    reading = Reading(layer, values, args, kwargs, [], [], **options)
    looking: list[InLoops] = []

    def run(values: tuple[dict, dict], args: tuple, kwargs: dict) -> None:
        looking.append(InLoops())
        kernel.apply(layer, *values, args, kwargs, observer=looking[-1], **options)

    kernel.on_shapes(run, values, args, kwargs)
    return [*reading.operations.values(), *looking[-1].operations]


def tap_operations(
    self: Any, error: ValueError, given: tuple, options: dict[str, Any]
) -> tuple[Any, dict, dict]:
    """`tap` where some of the places may be operations: `(y, new state, seen)`.

    Args:
        error: for the first place that is no layer.
        given: params, state, args, kwargs, places that are looked at, changes.
        options: of the pass.

    Raises:
        ValueError: no place, or more than one, is there.
    """
    *call, at, changes = given
    params, state, args, kwargs = call
    paths = list(survey(self, (params, state), args, kwargs, **_apart(options)))
    root = built_for(self, args, kwargs)
    keys = dict.fromkeys([*at, *(key for key, _ in changes)])
    own = {key for key in keys if not _is_known(root, key, self, paths)}
    below = [key for key in at if key not in own]
    others = [each for each in changes if each[0] not in own]
    reading = Reading(self, (params, state), args, kwargs, below, others, **options)
    groups = {key: matching(reading.operations, root, key) for key in own}
    if not all(groups.values()):
        raise error
    wanted = {name: keys for place in own.intersection(at) for name, keys in groups[place].items()}
    by_key = _by_key(groups, changes)
    (y, new_state, seen), found = reading.run(by_key, set(itertools.chain(*wanted.values())))
    return y, new_state, seen | _seen(wanted, found)


def _seen(group: dict[str, list[Key]], found: Mapping[Key, Any]) -> dict[str, Any]:
    """What operations gave, by place."""
    return {name: _together(name, [found[key] for key in keys]) for name, keys in group.items()}


def _apart(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a pass that leaves nothing in the cache of another one."""
    cache = options.get("cache")
    return options if cache is None else {**options, "cache": cache.fork()}


def _is_known(root: Any, key: Any, layer: Any, paths: list[Path]) -> bool:
    """Whether a place is a layer, or a value that a layer names."""
    try:
        find(root, [key], layer, lambda: paths)
    except ValueError:
        return False
    return True


def _by_key(groups: Mapping[Any, dict[str, list[Key]]], changes: Changes) -> dict[Key, list]:
    """The changes by the keys of the operations."""
    by_key: dict[Key, list] = collections.defaultdict(list)
    for place, change in changes:
        for name, keys in groups.get(place, {}).items():
            if len(keys) > 1:
                raise several_calls(name, "has several of it")
            by_key[keys[0]].append((name, change))
    return by_key


def _together(key: str, each: list) -> Any:
    if len(each) == 1:
        return each[0]
    shapes = {str(jax.tree_util.tree_map(jnp.shape, value)) for value in each}
    if len(shapes) > 1:
        raise several_calls(key, f"has {len(each)} of it, of different shapes")
    return jax.tree_util.tree_map(lambda *values: jnp.stack(values), *each)


def _owners(jaxpr: "Jaxpr", marks: list[Mark]) -> dict[int, Path]:
    """{number of an operation: the layer that it belongs to}. Layers end in the order of the marks,
    those within others first.
    """
    made = makers(jaxpr)
    owners: dict[int, Path] = {}
    for path, taken, given in marks:
        begins = {operand for operand in taken if not is_literal(operand)}
        left = [v for v in given if not is_literal(v)]
        visited: set = set()
        while left:
            operand = left.pop()
            number = made.get(operand)
            if operand in begins or number is None or number in visited:
                continue
            visited.add(number)
            owners.setdefault(number, path)
            left += [v for v in jaxpr.eqns[number].invars if not is_literal(v)]
    return owners


def _named(jaxpr: "Jaxpr", marks: list[Mark], loops: set[Path]) -> dict[Key, Operation]:
    """The operations of a program by their keys.

    Args:
        marks: the calls of layers in it.
        loops: the layers whose loops have taps of their own.
    """
    counts: collections.Counter[Path] = collections.Counter()
    found = {}
    for number, path in sorted(_owners(jaxpr, marks).items()):
        eqn = jaxpr.eqns[number]
        for key, name, shapes in _with_steps(eqn, path not in loops):
            whole = (*path, *name)
            found[number, *key] = Operation(whole, counts[whole], as_one(shapes))
            counts[whole] += 1
    return found


def _with_steps(eqn: "JaxprEqn", opens: bool = True) -> Iterator[tuple[Key, Path, list]]:
    """(key, path, shapes) of an operation, and of those in the steps of a scan.

    Args:
        opens: whether those in the steps are asked for.
    """
    name = _name(eqn)
    yield (), (name,), [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.outvars]
    steps = steps_of(eqn) if opens else None
    if steps is None:
        return
    for number, inner in enumerate(steps.program.jaxpr.eqns):
        for key, path, shapes in _with_steps(inner):
            longer = [jax.ShapeDtypeStruct((steps.length, *one.shape), one.dtype) for one in shapes]
            yield (number, *key), (name, *path), longer


def _name(eqn: "JaxprEqn") -> str:
    """The name of an operation: of a function that is compiled by itself, that of the function."""
    name = eqn.params.get("name")
    return name if isinstance(name, str) else eqn.primitive.name


def matching(operations: Mapping[Key, Operation], root: Any, key: str) -> dict[str, list[Key]]:
    """The keys of the operations that a key stands for, by place: "block_3/add" of all sums in
    it, "block_3/add#1" of the second one; a pattern, "block_*/add#1", stands for several places.

    Args:
        root: the built model.

    Raises:
        ValueError: several layers have an operation of this name, and it is no pattern.
    """
    name, sign, call = key.partition("#")
    names = Names(root)
    paths = names.like(dict.fromkeys(one.path for one in operations.values()), name)
    is_pattern = any(star in name for star in WILD)
    if len(paths) > 1 and not is_pattern:
        shown = sorted(map("/".join, paths))[:20]
        raise ValueError(explain(f"tap at {key!r}", "the path of one place", f"the end of {shown}"))
    found: dict[str, list[Key]] = {}
    for number, one in operations.items():
        if one.path in paths and call in ("", str(one.number)):
            place = "/".join(names.of(one.path)[1]) + sign + call if is_pattern else key
            found.setdefault(place, []).append(number)
    return found
