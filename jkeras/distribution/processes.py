"""Several processes that train together, on JAX's own distributed runtime."""

import os

import jax

from jkeras.core.names.registry import public
from jkeras.core.session.settings import set_random_seed, settings


@public("keras.distribution.initialize")
def initialize(
    job_addresses: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Joins this process with the others; to be called before anything else touches JAX.

    On TPU pods and SLURM all arguments can be left out. The environment variables
    KERAS_DISTRIBUTION_JOB_ADDRESSES, KERAS_DISTRIBUTION_NUM_PROCESSES and
    KERAS_DISTRIBUTION_PROCESS_ID stand for missing ones. All processes get the seed of the first,
    unless one was set.

    Args:
        job_addresses: "host:port" of the first process, or of all, separated by commas.
        num_processes: of the job.
        process_id: of this process, from 0.
    Raises:
        ValueError: as many addresses as there are no processes.

    >>> initialize("10.0.0.1:1234,10.0.0.2:1234", num_processes=3)
    Traceback (most recent call last):
    ValueError: Expected one address for each process. Received: 2 addresses, num_processes=3
    """
    job_addresses = job_addresses or os.environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES")
    if num_processes is None:
        num_processes = _number_in("KERAS_DISTRIBUTION_NUM_PROCESSES")
    if process_id is None:
        process_id = _number_in("KERAS_DISTRIBUTION_PROCESS_ID")
    addresses = [None]
    if job_addresses:
        addresses = job_addresses.split(",")
    if len(addresses) > 1 and num_processes is not None and num_processes != len(addresses):
        raise ValueError(
            f"Expected one address for each process. Received: {len(addresses)} addresses, "
            f"num_processes={num_processes}"
        )
    jax.distributed.initialize(addresses[0], num_processes, process_id)
    if settings.seed is None:
        set_random_seed(_seed_of_first())


def _number_in(variable: str) -> int | None:
    """The number that a variable of the environment has, or None."""
    text = os.environ.get(variable)
    return None if text is None else int(text)


def _seed_of_first() -> int:
    """A seed that the first process draws and all get."""
    from jax.experimental import multihost_utils

    from jkeras.core.session.settings import default_seed

    return int(multihost_utils.broadcast_one_to_all(jax.numpy.uint32(default_seed() % 2**32)))
