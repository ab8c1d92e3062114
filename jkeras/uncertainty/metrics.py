"""Scores of probabilistic predictions as metrics: for `compile(metrics=[…])` and in files."""

import typing

from jkeras.core.errors import check_choice
from jkeras.core.record import record
from jkeras.metrics import MeanMetricWrapper
from jkeras.uncertainty import scoring
from jkeras.uncertainty.decomposition import VARIANCES

FORMS = ("gaussian", "samples")


class _Score(MeanMetricWrapper):
    """A mean of a score, of which less is better."""

    _direction = "down"


@record("jkeras.uncertainty.metrics", arguments="from_logits, name, dtype")
class NegativeLogLikelihood(_Score):
    """Mean of `-log p` of the labels, in nats; arguments as of `negative_log_likelihood`.

    >>> print(NegativeLogLikelihood()([1, 0], [[0.5, 0.5], [1.0, 0.0]]).round(3))
    0.347
    """

    from_logits: bool = False
    name = "negative_log_likelihood"
    fn = staticmethod(scoring.negative_log_likelihood)

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            from_logits: bool = False,
            name: str | None = "negative_log_likelihood",
            dtype: typing.Any = None,
        ) -> None: ...


@record("jkeras.uncertainty.metrics", arguments="from_logits, name, dtype")
class BrierScore(_Score):
    """Mean of the squared distance of probabilities from one-hot labels; of one class, from the
    label. Arguments as of `brier_score`.

    >>> print(BrierScore()([1, 0], [[0.5, 0.5], [1.0, 0.0]]))
    0.25
    """

    from_logits: bool = False
    name = "brier_score"
    fn = staticmethod(scoring.brier_score)

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            from_logits: bool = False,
            name: str | None = "brier_score",
            dtype: typing.Any = None,
        ) -> None: ...


@record("jkeras.uncertainty.metrics", arguments="variance, name, dtype")
class GaussianNegativeLogLikelihood(_Score):
    """Mean of `-log N(y; mean, variance)` in nats, of outputs (…, 2 n); arguments as of
    `gaussian_negative_log_likelihood`.

    >>> print(GaussianNegativeLogLikelihood("linear")([1.0], [[1.0, 1.0]]).round(3))
    0.919
    """

    variance: str = "softplus"
    name = "gaussian_negative_log_likelihood"
    fn = staticmethod(scoring.gaussian_negative_log_likelihood)

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            variance: str = "softplus",
            name: str | None = "gaussian_negative_log_likelihood",
            dtype: typing.Any = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_choice("variance", self.variance, VARIANCES, type(self).__name__)
        super().__post_init__()


def continuous_ranked_probability_score(
    y_true: typing.Any, y_pred: typing.Any, form: str = "gaussian", variance: str = "softplus"
) -> typing.Any:
    """`gaussian_crps` or `sample_crps` of each row.

    >>> print(continuous_ranked_probability_score([1.0], [[0.0, 2.0]], "samples"))
    [0.5]
    """
    check_choice("form", form, FORMS, "continuous_ranked_probability_score")
    if form == "samples":
        return scoring.sample_crps(y_true, y_pred)
    return scoring.gaussian_crps(y_true, y_pred, variance)


@record("jkeras.uncertainty.metrics", arguments="form, variance, name, dtype")
class ContinuousRankedProbabilityScore(_Score):
    """Mean of the area between the predicted distribution function and the step at the target,
    squared, in the unit of the targets.

    Args:
        form: what predictions are: "gaussian": means and what makes variances, (…, 2 n), as of
            `gaussian_crps`; "samples": (…, samples), as of `sample_crps`.
        variance: of "gaussian", as of `as_gaussian`.

    >>> print(ContinuousRankedProbabilityScore("samples")([1.0], [[0.0, 2.0]]))
    0.5
    """

    form: str = "gaussian"
    variance: str = "softplus"
    name = "continuous_ranked_probability_score"
    fn = staticmethod(continuous_ranked_probability_score)

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            form: str = "gaussian",
            variance: str = "softplus",
            name: str | None = "continuous_ranked_probability_score",
            dtype: typing.Any = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_choice("form", self.form, FORMS, type(self).__name__)
        check_choice("variance", self.variance, VARIANCES, type(self).__name__)
        super().__post_init__()


__all__ = [
    "BrierScore",
    "ContinuousRankedProbabilityScore",
    "GaussianNegativeLogLikelihood",
    "NegativeLogLikelihood",
    "continuous_ranked_probability_score",
]
