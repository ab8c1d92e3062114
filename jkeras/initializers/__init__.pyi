# Written by `python -m tests.make_stubs`.
from jkeras.initializers.base import Initializer as Initializer
from jkeras.initializers.fixed import Constant as Constant
from jkeras.initializers.fixed import Constant as _constant
from jkeras.initializers.fixed import Identity as Identity
from jkeras.initializers.fixed import Identity as _IdentityInitializer
from jkeras.initializers.fixed import Identity as _identity
from jkeras.initializers.fixed import Ones as Ones
from jkeras.initializers.fixed import Ones as _ones
from jkeras.initializers.fixed import STFT as STFT
from jkeras.initializers.fixed import STFT as _STFTInitializer
from jkeras.initializers.fixed import STFT as _stft
from jkeras.initializers.fixed import Zeros as Zeros
from jkeras.initializers.fixed import Zeros as _zeros
from jkeras.initializers.random import GlorotNormal as GlorotNormal
from jkeras.initializers.random import GlorotNormal as _glorot_normal
from jkeras.initializers.random import GlorotUniform as GlorotUniform
from jkeras.initializers.random import GlorotUniform as _glorot_uniform
from jkeras.initializers.random import HeNormal as HeNormal
from jkeras.initializers.random import HeNormal as _he_normal
from jkeras.initializers.random import HeUniform as HeUniform
from jkeras.initializers.random import HeUniform as _he_uniform
from jkeras.initializers.random import LecunNormal as LecunNormal
from jkeras.initializers.random import LecunNormal as _lecun_normal
from jkeras.initializers.random import LecunUniform as LecunUniform
from jkeras.initializers.random import LecunUniform as _lecun_uniform
from jkeras.initializers.random import Orthogonal as Orthogonal
from jkeras.initializers.random import Orthogonal as _OrthogonalInitializer
from jkeras.initializers.random import Orthogonal as _orthogonal
from jkeras.initializers.random import RandomNormal as RandomNormal
from jkeras.initializers.random import RandomNormal as _random_normal
from jkeras.initializers.random import RandomUniform as RandomUniform
from jkeras.initializers.random import RandomUniform as _random_uniform
from jkeras.initializers.random import TruncatedNormal as TruncatedNormal
from jkeras.initializers.random import TruncatedNormal as _truncated_normal
from jkeras.initializers.random import VarianceScaling as VarianceScaling
from jkeras.initializers.random import VarianceScaling as _variance_scaling
from jkeras.initializers.serialization import deserialize as deserialize
from jkeras.initializers.serialization import get as get
from jkeras.initializers.serialization import serialize as serialize

IdentityInitializer = _IdentityInitializer
OrthogonalInitializer = _OrthogonalInitializer
STFTInitializer = _STFTInitializer
constant = _constant
glorot_normal = _glorot_normal
glorot_uniform = _glorot_uniform
he_normal = _he_normal
he_uniform = _he_uniform
identity = _identity
lecun_normal = _lecun_normal
lecun_uniform = _lecun_uniform
ones = _ones
orthogonal = _orthogonal
random_normal = _random_normal
random_uniform = _random_uniform
stft = _stft
truncated_normal = _truncated_normal
variance_scaling = _variance_scaling
zeros = _zeros
