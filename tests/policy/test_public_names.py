"""No public name leaves, and none changes its arguments, without a deprecation before."""

import pathlib
import re

import pytest

from tests.policy import public_names

ROOT = pathlib.Path(__file__).parents[2]
VERSION = re.compile(r"^## \[(.+?)\]", re.M)


def split(words):
    """({name: default or None} of what may be given by place, the same of what is given by name,
    which of `*` and `**` it takes any number of).
    """
    placed, named, marks = {}, {}, set()
    for word in words.split():
        name, is_given, default = word.lstrip("*").partition("=")
        stars = word[: len(word) - len(word.lstrip("*"))]
        if not stars:
            (named if None in named else placed)[name] = default if is_given else None
        elif name:
            marks.add(stars)
        if stars == "*":
            named[None] = None  # what follows is given by name
    named.pop(None, None)
    return placed, named, marks


def breaks(before, now):
    """Why a call that was right may no longer be; None: it is."""
    if before is None:
        return None
    if now is None:
        return "it can no longer be called"
    (placed, named, marks), (placed_now, named_now, marks_now) = split(before), split(now)
    if not marks <= marks_now:
        return f"it no longer takes {sorted(marks - marks_now)}"
    if list(placed) != list(placed_now)[: len(placed)]:
        return "arguments have another place, or are gone"
    known, by_name = placed | named, placed_now | named_now
    for name, default in known.items():
        if name not in by_name:
            return f"{name} is gone"
        if default is not None and by_name[name] != default:
            return f"{name} had the default {default or 'it has'}, and now {by_name[name]}"
    needed = sorted(name for name in by_name.keys() - known if by_name[name] is None)
    return f"{needed} have no default" if needed else None


def said(changelog, heading):
    """[(version, the names in backticks under a heading), …], the newest version first."""
    found = []
    for part in re.split(r"^(?=## \[)", changelog, flags=re.M)[1:]:
        _, _, under = part.partition(f"\n### {heading}\n")
        names = re.findall(r"`(jkeras[\w.]*)`", under.partition("\n### ")[0])
        found.append((VERSION.match(part)[1], set(names)))
    return found


def removed_rightly(changelog):
    """Names that a version removed, or changed, and that an earlier one deprecated."""
    removed, deprecated = said(changelog, "Removed"), said(changelog, "Deprecated")
    return {
        name
        for at, (_, names) in enumerate(removed)
        for name in names
        if any(name in others for _, others in deprecated[at + 1 :])
    }


def changed(before, now, changelog):
    """{name: why} of what changed against the policy."""
    rightly = removed_rightly(changelog)
    found = {}
    for name, arguments in before.items():
        why = breaks(arguments, now[name]) if name in now else "it is gone"
        if why and name not in rightly:
            found[name] = why
    return found


@pytest.mark.promise("A public name, or an argument of one, leaves only after")
def test_no_public_name_changes_without_a_deprecation():
    before = public_names.recorded()
    assert len(before) > 2500
    now = {name: public_names.arguments(value) for name, value in public_names.public()}
    changelog = (ROOT / "CHANGELOG.md").read_text()
    found = changed(before, now, changelog)
    assert not found, f"deprecate first, as docs/policy.md says: {found}"


@pytest.mark.parametrize(
    "now",
    ["", "x", "x y", "y x=1", "x=1 y", "x y=2", "x y=1 z", "x * y=1 z", "x y= **others", None],
)
def test_what_breaks_a_call(now):
    """Of `f(x, y=1)`; the last but one takes an argument of any default for 1."""
    assert breaks("x y=1", now)


@pytest.mark.parametrize("now", ["x y=1", "x y=1 z=2", "x y=1 * z=2", "x=0 y=1", "x y=1 **more"])
def test_what_breaks_none(now):
    assert not breaks("x y=1", now)


def test_what_is_given_by_name():
    assert not breaks("x * a=1 b=2", "x * b=2 a=1 c=3")
    assert not breaks("x * a=1", "x a=1"), "it may be given by place, too"
    assert "takes" in breaks("x **kwargs", "x")
    assert "takes" in breaks("*args", "x=1")


def test_a_deprecation_comes_before_a_removal():
    newer = "## [2.1.0]\n### Removed\n* `jkeras.a`, `jkeras.b`\n"
    changelog = f"{newer}## [2.0.0]\n### Deprecated\n* `jkeras.a`\n"
    before, now = {"jkeras.a": "x", "jkeras.b": "x", "jkeras.c": "x"}, {"jkeras.c": "x"}
    assert changed(before, now, changelog) == {"jkeras.b": "it is gone"}
    both = "## [2.1.0]\n### Deprecated\n* `jkeras.a`\n### Removed\n* `jkeras.a`\n"
    assert "jkeras.a" in changed(before, now, both), "in one version is none before the other"
