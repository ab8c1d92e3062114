"""One evaluation: the batches of a source, and who is called for them."""

from typing import TYPE_CHECKING

from jkeras.callbacks import CallbackList
from jkeras.core.system.signals import Signals
from jkeras.training.data.source import Source
from jkeras.training.loop.loop import Runner, Span
from jkeras.training.loop.short_data import warn_of_short_data
from jkeras.training.step.results import as_numbers

if TYPE_CHECKING:
    from jkeras.training.step.layout import StateLayout
    from jkeras.training.loop.ownership import AnyOwner
    from jkeras.training.shell.trainer import Trainer


class Evaluating:
    """Evaluations of a model on a source.

    Args:
        steps: at most so many batches; None: all.
    """

    def __init__(
        self,
        model: "Trainer",
        layout: "StateLayout",
        source: Source,
        steps: int | None,
        callbacks: CallbackList,
    ) -> None:
        self.model = model
        self.layout = layout
        self.source = source
        self.steps = steps
        self.callbacks = callbacks
        self.runner = Runner(model, layout, "test", callbacks.looks_at_batches("test"))

    def run(self, owner: "AnyOwner", signals: Signals) -> dict:
        """The results.

        Args:
            owner: of the state.
            signals: those that end it.
        """
        callbacks = self.callbacks
        self.source.reset()
        callbacks.on_test_begin()
        owner.replace(self.layout.reset_metrics)
        self.model.stop_evaluating = False
        done = 0
        before = callbacks.on_test_batch_begin
        try:
            span = Span(limit=self.steps)
            for done_now, last, logs in self.runner.epoch(owner, self.source, span, before):
                done = done_now
                signals.check()
                callbacks.on_test_batch_end(last, logs)
                if self.model.stop_evaluating:
                    break
            else:
                execution = self.model.steps_per_execution
                warn_of_short_data(done, self.steps, "`steps`", execution)
        finally:
            self.runner.restart()
        if not done:
            raise ValueError("The data gave no batch to evaluate.")
        logs = as_numbers(logs)
        callbacks.on_test_end(logs)
        return logs
