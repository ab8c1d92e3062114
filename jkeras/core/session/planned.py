"""Devices that are not here, for which programs are planned, see `jkeras.distribution.Topology`."""

import typing

import jax

Sharding = typing.TypeVar("Sharding")


def is_planned_for(sharding: object) -> bool:
    """Whether arrays laid out so would lie on devices that are not here.

    >>> import jax
    >>> is_planned_for(jax.sharding.SingleDeviceSharding(jax.devices()[0])), is_planned_for(None)
    (False, False)
    """
    devices = getattr(sharding, "device_set", None)
    if not devices:
        return False
    device = next(iter(devices))
    runtime = getattr(getattr(device, "client", None), "runtime_type", None)
    if runtime is not None:
        return runtime == "compile_only_runtime"
    try:
        return device not in jax.devices(device.platform)
    except RuntimeError:  # there are none of this kind here
        return True


def here(sharding: Sharding) -> Sharding:
    """The sharding, if arrays can lie so.

    Raises:
        RuntimeError: they would lie on devices that are not here.
    """
    if is_planned_for(sharding):
        raise RuntimeError(
            "A topology can be planned for, not run on: its devices are not here. `model.plan(…)` "
            "compiles for them; `fit`, `evaluate` and `predict` take devices of this machine, "
            "outside of this distribution's scope."
        )
    return sharding
