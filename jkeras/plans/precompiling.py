"""Compiling ahead what `fit`, `evaluate` and `predict` run."""

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax

from jkeras.training import data
from jkeras.training.data.source import Source
from jkeras.training.loop.loop import Runner
from jkeras.training.loop.ownership import Snapshot
from jkeras.training.loop.predictor import predictor_of
from jkeras.training.shell.arguments import types_of_data
from jkeras.training.step.building import build_for_training, require_compiled
from jkeras.training.step.private_once import refuse_private, require_said
from jkeras.training.step.stacked import loop_layout
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def precompile(
    model: "Trainer",
    rows: tuple[Structure, Structure, Structure],
    batch_size: int | None,
    kinds: Sequence[str],
) -> dict[str, float]:
    """{kind: seconds}; see `Model.precompile`.

    Args:
        rows: `(x, y, sample_weight)`.
    """
    require_compiled(model, "precompile")
    require_said(model, "precompile")
    if "train" in kinds:
        refuse_private(model, "precompile")
    seconds = {}
    source = data.make_source(*rows, batch_size, types=types_of_data(model))
    with contextlib.closing(source):
        build_for_training(model, source.peek())
        for kind in kinds:
            begin = time.perf_counter()
            _compile(model, kind, source)
            seconds[kind] = time.perf_counter() - begin
    return seconds


def _compile(model: "Trainer", kind: str, source: Source) -> None:
    """Compiles what a loop of a kind runs; changes nothing in the model."""
    if kind == "predict":
        jax.block_until_ready(predictor_of(model)(source.peek()[0]))
        return
    layout = loop_layout(model)
    owner = Snapshot(layout, copies=True)
    owner.replace(layout.reset_metrics)
    Runner(model, layout, kind, every_batch=False).compile(owner, source)
