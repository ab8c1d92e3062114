"""Which version of Keras is followed where two of them differ and both cannot be had.

Asked when an object is made where the answer belongs to the object, and else when a program is
traced: the version is part of the key of every jitted function, so that no program made under one
version runs under another.
"""

from typing import Literal

import jax

from jkeras.core.errors import check_choice
from jkeras.core.session.settings import settings

RELEASES = {"3.15": "3.15.1", "3.16": "3.16.0"}  # what files are said to be written with


def keras_version() -> Literal["3.15", "3.16"]:
    """The version of Keras whose behaviour holds where versions differ: "3.15" unless set.

    >>> keras_version()
    '3.15'
    """
    return settings.keras_version


def set_keras_version(version: Literal["3.15", "3.16"]) -> None:
    """Follows a version of Keras, "3.15" or "3.16", where both cannot be had.

    Set it at the beginning of a program. Layers, losses and metrics that are there already keep
    what they decided when they were made; what is computed follows the new version from the next
    call on, and jitted functions are traced again.

    >>> set_keras_version("3.16")
    >>> keras_version()
    '3.16'
    >>> set_keras_version("3.15")
    """
    check_choice("version", version, tuple(RELEASES))
    if version != settings.keras_version:
        _trace_again(version)
        settings.keras_version = version


def is_316() -> bool:
    """Whether Keras 3.16 is followed.

    >>> is_316()
    False
    """
    return settings.keras_version == "3.16"


def followed_release() -> str:
    """The release of Keras that is followed, as files name it.

    >>> followed_release()
    '3.15.1'
    """
    return RELEASES[settings.keras_version]


def _trace_again(version: str) -> None:
    """Keeps programs of one version from running under another: what JAX's caches are keyed by has
    the version in it from here on. A JAX without such keys forgets its programs.
    """
    if not hasattr(jax, "make_user_context"):
        jax.clear_caches()
        return
    if settings.keras_version_in_jit is None:
        settings.keras_version_in_jit = jax.make_user_context(settings.keras_version)
    settings.keras_version_in_jit.set_global(version)
