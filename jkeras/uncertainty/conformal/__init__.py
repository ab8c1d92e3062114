"""Conformal prediction: sets of classes and intervals that contain the truth in a share of at least
`1 - alpha` of new rows, whatever the model, where these come from where the calibration rows do.
"""

from jkeras.core.names.exports import exported
from jkeras.uncertainty.conformal.fitting import Fitted, fit
from jkeras.uncertainty.conformal.groups import Groups
from jkeras.uncertainty.conformal.intervals import Interval, predict_interval
from jkeras.uncertainty.conformal.risk import Control, control_risk
from jkeras.uncertainty.conformal.series import Series, fit_series, follow_series, out_of_bag
from jkeras.uncertainty.conformal.sets import predict_sets

__all__ = exported(globals())
