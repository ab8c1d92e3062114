"""Weights in HDF5 files, in Keras's layout: a group for each layer by attribute, its arrays under
`vars`, numbered.
"""

import collections
import contextlib
import functools
import operator
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.core.errors import SerializationError, readable
from jkeras.core.names.registry import LEAVES
from jkeras.core.layer import Layer
from jkeras.core.weights.module import Module
from jkeras.core.weights.paths import own_variables
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.session.settings import snake_case
from jkeras.core.weights.variable import Variable
from jkeras.optimizers import Optimizer
from jkeras.saving import dialects, hdf5
from jkeras.saving.checksums import Checksums
from jkeras.saving.hdf5_writing import make_group, write_array
from jkeras.saving.paths import below, values_of
from jkeras.saving.types import BinaryFile, Source, Target

if TYPE_CHECKING:
    import h5py


def parts(
    owner: Any,
    layers: str = "layers",
    skipped: Iterable[Any] = (),
    holds: Callable[[str], Any] = lambda path: True,
) -> Iterator[tuple[str, Any]]:
    """(path, object) of everything that has variables of its own in a model file: layers, metrics,
    the optimizer.

    An attribute is a step of the path; in a list or dict the class's name is, with a number where
    it comes again.

    Args:
        layers: the step to a model's layers, which was `OLD_LAYERS` once; there a layer with
            weights counted twice.
        skipped: objects that are left out, with all that is reached through them alone.
        holds: function of a path, whether a file has anything there. An object comes again under
            the other names it has, until one of them is in the file.
    """
    seen = _Seen(skipped, holds)
    waiting = [("", owner)]  # the next one last
    while waiting:
        path, value = waiting.pop()
        if not seen.enters(value):
            continue
        if isinstance(value, CONTAINERS) and not _is_saved(value):
            inner = _items(value, path)
        else:
            seen.note(value, path)
            yield path, value
            inner = _attributes(value, path, layers)
        waiting += reversed(inner)


class _Seen:
    """What has been visited on a walk."""

    MOST_VISITS = 8  # of one object, so that cycles end

    def __init__(self, skipped: Iterable[Any], holds: Callable[[str], Any]) -> None:
        self.done = set(map(id, skipped))
        self.holds = holds
        self.visits = collections.Counter()
        self.alive = []  # what has been visited: an id is that of one object as long as it is there

    def enters(self, thing: Any) -> bool:
        """Whether an object or container is to be visited (again)."""
        self.alive.append(thing)
        self.visits[id(thing)] += 1
        return id(thing) not in self.done and self.visits[id(thing)] <= self.MOST_VISITS

    def note(self, thing: Any, path: str) -> None:
        """An object is done with once it has been met at a path that counts."""
        if self.holds(path):
            self.done.add(id(thing))


def _items(container: Any, path: str) -> list[tuple[str, Any]]:
    """(path, value) of what is saved in a list or dict at a path."""
    items, counts = [], {}
    twice = path.endswith(OLD_LAYERS)
    for item in values_of(container):
        step = _step_of_item(item)
        if step is None:
            continue
        number = counts.get(step, 0)
        counts[step] = number + 1 + bool(twice and getattr(item, "weights", ()))
        if number:
            step = f"{step}_{number}"
        items.append((f"{path}/{step}", item))
    return items


def _step_of_item(item: Any) -> str | None:
    """The step of a path to an item of a list or dict; None where nothing of it is saved."""
    if _is_saved(item):
        return snake_case(type(item).__name__)
    if isinstance(item, CONTAINERS):
        return "container"
    return None


def _is_saved(value: Any) -> bool:
    if isinstance(value, (type, SeedGenerator)):
        return False
    if isinstance(value, Module):
        return True
    return hasattr(value, "apply_gradients") and hasattr(value, "variables")


def _attributes(thing: Any, path: str, layers: str) -> list[tuple[str, Any]]:
    """(path, value) of the attributes of an object at a path that lead further, in order, private
    ones last.

    A graph's layers come first. Those of a subclassed model come where the name "layers" stands in
    the order, so that attributes before it have been seen under their own names and those after it
    have not: so it is in Keras's files.
    """
    attributes, first = {**_properties(thing), **vars(thing)}, []
    if "compilation" in attributes:  # of a model, whose optimizer is among its attributes in Keras
        attributes.setdefault("optimizer", thing.optimizer)
    if isinstance(thing, Layer) and hasattr(thing, "layers"):
        layers_of_thing, are_first = _layers_of(thing)
        if are_first:
            first = [("", "layers", layers_of_thing)]
        else:
            attributes["layers"] = layers_of_thing
    private_last = [("~" * k.startswith("_") + k, k, value) for k, value in attributes.items()]
    steps = []
    for _, name, value in first + sorted(private_last, key=operator.itemgetter(0)):
        if type(value) in ENDS or name in SKIPPED:
            continue
        if isinstance(value, CONTAINERS) or _is_saved(value):
            steps.append((below(path, layers if name == "layers" else name), value))
    return steps


def _layers_of(model: Any) -> tuple[Any, bool]:
    """The layers of a model, and whether they come first, as those of a graph do."""
    layers = getattr(model, "_all_layers", None) or model.layers
    return layers, hasattr(model, "_operations") or hasattr(model, "_all_layers")


def _properties(thing: Any) -> dict[str, Any]:
    """{name: value} of properties and the like in classes of users: other names of layers, which
    are theirs in Keras's files. Names that the base has, such as `metrics`, are none.
    """
    classes = type(thing).__mro__
    if all(map(_is_of_base, classes)):
        return {}
    theirs, of_base = {}, set()
    for cls in classes:
        (of_base if _is_of_base(cls) else theirs).update(vars(cls))
    values = {}
    for name in theirs.keys() - of_base:
        if not name.startswith("__") and not callable(theirs[name]):
            with contextlib.suppress(Exception):  # a property may want what is not there yet
                values[name] = getattr(thing, name)
    return values


@functools.cache
def _is_of_base(cls) -> bool:
    """Whether a class is not a user's."""
    return cls.__module__.partition(".")[0] in ("jkeras", "builtins")


OLD_LAYERS = "_layer_checkpoint_dependencies"  # in files of Keras 2.12 to 2.14
CONTAINERS = (list, tuple, dict)
ENDS = LEAVES | {np.ndarray, Variable}  # lead nowhere
SKIPPED = frozenset(
    [  # attributes of the kernel's own, and what `compile` made
        "_all_layers",
        "_at",
        "_build_shapes",
        "_children",
        "compilation",
        "_explanations",
        "_functional",
        "_functions",
        "_given",
        "_generators",
        "_host_split",
        "_predictor",
        "_inbound_nodes",
        "_index",
        "_inputs_struct",
        "_last_layout",
        "_layers",
        "_losses",
        "_nodes",
        "_operations",
        "_outputs_struct",
        "_before_build",
        "_own",
        "_warned_of_padding",
        "_warned_of_training",
        "was_seen",
        "_trainable_variables",
        "_types_of_inputs",
        "_variables",
        "history",
    ]
)


class Slots:
    """The `vars` group of one object, as a dict of arrays by number.

    Args:
        groups: (group, file open for reading bytes) where they are; several, if they are spread
            over files.
        shapes: {key: shape} of those that exist already.
    """

    def __init__(
        self,
        groups: "list[tuple[h5py.Group, BinaryFile]]",
        shapes: dict[str, tuple[int, ...]],
        sums: Checksums,
    ) -> None:
        self.groups = groups
        self.shapes = shapes
        self.sums = sums

    def __getitem__(self, key: str) -> np.ndarray:
        # who asks for it may change it, and the checksum is that of what was read
        return self.read(key, self.shapes.get(key)).copy()

    def read(self, key: str, shape: tuple[int, ...] | None) -> np.ndarray:
        """The array of a key, which must have a shape; of any where that is None."""
        for group, raw in self.groups:
            data = hdf5.child(group, key)
            if data is not None:
                return hdf5.read_array(data, shape, self.sums, raw)
        raise KeyError(f"no array '{key}'")

    def take(self, key: str) -> jax.Array:
        """The array as one of JAX's, which on a CPU takes over the memory."""
        return jax.device_put(self.read(key, self.shapes.get(key)))

    def __contains__(self, key: str) -> bool:
        return key in self.keys()

    def __len__(self) -> int:
        return len(self.keys())

    def all_shapes(self) -> list[tuple[int, ...] | None]:
        """The shapes of "0", "1" and so on; those of a strange file, which are only compared."""
        shapes = {
            key: getattr(hdf5.child(group, key), "shape", None)
            for group, _ in self.groups
            for key in group
        }
        return [shapes.get(str(i)) for i in range(len(shapes))]

    def keys(self) -> list[str]:
        """The keys that are there."""
        return [key for group, _ in self.groups for key in group]


class OneFile:
    """An open HDF5 file of weights, read and written.

    Args:
        sums: `Checksums` for what is written; None where the file is in something that has one of
            the whole.
        raw: the same file, open for reading bytes.
        verify: raises where that one is not right; called when all has been read.
    """

    def __init__(
        self,
        file: "h5py.File",
        sums: Checksums | None = None,
        raw: BinaryFile | None = None,
        verify: Callable[[], None] = lambda: None,
    ) -> None:
        self.file = file
        self.sums = sums
        self.raw = raw
        self.verify = verify

    def find(self, path: str) -> "list[tuple[h5py.Group, BinaryFile | None]]":
        """The groups of the variables of the object at a path; none if there is nothing."""
        before, _, last = path.rpartition("/")
        # the latter for the parts of MultiHeadAttention in Keras 2
        for candidate in (path, f"{before}/_{last}"):
            group = hdf5.descend(self.file, f"{candidate}/vars")
            if group is not None:
                return [(group, self.raw)]
        return []

    @property
    def layers(self) -> str:
        """The step of paths to a model's layers."""
        if OLD_LAYERS in self.file:
            return OLD_LAYERS
        return "layers"

    def make(self, path: str, name: str | None) -> "Writer":
        """A dict-like store for the variables of the object at a path."""
        group = make_group(self.file, below(path, "vars"), name)
        return Writer(lambda key, value: write_array(group, key, value, self.sums))


class Writer:
    """What `save_own_variables` puts arrays in."""

    def __init__(self, put: Callable[[str, Any], None]) -> None:
        self.put = put

    def __setitem__(self, key: str, value: Any) -> None:
        self.put(key, value)


def write(model: Any, store: Target, skipped: Iterable[Any] = ()) -> None:
    """Writes the variables of a model, and of its optimizer where it has one, to a store."""
    for path, thing in parts(model, skipped=skipped):
        name = getattr(thing, "name", None)
        if not isinstance(name, str):
            name = None
        slots = store.make(path, name)
        if hasattr(thing, "save_own_variables"):
            thing.save_own_variables(slots)
            continue
        own = getattr(thing, "_own", {}).values()
        variables = [value for value in own if isinstance(value, Variable)]
        for i, variable in enumerate(variables):
            slots[str(i)] = np.asarray(variable.value)


def read(
    model: Any, store: Source, skip_mismatch: bool = False, skipped: Iterable[Any] = ()
) -> None:
    """Reads the variables of a model from a store.

    Args:
        skipped: layers that keep their values.

    Raises:
        SerializationError: the file lacks a layer, or has other arrays for it; all of them are
            listed, and nothing is changed. With `skip_mismatch` these layers keep their values, and
            a warning lists them.
    """
    find = functools.cache(store.find)
    paths = parts(model, store.layers, skipped, holds=find)
    things = [(path, thing, find(path)) for path, thing in paths]
    before = []  # (variable, its value until now)
    sums = Checksums()
    try:
        problems = _load_all(things, sums, before)
        sums.finish()
        store.verify()
        refuse_or_warn(
            model,
            problems,
            skip_mismatch,
            ". Build the model that was saved, or pass `skip_mismatch=True` to load what fits.",
        )
    except BaseException:
        _put_back(before)
        raise
    finally:
        sums.close()


def _load_all(
    things: list[tuple[str, Any, Iterable]], sums: Checksums, before: list[tuple[Variable, Any]]
) -> list[str]:
    """Loads what fits, and gives what does not, in words. What is replaced is added to `before`."""
    problems = []
    there = {id(thing) for _, thing, groups in things if groups}
    for path, thing, groups in things:
        shown = path or "the model"
        if not groups:
            if id(thing) not in there and isinstance(thing, Layer) and own_variables(thing):
                there.add(id(thing))  # once, by its first name
                problems.append(f"{shown}: nothing in the file")
            continue
        originals = [(variable, variable.held) for variable in _variables_of(thing)]
        before += originals
        try:
            _load_own(thing, Slots(groups, _shapes(thing), sums))
        except (ValueError, KeyError) as error:
            name = getattr(thing, "name", "")
            problems.append(f"{shown} ({type(thing).__name__} '{name}'): {error}")
            _put_back(originals)
    return problems


def refuse_or_warn(model: Any, problems: list[str], skip_mismatch: bool, advice: str = "") -> None:
    """Says what of a file does not fit a model, if anything: an error, or a warning with
    `skip_mismatch`.

    Raises:
        SerializationError: lists the problems.
    """
    if problems and not skip_mismatch:
        raise SerializationError(
            f"The weights do not fit model '{model.name}': {listed(problems)}{advice}"
        )
    if problems:
        warnings.warn(
            f"Some weights were not loaded into model '{model.name}', which keeps its own there: "
            f"{readable(listed(problems))}",
            stacklevel=5,
        )


def listed(problems: list[str], most: int = 20) -> str:
    """Problems in one line, and how many more there are.

    >>> listed(["a", "b", "c"], 2)
    'a; b; and 1 more'
    """
    shown = problems[:most]
    if len(problems) > most:
        shown = [*shown, f"and {len(problems) - most} more"]
    return "; ".join(shown)


def _put_back(before: list[tuple[Variable, Any]]) -> None:
    for variable, value in before:
        variable.held = value


def _variables_of(thing: Any) -> list[Variable]:
    if isinstance(thing, Layer):
        return list(own_variables(thing).values())
    return list(getattr(thing, "variables", ()))


def _shapes(thing: Any) -> dict[str, tuple[int, ...]]:
    """{key: shape} for what keeps its variables in the common way."""
    free = ()
    if not isinstance(thing, Layer):
        variables = dict(enumerate(getattr(thing, "variables", ())))
    elif type(thing).load_own_variables is Layer.load_own_variables:
        variables, free = thing._stored(), getattr(thing, "in_other_forms", ())
    else:
        variables = {}
    return {
        str(i): tuple(variable.shape)
        for i, (key, variable) in enumerate(variables.items())
        if key not in free
    }


def _load_own(thing: Any, slots: Slots) -> None:

    def read_number(number: int, shape: tuple[int, ...]) -> jax.Array:
        return jax.device_put(slots.read(str(number), shape))

    pairs = _optimizer_pairs(thing, slots)
    if pairs is not None:
        dialects.assign(thing, pairs, read_number)
    elif not hasattr(thing, "load_own_variables"):
        for i, variable in enumerate(getattr(thing, "_own", {}).values()):
            variable.assign(slots.take(str(i)))
    elif isinstance(thing, Layer) or len(slots):
        thing.load_own_variables(slots)


def _optimizer_pairs(thing: Any, slots: Slots) -> list[tuple[Variable, int]] | None:
    """[(variable, number)] of an optimizer that loads as ours do; None of anything else."""
    if getattr(type(thing), "load_own_variables", None) is not Optimizer.load_own_variables:
        return None
    return dialects.by_number(thing, slots.all_shapes())
