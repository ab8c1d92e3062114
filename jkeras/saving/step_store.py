"""What the stores over a folder of steps share: one save after the other, in the background,
checked when read.
"""

import jax
import numpy as np

from jkeras.saving import arrays
from jkeras.saving.background import Background
from jkeras.saving.steps import StepFolder


class StepStore:
    """Base of the stores.

    Args:
        folder: made with the first save.
        own: name of a folder that each of its steps has.
        background: write while the training goes on; several processes always write together, and
            wait.
    """

    def __init__(self, folder, own, background):
        self._steps = StepFolder(folder, own)
        self.background = background
        self.folder = self._steps.path
        self._background = Background(f"A checkpoint in {self.folder}")

    def steps(self):
        """The numbers of all checkpoints, in order."""
        self.wait()
        return self._steps.steps()

    def lock(self):
        """Makes this the one that writes to the folder, until `close`; the first save does so too.

        Returns:
            Whether it was not so before.
        Raises:
            RuntimeError: another one does.
        """
        return self._steps.lock()

    def _put(self, step, trees, texts):
        """Writes a step, of copies of the arrays where that goes on in the background."""
        if not self.background or jax.process_count() > 1:
            return self._write(step, trees, texts)
        copies = jax.tree_util.tree_map(lambda v: np.array(v, copy=True), trees)
        self._background.start(self._write, step, copies, texts)

    def _write(self, step, trees, texts):
        try:
            self._write_once(step, trees, texts)
        except TimeoutError:
            if jax.process_count() > 1:
                raise
            # orbax waits by the clock of the day, which may have been set forth meanwhile
            self._write_once(step, trees, texts)

    def _write_once(self, step, trees, texts):
        with self._steps.writing(step) as folder:
            arrays.write(folder, trees, texts)
        if jax.process_index() == 0:
            self._clean(step, texts)

    def _clean(self, step, texts):
        """Removes the checkpoints that need not stay, now that there is another one."""
        raise NotImplementedError

    def _get(self, step, read):
        """`read(step)`; of the newest step that is whole where `step` is None."""
        self.wait()
        if step is None:
            return self._steps.read_newest(read)
        return self._steps.read_one(step, read)

    def wait(self):
        """Waits for what is being written.

        Raises:
            RuntimeError: it could not be written; the cause is with it.
        """
        self._background.wait()

    def check(self):
        """Raises RuntimeError if the last save has failed by now."""
        self._background.check()

    def close(self):
        """Waits for what is being written and releases the folder."""
        try:
            self.wait()
        finally:
            self._steps.unlock()

    def remove_all(self):
        """Closes the store and removes all its steps, and the folder where nothing else is in
        it.
        """
        self.close()
        if jax.process_index() == 0:
            self._steps.remove_all()
