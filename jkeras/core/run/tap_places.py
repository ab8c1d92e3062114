"""Places in a model by name: which layer, call or value on the way a key of `tap` stands for."""

import fnmatch
import typing
from collections.abc import Callable, Iterable, Sequence

from jkeras.core.errors import explain, suggestion
from jkeras.core.weights.paths import walk
from jkeras.kernel.scope import Path

ALL_BLOCKS = "layer"


class Tap(typing.NamedTuple):
    """One place in a model.

    Attributes:
        key: as the caller writes it: a path, or the layer.
        path: of the layer, canonical.
        call: which of its calls; None: all of them.
        inside: what follows in the key where the layer is a loop over blocks: a block and a place
            in it.
    """

    key: typing.Any
    path: Path
    call: int | None = None
    inside: str = ""


class UnknownPlaceError(ValueError):
    """No layer, and no value that a layer names, is at a place."""


def several_calls(key: typing.Any, what: str) -> ValueError:
    """The error for a key that stands for several calls where one is meant."""
    name = key if isinstance(key, str) else key.name
    return ValueError(
        f"tap at {key!r}: the layer {what}. To fix it: name the call, as in '{name}#0'."
    )


def block_and_place(tap: Tap) -> tuple[int | None, str]:
    """(number of the block or None, place in it) of a key that goes into a loop."""
    block, _, place = tap.inside.partition("/")
    return (None if block == ALL_BLOCKS else int(block)), place


def is_inside(tap: Tap, path: Path, call: int) -> bool:
    """Whether a key goes into the loop at a path, in the call that is going on."""
    return bool(tap.inside) and tap.path == path and tap.call in (None, call)


class Names:
    """Both forms of paths below a model: of keys, as in `params`, and of the layers' names.

    Args:
        root: the model.
    """

    def __init__(self, root: typing.Any) -> None:
        self._names: dict[Path, Path] = {(): ()}
        for path, module in walk(root):
            if path:
                name = getattr(module, "name", path[-1])
                self._names[path] = (*self._names.get(path[:-1], path[:-1]), name)

    def of(self, path: Path) -> tuple[Path, Path]:
        """A path in both forms."""
        known = len(path)
        while path[:known] not in self._names:
            known -= 1
        return path, (*self._names[path[:known]], *path[known:])

    def end(self, path: Path, parts: Sequence[str]) -> bool:
        """Whether a path ends like this, each part in one of both forms; a part may have stars."""
        if len(path) < len(parts):
            return False
        both = [form[len(path) - len(parts) :] for form in self.of(path)]
        return all(
            any(fnmatch.fnmatchcase(name, part) for name in names)
            for *names, part in zip(*both, parts)
        )

    def like(self, paths: Iterable[Path], name: str) -> list[Path]:
        """The path that this is the name of, else those that end like it."""
        parts = [part for part in name.split("/") if part]
        paths = list(paths)
        whole = [path for path in paths if tuple(parts) in self.of(path)]
        return whole or [path for path in paths if self.end(path, parts)]


# ---------------------------------------------------------------- keys

WILD = "*?["


def find(
    root: typing.Any,
    keys: Iterable[typing.Any],
    given: typing.Any,
    survey: Callable[[], list[Path]],
) -> list[list[Tap]]:
    """The places of a built model that each of some keys stands for; several for a pattern.

    A key is a path of names, as in `params` or as the layers are called: "base/conv". The end of a
    path is enough where only one layer has it. "conv#1" is the second call of a layer. A layer
    itself is a key, too. In a pattern, such as "block_*/mha/heads", stars stand for parts of names.

    Args:
        given: the model of which `root` is a built copy.
        survey: gives the paths of all places in a pass: of layers, and of values on their way.

    Raises:
        ValueError: no layer, or more than one, is there.
    """
    models = [root] if given is root else [given, root]
    canonical = {id(module): path for model in models for path, module in walk(model)}
    return [_find(root, key, canonical, survey) for key in keys]


def _find(
    root: typing.Any,
    key: typing.Any,
    canonical: dict[int, Path],
    survey: Callable[[], list[Path]],
) -> list[Tap]:
    if id(key) in canonical:
        return [Tap(key, canonical[id(key)])]
    if not isinstance(key, str):
        wanted = "a layer of it or its path, as in 'base/conv'"
        raise ValueError(explain(f"tap of {root.name!r}", wanted, f"{key!r}"))
    name, _, call = key.partition("#")
    if call and not call.isdigit():
        raise ValueError(explain(f"tap at {key!r}", "the number of a call after '#'", f"{call!r}"))
    if any(sign in name for sign in WILD):
        return _matching(root, key, name, call, canonical, survey())
    names = [part for part in name.split("/") if part]
    return [_find_one(root, key, names, call, canonical, survey)]


def _find_one(
    root: typing.Any,
    key: str,
    names: list[str],
    call: str,
    canonical: dict[int, Path],
    survey: Callable[[], list[Path]],
) -> Tap:
    number = int(call) if call else None
    place = _below(root, names) or _at_the_end(root, key, names)
    if place is None:
        return Tap(key, _value(root, key, names, survey()), number)
    module, inside = place
    path = canonical[id(module)]
    if inside:
        return Tap(key, path, None, "/".join(inside) + (f"#{call}" if call else ""))
    return Tap(key, path, number)


def _matching(
    root: typing.Any,
    key: str,
    name: str,
    call: str,
    canonical: dict[int, Path],
    known: list[Path],
) -> list[Tap]:
    """The places that a pattern stands for: those whose path, or the end of it, is like it."""
    parts = [part for part in name.split("/") if part]
    paths = Names(root)
    found = [path for path in known if paths.end(path, parts)]
    if not found:
        raise _unknown(root, key, known)
    empty: Callable[[], list[Path]] = list
    suffix = f"#{call}" if call else ""
    taps = []
    for path in found:
        whole = "/".join(paths.of(path)[1])
        if _below(root, list(path)) is None:
            taps.append(Tap(whole + suffix, path, int(call) if call else None))
        else:
            taps.append(_find_one(root, whole + suffix, list(path), call, canonical, empty))
    return taps


def _value(root: typing.Any, key: str, names: list[str], known: list[Path]) -> Path:
    """The path of a value that a layer names on its way."""
    found = Names(root).like(known, "/".join(names))
    if len(found) > 1:
        shown = sorted("/".join(path) for path in found)
        where = f"tap at {key!r} of {root.name!r}"
        raise ValueError(explain(where, "the path of one place", f"the end of {shown}"))
    if not found:
        raise _unknown(root, key, known)
    return found[0]


def _unknown(root: typing.Any, key: str, known: list[Path]) -> ValueError:
    names = Names(root)
    paths = ["/".join(names.of(path)[1]) for path in known if path]
    shown = ", ".join(paths[:20]) + (", …" if len(paths) > 20 else "")
    where = f"tap at {key!r} of {root.name!r}"
    fix = "`jkeras.explain.places(model, x)` lists all of them"
    name = key.partition("#")[0]
    text = explain(where, f"the path of a layer or of a value in one: {shown}", repr(key), fix)
    return UnknownPlaceError(text + suggestion(name, paths))


# ---------------------------------------------------------------- layers by name


def _below(module: typing.Any, names: list[str]) -> tuple[typing.Any, list[str]] | None:
    """(module, names inside of a loop) at a path below a module; None where there is none."""
    for i, name in enumerate(names):
        block = module.block_of_loop
        names_block = name == ALL_BLOCKS or name.isdigit()
        if block is not None and names_block:
            return module, names[i:]  # the block, a model of its own, is asked in the loop
        module = _child(module, name)
        if module is None:
            return None
    return module, []


def _child(module: typing.Any, name: str) -> typing.Any:
    """The child of this name, in `params` or as it is called."""
    children = _layers_in(module)
    found = {id(child): child for key, child in children.items() if name in (key, child.name)}
    if len(found) > 1:
        keys = [key for key, child in children.items() if id(child) in found]
        advice = "give the layer itself, `at=layer`, or layers names of your own"
        raise ValueError(
            explain(f"tap at {name!r}", "one layer", f"the name or the key of {keys}", advice)
        )
    return next(iter(found.values()), None)


def _layers_in(module: typing.Any) -> dict[str, typing.Any]:
    return {key: c for key, c in tuple(module._children.items()) if hasattr(c, "run_on")}


def _at_the_end(
    root: typing.Any, key: str, names: list[str]
) -> tuple[typing.Any, list[str]] | None:
    """What the only path with this end leads to; None where no path of layers has it."""
    layers = [(path, m) for path, m in walk(root) if path and hasattr(m, "run_on")]
    places = {
        "/".join(path): _below(module, names[1:])
        for path, module in layers
        if names[0] in (path[-1], module.name)
    }
    found = {path: place for path, place in places.items() if place is not None}
    if len(found) > 1:
        where = f"tap at {key!r} of {root.name!r}"
        raise ValueError(explain(where, "the path of one layer", f"the end of {sorted(found)}"))
    return found.popitem()[1] if found else None
