"""Models of keras-hub, written as transformers reads them."""

import collections.abc
import math
import os
import typing

import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.saving import safetensors
from jkeras.saving.folders import exchanging
from jkeras.saving.hugging_face import files
from jkeras.saving.hugging_face.architectures import ARCHITECTURES, Architecture, Row
from jkeras.saving.hugging_face.native import of_hub
from jkeras.saving.hugging_face.native.family import Family
from jkeras.saving.hugging_face.native.weights import config_of as native_config
from jkeras.saving.hugging_face.native.weights import theirs_of
from jkeras.saving.hugging_face.settings import config_of
from jkeras.saving.moment import at_one_moment

if typing.TYPE_CHECKING:
    from jkeras.core.weights.variable import Variable

GIGABYTE = 2**30


@public("jkeras.saving.to_transformers")
def to_transformers(
    model: typing.Any,
    folder: str | os.PathLike,
    *,
    max_shard_size: float = 5,
    config: collections.abc.Mapping[str, object] | None = None,
    overwrite: bool = True,
) -> None:
    """Writes a model of keras-hub, or one of jkeras's own layers (a
    `jkeras.models.LanguageTransformer`, `VisionTransformer` or `ImageTextTransformer`), as a folder
    that Hugging Face's transformers reads: `AutoModelForCausalLM.from_pretrained(folder)`, of BERT
    `AutoModel`.

    Weights go one after the other from where they lie into the file, in their own dtype; those that
    two layers share are written once. The tokenizer is not written, nor how images are prepared.

    All files are written beside those of a model that is there, and then replace them,
    `config.json` last: an error leaves the old model, and a kill the old one, the new one, or a
    folder without `config.json`, which is not read. A link is replaced.

    Args:
        model: a backbone of keras-hub, or a task such as a causal language model, whose backbone is
            taken; or a model of jkeras's own layers, with its head.
        folder: made where it is not there.
        max_shard_size: gigabytes (2**30 bytes) of one file; a larger weight has one of its own.
        config: further entries of `config.json`, such as `{"eos_token_id": 2}`.
        overwrite: replace a model that is there.

    Returns:
        None.

    Raises:
        ValueError: transformers has no such model: another architecture, or one changed so that it
            has other weights or computes something else.
        FileExistsError: a model is there, and `overwrite` is False.

    >>> import jkeras
    >>> to_transformers(jkeras.Sequential(name="mine"), "folder")
    Traceback (most recent call last):
        ...
    ValueError: `to_transformers`: expected a backbone of keras-hub, ... received Sequential 'mine'.
    """
    if not max_shard_size > 0:
        raise ValueError(
            f"`max_shard_size` must be a positive number of gigabytes. Received: {max_shard_size}"
        )
    folder = os.path.realpath(os.fspath(folder))
    if not overwrite and os.path.lexists(os.path.join(folder, files.CONFIG)):
        raise FileExistsError(
            f"{folder} has a model, and `overwrite=False` was given. Choose another folder."
        )
    backbone = getattr(model, "backbone", model)
    if is_native(model):
        backbone, entries, weights = model, native_config(model), theirs_of(model.family, model)
    elif of_hub.table_of(backbone) is not None:
        table = of_hub.table_of(backbone)
        entries, weights = of_hub.config_of(table, backbone), of_hub.theirs_of(table, backbone)
    else:
        architecture = _architecture_of(backbone)
        entries = config_of(architecture, backbone)
        weights = _weights_of(architecture, backbone)
    entries = {**entries, **(config or {})}
    with exchanging(folder, files.CONFIG, lambda names: files.stale(folder, names)) as new:
        with at_one_moment(backbone):
            _write_weights(weights, new, max_shard_size * GIGABYTE)
        files.dump(entries, os.path.join(new, files.CONFIG))


def is_native(model: typing.Any) -> bool:
    """Whether a model is one of jkeras's own layers that transformers has."""
    return isinstance(getattr(model, "family", None), Family)


def _architecture_of(backbone: typing.Any) -> Architecture:
    """The table of a backbone's architecture."""
    classes = [cls.__name__ for cls in type(backbone).__mro__]
    for architecture in ARCHITECTURES:
        if architecture.backbone in classes:
            return architecture
    names = ", ".join([*(one.backbone for one in ARCHITECTURES), *of_hub.WRITTEN])
    raise ValueError(
        explain(
            "`to_transformers`",
            f"a backbone of keras-hub, or a task with one: {names}",
            f"{type(backbone).__name__} '{getattr(backbone, 'name', '')}'",
        )
    )


class _Theirs:
    """A weight of transformers, made of ours when it is written.

    Args:
        row: says how.
        variables: ours, in its order.
    """

    def __init__(self, row: Row, variables: "list[Variable]") -> None:
        self.layout = row.layout
        self.variables = variables
        self.shape = row.layout.shape([variable.shape for variable in variables])
        self.own_dtype = variables[0].own_dtype

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * jnp.dtype(self.own_dtype).itemsize

    @property
    def value(self) -> np.ndarray:
        """The array."""
        return self.layout.join([np.asarray(variable.value) for variable in self.variables])


def _weights_of(architecture: Architecture, backbone: typing.Any) -> dict[str, _Theirs]:
    """{name of transformers: `_Theirs`}.

    Raises:
        ValueError: the backbone has weights that transformers' model does not have.
    """
    ours = {variable.path: variable for variable in backbone.weights}
    theirs = {}
    for row in architecture.rows_of(backbone.num_layers):
        if all(path in ours for path in row.ours):
            variables = [ours.pop(path) for path in row.ours]
            theirs[architecture.names(row.theirs)[0]] = _Theirs(row, variables)
    if ours:
        raise ValueError(
            explain(
                "`to_transformers`",
                f"the weights that a {architecture.backbone} has by itself",
                f"others too: {', '.join(list(ours)[:5])}",
                "saving merges those of LoRA: load what `save_weights` wrote into a new backbone, "
                "and write that one",
            )
        )
    return theirs


def _write_weights(weights: dict[str, _Theirs], folder: str, limit: float) -> None:
    """Writes weights, in several files where one would be larger than the limit."""
    shards = _shards(weights, limit)
    if len(shards) == 1:
        _write_file(shards[0], os.path.join(folder, files.WEIGHTS))
        return
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        _write_file(shard, os.path.join(folder, name))
        weight_map.update(dict.fromkeys(shard, name))
    total = sum(weight.size for weight in weights.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    files.dump(index, os.path.join(folder, files.INDEX))


def _shards(weights: dict[str, _Theirs], limit: float) -> list[dict[str, _Theirs]]:
    """The weights in dicts of at most so many bytes, in their order."""
    shards = [{}]
    size = 0
    for name, weight in weights.items():
        if shards[-1] and size + weight.size > limit:
            shards.append({})
            size = 0
        shards[-1][name] = weight
        size += weight.size
    return shards


def _write_file(weights: dict[str, _Theirs], path: str) -> None:
    """Writes one file."""
    safetensors.write(weights, path, framework="pt")  # transformers reads files that say so
