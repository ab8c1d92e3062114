"""The messages that docs/faq.md explains are those that jkeras gives."""

import pathlib
import re

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parent
OF_JAX = {"TracerBoolConversionError", "ConcretizationTypeError", "RESOURCE_EXHAUSTED"}


def spoken(text):
    """A program's text with strings that go on in the next line put together."""
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_messages_are_those_of_the_code():
    page = (ROOT.parent / "docs" / "faq.md").read_text()
    code = "\n".join(spoken(path.read_text()) for path in ROOT.rglob("*.py"))
    headings = re.findall(r"^### (.*`.*)$", page, re.M)
    assert len(headings) > 8
    pieces = {piece for heading in headings for piece in re.findall(r"`([^`]+)`", heading)}
    assert {piece for piece in pieces - OF_JAX if piece not in code} == set()
