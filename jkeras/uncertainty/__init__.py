"""`jkeras.uncertainty`: how sure a model is of what it predicts."""

from jkeras.core.exports import exported
from jkeras.uncertainty import swag
from jkeras.uncertainty.laplace import Laplace, laplace
from jkeras.uncertainty.likelihood import Likelihood
from jkeras.uncertainty.posterior import Posterior, outputs_and_covariance, posterior
from jkeras.uncertainty.statistics import batch_statistics
from jkeras.uncertainty.swag_callback import SWAG

__all__ = exported(globals(), "swag")
