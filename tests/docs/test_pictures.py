"""The gallery, and the pictures that pages show: each is there, small, shown and in words."""

import importlib
import pathlib
import re
import types

import pytest

ROOT = pathlib.Path(__file__).parents[2]
DOCS, ASSETS = ROOT / "docs", ROOT / "docs" / "assets"
SHOWN = re.compile(r"!\[([^\]]*)\]\(assets/(\w+)/(\w+)\.png\)")
TILE = re.compile(
    r"^\* (?:\[!\[(?P<alt>[^\]]+)\]\(\.\./assets/(?P<picture>[\w/]+)\.png\)\]"
    r"\(\.\./(?P<to>[\w/]+)\.md\)\n  )?\[[^\]]+\]\(\.\./(?P<page>[\w/]+)\.md\)\n"
    r"  \d+ (?:s|minutes), (?:easy|middle|advanced)$",
    re.M,
)
LARGEST = 40_000  # bytes


@pytest.fixture(scope="module")
def site():
    """Modules of docs/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS / "site"))
        patch.syspath_prepend(str(DOCS))
        names = ("programs", "reached")
        yield types.SimpleNamespace(**{name: importlib.import_module(name) for name in names})


def test_the_gallery_begins_with_the_notebooks_and_leads_to_all(site):
    pages = site.programs.pages(ROOT / "examples")
    gallery = pages.pop(site.programs.GALLERY)
    tiles = list(TILE.finditer(gallery))
    assert [f"{tile['page']}.md" for tile in tiles] == list(pages)
    assert len(tiles) == gallery.count("\n* ")
    first = tiles[: len(site.programs.NOTEBOOKS)]
    assert [tile["page"] for tile in first] == [f"notebooks/{n}" for n in site.programs.NOTEBOOKS]
    assert all(tile["picture"] == tile["page"] == tile["to"] for tile in first)
    drawn = {tile["picture"] for tile in tiles} - {None}
    kept = {f"{f.parent.name}/{f.stem}" for f in ASSETS.glob("[en]*/*.png")}
    assert drawn == kept


def test_levels_are_of_programs_that_there_are(site):
    names = [*site.programs.EASY.split(), *site.programs.ADVANCED.split()]
    assert len(names) == len(set(names))
    for name in names:
        path = (
            f"colab/sources/{name.removeprefix('notebooks/')}"
            if "/" in name
            else f"examples/{name}"
        )
        assert (ROOT / f"{path}.py").exists(), name
    assert site.programs.level("examples/vae") == site.programs.level("notebooks/vae") == "middle"
    assert site.programs.level("examples/maml") == "advanced"
    assert site.programs.level("notebooks/double_descent") == "easy"


def test_a_page_of_a_notebook_says_what_was_published(site):
    assert set(site.reached.NOTEBOOKS) == set(site.programs.NOTEBOOKS)
    page = site.programs.pages(ROOT / "examples")["notebooks/maml.md"]
    assert page.startswith("# MAML: ") and "# %%" not in page
    assert "**Published**: 1.13 ± 0.18 and 0.77 ± 0.11." in page
    assert "`colab/maml.ipynb`" in page and "```python\nSTEPS = 15_000\n```" in page


def test_every_picture_is_there_in_words_and_shown():
    shown = set()
    for page in DOCS.glob("*.md"):
        for alternative, folder, name in SHOWN.findall(page.read_text()):
            assert len(alternative.split()) > 3, (page.name, name)
            shown.add(f"{folder}/{name}")
    kept = {f"{f.parent.name}/{f.stem}" for f in ASSETS.glob("[pr]*/*.png")}
    assert shown == kept


def test_pictures_are_small():
    large = {f.name: f.stat().st_size for f in ASSETS.rglob("*.png")}
    assert {name: size for name, size in large.items() if size > LARGEST} == {}


def test_the_script_draws_the_pictures_of_pages(site):
    pytest.importorskip("matplotlib")
    drawn = importlib.import_module("page_pictures").DRAWN
    for name in drawn:
        page, caption = DOCS / f"{name.partition('_')[0]}.md", rf"/{name}\.png\)\n\n\*[^*\n]+\.\*\n"
        assert re.search(caption, page.read_text()), f"{name} has no caption on {page.name}"
    assert set(drawn) == {path.stem for path in (ASSETS / "pages").glob("*.png")}


def test_parts_of_a_page_come_in_order(site):
    pytest.importorskip("matplotlib")
    parts = importlib.import_module("page_pictures").parts
    text = "```python\nx = 1\n```\n\n![of x](assets/pages/a.png)\n\n  ```python\n  y = 2\n  ```\n"
    assert list(parts(text)) == [("x = 1\n", None), (None, "a"), ("y = 2\n", None)]
