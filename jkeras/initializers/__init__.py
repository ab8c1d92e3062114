"""Initializers: the first values of weights."""

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.policy import standardize_dtype
from jkeras.core.registry import Family, public
from jkeras.core.settings import snake_case
from jkeras.initializers.base import Initializer, RandomInitializer
from jkeras.initializers.fixed import STFT, Constant, Identity, Ones, Zeros
from jkeras.initializers.random import (GlorotNormal, GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform,
                                        Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling,
                                        compute_fans)

_classes = (Initializer, Constant, Identity, Ones, STFT, Zeros, GlorotNormal, GlorotUniform, HeNormal, HeUniform,
            LecunNormal, LecunUniform, Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling)
_aliases = {name: c for c in _classes for name in (c.__name__, snake_case(c.__name__))} | {
    "IdentityInitializer": Identity, "STFTInitializer": STFT, "OrthogonalInitializer": Orthogonal,
    "normal": RandomNormal, "uniform": RandomUniform, "one": Ones, "zero": Zeros}


class InitializerFamily(Family):
    """Also takes an array: the value itself."""

    def get(self, identifier):
        if not isinstance(identifier, (jax.Array, np.ndarray, np.generic)):
            return super().get(identifier)

        def initialize_fn(shape, dtype=None):
            if tuple(shape) != tuple(identifier.shape):
                raise ValueError(f"An array of shape {identifier.shape} was given as the initial value. "
                                 f"Expected that `shape`, received: shape={tuple(shape)}")
            return jnp.asarray(identifier).astype(standardize_dtype(dtype))
        return initialize_fn


_family = InitializerFamily("initializers", "initializer", _aliases)


@public("keras.initializers.get")
def get(identifier):
    """The initializer that a name, config, class, array or callable `(shape, dtype)` stands for; None for None.

    >>> get("zeros")
    Zeros()
    """
    return _family.get(identifier)


@public("keras.initializers.serialize")
def serialize(initializer):
    """The config of an initializer, with its class.

    >>> serialize(Zeros())["class_name"]
    'Zeros'
    """
    return _family.serialize(initializer)


@public("keras.initializers.deserialize")
def deserialize(config, custom_objects=None):
    """The initializer of a config.

    >>> deserialize({"class_name": "Constant", "config": {"value": 2.0}})
    Constant(value=2.0)
    """
    return _family.deserialize(config, custom_objects)


constant, identity, ones, stft, zeros = Constant, Identity, Ones, STFT, Zeros
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform, orthogonal, variance_scaling = LecunNormal, LecunUniform, Orthogonal, VarianceScaling
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT

__all__ = ["Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "IdentityInitializer",
           "Initializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal",
           "RandomUniform", "STFT", "STFTInitializer", "TruncatedNormal", "VarianceScaling", "Zeros", "constant",
           "deserialize", "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity",
           "lecun_normal", "lecun_uniform", "ones", "orthogonal", "random_normal", "random_uniform", "serialize",
           "stft", "truncated_normal", "variance_scaling", "zeros"]
