"""What MkDocs is told while it builds: the pages that come from elsewhere, and links to the
reference.

Pages that are made here: the reference from jkeras itself, one for each program of examples/, and
files that lie outside of docs/. `jkeras.layers.Dense` between backticks becomes a link wherever it
stands.
"""

import pathlib
import posixpath
import re
import sys

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]

import jkeras
import programs
from reference import Reference

OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "benchmarks/RESULTS.md": "benchmarks.md"}
FENCE = re.compile(r"(^```.*?^```$)", re.M | re.S)
NAME = re.compile(r"(?<!\[)(`(jkeras(?:\.\w+)+)`)|\[(`\w+`)\]\[(jkeras[\w.]+)\]")

LINKS = {
    "Keras": "https://keras.io",
    "JAX": "https://docs.jax.dev",
    "optax": "https://optax.readthedocs.io",
    "orbax": "https://orbax.readthedocs.io",
}
REPOSITORY = re.search(r'^REPOSITORY = "(.*)"', (ROOT / "colab" / "make.py").read_text(), re.M)[1]

made = {}  # what `on_config` finds out, for the events after it


def on_config(config):
    """Makes the reference and reads the examples; what is not documented ends the build."""
    try:
        made["reference"] = Reference(jkeras)
    except ValueError as error:
        raise PluginError(str(error)) from error
    made["examples"] = programs.pages(ROOT / "examples")
    config.copyright = f"jkeras {jkeras.__version__} · " + " · ".join(
        f'<a href="{address}">{name}</a>' for name, address in LINKS.items()
    )
    if "__OWNER__" not in REPOSITORY:
        config.repo_url = f"https://github.com/{REPOSITORY}"
    for section in config.nav:
        if isinstance(section, dict) and "Examples" in section:
            section["Examples"] = list(made["examples"])
        elif isinstance(section, dict) and "Reference" in section:
            section["Reference"] = below("reference", made["reference"].nav)
    return config


def below(folder, nav):
    """A part of the navigation with its paths in a folder."""
    if isinstance(nav, list):
        return [below(folder, part) for part in nav]
    return (
        {k: below(folder, v) for k, v in nav.items()}
        if isinstance(nav, dict)
        else f"{folder}/{nav}"
    )


def on_files(files, config):
    """Adds the pages that are made here."""
    texts = {f"reference/{path}": text for path, text in made["reference"].texts.items()}
    texts |= made["examples"] | {to: (ROOT / name).read_text() for name, to in OUTSIDE.items()}
    for path, text in texts.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links to files outside of docs/, and from names to where they are explained."""
    here = posixpath.dirname(page.file.src_uri)
    for name, to in OUTSIDE.items():
        markdown = markdown.replace(
            f"]({posixpath.relpath(name, posixpath.join('docs', here))}",
            f"]({posixpath.relpath(to, here or '.')}",
        )
    parts = FENCE.split(markdown)
    parts[::2] = [
        "\n".join(
            line if line.startswith("#") else NAME.sub(lambda found: link(found, here), line)
            for line in part.split("\n")
        )
        for part in parts[::2]
    ]
    return "".join(parts)


def link(found, here):
    """A link for a public name, or for [text][name]; the text itself for another."""
    place = made["reference"].places.get(found[2] or found[4])
    if not place:
        return found[0]
    path = posixpath.relpath(f"reference/{place[0]}", here or ".")
    return f"[{found[1] or found[3]}]({path}#{place[1]})"
