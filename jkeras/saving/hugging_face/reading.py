"""Folders of transformers, read as models of keras-hub."""

import collections.abc
import importlib
import importlib.util
import os
import sys
import types
import typing

import jax
import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.core.names.registry import public
from jkeras.core.weights.assigning import load_all
from jkeras.saving.checksums import Checksums
from jkeras.saving.flat import Stored
from jkeras.saving.hugging_face import by_hub, files, settings, sizes
from jkeras.saving.hugging_face.architectures import ARCHITECTURES, HEAD, Architecture, Row
from jkeras.saving.hugging_face.native import weights as native_weights
from jkeras.saving.hugging_face.native.families import FAMILIES, family_of
from jkeras.saving.reading import explained
from jkeras.saving.weights import listed
from jkeras.saving.types import Config

if typing.TYPE_CHECKING:
    from jkeras.core.weights.variable import Variable

TASKS = ("backbone", "causal_lm", "classifier", "embedding", "masked_lm", "seq2seq_lm")
OF_HUB = ("backbone", "causal_lm")  # the tasks that are models of keras-hub
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


@public("jkeras.saving.from_transformers")
def from_transformers(
    folder: str | os.PathLike,
    task: str = "backbone",
    *,
    tokenizer: bool = True,
    native: bool | None = None,
    **arguments: typing.Any,
) -> typing.Any:
    """Reads a folder of Hugging Face's transformers, as `save_pretrained` writes it, into a model
    of keras-hub, which has to be installed, or into one of jkeras's own layers, which needs nothing
    more (docs/pretrained.md says which model types are which).

    Weights go one after the other from the file to where the variables lie, under a distribution
    each device's part to it, in the file's dtype; a cast is made there. No code of the folder is
    run: `auto_map` is not looked at, and pickles (`pytorch_model.bin`) are refused. Model types
    that `to_transformers` does not know are read by keras-hub's own converters, after their files
    were looked at.

    Args:
        folder: with `config.json` and `.safetensors` files; nothing is downloaded.
        task: "backbone"; "causal_lm" for one that has `generate`; of jkeras's own layers
            "classifier" for logits of labels, "masked_lm" for logits of masked words, "embedding"
            for the vectors that CLIP compares, "seq2seq_lm" for T5, BART and Whisper with
            `generate`.
        native: True for a model of jkeras's own layers, a `jkeras.models.LanguageTransformer`,
            `VisionTransformer` or `ImageTextTransformer`; by default only where keras-hub has no
            such model.
        tokenizer: for `generate` on texts, where the folder has one that keras-hub reads; False for
            tokens.
        **arguments: of the backbone, such as `dtype="bfloat16"`, or `interpolate_pos_encoding=True`
            for images of any size.

    Returns:
        the model; for "causal_lm" of keras-hub a task of it, with `generate`.

    Raises:
        ImportError: keras-hub is not there, or Keras itself was imported before.
        FileNotFoundError: no such folder, or it has no weights.
        SerializationError (a ValueError): a file is damaged or a pickle, or keras-hub has no such
            model.

    >>> from_transformers(".", task="diffusion")
    Traceback (most recent call last):
        ...
    ValueError: `task` must be one of 'backbone', 'causal_lm', ... Received: task='diffusion'
    """
    if task not in TASKS:
        tasks = ", ".join(map(repr, TASKS))
        raise ValueError(f"`task` must be one of {tasks}. Received: task={task!r}")
    folder = os.path.abspath(os.fspath(folder))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"There is no folder {folder} to load.")
    config = files.read_config(folder)
    if _is_native(config["model_type"], task, native):
        return _native(folder, config, task, arguments)
    with explained(folder):
        by_hub.check_type(config["model_type"])
    with files.stored_in(folder) as stored:
        keras_hub = _keras_hub()
        try:
            backbone = _backbone(keras_hub.models, folder, config, stored, arguments)
        except SerializationError as error:
            if not _is_planned(config, task, stored):
                raise
            raise SerializationError(
                f"{error} jkeras's own layers compute what config.json says: pass `native=True`."
            ) from error
    if task == "backbone":
        return backbone
    return _causal_lm(keras_hub.models, folder, backbone, tokenizer)


def _is_native(kind: str, task: str, native: bool | None) -> bool:
    """Whether a model of jkeras's own layers is made."""
    if native is not None:
        return native
    if task not in OF_HUB:
        return True
    return kind in FAMILIES and not by_hub.is_read(kind)


def _is_planned(config: Config, task: str, stored: collections.abc.Mapping[str, Stored]) -> bool:
    """Whether jkeras's own layers compute what `config.json` says."""
    if config["model_type"] not in FAMILIES:
        return False
    try:
        sizes.check_counts(config, stored)  # a plan is as long as there are layers
        native_weights.check_sizes(config, task, stored)
    except SerializationError:
        return False
    return True


def _native(folder: str, config: Config, task: str, arguments: dict[str, typing.Any]) -> typing.Any:
    """The model of jkeras's own layers that a folder describes, with its weights."""
    kind = config["model_type"]
    with explained(folder):
        if kind not in FAMILIES and by_hub.is_read(kind):
            raise SerializationError(
                f"models of the type '{kind}' are none of jkeras's own layers, which `native=True` "
                f"and the tasks other than {' and '.join(map(repr, OF_HUB))} ask for: those are "
                f"{', '.join(sorted(FAMILIES))}."
            )
        if kind not in FAMILIES:
            by_hub.check_type(kind)
    family = family_of(kind, task)
    with files.stored_in(folder) as stored, explained(folder):
        sizes.check_counts(config, stored)
        config = FAMILIES[kind].by_weights(config, stored)
        native_weights.check_sizes(config, task, stored)
        # models stand above this package
        models = importlib.import_module("jkeras.models.transformers.model")
        make = getattr(models, family.model)
        arguments = {**native_weights.arguments_of(family, task, stored), **arguments}
        model = make(config, task, **arguments)
        native_weights.load(model.family, model, stored)
    return model


def _keras_hub() -> types.ModuleType:
    """The package, on jkeras.

    Raises:
        ImportError: it is not there.
    """
    if importlib.util.find_spec("keras_hub") is None:
        raise ImportError(
            "`from_transformers` makes a model of keras-hub, which is not installed: "
            "`pip install keras-hub`, or pass `native=True`. Arrays alone can be read by "
            "`safetensors`."
        )
    # the package itself: it stands above this one
    sys.modules["jkeras"].install_as_keras()
    return importlib.import_module("keras_hub")


def _backbone(
    models: types.ModuleType,
    folder: str,
    config: Config,
    stored: collections.abc.Mapping[str, Stored],
    arguments: dict[str, typing.Any],
) -> typing.Any:
    """The backbone that a folder describes, with its weights."""
    kind = config["model_type"]
    architecture = next((a for a in ARCHITECTURES if a.model_type == kind), None)
    if architecture is None and importlib.util.find_spec("safetensors") is None:
        raise ImportError(
            f"keras-hub's converter for the model type '{kind}' needs the package `safetensors`: "
            "`pip install safetensors`."
        )
    with explained(folder):
        if architecture is None:
            by_hub.check(config, stored)
            by_hub.check_weights(config, stored)
            return by_hub.read(models, folder, kind, arguments)
        entries = settings.understood(architecture, config)
        sizes.check_sizes(architecture, entries, stored)
        described = settings.arguments_of(architecture, entries, HEAD in stored)
        backbone = getattr(models, architecture.backbone)(**{**described, **arguments})
        load(architecture, backbone, stored)
    return backbone


def load(
    architecture: Architecture, backbone: typing.Any, stored: collections.abc.Mapping[str, Stored]
) -> None:
    """Gives a backbone the weights of a folder, of which one at a time is on the host.

    Args:
        backbone: what has `num_layers`, and `weights` with paths.
        stored: {name of transformers: `Stored`}; further ones are left out.

    Raises:
        SerializationError: a weight is missing, or has another shape.
    """
    ours = {variable.path: variable for variable in backbone.weights}
    rows = [
        row
        for row in architecture.rows_of(backbone.num_layers)
        if all(path in ours for path in row.ours)
    ]
    names = [_name_in(architecture, row, stored) for row in rows]
    _check(architecture, rows, names, stored, ours)
    used = {name for name in names if name is not None}
    sizes.check_dtypes(used, stored)
    sizes.check_left(architecture, used, stored)
    with Checksums() as sums:
        for row, name in zip(rows, names):
            variables = [ours[path] for path in row.ours]
            load_all(zip(variables, _parts(row.layout, stored[name], variables, sums)))
        sums.finish()


def _parts(layout: typing.Any, saved: Stored, variables: "list[Variable]", sums: Checksums) -> list:
    """The arrays of variables that are one in a file.

    What lies in another order than in the file is brought into it as JAX copies it, so that it is
    copied once. JAX on a CPU takes over what lies in its order, which therefore has to be read.
    """
    shapes = [variable.shape for variable in variables]
    lies_in_order = any(
        p.flags.c_contiguous for p in layout.part(np.empty(saved.shape, bool), shapes)
    )
    if lies_in_order or any(variable.layout is not None for variable in variables):
        return layout.part(saved.read(sums), shapes)
    parts = layout.part(saved.mapped(sums), shapes)
    # one after the other: what is on its way to a device has a copy on the host
    return [jax.device_put(part).block_until_ready() for part in parts]


def _name_in(
    architecture: Architecture, row: Row, stored: collections.abc.Mapping[str, Stored]
) -> str | None:
    """The name that files have for a row; None if there is nothing of it."""
    return next((name for name in architecture.names(row.theirs) if name in stored), None)


def _check(
    architecture: Architecture,
    rows: list[Row],
    names: list[str | None],
    stored: collections.abc.Mapping[str, Stored],
    ours: "dict[str, Variable]",
) -> None:
    """Raises SerializationError unless there is an array of its shape for each row."""
    problems = []
    for row, name in zip(rows, names):
        expected = row.layout.shape([ours[path].shape for path in row.ours])
        if name is None:
            problems.append(f"no weight '{architecture.names(row.theirs)[0]}'")
        elif stored[name].shape != expected:
            problems.append(f"'{name}' has the shape {stored[name].shape}, expected {expected}")
    if problems:
        raise SerializationError(
            f"its weights are not those of the {architecture.backbone} that config.json "
            f"describes: {listed(problems)}."
        )


def _causal_lm(
    models: types.ModuleType, folder: str, backbone: typing.Any, tokenizer: bool
) -> typing.Any:
    """The task of a backbone, with the folder's tokenizer where it has one that applies."""
    there = any(os.path.lexists(os.path.join(folder, name)) for name in TOKENIZERS)
    arguments = {} if tokenizer and there else {"preprocessor": None}
    try:
        with explained(folder):
            return models.CausalLM.from_preset(folder, backbone=backbone, **arguments)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{folder} has no tokenizer in the form that keras-hub reads for this model ({error}). "
            "For `generate` on tokens pass `tokenizer=False`."
        ) from error
