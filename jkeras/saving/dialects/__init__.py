"""What Keras 2 and tf.keras wrote, in the words of Keras 3: configs, calls in graphs, training,
optimizers, CuDNN.
"""

import re
from typing import Any

from jkeras.core.errors import SerializationError, readable
from jkeras.saving.dialects.cudnn import cudnn_biases, from_cudnn
from jkeras.saving.dialects.graphs import modern_graph
from jkeras.saving.dialects.numbers import warn_of_other_numbers
from jkeras.saving.dialects.objects import modern
from jkeras.saving.dialects.slots import assign, by_name, by_number
from jkeras.saving.dialects.training import modern_training


NEWEST = 3  # the newest whose words this version reads
VERSION = re.compile(r"([0-9]{1,3})\.[0-9].{0,50}", re.ASCII)


def is_old(version: Any) -> bool:
    """Whether a version of Keras, as files name it ("2.3.0-tf"), is before 3; where a file names
    none, it is.

    Raises:
        SerializationError: a newer one, or no version.

    >>> is_old("2.15.0"), is_old("3.0.5"), is_old(None)
    (True, False, True)
    >>> is_old("4.0.0")
    Traceback (most recent call last):
        ...
    jkeras.core.errors.SerializationError: it was written by Keras '4.0.0'; ...
    """
    if version is None:
        return True
    match = VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None or int(match[1]) > NEWEST:
        raise SerializationError(
            f"it was written by Keras {readable(repr(version), 100)}; files of versions up to "
            f"{NEWEST} are read, in which words mean what they mean here. Save it with Keras "
            f"{NEWEST}, or make the model by code and load the weights from a `.weights.h5` file."
        )
    return int(match[1]) < NEWEST
