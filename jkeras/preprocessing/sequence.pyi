# Written by `python -m tests.make_stubs`.
from typing import Any

def pad_sequences(
    sequences: Any,
    maxlen: Any = None,
    dtype: Any = 'int32',
    padding: Any = 'pre',
    truncating: Any = 'pre',
    value: Any = 0.0,
) -> Any: ...
