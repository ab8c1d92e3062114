"""Initializers: the first values of weights."""

from jkeras.core.exports import exported
from jkeras.initializers.base import Initializer
from jkeras.initializers.fixed import STFT, Constant, Identity, Ones, Zeros
from jkeras.initializers.random import (GlorotNormal, GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform,
                                        Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling)
from jkeras.initializers.serialization import deserialize, get, serialize

constant, identity, ones, stft, zeros = Constant, Identity, Ones, STFT, Zeros
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform, orthogonal, variance_scaling = LecunNormal, LecunUniform, Orthogonal, VarianceScaling
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT

__all__ = exported(globals())
