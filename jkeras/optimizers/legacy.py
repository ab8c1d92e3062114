"""`keras.optimizers.legacy`: names that libraries import and that nobody can make an object of."""

from typing import Any

from jkeras.core.errors import explain


class LegacyOptimizer:
    """Stands for each optimizer of Keras 2: it can be imported, named in an annotation and asked
    for by `isinstance`, of which nothing is an instance.

    Raises:
        ImportError: always, as in Keras 3.

    >>> Adam(0.1)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ImportError: keras.optimizers.legacy: expected an optimizer of Keras 3, ...
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ImportError(
            explain(
                "keras.optimizers.legacy",
                "an optimizer of Keras 3",
                "one of Keras 2, which Keras 3 does not have",
                "take the class of the same name from keras.optimizers, or run the program with "
                "`python -m jkeras run --keras2`",
            )
        )


Adagrad = Adam = Ftrl = Optimizer = RMSprop = SGD = LegacyOptimizer

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop"]
