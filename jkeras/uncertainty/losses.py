"""Losses of models whose outputs are distributions."""

from jkeras.core.errors import check_choice
from jkeras.core.names import typed
from jkeras.core.record import Any, record
from jkeras.losses.base import LossFunctionWrapper
from jkeras.uncertainty.decomposition import VARIANCES
from jkeras.uncertainty.scoring import gaussian_negative_log_likelihood


@record("jkeras.uncertainty.losses")
class GaussianNegativeLogLikelihood(LossFunctionWrapper):
    """Loss of a model that says a mean and a variance for each number (Nix and Weigend 1994), with
    outputs (…, 2 n); arguments as of `gaussian_negative_log_likelihood`.

    >>> print(GaussianNegativeLogLikelihood("linear")([1.0], [[1.0, 1.0]]).round(3))
    0.919
    """

    variance: str = "softplus"
    reduction: str | None = "sum_over_batch_size"
    name: typed.Name = "gaussian_negative_log_likelihood"
    dtype: Any = None
    fn = staticmethod(gaussian_negative_log_likelihood)

    def __post_init__(self) -> None:
        check_choice("variance", self.variance, VARIANCES, type(self).__name__)
        super().__post_init__()


__all__ = ["GaussianNegativeLogLikelihood"]
