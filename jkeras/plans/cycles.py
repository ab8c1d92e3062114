"""What the compiler of a TPU estimates of the time of a program."""

import re

from jkeras.plans.hlo import read

ESTIMATED = re.compile(r'"estimated_cycles":"(\d+)"')


def estimated_cycles(text: str) -> int:
    """The cycles of the instructions of which a compiled program says some, of loops as often as
    they run; 0 where it says none. Kernels and what goes over the links have none.

    >>> told = 'fusion(), kind=kLoop, calls=%f, backend_config={"estimated_cycles":"7"}'
    >>> estimated_cycles("ENTRY %main () -> f32[] {\\n  ROOT %x = f32[] " + told + "\\n}")
    7
    """
    said = ((ESTIMATED.search(each.line), times) for each, times in read(text).walk(("fusion",)))
    return sum(int(found[1]) * times for found, times in said if found)
