"""Folders of examples/ as pages: each file of a folder whole, under a heading of its own."""

import re

FOLDERS = {  # title, and the guide that explains the files
    "cluster": ("Clusters: the whole files", "[Clusters](../cluster.md)"),
    "serving": ("Serving: the whole files", "[From data to a served model](../shipping.md)"),
}
LANGUAGES = {".py": "python", ".yaml": "yaml", ".sbatch": "bash", ".txt": "text"}


def pages(folder):
    """{path of a page: Markdown} of the folders in it that a guide explains."""
    return {f"examples/{name}.md": files(folder / name) for name in FOLDERS}


def files(folder):
    """The files of a folder as a page, each with a heading."""
    title, guide = FOLDERS[folder.name]
    parts = [f"# {title}", f"{guide} explains them."]
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        language = LANGUAGES.get(path.suffix, path.name.lower())
        parts += [f"## {path.name}", f"```{language}\n{path.read_text().rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def anchor(name):
    """Where a file is on that page."""
    return re.sub(r"[^\w-]", "", name.lower())
