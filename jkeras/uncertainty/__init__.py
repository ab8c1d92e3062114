"""`jkeras.uncertainty`: how sure a model may be: calibrated probabilities, sets and intervals that
contain the truth as often as they say, and what a prediction's spread comes from.
"""

from jkeras.core.exports import exported
from jkeras.uncertainty import conformal, losses, metrics
from jkeras.uncertainty.calibration import calibrated, temperature
from jkeras.uncertainty.decomposition import (
    Decomposition,
    Mixture,
    as_gaussian,
    decomposition,
    mixture,
)
from jkeras.uncertainty.monte_carlo import Samples, mc_dropout
from jkeras.uncertainty.reliability import (
    Reliability,
    expected_calibration_error,
    reliability_diagram,
)
from jkeras.uncertainty.scoring import (
    brier_score,
    gaussian_crps,
    gaussian_negative_log_likelihood,
    negative_log_likelihood,
    sample_crps,
)

__all__ = exported(globals(), "conformal", "losses", "metrics")
