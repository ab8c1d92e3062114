"""The files of a folder of transformers: `config.json`, and `.safetensors` files with the list of
what is in which.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jkeras.core.errors import SerializationError
from jkeras.saving import safe_json, safetensors
from jkeras.saving.folders import check_links
from jkeras.saving.reading import explained, opened

if TYPE_CHECKING:
    import numpy as np
    from jkeras.saving.checksums import Checksums
    from jkeras.saving.flat import Stored

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# which keras-hub reads
TOKENIZERS = (
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt"),
    *("merges.txt", "special_tokens_map.json", "added_tokens.json", "spiece.model"),
    *("preprocessor_config.json", "generation_config.json", "modules.json"),
)
WRITTEN = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def read_config(folder: str) -> dict:
    """The entries of `config.json`. Nothing of it is run or imported.

    Raises:
        FileNotFoundError: there is none.
        SerializationError: it is no JSON object with a `model_type`.
    """
    path = os.path.join(folder, CONFIG)
    check_links(folder, [CONFIG, INDEX, *TOKENIZERS])
    with explained(path):
        config = _json(path)
        if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
            raise SerializationError(
                "it has no `model_type`: it is no configuration of transformers."
            )
        if "registered_name" in config:
            raise SerializationError(
                "it describes an object of Keras beside a model of transformers: load it with "
                "`from_preset` of keras-hub, if you trust it."
            )
    return config


@contextlib.contextmanager
def stored_in(folder: str) -> "Iterator[dict[str, Stored]]":
    """Inside this block {name: `Stored`} of all weights, in open files.

    Raises:
        FileNotFoundError: there are none.
        SerializationError: a file is damaged, lies elsewhere, or is a pickle.
    """
    with contextlib.ExitStack() as stack:
        stored, where = {}, {}
        files = _weight_files(folder)
        check_links(folder, files)
        for name, listed in files.items():
            path = os.path.join(folder, name)
            with explained(path):
                file = stack.enter_context(opened(path))
                here = _with_path(path, safetensors.read(file))
                _check_names(name, here, listed, where)
                where.update(dict.fromkeys(here, name))
                stored.update(here)
        yield stored


def _check_names(
    file: str, here: "dict[str, Stored]", listed: Iterable[str], where: dict[str, str]
) -> None:
    """Raises SerializationError unless a file has the weights that the list says, and none that
    another file has.

    Args:
        listed: the names of weights that the list says are in it.
        where: {name: file} of those that others have.
    """
    lacking = [name for name in listed if name not in here]
    if lacking:
        raise SerializationError(
            f"{INDEX} says that it has the weight '{lacking[0]}', and it does not."
        )
    twice = [name for name in here if name in where]
    if twice:
        raise SerializationError(f"it has the weight '{twice[0]}', and {where[twice[0]]} too.")


def _with_path(path: str, stored: "Mapping[str, Stored]") -> "dict[str, Stored]":
    """Weights whose errors name the file."""

    def reader(read: "Callable[[Checksums], np.ndarray]") -> "Callable[[Checksums], np.ndarray]":
        def explaining(sums: "Checksums") -> "np.ndarray":
            with explained(path):
                return read(sums)

        return explaining

    return {
        name: one._replace(read=reader(one.read), mapped=reader(one.mapped))
        for name, one in stored.items()
    }


def _weight_files(folder: str | os.PathLike) -> Mapping[str, Iterable[str]]:
    """{name of a `.safetensors` file: the weights that are said to be in it}."""
    index = os.path.join(folder, INDEX)
    if os.path.lexists(index):
        with explained(index):
            return _listed(_json(index))
    if os.path.lexists(os.path.join(folder, WEIGHTS)):
        return {WEIGHTS: ()}
    pickles = sorted(name for name in os.listdir(folder) if name.endswith(PICKLES))
    if pickles:
        raise SerializationError(
            f"{folder} has its weights in {', '.join(pickles[:3])}: pickles, which run what is in "
            "them when they are read, and are not read here. Take the `.safetensors` of that "
            "model, or write them with transformers: `model.save_pretrained(folder)`."
        )
    raise FileNotFoundError(f"{folder} has no {WEIGHTS} and no {INDEX}.")


def _listed(index: Any) -> dict[str, list[str]]:
    """{name of a file: its weights} that a list of weights says."""
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not all(map(_is_plain, weight_map.values())):
        raise SerializationError(
            "it should have a `weight_map` from weights to `.safetensors` files beside it."
        )
    files = {name: [] for name in sorted(set(weight_map.values()))}
    for weight, name in weight_map.items():
        files[name].append(weight)
    return files


def _is_plain(name: Any) -> bool:
    """Whether a name is that of a `.safetensors` file in the same folder, on any system."""
    if not isinstance(name, str) or not name.endswith(".safetensors"):
        return False
    return os.path.basename(name) == name and not set("\\:\0") & set(name)


def _json(path: str) -> Any:
    """The value of a JSON file."""
    with opened(path) as file:
        return safe_json.loads(file.read(safe_json.LONGEST + 1), "the file", finite=False)


def dump(value: object, path: str) -> None:
    """Writes a JSON file."""
    with open(path, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def stale(folder: str, written: set[str]) -> list[str]:
    """The paths of files of weights that an earlier model left in a folder."""
    names = [n for n in os.listdir(folder) if WRITTEN.fullmatch(n) and n not in written]
    return [os.path.join(folder, name) for name in names]
