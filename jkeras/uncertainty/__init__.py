"""`jkeras.uncertainty`: how sure a model may be: calibrated probabilities, sets and intervals that
contain the truth as often as they say, distributions of weights, and what a prediction's spread
comes from.
"""

from jkeras.core.names.exports import exported
from jkeras.uncertainty import conformal, losses, metrics, swag
from jkeras.uncertainty.calibration import calibrated, temperature
from jkeras.uncertainty.decomposition import (
    Decomposition,
    Mixture,
    as_gaussian,
    decomposition,
    mixture,
)
from jkeras.uncertainty.laplace import Laplace, laplace
from jkeras.uncertainty.likelihood import Likelihood
from jkeras.uncertainty.monte_carlo import Samples, mc_dropout
from jkeras.uncertainty.posterior import Posterior, outputs_and_covariance, posterior
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
from jkeras.uncertainty.statistics import batch_statistics
from jkeras.uncertainty.subnetwork import Subnetwork
from jkeras.uncertainty.swag_callback import SWAG

__all__ = exported(globals(), "conformal", "losses", "metrics", "swag")
