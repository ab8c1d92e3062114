"""What Keras 3 keeps of the names of Keras 2 for libraries that ask for them."""

from jkeras.core.names.exports import exported
from jkeras.legacy import saving

__all__ = exported(globals(), "saving")
