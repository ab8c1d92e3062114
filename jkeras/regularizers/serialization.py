"""Regularizers from names and configs, and back."""

from jkeras.core.names.family import Family
from jkeras.core.names.registry import public

_family = Family("regularizers", "regularizer")


@public("keras.regularizers.get")
def get(identifier):
    """The regularizer that a name, config, class or callable stands for; None for None.

    >>> get("l2")
    L2()
    """
    return _family.get(identifier)


@public("keras.regularizers.serialize")
def serialize(regularizer):
    """The config of a regularizer, with its class.

    >>> from jkeras.regularizers import L2
    >>> serialize(L2(0.1))["config"]
    {'l2': 0.1}
    """
    return _family.serialize(regularizer)


@public("keras.regularizers.deserialize")
def deserialize(config, custom_objects=None):
    """The regularizer of a config.

    >>> deserialize({"class_name": "L2", "config": {"l2": 0.1}})
    L2(l2=0.1)
    """
    return _family.deserialize(config, custom_objects)
