"""Makes the notebooks of this folder from the programs in sources/.

    python colab/make.py
    python colab/make.py --check  # only compares

A source is a program that runs as it is, cut into cells by lines `# %%`; after `# %% [markdown]`
comments are text, and `# %% parameters` marks the cell with the numbers that papermill and the
tests replace. What all notebooks have in common is added here: the badge below the title, the cell
that installs jkeras, and what Colab should run it on. No notebook holds outputs, and cells are
numbered, so that a change of the source is all that a diff shows.
"""

import json
import pathlib
import sys

# On GitHub: the one place that says where jkeras is published. Until it is, an owner that no
# account can be called.
REPOSITORY = "__OWNER__/jkeras"
BRANCH = "main"

HERE = pathlib.Path(__file__).parent
BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    f"(https://colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/colab/{{name}}.ipynb)"
)
INSTALL = f"""\
try:
    import jkeras
except ImportError:
    %pip install -q "jkeras @ git+https://github.com/{REPOSITORY}@{BRANCH}" "flatbuffers>=24.3"
    import jkeras

jkeras.utils.report_devices()"""
KINDS = {"": "code", "[markdown]": "markdown", "parameters": "parameters"}
ON_GPU = {"accelerator": "GPU", "colab": {"gpuType": "T4"}}
ON_TPU = {"accelerator": "TPU", "colab": {"gpuType": "V5E1"}}


def cells_of(source):
    """(kind, text) of each cell of a source; the kind is one of `KINDS`."""
    for part in ("\n" + source).split("\n# %%")[1:]:
        mark, _, body = part.partition("\n")
        kind = KINDS.get(mark.strip())
        if kind is None:
            raise ValueError(
                f"Expected '# %%', '# %% [markdown]' or '# %% parameters'. Received: '# %%{mark}'"
            )
        lines = body.strip("\n").split("\n")
        if kind == "markdown":
            lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
        yield kind, "\n".join(lines)


def notebook(name, source):
    """The text of a notebook."""
    (_, head), *rest = cells_of(source)
    title, _, text = head.partition("\n\n")
    head = f"{title}\n\n{BADGE.format(name=name)}\n\n{text}"
    texts = [("markdown", head), ("code", INSTALL), *rest]
    metadata = {
        **(ON_TPU if name == "tpu" else ON_GPU),
        "language_info": {"name": "python"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    }
    contents = {
        "cells": [cell(number, kind, text) for number, (kind, text) in enumerate(texts)],
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(contents, indent=1, ensure_ascii=False) + "\n"


def cell(number, kind, text):
    """One cell as Jupyter writes it."""
    contents = {
        "cell_type": "markdown" if kind == "markdown" else "code",
        "id": f"cell-{number:02}",
        "metadata": {"tags": ["parameters"]} if kind == "parameters" else {},
        "source": text.splitlines(keepends=True),
    }
    if kind != "markdown":
        contents |= {"execution_count": None, "outputs": []}
    return contents


def main(check=False):
    """Writes the notebooks that change, with `check` none of them; returns their names."""
    changed = []
    for path in sorted((HERE / "sources").glob("*.py")):
        text = notebook(path.stem, path.read_text(encoding="utf-8"))
        target = HERE / f"{path.stem}.ipynb"
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            changed.append(target.name)
            if not check:
                target.write_text(text, encoding="utf-8")
    return changed


if __name__ == "__main__":
    check = "--check" in sys.argv[1:]
    changed = main(check)
    print(*changed or ["all up to date"], sep="\n")
    sys.exit(bool(check and changed))
