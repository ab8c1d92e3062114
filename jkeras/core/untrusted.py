"""Limits of what follows from the shapes that a stranger's config has, beside those of its numbers
(`limits.py`).
"""

from jkeras.core.limits import too_large
from jkeras.core.registry import is_untrusted

MOST_OUTPUTS = 2**16  # of one call: a graph names each by its number
LARGEST_TABLE = 10**7  # elements of what is made on the host for one call


def check_count(name: str, what: str, count: int, most: int) -> None:
    """Raises a SerializationError where a config that may be anybody's leads to more of something
    than is made for it; a model of one's own, built by code, has no limit.

    Args:
        name: of the op or layer.
        what: is counted, in words.
    """
    if count > most and is_untrusted():
        raise too_large(name, f"{count} {what}", most)
