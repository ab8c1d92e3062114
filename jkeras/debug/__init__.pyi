# Written by `python -m tests.make_stubs`.
from jkeras.debug.checks import ConditionError as ConditionError
from jkeras.debug.checks import breakpoint_if as breakpoint_if
from jkeras.debug.checks import error_if as error_if
