"""Going on where a training stopped: the state, epoch, callbacks and shuffle seed in a checkpoint folder."""

from jkeras.saving.checkpointer import Checkpointer
from jkeras.training import placement


class Resume:
    """Saves a running `fit` into a folder after each epoch and starts from what it finds there.

    Args:
        folder: None switches it off.
        seed: of the shuffling, where the folder has none.
    """

    def __init__(self, folder, live, callbacks, seed):
        self.live, self.callbacks, self.seed = live, callbacks, seed
        self.checkpointer = None if folder is None else Checkpointer(folder)

    def start(self, initial_epoch):
        """(first epoch, seed): restores the newest checkpoint, or makes one of the beginning."""
        if self.checkpointer is None:
            return initial_epoch, self.seed
        if self.checkpointer.latest_step() is None:
            self._save(initial_epoch)
            return initial_epoch, self.seed
        state, extra = self.checkpointer.restore(self.live.peek())
        self.live.replace(lambda old: placement.like(state, old))
        self.callbacks.set_state(extra["callbacks"])
        self.seed = extra["seed"]
        return extra["epoch"], self.seed

    def save(self, epoch):
        """Saves after an epoch."""
        if self.checkpointer is not None:
            self._save(epoch + 1)

    def _save(self, next_epoch):
        self.checkpointer.save(self.live.peek(), {"epoch": next_epoch, "seed": self.seed,
                                                  "callbacks": self.callbacks.get_state()}, step=next_epoch)

    def close(self):
        """Waits for the last save."""
        if self.checkpointer is not None:
            self.checkpointer.close()
