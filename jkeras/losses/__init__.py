"""Losses: pure functions from targets and predictions to values per sample, and `Loss` objects that reduce them."""

import inspect

from jkeras.core.registry import Family, public
from jkeras.losses import crossentropy, margin, regression, structured
from jkeras.losses.base import Loss, LossFunctionWrapper
from jkeras.losses.crossentropy import (BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy,
                                        CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy,
                                        SparseCategoricalCrossentropy, binary_crossentropy, binary_focal_crossentropy,
                                        categorical_crossentropy, categorical_focal_crossentropy,
                                        categorical_generalized_cross_entropy, sparse_categorical_crossentropy)
from jkeras.losses.margin import (CategoricalHinge, Hinge, KLDivergence, Poisson, SquaredHinge, categorical_hinge,
                                  hinge, kl_divergence, poisson, squared_hinge)
from jkeras.losses.regression import (CosineSimilarity, Huber, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError,
                                      MeanSquaredError, MeanSquaredLogarithmicError, cosine_similarity, huber,
                                      log_cosh, mean_absolute_error, mean_absolute_percentage_error,
                                      mean_squared_error, mean_squared_logarithmic_error)
from jkeras.losses.structured import CTC, Circle, Dice, Tversky, circle, ctc, dice, tversky

_own = {name: getattr(module, name) for module in (crossentropy, margin, regression, structured)
        for name in module.__all__}
_short = {"bce": binary_crossentropy, "kld": kl_divergence, "mae": mean_absolute_error, "mse": mean_squared_error,
          "mape": mean_absolute_percentage_error, "msle": mean_squared_logarithmic_error}
_family = Family("losses", "loss", {"Loss": Loss, "LossFunctionWrapper": LossFunctionWrapper, **_own, **_short,
                                    **{name.upper(): function for name, function in _short.items()}})


@public("keras.losses.get")
def get(identifier):
    """The loss that a name, config, class or function stands for; None for None.

    Args:
        identifier: "mse", "mean_squared_error" (functions), "MeanSquaredError" (an object), a config, a callable.

    >>> get("mse").__name__, get("Huber").name
    ('mean_squared_error', 'huber_loss')
    """
    return _family.get(identifier)


@public("keras.losses.serialize")
def serialize(loss):
    """The config of a loss object or function.

    >>> serialize(Hinge())["class_name"]
    'Hinge'
    """
    return _family.serialize(loss)


@public("keras.losses.deserialize")
def deserialize(name, custom_objects=None):
    """The loss object or function of a config or name.

    Args:
        custom_objects: dict from names to losses of yours.

    >>> deserialize(serialize(Hinge(reduction="sum"))).reduction
    'sum'
    """
    found = _family.deserialize(name, custom_objects)
    return found() if inspect.isclass(found) else found


__all__ = ["Loss", "deserialize", "get", "serialize", *sorted(_own)]
