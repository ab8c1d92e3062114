"""The names of a quantized layer's variables in the order in which Keras's files number them."""

from collections.abc import Iterable

STEPS = ("inputs", "kernel", "outputs_grad")  # of a product, in mode "float8"


def stored_names(
    weight: str, beside: Iterable[str], modes: Iterable[str]
) -> dict[str | None, list[str]]:
    """{mode: names}, None standing for floats; a layer may lack some of them.

    >>> stored_names("kernel", ["bias"], ["int8"])
    {None: ['kernel', 'bias'], 'int8': ['kernel', 'bias', 'kernel_scale']}
    """
    floats = [weight, *beside]
    scale, zero = f"{weight}_scale", f"{weight}_zero"
    groups = [*beside, f"quantized_{weight}", scale, zero]
    known = {
        "int8": [*floats, scale],
        "ternary": [*floats, scale],
        "int4": [*floats, scale, zero, "g_idx"],
        "float8": [*floats, *(f"{s}_{n}" for s in STEPS for n in ("scale", "amax_history"))],
        "gptq": [*groups, "g_idx"],
        "awq": [*groups, "awq_scales", "g_idx"],
    }
    return {None: floats, **{mode: known[mode] for mode in modes}}
