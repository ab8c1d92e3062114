"""What plans say of memory, beside the account of the compiler: the figures of docs/scaling.md.

    python -m benchmarks.planned [--works mlp gpt2] [--topology v5e:1x1]

`model.plan` says how many bytes a step needs on a device. The compiler has an account of the step
that is compiled: what goes in, results that take no place of that, temporaries and code. Each work
of `benchmarks.compiled` is asked in a process of its own. Needs the extra `aot`.
"""

import argparse
import json

from benchmarks import compiled, kept, runner

NAMES = ("mlp", "resnet", "lstm", "transformer", "gpt2")
PARTS = ("arguments", "copied", "temporaries", "code")
DTYPE = "mixed_bfloat16"


def beside(name, topology):
    """The bytes of a plan by what takes them, and those of the compiler's account."""
    import jkeras

    said = compiled.account("jkeras", "one", name, DTYPE, topology)
    work = compiled.work_of(name)
    x, y = (rows[: work.batch] for rows in work.data())
    plan = compiled.model_of(jkeras, work, DTYPE).plan((x, y), topology=topology)
    account = {part: said[part] for part in PARTS}
    return {"needed": plan.needed, "plan": plan.memory._asdict(), "account": account}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--topology", default="v5e:1x1")
    parser.add_argument("--works", nargs="*", default=NAMES, choices=[*NAMES, *compiled.LARGE])
    parser.add_argument("--one", metavar="WORK")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(beside(given.one, given.topology)), flush=True)
        return
    found = kept.found("planned", given.topology)  # of the other works
    for name in given.works:
        asked = "--one", name, "--topology", given.topology
        (found[name],) = runner.printed("planned", *asked, environment={"XLA_FLAGS": ""})
        kept.keep("planned", given.topology, found, ("libtpu",))


if __name__ == "__main__":
    main()
