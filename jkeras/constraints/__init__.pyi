# Written by `python -m tests.make_stubs`.
from jkeras.constraints.constraints import Constraint as Constraint
from jkeras.constraints.constraints import MaxNorm as MaxNorm
from jkeras.constraints.constraints import MaxNorm as _max_norm
from jkeras.constraints.constraints import MinMaxNorm as MinMaxNorm
from jkeras.constraints.constraints import MinMaxNorm as _min_max_norm
from jkeras.constraints.constraints import NonNeg as NonNeg
from jkeras.constraints.constraints import NonNeg as _non_neg
from jkeras.constraints.constraints import UnitNorm as UnitNorm
from jkeras.constraints.constraints import UnitNorm as _unit_norm
from jkeras.constraints.serialization import deserialize as deserialize
from jkeras.constraints.serialization import get as get
from jkeras.constraints.serialization import serialize as serialize

max_norm = _max_norm
min_max_norm = _min_max_norm
non_neg = _non_neg
unit_norm = _unit_norm
