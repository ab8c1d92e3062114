"""Warnings that point at the line of the user's own program."""

import contextlib
import os
import pathlib
import sys
import warnings

import jax

# frames of jkeras and of JAX, which no user wrote
MACHINERY = tuple(
    str(pathlib.Path(file).resolve()) + os.sep
    for file in (pathlib.Path(__file__).parents[2], pathlib.Path(jax.__file__).parent)
)


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warns at the innermost line that is neither of jkeras nor of JAX.

    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     warn("look here")
    >>> said[0].filename.endswith("warning.py")
    False
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_machinery(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)


def _is_machinery(file: str) -> bool:
    return file.startswith(MACHINERY) or file == contextlib.__file__
