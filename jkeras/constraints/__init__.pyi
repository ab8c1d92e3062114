# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.constraints.constraints import Constraint as Constraint
from jkeras.constraints.constraints import MaxNorm as MaxNorm
from jkeras.constraints.constraints import MaxNorm as max_norm
from jkeras.constraints.constraints import MinMaxNorm as MinMaxNorm
from jkeras.constraints.constraints import MinMaxNorm as min_max_norm
from jkeras.constraints.constraints import NonNeg as NonNeg
from jkeras.constraints.constraints import NonNeg as non_neg
from jkeras.constraints.constraints import UnitNorm as UnitNorm
from jkeras.constraints.constraints import UnitNorm as unit_norm

def deserialize(config: Any, custom_objects: Any = None) -> Any: ...
def get(identifier: Any) -> Any: ...
def serialize(constraint: Any) -> Any: ...
