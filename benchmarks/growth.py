"""How cost grows with a size: the exponent of the power of the size that time follows."""

import numpy as np

from benchmarks import targets
from benchmarks.works import GROWTH


def slope(sizes, seconds):
    """Of the line through logarithms, by least squares; None of fewer than two points."""
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def points(what, works, peer):
    """[(size, seconds of a usual step, seconds of the build and the first round)] that were
    measured.
    """
    found = [
        (size, targets.usual(one, "cpu_s") / one["count"], targets.start(works[name], peer))
        for size, name in GROWTH[what].items()
        if (one := works.get(name, {}).get(peer, {})).get("rounds")
    ]
    return sorted(found)


def rows(works):
    """(what grows, its sizes, peer, slope of a usual step, slope of build and first round, least
    and largest seconds of a step), of everything that was measured in two sizes.
    """
    for what, names in GROWTH.items():
        peers = dict.fromkeys(peer for name in names.values() for peer in works.get(name, {}))
        for peer in peers:
            found = points(what, works, peer)
            if len(found) > 1:
                sizes, usual, first = zip(*found)
                yield what, sizes, peer, slope(sizes, usual), slope(sizes, first), usual
