"""What the processes of one run tell each other, beside the arrays of the model."""

import json
import typing

import jax
import numpy as np


def gathered_from_all(value: typing.Any) -> list:
    """The JSON values that the processes of a run call this with, by their index. All must call it.

    >>> gathered_from_all({"row": 3})
    [{'row': 3}]
    """
    if jax.process_count() == 1:
        return [value]
    from jax.experimental import multihost_utils

    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    sizes = multihost_utils.process_allgather(np.int32(len(text)))
    padded = np.zeros(int(sizes.max()), np.uint8)
    padded[: len(text)] = text
    texts = multihost_utils.process_allgather(padded)
    return [json.loads(row[:size].tobytes()) for row, size in zip(texts, sizes)]
