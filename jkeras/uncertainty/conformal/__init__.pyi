# Written by `python -m tests.make_stubs`.
from jkeras.uncertainty.conformal.fitting import Fitted as Fitted
from jkeras.uncertainty.conformal.fitting import fit as fit
from jkeras.uncertainty.conformal.intervals import Interval as Interval
from jkeras.uncertainty.conformal.intervals import predict_interval as predict_interval
from jkeras.uncertainty.conformal.sets import predict_sets as predict_sets
