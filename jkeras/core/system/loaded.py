"""Libraries that a program has loaded, asked for without loading them."""

import sys


def loaded_tensorflow():
    """TensorFlow where the program has imported it; None otherwise, and where what has its name is
    the stand-in of `jkeras.keras2`; where it has TensorFlow behind it, TensorFlow itself.

    >>> import sys
    >>> loaded_tensorflow() is None or loaded_tensorflow() is sys.modules["tensorflow"]
    True
    """
    module = sys.modules.get("tensorflow")
    module = getattr(module, "__wrapped__", module)
    return module if hasattr(module, "is_symbolic_tensor") else None
