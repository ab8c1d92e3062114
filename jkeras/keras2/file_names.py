"""Files of weights and models whose names Keras 3 does not take."""

import ast
import collections

from jkeras.keras2.trees import text_of

OLD = (".hdf5", ".h5")
WEIGHTS = ".weights.h5"


def renamed(tree: ast.AST) -> dict[str, str]:
    """{path that a program names: what it is to be}, for paths that it saves weights or models to
    by constants, and uses for nothing else.

    >>> renamed(ast.parse("model.save_weights('w.h5'); model.load_weights('w.h5')"))
    {'w.h5': 'w.weights.h5'}
    """
    texts = constants(tree)
    new = collections.defaultdict(set)  # path -> what it would have to be
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        path = _path(node)
        text = text_of(path) or texts.get(getattr(path, "id", None))
        if text is not None:
            new[text].add(_renamed(text, node))
    return {path: next(iter(names)) for path, names in new.items() if _is_other(path, names)}


def _is_other(path: str, names: set[str]) -> bool:
    return len(names) == 1 and names != {path}


def constants(tree: ast.AST) -> dict[str, str]:
    """{name: its text} of names that are bound once, to a text."""
    bound = collections.Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    return {
        node.targets[0].id: text_of(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and text_of(node.value) is not None
        and bound[node.targets[0].id] == 1
    }


def _name(node: ast.Call) -> str | None:
    return getattr(node.func, "attr", None) or getattr(node.func, "id", None)


def _path(node: ast.Call) -> ast.AST | None:
    """The path that a call saves to; None: it saves nothing."""
    if _name(node) not in ("ModelCheckpoint", "save_weights", "save"):
        return None
    by_name = {keyword.arg: keyword.value for keyword in node.keywords}
    return node.args[0] if node.args else by_name.get("filepath")


def _renamed(path: str, node: ast.Call) -> str:
    """What a path has to be for a call."""
    ending = next((ending for ending in OLD if path.endswith(ending)), None)
    if ending is None or path.endswith(WEIGHTS):
        return path
    stem = path.removesuffix(ending)
    if _name(node) == "save_weights":
        return f"{stem}{WEIGHTS}"
    if _name(node) == "ModelCheckpoint":
        return f"{stem}{WEIGHTS}" if _saves_weights(node) else f"{stem}.h5"
    return path


def _saves_weights(node: ast.Call) -> bool:
    """Whether a `ModelCheckpoint` saves weights only."""
    by_name = {keyword.arg: keyword.value for keyword in node.keywords}
    value = node.args[4] if len(node.args) > 4 else by_name.get("save_weights_only")
    return getattr(value, "value", False) is True
