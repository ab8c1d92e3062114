"""How much is read of one file. Its parts may say that they lie at the same offset, hundreds of
times over; what is read then is bounded by the file's own size, and not by what it says.
"""

from jkeras.core.errors import SerializationError
from jkeras.saving.types import BinaryFile

TIMES = 4  # an honest file is read once, and its headers and names once more
FREE = 2**20  # bytes, whatever the size
# what is compressed may become so many times the file's size, all together, and so many bytes
RATIO = 200
FREE_INFLATED = 2**24


class Allowance:
    """The bytes that may still be read of a file, and what compressed ones may still become.

    Args:
        size: of the file, in bytes.

    >>> Allowance(0).take(FREE + 1)
    Traceback (most recent call last):
        ...
    jkeras.core.errors.SerializationError: it says that it holds more than its own 0 bytes: ...
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.left = TIMES * size + FREE
        self.inflated_left = RATIO * size + FREE_INFLATED

    def take(self, count: int) -> None:
        """Counts bytes that are about to be read.

        Raises:
            SerializationError: they are more than the file can hold.
        """
        self.left -= count
        if self.left < 0:
            raise SerializationError(
                f"it says that it holds more than its own {self.size} bytes: parts of it lie in "
                "the same place."
            )

    def inflate(self, count: int) -> None:
        """Counts bytes that compressed ones are about to become, each time that they are read.

        Raises:
            SerializationError: they are more than the file may become.
        """
        self.inflated_left -= count
        if self.inflated_left < 0:
            raise SerializationError(
                f"its {self.size} bytes would become more than {RATIO} times as many: it is "
                "compressed beyond what weights are, or parts of it lie in the same place. If you "
                "trust it, write it again without compression, as with `h5repack -f NONE`."
            )


def allowance_of(file: BinaryFile) -> Allowance:
    """The allowance of an open file, which is cached on it.

    Args:
        file: seekable, open for reading bytes.
    """
    allowance = getattr(file, "allowance", None)
    if allowance is None:
        allowance = file.allowance = Allowance(file.seek(0, 2))
    return allowance
