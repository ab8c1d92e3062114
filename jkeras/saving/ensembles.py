"""The members of an ensemble in a `.keras` archive, beside the first, which stands where Keras
looks for a model's weights: each is a file in Keras's layout, `members/3.weights.h5`.
"""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from jkeras.core.errors import SerializationError
from jkeras.saving import weights

if TYPE_CHECKING:
    from jkeras.saving.archive import Archive

PREFIX = "members/"
NAME = re.compile(r"members/([1-9][0-9]{0,3})\.weights\.h5")


def write(model: Any, write_weights: Callable[[Any, str], None]) -> None:
    """Writes all members of an ensemble but the first; nothing for a single model.

    Args:
        write_weights: function of a model and the name of a file in the archive.
    """
    if getattr(model, "ensemble_members", None) is None:  # a FeatureSpace has none
        return
    for number, member in model.other_members():
        write_weights(member, f"{PREFIX}{number}.weights.h5")


def names(members: Iterable[str]) -> list[str]:
    """The names of the files of an archive that hold members, in order.

    Raises:
        SerializationError: one is missing, or something else is among them.
    """
    inside = [name for name in members if name.startswith(PREFIX)]
    numbers = sorted(int(match[1]) for name in inside if (match := NAME.fullmatch(name)))
    if len(numbers) < len(inside) or numbers != list(range(1, len(numbers) + 1)):
        raise SerializationError(
            f"its members of an ensemble are {sorted(inside)[:10]}, expected "
            "'members/1.weights.h5', 'members/2.weights.h5' and so on, without a gap."
        )
    return [f"{PREFIX}{number}.weights.h5" for number in numbers]


def read(model: Any, archive: "Archive") -> None:
    """Makes a model an ensemble where its archive has more members than the one that it holds."""
    inside = names(archive.zip.members)
    if not inside:
        return

    def load(name: str) -> None:
        with archive.weights(name) as store:
            weights.read(model, store)

    model.join_members(load, inside)
