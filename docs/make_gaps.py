"""Writes docs/gaps.md, and how many names there are into README.md, from what `check_api.py` finds.

    python docs/make_gaps.py [--check]

`check_api.py` lies in ../shared/parity beside this repository. With --check nothing is written:
exit status 1 says that the files are out of date. A difference from Keras stops the script.
"""

import collections
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARITY = ROOT.parent / "shared" / "parity"
BEGIN, END = "<!-- features: begin, by docs/make_gaps.py -->", "<!-- features: end -->"

# Names that are there and raise an error that says what to use.
RAISES = {
    "keras.layers.TorchModuleWrapper": "a module of PyTorch cannot run inside a compiled JAX "
    "program: wrap a version in JAX with `JaxLayer` or `FlaxLayer`",
    "keras.layers.TFSMLayer": "a SavedModel of TensorFlow cannot run inside a compiled JAX "
    "program: save the model as `.keras` instead",
    'keras.Model.export(format="torch")': 'also "openvino": use "onnx", which OpenVINO reads, or '
    "save the weights as `.safetensors`, which PyTorch reads",
}


def checked():
    """({module: [same, all]}, {name: what differs}) as `check_api.py` prints them."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
    }
    done = subprocess.run(
        [sys.executable, "check_api.py", "--module", "jkeras", "--all"],
        cwd=PARITY,
        text=True,
        capture_output=True,
        env=environment,
    )
    table, _, differences = done.stdout.partition("\n\n")
    if "\ntogether" not in table:
        sys.exit(f"check_api.py failed:\n{done.stdout}{done.stderr}")
    counts = collections.defaultdict(lambda: [0, 0])
    for line in table.splitlines()[1:]:
        module, same, _, every = line.split()
        group = ".".join(module.split(".")[:2])
        counts[group][0] += int(same)
        counts[group][1] += int(every)
    return dict(counts), dict(line.split(": ", 1) for line in differences.splitlines())


def gaps(counts, differences):
    """The text of docs/gaps.md.

    Exits where a name is not there, or has another signature.
    """
    if differences:
        sys.exit(
            "Different from Keras:\n"
            + "\n".join(f"{name}: {text}" for name, text in differences.items())
        )
    lines = [
        "# What Keras 3.15.1 has and jkeras has not",
        "",
        "Written by `docs/make_gaps.py`. All public names are there, with the same signature "
        "(`check_api.py`).",
        "",
        "| name | | why, and what to use |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | raises | {reason} |" for name, reason in RAISES.items()]
    lines += ["", "## Module by module", "", BEGIN, ""]
    lines += ["| module | names of Keras 3.15.1 | the same in jkeras |", "|---|---:|---:|"]
    lines += [
        f"| `{module}` | {every} | {same} |" for module, (same, every) in sorted(counts.items())
    ]
    return "\n".join([*lines, "", END]) + "\n"


def features(counts):
    """The sentence of the README."""
    same, every = counts["together"]
    text = (
        f"{same:,} of the {every:,} public names of Keras 3.15.1 are here with the same signature: "
        "[module by module](docs/gaps.md#module-by-module)."
    )
    return "\n".join([BEGIN, "", text, "", END])


def main(check=False):
    """Writes the files, or only says whether they are up to date."""
    counts, differences = checked()
    readme = (ROOT / "README.md").read_text()
    before, found, rest = readme.partition(BEGIN)
    if not found or END not in rest:
        sys.exit(f"README.md has no place for the sentence: expected {BEGIN} … {END}")
    texts = {
        "docs/gaps.md": gaps(counts, differences),
        "README.md": before + features(counts) + rest.partition(END)[2],
    }
    old = [
        name
        for name, text in texts.items()
        if not (ROOT / name).exists() or (ROOT / name).read_text() != text
    ]
    if check and old:
        sys.exit(f"Out of date: {', '.join(old)}. Run `python docs/make_gaps.py`.")
    for name in old:
        (ROOT / name).write_text(texts[name])


if __name__ == "__main__":
    main(check="--check" in sys.argv[1:])
