"""Numbers in untrusted configs that become lists, loops or tables while a file is read.

A file of two kilobytes can say a thousand million. With these limits what follows from one of them
takes some hundred megabytes at most; a model of one's own, built by code, has no limit.
"""

import itertools
import math
import typing

from jkeras.core.errors import SerializationError, readable

LIMITS = {
    "bins": 2**16,
    "chain_depth": 100,  # of AugMix: steps of a loop
    "fft_length": 2**20,  # windows and banks of filters
    "frame_length": 2**20,
    "frame_step": 2**20,
    "indices_or_sections": 2**16,  # of ops.split: outputs
    "max_tokens": 10**7,  # tables of preprocessing layers
    "ns_steps": 1000,  # of Muon: steps of a loop
    "num": 2**16,  # of ops.unstack: outputs
    "num_bins": 10**7,
    "num_chains": 100,
    "num_classes": 5000,  # of metrics that count pairs: a table of its square
    "num_labels": 10**5,
    "num_mel_bins": 2**14,
    "num_oov_indices": 10**5,  # texts
    "num_ops": 1000,  # of RandAugment: steps of a loop
    "num_thresholds": 10**5,
    "power_iterations": 1000,
    "vocabulary_size": 10**7,
}
# of each of a few numbers
EACH = {"tile_grid_size": 1000}  # steps of a loop
# those whose names mean other things elsewhere
LIMITS_OF = {("Diff", "n"): 1000}  # steps of a loop
# numbers that are multiplied by one another: at most so many together
TOGETHER = {
    ("num_thresholds", "num_labels"): 10**7,
    ("fft_length", "num_mel_bins"): 2**26,
}
# all that are looked at
LIMITED = frozenset([*LIMITS, *EACH, *(key for _, key in LIMITS_OF), *itertools.chain(*TOGETHER)])


def check_numbers(name: str, config: dict[str, typing.Any]) -> None:
    """Raises a SerializationError for a number that would take memory or time without bounds.

    Args:
        name: of the class that the config is for.
        config: dict of its arguments.

    >>> check_numbers("AUC", {"num_thresholds": 200})
    >>> check_numbers("AUC", {"num_thresholds": 10**9})
    Traceback (most recent call last):
        ...
    jkeras.core.errors.SerializationError: AUC has num_thresholds=1000000000; at most 100000 ...
    """
    for key in LIMITS.keys() & config.keys():
        if _is_over(config[key], LIMITS[key]):
            raise too_large(name, f"{key}={readable(config[key], 100)}", LIMITS[key])
    for key in EACH.keys() & config.keys():
        values = config[key] if isinstance(config[key], (list, tuple)) else [config[key]]
        if any(_is_over(value, EACH[key]) for value in values):
            raise too_large(name, f"{key}={readable(config[key], 100)}", EACH[key])
    for (owner, key), most in LIMITS_OF.items():
        if name == owner and _is_over(config.get(key), most):
            raise too_large(name, f"{key}={config[key]}", most)
    for keys, most in TOGETHER.items():
        _check_together(name, keys, config, most)


def _check_together(
    name: str, keys: tuple[str, ...], config: dict[str, typing.Any], most: int
) -> None:
    """Raises where numbers that are multiplied by one another are too large together."""
    numbers = [config[key] for key in keys if isinstance(config.get(key), int)]
    if len(numbers) == len(keys) and math.prod(numbers) > most:
        raise too_large(name, " times ".join(keys), most)


def _is_over(value: object, most: int) -> bool:
    """Whether a number, or how many a list has, is too large."""
    if isinstance(value, (list, tuple)):
        return len(value) > most
    return isinstance(value, (int, float)) and not abs(value) <= most


def too_large(name: str, what: str, most: int) -> SerializationError:
    """What is raised for a number of a config that may be anybody's, and what to do about it."""
    return SerializationError(
        f"{name} has {what}; at most {most} is read from a file that may be anybody's. If you "
        "trust it as you trust a program, load it with `safe_mode=False`."
    )
