"""Builds the site: the pages of docs/, the reference, the gallery and a page for each
program of examples/ and each notebook that it begins with.

    python docs/site/build.py [FOLDER]     default build/site; FOLDER is replaced
    python docs/site/build.py --serve      builds, then shows it at localhost:8000 (not watching)

The pages that are made here are the reference from jkeras itself, those of programs and notebooks,
and files that lie outside of docs/. `jkeras.layers.Dense` between backticks becomes a
link wherever it stands. Zensical builds the site out of all of them; a link or an anchor that
leads nowhere, a page that is in no menu and a public name without documentation end the build.
"""

import argparse
import functools
import http.server
import json
import pathlib
import posixpath
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]

import jkeras
import folders
import programs
from reference import Reference

OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/RESULTS.md": "benchmarks.md",
}
NO_PAGES = ("plan.md",)
# found by their names and links, and in the way of guides where words are searched for
NOT_SEARCHED = re.compile(
    r"(promises|contributing|benchmarks|decisions/.*|examples/(cluster|serving))\.md"
)
FENCE = re.compile(r"(^```.*?^```$)", re.M | re.S)
NAME = re.compile(r"(?<!\[)(`(jkeras(?:\.\w+)+)`)|\[(`\w+`)\]\[(jkeras[\w.]+)\]")
FILE = re.compile(rf"\]\((?:\.\./)+examples/({'|'.join(folders.FOLDERS)})/([\w.-]+)\)")
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
LINKS = {
    "Keras": "https://keras.io",
    "JAX": "https://docs.jax.dev",
    "optax": "https://optax.readthedocs.io",
    "orbax": "https://orbax.readthedocs.io",
}
REPOSITORY = re.search(r'^REPOSITORY = "(.*)"', (ROOT / "colab" / "make.py").read_text(), re.M)[1]


def main():
    """Writes all pages into a folder of their own and has the site built out of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=ROOT / "build" / "site")
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    source = ROOT / "build" / "pages"
    shutil.rmtree(source, ignore_errors=True)
    write_pages(source)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run([*command, "-f", source / "mkdocs.yml"], check=False)
    if done.returncode:
        sys.exit("The site has faults; see above.")
    shutil.rmtree(given.folder, ignore_errors=True)
    shutil.move(source / "site", given.folder)
    print(f"{sum(1 for _ in given.folder.rglob('*.html'))} pages in {given.folder}")
    if given.serve:
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=given.folder)
        http.server.ThreadingHTTPServer(("localhost", 8000), handler).serve_forever()


def write_pages(to):
    """Writes the settings and, into docs/ beside them, all pages."""
    reference = Reference(jkeras)
    examples = programs.pages(ROOT / "examples") | folders.pages(ROOT / "examples")
    ignored = shutil.ignore_patterns("site", *NO_PAGES, "*.py")
    shutil.copytree(ROOT / "docs", to / "docs", ignore=ignored)
    made = {f"reference/{path}": text for path, text in reference.texts.items()} | examples
    made |= {path: moved((ROOT / name).read_text()) for name, path in OUTSIDE.items()}
    for path, text in made.items():
        (to / "docs" / path).parent.mkdir(parents=True, exist_ok=True)
        (to / "docs" / path).write_text(text)
    for path in (to / "docs").rglob("*.md"):
        name = path.relative_to(to / "docs").as_posix()
        head = "---\nsearch: {exclude: true}\n---\n\n" * bool(NOT_SEARCHED.fullmatch(name))
        path.write_text(head + linked(path.read_text(), name, reference))
    settings = (HERE / "mkdocs.yml").read_text() + site_settings(examples, reference)
    (to / "mkdocs.yml").write_text(settings)
    check(to / "docs", settings)


def moved(markdown):
    """A page of the repository's root as one of docs/."""
    for name, to in OUTSIDE.items():
        markdown = markdown.replace(f"]({name}", f"]({to}")
    return markdown.replace("](docs/", "](")


def site_settings(examples, reference):
    """What the settings say of the pages that are made, and the foot of each page, as YAML."""
    feet = " · ".join(f'<a href="{address}">{name}</a>' for name, address in LINKS.items())
    papers = [page for page in examples if page.startswith("notebooks/")]
    others = [page for page in examples if page not in (*papers, programs.GALLERY)]
    gallery = [programs.GALLERY, {"Papers, as notebooks": papers}, *others]
    menu = [{"Gallery": gallery}, {"Reference": below("reference", reference.nav)}]
    lines = [f"  - {json.dumps(part, ensure_ascii=False)}" for part in menu]
    lines.append(f"copyright: {json.dumps(f'jkeras {jkeras.__version__} · {feet}')}")
    if "__OWNER__" not in REPOSITORY:
        lines.append(f"repo_url: https://github.com/{REPOSITORY}")
    return "\n".join(lines) + "\n"


def below(folder, nav):
    """A part of the navigation with its paths in a folder."""
    if isinstance(nav, list):
        return [below(folder, part) for part in nav]
    if isinstance(nav, dict):
        return {key: below(folder, value) for key, value in nav.items()}
    return f"{folder}/{nav}"


def check(folder, settings):
    """Ends the build at what Zensical passes over: a page in no menu, a picture that is missing."""
    faults = []
    for page in sorted(folder.rglob("*.md")):
        name = page.relative_to(folder).as_posix()
        if name not in settings:
            faults.append(f"{name} is in no menu of docs/site/mkdocs.yml")
        for picture in PICTURE.findall("".join(FENCE.split(page.read_text())[::2])):
            if not (page.parent / picture).exists():
                faults.append(f"{name}: there is no picture {picture}")
    if faults:
        sys.exit("\n".join(faults))


def linked(markdown, path, reference):
    """A page with links to files outside of docs/, and from names to where they are explained."""
    here = posixpath.dirname(path)
    for name, to in OUTSIDE.items():
        markdown = markdown.replace(
            f"]({posixpath.relpath(name, posixpath.join('docs', here))}",
            f"]({posixpath.relpath(to, here or '.')}",
        )
    examples = posixpath.relpath("examples", here or ".")
    markdown = FILE.sub(
        lambda found: f"]({examples}/{found[1]}.md#{folders.anchor(found[2])})", markdown
    )
    parts = FENCE.split(markdown)
    parts[::2] = [
        "\n".join(
            line
            if line.startswith("#")
            else NAME.sub(lambda found: link(found, here, reference.places), line)
            for line in part.split("\n")
        )
        for part in parts[::2]
    ]
    return "".join(parts)


def link(found, here, places):
    """A link for a public name, or for [text][name]; the text itself for another."""
    place = places.get(found[2] or found[4])
    if not place:
        return found[0]
    path = posixpath.relpath(f"reference/{place[0]}", here or ".")
    return f"[{found[1] or found[3]}]({path}#{place[1]})"


if __name__ == "__main__":
    main()
