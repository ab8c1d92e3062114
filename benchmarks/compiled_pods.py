"""Training steps as the compiler of a pod sees them: the figures of docs/scaling.md for pods.

    python -m benchmarks.compiled_pods [--topologies v5e:4x4] [--works gpt2] [--layouts fsdp both]

The step of jkeras with a distribution beside one by hand, with the same network, batch and layout
(`benchmarks/peers/sharded_plain.py`), each compiled for devices that are not here, in a process of
its own. Counted is, for each device, what `benchmarks.compiled` counts for one, and what the
collectives give it. "data" has a part of the batch on each device, "fsdp" a part of each weight as
well; "tensor" cuts layers over 4 of them and the batch over the others, along which "both" cuts
weights too. "jkeras, plain" has attention as the step by hand has it. Needs the extra `aot`.
"""

import argparse
import contextlib
import dataclasses
import functools
import json

import jax
import numpy as np

from benchmarks import compiled, kept, runner
from benchmarks.compiling import told

LAYOUTS = ("data", "fsdp", "tensor", "both")
MODEL = 4  # devices that a layer is cut over
EACH = {"gpt2": 2, "llama": 1, "resnet50": 16}  # rows for each part of the batch

# Four blocks, as wide as those of models for pods: all blocks are alike, and compile as long.
WORKS = {
    # Megatron fills its vocabulary up to a multiple of 128, too
    "gpt2": {"units": (1536, 4), "vocabulary": 50_304, "classes": 50_304},
    "llama": {"units": (2048, 5632, 4)},
    "resnet50": {},
}


def work_of(name, parts):
    """A work with a batch that is cut in so many parts."""
    return dataclasses.replace(compiled.LARGE[name], batch=EACH[name] * parts, **WORKS[name])


def batch_of(work):
    """The shapes of (x, y)."""
    kind = "float32" if work.vocabulary is None else "int32"
    return [
        jax.ShapeDtypeStruct((work.batch, *shape), dtype)
        for shape, dtype in ((work.shape, kind), (work.answers, "int32"))
    ]


def mesh_of(layout, devices):
    """(sizes of the axes, their names) of a mesh."""
    if layout in ("data", "fsdp"):
        return (len(devices),), ("batch",)
    return (len(devices) // MODEL, MODEL), ("batch", "model")


# ---------------------------------------------------------------- each peer
#
# A function of (work, type, layout, devices): (step, its arguments as shapes, how its results lie,
# a block to trace it in).


def of_jkeras(work, dtype, layout, devices):
    import jkeras
    from jkeras.training.data import placement
    from jkeras.training.step.building import build_for_training
    from jkeras.training.step.layout import state_layout

    scope = distribution_of(work, dtype, layout, devices).scope
    with scope():
        model = compiled.model_of(jkeras, work, dtype)
        batch = *(over_mesh(one, placement.layout_of(one.shape)) for one in batch_of(work)), None
        build_for_training(model, batch)
        state = jax.tree_util.tree_map(_on_mesh, state_layout(model).abstract())
        step = jkeras.training.make_train_step(model)
    return step, (state, batch), (_layouts(state), None), scope()


def _on_mesh(value):
    """A leaf of a state as a shape; the count of steps and the key are on each device."""
    from jkeras.training.data import placement

    sharding = value.sharding if placement.is_placed(value) else placement.replicated()
    return over_mesh(value, sharding)


def plain_of_jkeras(*given):
    """With attention in the plain form, which the step by hand has."""
    import jkeras

    jkeras.config.disable_flash_attention()
    return of_jkeras(*given)


def by_hand(work, dtype, layout, devices):
    from benchmarks.peers import sharded_plain

    sizes, names = mesh_of(layout, devices)
    mesh = jax.sharding.Mesh(np.array(devices).reshape(sizes), names)
    step, state = sharded_plain.step_over(mesh, work, dtype, layout)
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    batch = (over_mesh(one, rows) for one in batch_of(work))
    return step, (state, *batch), _layouts(state), contextlib.nullcontext()


def over_mesh(value, sharding):
    return jax.ShapeDtypeStruct(np.shape(value), value.dtype, sharding=sharding)


def _layouts(state):
    return jax.tree_util.tree_map(lambda value: value.sharding, state)


STEPS_OF = {"jkeras": of_jkeras, "jkeras, plain": plain_of_jkeras, "by hand": by_hand}


def distribution_of(work, dtype, layout, devices):
    """The distribution of jkeras for a layout."""
    from jkeras import distribution

    if layout == "data":
        return distribution.DataParallel(devices=devices)
    if layout == "fsdp":
        return distribution.FSDP(devices=devices)
    tensor = distribution.AutoParallel(MODEL, devices=devices)
    return tensor if layout == "tensor" else _cut_again(tensor, work, dtype)


def _cut_again(tensor, work, dtype):
    """A distribution that cuts what another one does along its longest other axis, too."""
    import jkeras
    from jkeras import distribution

    with tensor.scope():
        model = compiled.model_of(jkeras, work, dtype)
    layouts = distribution.LayoutMap(tensor.device_mesh)
    for row in tensor.report(model):
        parts = tensor.num_model_replicas
        free = [i for i, size in enumerate(row.shape) if not row.layout[i] and size % parts == 0]
        axes = list(row.layout)
        if free and np.prod(row.shape) >= 1024:
            axes[max(free, key=row.shape.__getitem__)] = "batch"
        layouts[row.path] = tuple(axes)
    jkeras.utils.clear_session()
    return distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")


# ---------------------------------------------------------------- what the compiler says


def account(peer, layout, name, dtype, topology):
    """What the compiler says of a step of a peer on each device."""
    from jkeras.distribution import Topology

    pod = Topology(topology)
    sizes, _ = mesh_of(layout, pod.devices)
    step, given, out, scope = STEPS_OF[peer](work_of(name, sizes[0]), dtype, layout, pod.devices)
    with scope:
        return told(step, given, pod, out_shardings=out)


def side_by_side(peers, layout, name, dtype, topology):
    """{peer: what `account` gives}."""
    found = {}
    for peer in peers:
        given = peer, layout, name, dtype, topology
        environment = {"XLA_FLAGS": ""}  # the compiler of TPUs ends a process with others
        said = runner.printed(
            "compiled_pods", "--one", *given, environment=environment, check=False
        )
        found[peer] = said[-1] if said else None  # None: it cannot be compiled here
        print(topology, layout, name, dtype, peer, found[peer], flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--topologies", nargs="*", default=["v5e:4x4", "v5e:16x16", "h100:8"])
    parser.add_argument("--works", nargs="*", default=list(WORKS), choices=WORKS)
    parser.add_argument("--layouts", nargs="*", default=list(LAYOUTS), choices=LAYOUTS)
    parser.add_argument("--peers", nargs="*", default=["jkeras", "by hand"], choices=STEPS_OF)
    parser.add_argument("--types", nargs="*", default=["mixed_bfloat16"], choices=compiled.TYPES)
    parser.add_argument("--one", nargs=5, metavar=("PEER", "LAYOUT", "WORK", "TYPE", "TOPOLOGY"))
    given = parser.parse_args()
    if given.one:
        print(json.dumps(account(*given.one)), flush=True)
        return
    for topology in given.topologies:
        keep = functools.partial(kept.keep, "compiled_pods", topology, packages=("libtpu",))
        found = kept.found("compiled_pods", topology)  # of the others
        for name in given.works:
            for layout in given.layouts:
                for dtype in given.types:
                    cell = f"{name}, {layout}, {dtype}"
                    new = side_by_side(given.peers, layout, name, dtype, topology)
                    found[cell] = found.get(cell, {}) | new
                    keep(found)


if __name__ == "__main__":
    main()
