"""`jkeras.debug`: errors of compiled programs at the moment they happen, and where the first number
that is not finite came from.
"""

from jkeras.core.names.exports import exported
from jkeras.debug.checks import ConditionError, breakpoint_if, error_if

__all__ = exported(globals())
