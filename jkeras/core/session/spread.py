"""Arrays that each of several processes has, laid out over the devices of all of them."""

import jax
import numpy as np


def spread(value: jax.Array | np.ndarray, sharding: jax.sharding.Sharding) -> jax.Array:
    """An array laid out as a sharding says; where that reaches devices of other processes, each of
    them has to have an equal array.

    >>> here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    >>> spread(np.ones(2), here).sharding == here
    True
    """
    lies_with_others = isinstance(value, jax.Array) and not value.is_fully_addressable
    if sharding.is_fully_addressable or lies_with_others:
        return jax.device_put(value, sharding)
    # device_put (JAX 0.10) gives a broken array for one of JAX where each process has one device
    host = np.asarray(value)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])
