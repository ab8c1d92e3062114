"""`keras.wrappers`: models as estimators of scikit-learn, which is imported when one of them is
first used.
"""

import importlib

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


def __getattr__(name: str) -> type:
    if name not in __all__:
        raise AttributeError(f"module 'jkeras.wrappers' has no attribute {name!r}")
    try:
        importlib.import_module("sklearn")
    except ImportError as error:
        raise ImportError(
            f"{name} needs scikit-learn. Install it with `pip install scikit-learn`."
        ) from error
    return getattr(importlib.import_module("jkeras.wrappers.estimators"), name)


def __dir__() -> list[str]:
    return __all__
