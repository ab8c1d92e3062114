"""What CIFAR-10 and CIFAR-100 share: batches of images in an archive."""

import tarfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jkeras.core.session import settings
from jkeras.datasets import plain_pickle
from jkeras.datasets.published import fetched

if TYPE_CHECKING:
    import numpy as np


def batches(file: str, name: str, members: Sequence[str]) -> list[dict[bytes, Any]]:
    """The dicts that an archive has under the names of its members, read where they lie: nothing is
    unpacked.

    Args:
        file: the published one.
        name: of it in the cache.
    """
    contents = {}
    with tarfile.open(fetched(file, name)) as archive:
        for member in archive:
            if member.name in members and member.isfile():
                content = archive.extractfile(member)
                contents[member.name] = plain_pickle.load(content, encoding="bytes")
    return [contents[member] for member in members]


def images(batch: dict[bytes, Any]) -> "np.ndarray":
    """(images, height, width, channels), or channels first if that is the session's data format."""
    x = batch[b"data"].reshape(-1, 3, 32, 32)
    if settings.image_data_format() == "channels_first":
        return x
    return x.transpose(0, 2, 3, 1)
