"""HDF5 files that are written: what the disk has to say is raised when HDF5 is done."""

import contextlib
import io

from jkeras.core.signals import Signals
from jkeras.saving.files import Ahead


@contextlib.contextmanager
def writing(target):
    """A new, open `h5py.File`; Ctrl-C waits until it is closed.

    Args:
        target: a path, or a file-like object.

    Raises:
        OSError: the disk is full, or broken.

    >>> buffer = io.BytesIO()
    >>> with writing(buffer) as file:
    ...     file["a"] = 1
    >>> buffer.getvalue()[1:4]
    b'HDF'
    """
    import h5py

    with Signals(), contextlib.ExitStack() as stack:
        ahead = None
        if not hasattr(target, "write"):
            target = stack.enter_context(open(target, "wb+", buffering=0))
            ahead = Ahead(target)
        patient = Patient(target, ahead)
        try:
            with h5py.File(patient, "w") as file:
                yield file
        finally:
            if patient.error is not None:
                raise patient.error


class Patient(io.RawIOBase):
    """A file for HDF5, which ends the process where it cannot write what it must before it closes a
    file.

    After an error nothing is written any more, and HDF5 is not told.

    Args:
        file: open for writing and reading bytes.
        ahead: `Ahead` of the file, or None.

    Attributes:
        error: the first one, or None.
    """

    def __init__(self, file, ahead=None):
        super().__init__()
        self.file = file
        self.ahead = ahead
        self.at = 0
        self.size = 0
        self.error = None

    def _try(self, function, *arguments):
        """The result; None after an error."""
        if self.error is None:
            try:
                return function(*arguments)
            except Exception as error:  # raised by `writing`
                self.error = error
        return None

    def tell(self):
        """The position."""
        return self.at

    def seek(self, offset, whence=io.SEEK_SET):
        """Moves the position."""
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}
        self.at = origins[whence] + offset
        return self.at

    def readinto(self, buffer):
        """Fills a buffer: with zeros where there is nothing."""
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        self._try(self._read, view)
        self.at += len(view)
        return len(view)

    def _read(self, view):
        self.file.seek(self.at)
        self.file.readinto(view)

    def write(self, data):
        """Writes all of some bytes."""
        view = memoryview(data).cast("B")
        self._try(self._write, view)
        self.at += len(view)
        self.size = max(self.size, self.at)
        return len(view)

    def _write(self, view):
        self.file.seek(self.at)
        end = self.at + len(view)
        while view:
            view = view[self.file.write(view) :]
        if self.ahead is not None:
            self.ahead.written(end)

    def truncate(self, size=None):
        """Sets the size."""
        self.size = self.at if size is None else size
        self._try(self.file.truncate, self.size)
        return self.size

    def flush(self):
        """Hands on what waits."""
        self._try(self.file.flush)
