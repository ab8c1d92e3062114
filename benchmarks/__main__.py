"""jkeras beside its peers.

    python -m benchmarks          # everything; writes benchmarks/RESULTS.md
    python -m benchmarks --works tiny,cnn --peers jkeras,keras,jitted
    python -m benchmarks --quick  # does it run? few small works, two peers, one round

    python -m benchmarks --works tiny --into all.json  # adds to what earlier runs measured

Works are those of `works.py` and `others.py`, "import" and "kernels". The peers are those
installed: `pip install -e '.[benchmark]'`. How the code is built is counted by
`benchmarks.structure`. Figures of single pages of docs/ have scripts of their own, each of which
writes a file of `benchmarks/figures`: `hub`, `laplace`, `packages`, `privacy`, `quantus_scores`,
`sanity`, `scaling`, `serving`. `docs/make_figures.py` brings all of them onto the pages.
"""

import argparse
import pathlib
import sys

from benchmarks import change, kept, others, peers, report, runner
from benchmarks.works import NEWEST, QUICK, WORKS, with_rows

NAMES = [*WORKS, *others.NAMES, "import", "kernels"]
RESULTS = pathlib.Path(__file__).parent / "RESULTS.md"


def names(known):
    """A parser of names with commas between them."""

    def parse(text):
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}. Choose from {', '.join(known)}"
            )
        return chosen

    return parse


def arguments():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--works", type=names(NAMES), metavar="A,B", help="by default all")
    parser.add_argument(
        "--peers",
        type=names(list(peers.FILES)),
        metavar="A,B",
        help="by default all that are installed",
    )
    parser.add_argument("--rounds", type=int, help="by default 7, with --quick 1")
    parser.add_argument(
        "--rows", type=int, default=10**7, help="leaves out works of more rows, by default 10^7"
    )
    parser.add_argument(
        "--mapped-rows", type=int, default=400_000, help="of the works mapped, by default 400,000"
    )
    parser.add_argument(
        "--newest",
        metavar="PYTHON",
        help=f"an interpreter with the newest JAX, in which {', '.join(NEWEST)} are measured too",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few small works, jkeras and the jitted loop, one round",
    )
    parser.add_argument(
        "--into", metavar="FILE", help="of results as JSON: adds to it, and reports all it has"
    )
    parser.add_argument(
        "--since", metavar="COMMIT", help="only what changed since a commit: benchmarks.change"
    )
    parser.add_argument(
        "--write",
        action=argparse.BooleanOptionalAction,
        help="write RESULTS.md; by default if everything is measured",
    )
    return parser.parse_args()


def works_of(names, chosen):
    """The works of some names, as large as the options say."""
    works = [WORKS[name] for name in names if name in WORKS]
    works = [
        with_rows(work, chosen.mapped_rows) if work.name.startswith("mapped") else work
        for work in works
    ]
    works = [work for work in works if work.rows <= chosen.rows]
    return [work.small() for work in works] if chosen.quick else works


def measured(names, chosen, say):
    """What `report.report` takes."""
    rounds, works = chosen.rounds, works_of(names, chosen)
    with_whom = chosen.peers or (["jkeras", "jitted"] if chosen.quick else peers.installed())
    beside = [name for name in others.NAMES if name in names]
    newest = [work for work in works if work.name in NEWEST] if chosen.newest else []
    return {
        "about": [report.machine()],
        "limit": runner.measure_limit(works, chosen.quick) if works else {},
        "works": runner.measure(works, with_whom, rounds, chosen.quick, say),
        "others": runner.measure_others(beside, rounds, chosen.quick, say),
        "newest": runner.measure_newest(newest, rounds, chosen.quick, say, chosen.newest)
        if newest
        else {},
        "imports": runner.measure_imports(with_whom, rounds) if "import" in names else {},
        "kernels": runner.measure_kernels(rounds, chosen.quick) if "kernels" in names else [],
    }


def main():
    """Measures, prints, writes."""
    chosen = arguments()
    if chosen.since:
        change.main(["--since", chosen.since])
        return
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 7)
    names = chosen.works or ([*QUICK, "taps", "import", "kernels"] if chosen.quick else NAMES)
    whole = not (chosen.quick or chosen.works or chosen.peers)
    results = measured(names, chosen, lambda text: print(text, file=sys.stderr, flush=True))
    if chosen.into:
        results = kept.add(chosen.into, results)
    text = report.report(results, "".join(results["about"]), chosen.rounds)
    print(text)
    if whole if chosen.write is None else chosen.write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
