"""The order of `recommend`'s choices, beside the compiler's: the figures of docs/scaling.md.

    python -m benchmarks.recommended [--works gpt2 mlp] [--topologies v5e:1x1 v5e:4x4]

`recommend` orders by the seconds that a row takes at least by its roofline, and by what the
compiler of TPUs estimates, where that is more. Of each pair of choices whose estimates, those of
the links included, differ by more than 2 % it is asked whether that order agrees with the
compiler's, and whether the order of the roofline alone would. Attention is in the plain form, since
the compiler says nothing of kernels. Needs the extra `aot`.
"""

import argparse
import itertools
import json

from benchmarks import compiled, compiled_pods, kept, runner

# by topology: (work, rows on all devices together)
ASKED = {
    "v5e:1x1": {"mlp": [256, 1024], "resnet": [256, 1024], "gpt2": [2, 4, 8]},
    "v5e:4x4": {"mlp": [4096], "gpt2": [32]},
}
DTYPE = "mixed_bfloat16"
APART = 1.02  # estimates that differ by less are as good as equal


def choices_of(name, topology):
    """What is said of each choice that has a program, the best one first."""
    import jkeras

    jkeras.config.disable_flash_attention()
    work = compiled.work_of(name) if name != "gpt2" else compiled_pods.work_of(name, 1)

    def make(**options):
        model = compiled.model_of(jkeras, work, DTYPE)
        model.compile(model.optimizer, model.loss, metrics=["accuracy"], **options)
        return model

    said = jkeras.training.recommend(
        make, topology, batch=ASKED[topology][name], y=labels_of(work), most=16, verbose=0
    )
    return [
        {
            "choice": repr(one).split(":")[0],
            "seconds": one.seconds / one.rows,
            "roofline": one.plan.roofline.seconds / one.rows,
            "compiler": max(one.plan.estimated, one.plan.roofline.network) / one.rows,
        }
        for one in said
    ]


def labels_of(work):
    """The shape of one row's labels."""
    _, y = compiled_pods.batch_of(work)
    return y


def agreement(choices, by):
    """(of how many pairs an order is that of the compiler, how many there are)."""
    same = pairs = 0
    for one, other in itertools.combinations(choices, 2):
        low, high = sorted((one["compiler"], other["compiler"]))
        if high / low > APART:
            pairs += 1
            same += (one["compiler"] < other["compiler"]) == (one[by] < other[by])
    return same, pairs


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--topologies", nargs="*", default=list(ASKED), choices=ASKED)
    parser.add_argument("--works", nargs="*")
    parser.add_argument("--one", nargs=2, metavar=("WORK", "TOPOLOGY"))
    given = parser.parse_args()
    if given.one:
        print(json.dumps(choices_of(*given.one)), flush=True)
        return
    for topology in given.topologies:
        found = kept.found("recommended", topology)  # of the other works
        for name in given.works or ASKED[topology]:
            choices = runner.printed(
                "recommended", "--one", name, topology, environment={"XLA_FLAGS": ""}
            )[-1]
            same = {by: agreement(choices, by) for by in ("seconds", "roofline")}
            found[name] = {"same": same, "choices": choices}
            kept.keep("recommended", topology, found, ("libtpu",))


if __name__ == "__main__":
    main()
