"""What the stores over a folder of steps share: one save after the other, in the background,
checked when read.
"""

import types

from jkeras.saving import arrays
from jkeras.saving.background import Background
from jkeras.saving.steps import StepFolder
from jkeras.saving.types import FilePath, Texts, Trees


class StepStore:
    """Base of the stores.

    Args:
        folder: made with the first save.
        own: name of a folder that each of its steps has.
        background: write while the training goes on; several processes that write together wait.
        form: what writes and reads the arrays: `arrays`, or `local_arrays` for a folder of this
            process alone.
    """

    def __init__(
        self, folder: FilePath, own: str, background: bool, form: types.ModuleType = arrays
    ) -> None:
        self.step_folder = StepFolder(folder, own, is_shared=form is arrays)
        self.background = background
        self.form = form
        self.folder = self.step_folder.path
        self._background = Background(f"A checkpoint in {self.folder}")

    def steps(self) -> list[int]:
        """The numbers of all checkpoints, in order."""
        self.wait()
        return self.step_folder.steps()

    def lock(self) -> bool:
        """Makes this the one that writes to the folder, until `close`; the first save does so too.

        Returns:
            Whether it was not so before.
        Raises:
            RuntimeError: another one does.
        """
        return self.step_folder.lock()

    def _put(self, step: int, trees: Trees, texts: Texts) -> None:
        """Writes a step, of copies of the arrays where that goes on in the background."""
        if not self.background or self.step_folder.is_together():
            return self._write(step, trees, texts)
        self._background.start(self._write, step, self.form.copied(trees), texts)

    def _write(self, step: int, trees: Trees, texts: Texts) -> None:
        try:
            self._write_once(step, trees, texts)
        except TimeoutError:
            if self.step_folder.is_together():
                raise
            # orbax waits by the clock of the day, which may have been set forth meanwhile
            self._write_once(step, trees, texts)

    def _write_once(self, step: int, trees: Trees, texts: Texts) -> None:
        with self.step_folder.writing(step) as folder:
            self.form.write(folder, trees, texts)
        if self.step_folder.leads():
            self._clean(step, texts)

    def _clean(self, step: int, texts: Texts) -> None:
        """Removes the checkpoints that need not stay, now that there is another one."""
        raise NotImplementedError

    def wait(self) -> None:
        """Waits for what is being written.

        Raises:
            RuntimeError: it could not be written; the cause is with it.
        """
        self._background.wait()

    def check(self) -> None:
        """Raises RuntimeError if the last save has failed by now."""
        self._background.check()

    def close(self) -> None:
        """Waits for what is being written and releases the folder."""
        try:
            self.wait()
        finally:
            self.step_folder.unlock()

    def remove_all(self) -> None:
        """Closes the store and removes all its steps, and the folder where nothing else is in
        it.
        """
        self.close()
        if self.step_folder.leads():
            self.step_folder.remove_all()
