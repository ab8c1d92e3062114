"""What training asks a model for, and others answer: what kind of model it is (`jkeras.models`),
members of an ensemble (`jkeras.ensembles`), a record of each step (`jkeras.report`). Training
imports none of these; `Model` inherits their answers.
"""

import contextlib
import importlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.callbacks import CallbackList
from jkeras.core.errors import explain
from jkeras.core.graph.host_numbers import InputTypes
from jkeras.training.data.source import Source
from jkeras.training.loop.predictor import Predictor
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.links import Link
from jkeras.training.types import Logs, NamedVariables, Structure

if TYPE_CHECKING:
    from jkeras.training.loop.careful import Looking
    from jkeras.training.loop.recording import Recorder
    from jkeras.training.loop.resume import FitOptions


class Extensions:
    """A model of which nothing is known, that is trained alone, and of whose steps nothing is
    recorded.
    """

    name: str
    compilation: Any
    stop_training: bool

    @property
    def draws_as_keras(self) -> bool:
        """Whether a training draws what Keras's does, where nobody gives it a seed: from Python's
        and numpy's generators and from the model's own. A private one does not.
        """
        return self.compilation.privacy is None

    # ------------------------------------------------------------ data

    def prepared(self, x: Structure) -> Structure:
        """Data for the inputs as what a compiled step can take; here, as it is."""
        return x

    def for_prediction(self, x: Structure) -> tuple[Any, Structure]:
        """(model, data for it) that give what this model predicts for data."""
        return self, x

    def types_of_inputs(self) -> InputTypes | None:
        """The dtypes that data for the inputs goes to; None: they are unknown."""
        return None

    def recorded_shapes(self, x: Structure) -> Structure | None:
        """The shapes of the outputs where a graph tells them without a trace of the whole model;
        None: it does not.
        """
        return None

    def warn_of_padding(self, has_weights: bool = True) -> None:
        """Warns, once for the model, where padding is taken for data since a mask is lost; here it
        is not known.

        Args:
            has_weights: whether the loss has weights of its own, or there is none.
        """

    # ------------------------------------------------------------ what the steps run on

    def new_layout(self, counts: bool) -> StateLayout:
        """Which variable is which leaf of the `TrainState`.

        Args:
            counts: whether seed generators count, where the states are of one model.
        """
        return StateLayout(self, counts)

    def new_predictor(self) -> Predictor:
        """What `predict` runs."""
        return Predictor(self)

    def predictor_of_each(self) -> Predictor:
        """What `predict(members=True)` runs.

        Raises:
            ValueError: the model is no ensemble.
        """
        expected = "an ensemble, to give the outputs of its members"
        fix = "train it with `fit(…, ensemble=8)`"
        raise ValueError(explain(f"Model '{self.name}'", expected, "`members=True`", fix))

    def extra_links(self) -> Sequence[Link]:
        """Links that stand around a training step beside those of `compile`."""
        return ()

    def extra_counters(self) -> NamedVariables:
        """(path, variable) pairs that a training counts in, beside the metrics."""
        return []

    # ------------------------------------------------------------ the course of a training

    def begin_ensemble(
        self, size: int | None, source: Source, shuffle: bool | str, seed: int | None
    ) -> int | None:
        """The seed of a training of `size` members; None: of one model, or of those that there are.

        Raises:
            ValueError: `shuffle` is said of members, of which there are none.
        """
        if shuffle in ("each", "same"):
            expected = "`shuffle` of the members of an ensemble only with `ensemble`"
            fix = "pass `shuffle=True`, or the number of members as `ensemble`"
            received = f"`shuffle={shuffle!r}`"
            raise ValueError(explain(f"Model '{self.name}'", expected, received, fix))
        return seed

    def recorded(
        self,
        report: str | os.PathLike | None,
        callbacks: CallbackList,
        source: Source,
        options: "FitOptions",
    ) -> "contextlib.AbstractContextManager[tuple[FitOptions, Recorder | None]]":
        """A block in which a training is recorded; gives its options, and what is told of steps."""
        return contextlib.nullcontext((options, None))

    def finder(self, kind: str) -> "Looking":
        """What looks for a step with NaN, and says where it began.

        Raises:
            ValueError: there is none of this kind, or it cannot look at such a training.
        """
        return importlib.import_module("jkeras.debug.nan").NaNFinder(self, kind)

    def end_where(self, has_failed: np.ndarray) -> bool:
        """Ends the training for NaN or infinity; whether that is news.

        Args:
            has_failed: (), or of an ensemble (members,): who met such a step.
        """
        self.stop_training = True
        return True

    def refuse_ensemble(self, what: str) -> None:
        """Raises where the model is an ensemble and something works on a single model alone."""

    def of_list(self, logs: Logs) -> Logs:
        """Those of the results that are in a list, too, and not in a dict alone."""
        return logs
