# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.regularizers.regularizers import L1 as L1
from jkeras.regularizers.regularizers import L1 as l1
from jkeras.regularizers.regularizers import L1L2 as L1L2
from jkeras.regularizers.regularizers import L1L2 as l1_l2
from jkeras.regularizers.regularizers import L2 as L2
from jkeras.regularizers.regularizers import L2 as l2
from jkeras.regularizers.regularizers import OrthogonalRegularizer as OrthogonalRegularizer
from jkeras.regularizers.regularizers import OrthogonalRegularizer as orthogonal_regularizer
from jkeras.regularizers.regularizers import Regularizer as Regularizer

def deserialize(config: Any, custom_objects: Any = None) -> Any: ...
def get(identifier: Any) -> Any: ...
def serialize(regularizer: Any) -> Any: ...
