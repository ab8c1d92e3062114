"""Texts piece by piece: whole letters alone, and never a part of what ends them."""

import numpy as np
import pytest

from jkeras.generation.serving.transcript import Transcript

LETTERS = ["a", "b", "ä", "€", "😀", "\x80"]  # of one to four bytes; the last is no letter


def decode(tokens):
    return bytes(tokens).decode("utf-8", "replace")


def pieces_of(content, stop=(), least=0, sizes=(1,)):
    """(pieces, how many bytes were needed)"""
    transcript, at, pieces = Transcript(decode, [], stop, least), 0, []
    while at < len(content):
        size = sizes[len(pieces) % len(sizes)]
        piece, needed = transcript.add(content[at : at + size])
        pieces.append(piece)
        if needed is not None:
            return pieces, at + needed
        at += size
    return [*pieces, transcript.finish()], len(content)


def random_bytes(rng):
    letters = rng.choice(LETTERS, rng.integers(1, 14))
    return b"".join(b"\x80" if x == "\x80" else x.encode() for x in letters)


def oracle(content, stops):
    """The text and the bytes that it takes: letter by letter to the first whole stop."""
    for count in range(1, len(content) + 1):
        text = decode(content[:count])
        places = [text.find(stop) for stop in stops if stop in text]
        if places:
            return text[: min(places)], count
    return decode(content), len(content)


@pytest.mark.promise("Stop texts never show")
@pytest.mark.parametrize("seed", range(60))
def test_as_the_whole_text(seed):
    rng = np.random.default_rng(seed)
    content = random_bytes(rng)
    stops = ["".join(rng.choice(["a", "b", "ä", "😀"], rng.integers(1, 4))) for _ in range(2)]
    for stop in ((), stops):
        pieces, needed = pieces_of(content, stop, sizes=rng.integers(1, 5, 4))
        assert ("".join(pieces), needed) == oracle(content, stop)


@pytest.mark.promise("Stop texts never show")
def test_no_half_letters_and_no_half_stops():
    pieces, _ = pieces_of("a😀b€".encode())
    assert [piece for piece in pieces if piece] == ["a", "😀", "b", "€"]
    pieces, needed = pieces_of(b"xENyEND of it", ["END"])
    assert pieces[:4] == ["x", "", "", "ENy"] and "".join(pieces) == "xENy" and needed == 7
    assert "".join(pieces_of(b"xEN", ["END"])[0]) == "xEN"  # the end came before the stop


def test_a_stop_that_comes_too_early_does_not_count():
    assert pieces_of(b"ab.cd.e", ["."], least=4) == (["a", "b", ".", "c", "d", ""], 6)


def test_a_first_space_is_of_the_new_tokens():
    words = {1: "the", 2: "sea", 3: "is"}
    join = lambda tokens: " ".join(words[token] for token in tokens)
    assert Transcript(join, [1]).add([2])[0] == " sea"
    assert Transcript(join, []).add([2])[0] == "sea"


def test_a_prompt_that_ends_within_a_letter():
    begin, end = "€".encode()[:1], "€".encode()[1:]
    transcript = Transcript(decode, list(begin))
    assert transcript.add(list(end) + [97])[0].endswith("a")
