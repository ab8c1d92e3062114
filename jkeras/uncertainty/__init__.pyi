# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.uncertainty import swag as swag
from jkeras.uncertainty.laplace import Laplace as Laplace
from jkeras.uncertainty.laplace import laplace as laplace
from jkeras.uncertainty.likelihood import Likelihood as Likelihood
from jkeras.uncertainty.posterior import Posterior as Posterior
from jkeras.uncertainty.posterior import outputs_and_covariance as outputs_and_covariance
from jkeras.uncertainty.posterior import posterior as posterior
from jkeras.uncertainty.statistics import batch_statistics as batch_statistics
from jkeras.uncertainty.swag_callback import SWAG as SWAG
