"""Noise that is correlated over steps, such that what one step adds later ones take off again: the
banded inverse square root (Kalinin, McKenna, Upadhyay and Lampert 2025, arXiv:2505.12128) of the
matrix that adds up steps, for DP-FTRL (Kairouz et al. 2021, arXiv:2103.00039; as matrices
Choquette-Choo et al. 2023, arXiv:2306.08153).

The noise of a step is a sum over the normal numbers of the last few steps, times the coefficients
of (1 - x) ** 0.5. All are made anew from their keys, so nothing is kept.
"""

import functools
import math

import numpy as np

# an account of these steps is told as one of steps that reveal as much, of so much more noise, so
# that a whole number of them is close to it
FINER = 32


@functools.lru_cache(64)
def weights(bands: int) -> tuple[float, ...]:
    """What the normal numbers of the last steps are multiplied by, this one's first.

    >>> weights(4)
    (1.0, -0.5, -0.125, -0.0625)
    """
    found = [1.0]
    for k in range(1, bands):
        found.append(found[-1] * (k - 1.5) / k)
    return tuple(found)


@functools.lru_cache(1024)
def squared_sensitivity(bands: int, steps: int, turn: int) -> float:
    """How much a row that is in every `turn`-th of some steps can move what the noise hides: the
    squared length of the sum of the columns that it is in, of the inverse of the matrix of
    `weights`, for gradients of a length of at most 1.

    No number of the inverse is negative, so it moves most where all of its gradients are the same,
    and where it is in the first step: what later ones see is a part of that.

    >>> squared_sensitivity(1, steps=10, turn=4)  # without a correlation: 3 times 1
    3.0
    >>> squared_sensitivity(2, steps=2, turn=2)
    1.25
    """
    inputs = np.zeros(steps)
    inputs[::turn] = 1.0
    factors = -np.array(weights(bands)[1:][::-1])
    outputs = np.zeros(steps + bands)  # behind as many zeros
    for i in range(steps):
        outputs[bands + i] = inputs[i] + factors @ outputs[i + 1 : bands + i]
    return float(outputs @ outputs)


def equal_steps(bands: int, steps: int, turn: int) -> int:
    """The number of steps with independent noise, `FINER` times as large, in which a row is each
    time, that reveal as much, or a little more.

    >>> round(equal_steps(1, steps=10, turn=4) / FINER**2, 2)  # rounded up
    3.0
    """
    if not steps:
        return 0
    # above what the sum may have lost by rounding
    return math.ceil(squared_sensitivity(bands, steps, turn) * (1 + 1e-9) * FINER**2 - 1e-6)
