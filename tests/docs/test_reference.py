"""The API reference of docs/site: every public name is there, as it is at run time."""

import doctest
import importlib
import inspect
import pathlib
import types

import pytest

import jkeras

SITE = pathlib.Path(jkeras.__file__).parents[1] / "docs" / "site"


@pytest.fixture(scope="module")
def site():
    """The modules of docs/site that need no Zensical."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SITE))
        names = ("arguments", "docstrings", "folders", "programs", "reference")
        yield types.SimpleNamespace(**{name: importlib.import_module(name) for name in names})


@pytest.fixture(scope="module")
def made(site):
    return site.reference.Reference(jkeras)


def package(**things):
    """A package with these things as its public names."""
    module = types.ModuleType("package", "A package.")
    module.__all__ = sorted(things)
    for name, thing in things.items():
        thing.__module__ = "package.inner"
        setattr(module, name, thing)
    return module


@pytest.mark.parametrize("name", ["arguments", "docstrings", "reference"])
def test_examples(site, name):
    done = doctest.testmod(getattr(site, name))
    assert done.attempted and not done.failed


def test_every_public_name_leads_to_its_explanation(made):
    names = [
        f"{path}.{name}"
        for path, module in [
            ("jkeras.layers", jkeras.layers),
            ("jkeras.ops.nn", jkeras.ops.nn),
            ("jkeras", jkeras),
            ("jkeras.metrics", jkeras.metrics),
        ]
        for name in module.__all__
        if not isinstance(getattr(module, name), types.ModuleType)
    ]
    assert len(names) > 250
    for name in names:
        path, anchor = made.places[name]
        assert f"{{ #{anchor} }}" in made.texts[path], name


def test_aliases_are_explained_once(made):
    path, anchor = made.places["jkeras.metrics.mean_squared_error"]
    assert (path, anchor) == made.places["jkeras.losses.mean_squared_error"]
    assert (path, anchor) == ("jkeras.losses.md", "jkeras.losses.mean_squared_error")
    assert sum("#jkeras.losses.mean_squared_error }" in text for text in made.texts.values()) == 1


def test_a_layer_shows_the_arguments_of_its_fields_and_its_own_methods(made):
    dense = made.texts["jkeras.layers/core.md"]
    assert "jkeras.layers.Dense(\n    units, activation=None, use_bias=True" in dense
    assert "### `enable_lora`" in dense
    assert "### `get_weights`" not in dense  # which every layer has
    assert "### `get_weights`" in made.texts["jkeras.md"].partition("## `Layer`")[2]


def test_every_argument_of_every_layer_is_explained(site):
    missing = {}
    for name in jkeras.layers.__all__:
        cls = getattr(jkeras.layers, name)
        if inspect.isclass(cls):
            texts = site.arguments.described(cls)
            silent = [argument for argument, text in texts.items() if not text]
            if silent:
                missing[name] = silent
    assert missing == {}


def test_what_layers_share_is_said_where_it_is_needed(made):
    lstm = made.texts["jkeras.layers/recurrent.md"].partition("## `LSTM`")[2].partition("\n## ")[0]
    for argument in ("units", "return_sequences", "recurrent_initializer", "dropout"):
        assert f"* `{argument}`: " in lstm, argument
    assert "layer.apply(params, state, inputs" in lstm


def test_layers_are_in_the_groups_that_users_think_in(made):
    pages = {path.rpartition("/")[2] for path in made.texts if path.startswith("jkeras.layers/")}
    assert {"core.md", "convolution.md", "pooling.md", "recurrent.md", "attention.md"} <= pages
    assert not [page for page in pages if page.startswith(("image_c", "dense", "recurrent_cells"))]


def test_internal_names_are_not_explained(made):
    text = made.texts["jkeras.md"].partition("## `Layer`")[2]
    assert "### `init`" in text and "### `run_on`" not in text


def test_pages_and_navigation_agree(made):
    def paths(nav):
        if isinstance(nav, str):
            return [nav]
        return [
            path
            for part in (nav.values() if isinstance(nav, dict) else nav)
            for path in paths(part)
        ]

    assert sorted(paths(made.nav)) == sorted(made.texts)


def test_a_name_without_a_docstring_is_an_error(site):
    def good():
        """Is documented."""

    def bad():
        pass

    assert "Is documented" in site.reference.Reference(package(good=good)).texts["package.md"]
    with pytest.raises(ValueError, match="1 public names without a docstring: package.bad"):
        site.reference.Reference(package(good=good, bad=bad))


def test_signatures(site):
    assert (
        site.reference.signature("f", lambda x, /, y, *args, z=1, **more: 0)
        == "f(x, /, y, *args, z=1, **more)"
    )
    long = site.reference.signature("f", inspect.unwrap(jkeras.layers.LSTM))
    assert max(map(len, long.splitlines())) <= site.reference.WIDE
    assert "*, zero_output_for_mask=False" in " ".join(long.split())


def test_docstrings(site):
    text = """What it is: |x| of *all*.

    More, with `code_of` it.
    Raises:
        ValueError: if it is
            wrong. TypeError: else.
        KeyError: never.

    Returns:
        A number.

    >>> f(
    ...     1)
    2

    Last."""
    assert site.docstrings.markdown(inspect.cleandoc(text)).split("\n\n") == [
        r"What it is: \|x\| of \*all\*.",
        "More, with `code_of` it.",
        "**Raises**",
        "* `ValueError`: if it is wrong. TypeError: else.\n* `KeyError`: never.",
        "**Returns**",
        "A number.",
        "```pycon\n>>> f(\n...     1)\n2\n```",
        "Last.",
    ]


def test_every_example_has_a_title_and_what_it_reaches(site):
    folder = SITE.parents[1] / "examples"
    pages = site.programs.pages(folder)
    of_examples = set(pages) - {
        site.programs.GALLERY,
        *map("notebooks/{}.md".format, site.programs.NOTEBOOKS),
    }
    assert len(of_examples) == len(list(folder.glob("*.py"))) == len(site.programs.TITLES)
    assert pages["examples/vae.md"].startswith("# Variational autoencoder\n")
    reached = (SITE.parent / "assets" / "examples" / "vae.txt").read_text().split()[-1]
    assert f"{reached} nats for an unseen image" in pages["examples/vae.md"]


def test_a_folder_of_examples_is_a_page_with_its_files(site):
    folder = SITE.parents[1] / "examples"
    pages = site.folders.pages(folder)
    assert set(pages) == {"examples/cluster.md", "examples/serving.md"}
    page = pages["examples/cluster.md"]
    assert "\n## jobset-gpu.yaml\n\n```yaml\n" in page
    for path in (folder / "cluster").glob("*.*"):
        assert path.read_text().rstrip() in page
    assert site.folders.anchor("jobset-gpu.yaml") == "jobset-gpuyaml"
