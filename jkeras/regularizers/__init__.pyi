# Written by `python -m tests.make_stubs`.
from jkeras.regularizers.regularizers import L1 as L1
from jkeras.regularizers.regularizers import L1 as _l1
from jkeras.regularizers.regularizers import L1L2 as L1L2
from jkeras.regularizers.regularizers import L1L2 as _l1_l2
from jkeras.regularizers.regularizers import L2 as L2
from jkeras.regularizers.regularizers import L2 as _l2
from jkeras.regularizers.regularizers import OrthogonalRegularizer as OrthogonalRegularizer
from jkeras.regularizers.regularizers import OrthogonalRegularizer as _orthogonal_regularizer
from jkeras.regularizers.regularizers import Regularizer as Regularizer
from jkeras.regularizers.serialization import deserialize as deserialize
from jkeras.regularizers.serialization import get as get
from jkeras.regularizers.serialization import serialize as serialize

l1 = _l1
l1_l2 = _l1_l2
l2 = _l2
orthogonal_regularizer = _orthogonal_regularizer
