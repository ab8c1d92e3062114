"""What XLA's compiler says of a step for devices that are not here, as it is for all peers."""

import collections
import re
import time

import jax


def told(step, given, pod, **options):
    """What the compiler of a topology's devices says of a step, for each of them.

    Args:
        step: function of `given`, whose first argument it consumes.
        given: shapes, with how they lie.
        options: more for `jax.jit`.
    """
    from jkeras.distribution.chips import chip_of
    from jkeras.ops.kernels import traced_for
    from jkeras.plans.accesses import bytes_accessed
    from jkeras.plans.cycles import estimated_cycles
    from jkeras.plans.traffic import over_links

    with traced_for(pod.platform):
        traced = jax.jit(step, donate_argnums=0, **options).trace(*given)
    begin = time.perf_counter()
    compiled = traced.lower().compile()
    seconds = time.perf_counter() - begin
    memory, text, chip = compiled.memory_analysis(), compiled.as_text(), chip_of(pod.devices[0])
    operations, count = operations_of(step, given, traced.jaxpr), len(pod.devices)
    accessed = bytes_accessed(text)
    at_least = {
        "operations": chip.seconds(operations) / count,
        "memory": accessed / chip.bandwidth,
        "network": over_links(text, count) / chip.link,
    }
    bound = max(at_least, key=at_least.get)
    return {
        "operations": operations.total() / count,
        "bytes": accessed,
        "seconds": at_least[bound],
        "network": at_least["network"],
        "cycles": estimated_cycles(text),
        "bound": bound,
        "arguments": memory.argument_size_in_bytes,
        "temporaries": memory.temp_size_in_bytes,
        "copied": memory.output_size_in_bytes - memory.alias_size_in_bytes,
        "code": memory.generated_code_size_in_bytes,
        "collectives": collectives_of(text),
        "fusions": len(re.findall(r" fusion\(", text)),
        "custom calls": len(re.findall(r" custom-call\(", text)),
        "to host": len(re.findall(r" (?:outfeed|send)\(", text)),
        "compile": round(seconds, 1),
    }


def operations_of(step, given, jaxpr):
    """The operations of a step by dtype; kernels count as their plain forms."""
    from jkeras.programs.operations import has_kernels, operations_by_dtype

    if has_kernels(jaxpr):
        jaxpr = jax.jit(lambda *given: step(*given)).trace(*given).jaxpr
    return operations_by_dtype(jaxpr)


def collectives_of(text):
    """{kind: (how many run, the bytes that they give to a device)}."""
    from jkeras.plans.traffic import collectives

    found = collections.defaultdict(lambda: (0, 0))
    for each in collectives(text):
        count, size = found[each.kind]
        found[each.kind] = count + each.times, size + each.times * each.bytes
    return dict(found)
