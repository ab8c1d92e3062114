"""Initializers: the first values of weights."""

from jkeras.core.names.exports import exported
from jkeras.initializers.base import Initializer
from jkeras.initializers.fixed import STFT, Constant, Identity, Ones, Zeros
from jkeras.initializers.random import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from jkeras.initializers.serialization import deserialize, get, serialize

constant = Constant
identity = Identity
ones = Ones
stft = STFT
zeros = Zeros
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
orthogonal = Orthogonal
variance_scaling = VarianceScaling
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
IdentityInitializer = Identity
OrthogonalInitializer = Orthogonal
STFTInitializer = STFT

__all__ = exported(globals())
