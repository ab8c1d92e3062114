"""The names that kernels have in adapter files: those of the modules that own them."""

import typing

from jkeras.core.errors import explain
from jkeras.lora.kernels import NAMES

# from a kernel's path to its module's name: those of a dict, or what a function gives
Names: typing.TypeAlias = dict[str, str] | typing.Callable[[str], str] | None

NUMBER = "{}"  # stands for the number of a block


def modules_of(path: str, blocks: int | None, names: Names = None) -> list[str]:
    """The name of a kernel's module; of a kernel of many blocks, one for each.

    Args:
        path: of the kernel.
        blocks: how many there are; None: it is no kernel of blocks.
        names: None: the path with dots, without "kernel".

    Raises:
        ValueError: one name for several blocks, or what is no name.

    >>> modules_of("encoder/dense/kernel", None)
    ['encoder.dense']
    >>> modules_of("stack/query_kernel", 2, {"stack/query_kernel": "layers.{}.q_proj"})
    ['layers.0.q_proj', 'layers.1.q_proj']
    """
    if callable(names):
        name = names(path)
    else:
        name = (names or {}).get(path) or _default(path, blocks is not None)
    if not isinstance(name, str) or not name:
        raise ValueError(explain("lora", f"`names` to give a name for {path!r}", repr(name)))
    if blocks is None:
        return [name]
    if NUMBER not in name:
        expected = f"a name with '{NUMBER}', for the number of the block, for {path!r}"
        raise ValueError(explain("lora", expected, repr(name)))
    return [name.replace(NUMBER, str(i)) for i in range(blocks)]


def _default(path: str, in_blocks: bool) -> str:
    *owner, own = path.split("/")
    for end in NAMES:
        own = own.removesuffix(end).removesuffix("_")
    number = [NUMBER] if in_blocks else []
    return ".".join([*owner, *number, *([own] if own else [])]) or path
