"""Texts of files as tokens: each text once, the same order from any state, parts for processes."""

import gzip
import json

import numpy as np
import pytest

from jkeras.saving import Checkpointer
from jkeras.utils import TextLines, pack_sequences
from tests.utils.test_pack_sequences import LENGTH, Stop, equal, language_model

LINES = [f"{'b' * (i % 7)}{'c' * (i // 7 % 5)}{i % 10}" for i in range(600)]
SPLITS = [slice(0, 20), slice(20, 320), slice(320, 600)]


def letters(text):
    """A tokenizer of bytes."""
    return list(text.encode())


def texts_of(data):
    return [bytes(tokens.tolist()).decode() for tokens in data]


@pytest.fixture
def folder(tmp_path):
    """Three files, one of them packed."""
    for number, lines in enumerate(SPLITS):
        text = "".join(f"{line}\n" for line in LINES[lines]).encode()
        (tmp_path / f"{number}.txt").write_bytes(text)
    (tmp_path / "1.txt.gz").write_bytes(gzip.compress((tmp_path / "1.txt").read_bytes()))
    (tmp_path / "1.txt").unlink()
    return tmp_path


# ---------------------------------------------------------------- texts


def test_each_line_once_and_in_order(folder):
    assert texts_of(TextLines(folder / "*.txt*", letters)) == LINES


def test_a_list_of_files_and_patterns(folder):
    data = TextLines([folder / "2.txt", str(folder / "[01].txt*"), folder / "2.txt"], letters)
    assert texts_of(data) == LINES[320:] + LINES[:320]


@pytest.mark.promise("(lines up to an empty one)")
@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("line", ["\u00fcber", "\u65e5\u672c \u8a9e", "a\rb", "last"]),
        ("paragraph", ["\u00fcber\n\u65e5\u672c \u8a9e", "a\rb\nlast"]),
        ("file", ["\u00fcber\n\u65e5\u672c \u8a9e\n\n \n\na\rb\nlast"]),
    ],
)
def test_ends_of_lines_and_unicode(tmp_path, by, expected):
    text = "\ufeff\u00fcber\r\n\u65e5\u672c \u8a9e\r\n\r\n \r\n\na\rb\nlast"
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "blank.txt").write_bytes(b"\r\n \n")
    assert texts_of(TextLines(tmp_path / "*.txt", letters, by=by)) == expected


def test_the_end_of_a_text(folder):
    data = TextLines(folder / "0.txt", letters, end=10)
    assert texts_of(data) == [f"{line}\n" for line in LINES[:20]]


def test_texts_without_tokens_are_passed_over(folder):
    data = TextLines(folder / "0.txt", lambda text: letters(text) if "b" in text else [], end=10)
    assert texts_of(data) == [f"{line}\n" for line in LINES[:20] if "b" in line]


@pytest.mark.promise("a missing file, bytes that")
def test_bytes_that_are_no_unicode(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"good\nna\xefve\n")
    with pytest.raises(ValueError, match=r"latin.txt is no UTF-8: the text at byte 5 .*xef"):
        list(TextLines(path, letters))
    assert texts_of(TextLines(path, letters, errors="replace")) == ["good", "na\ufffdve"]


@pytest.mark.parametrize("damage", [lambda text: text[:-20], lambda text: b"no gzip"])
def test_a_damaged_file(folder, damage):
    path = folder / "1.txt.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError, match=r"1.txt.gz cannot be unpacked: .*Write it again"):
        list(TextLines(path, letters))


@pytest.mark.promise("a missing file, bytes that")
@pytest.mark.parametrize(
    ("files", "options", "error", "words"),
    [
        ("none*.txt", {}, FileNotFoundError, "none"),
        ([], {}, FileNotFoundError, "empty list"),
        ("0.txt", {"by": "word"}, ValueError, "by"),
        ("0.txt", {"shuffle": 0}, ValueError, "`shuffle`"),
        ("0.txt", {"tokenizer": 3}, TypeError, "Expected a tokenizer.*int"),
    ],
)
def test_errors(folder, monkeypatch, files, options, error, words):
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=words):
        TextLines(files, **{"tokenizer": letters} | options)


# ---------------------------------------------------------------- order


@pytest.mark.promise("order | by names of files")
def test_shuffled_anew_each_epoch(folder):
    data = TextLines(folder / "*.txt*", letters, shuffle=50, seed=1)
    orders = []
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        orders.append(texts_of(data))
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(LINES) and orders[0] != LINES


@pytest.mark.promise("With several processes")
@pytest.mark.parametrize("shuffle", [None, 50, 1000])
def test_parts_are_the_whole(folder, shuffle):
    data = TextLines(folder / "*.txt*", letters, shuffle=shuffle)
    parts = [texts_of(data.shard(7, index)) for index in range(7)]
    whole = texts_of(data)
    assert [whole[index::7] for index in range(7)] == parts
    assert texts_of(data.shard(2, 1).shard(3, 2)) == whole[1::2][2::3]
    with pytest.raises(ValueError, match="from 0 to 6 of 7. Received: index=7"):
        data.shard(7, 7)


@pytest.mark.promise("Parts have different numbers")
def test_without_an_end(folder):
    data = iter(TextLines(folder / "0.txt", letters, shuffle=8, repeat=True))
    passes = [texts_of(next(data) for _ in range(20)) for _ in range(3)]
    assert passes[0] != passes[1] != passes[2]
    assert [sorted(texts) for texts in passes] == [sorted(LINES[:20])] * 3
    assert list(TextLines(folder / "0.txt", lambda text: [], repeat=True)) == []


# ---------------------------------------------------------------- going on


OPTIONS = {
    "in order": {},
    "shuffled": {"shuffle": 70, "seed": 2},
    "paragraphs": {"by": "paragraph"},
    "endless": {"shuffle": 90, "repeat": True},
}


@pytest.mark.promise("a checkpoint | has the")
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_from_any_state(folder, options):
    """At random places, through JSON, into an iterator of another object."""
    (folder / "p.txt").write_text("\n\n".join(LINES[:300]))
    files = folder / ("p.txt" if "by" in options else "[012]*")

    def batches():
        data = TextLines(files, letters, **options).shard(2, 1)
        return iter(pack_sequences(data, 16, batch_size=4, window=3))

    count = 60 if "repeat" in options else 1000
    whole = [batch for batch, _ in zip(batches(), range(count))]
    for taken in np.random.default_rng(0).integers(0, len(whole), 12):
        first, second = batches(), batches()
        for _ in range(taken):
            next(first)
        next(second)
        second.set_state(json.loads(json.dumps(first.get_state())))
        equal([batch for batch, _ in zip(second, whole[taken:])], whole[taken:])
        if "repeat" not in options:
            assert next(second, None) is None


@pytest.mark.promise("other files, seed or length")
@pytest.mark.parametrize(
    ("options", "words"),
    [({"seed": 1}, "seed 0.*seed 1|seed 1.*seed 0"), ({"by": "file"}, "by line")],
)
def test_a_state_of_another_order(folder, options, words):
    state = iter(TextLines(folder / "0.txt", letters)).get_state()
    with pytest.raises(ValueError, match=words):
        iter(TextLines(folder / "0.txt", letters, **options)).set_state(state)


@pytest.mark.promise("other files, seed or length")
def test_a_state_of_other_files(folder):
    state = iter(TextLines(folder / "0.txt", letters)).get_state()
    (folder / "0.txt").write_bytes(b"other")
    with pytest.raises(ValueError, match="state is of 1 files from 0.txt"):
        iter(TextLines(folder / "0.txt", letters)).set_state(state)


@pytest.mark.promise("`jkeras.utils.TextLines` reads files through")
@pytest.mark.promise("a checkpoint | has the")
def test_a_training_goes_on(folder, tmp_path):
    """The same weights, and only the texts around the place are tokenized again."""
    seen = []

    def tokenizer(text):
        seen.append(text)
        return [1 + "bc0123456789".index(letter) % 10 for letter in text]

    def fit(*callbacks, folder_of_run=None):
        seen.clear()
        data = pack_sequences(
            TextLines(folder / "[012]*", tokenizer, shuffle=100), LENGTH, batch_size=8, window=4
        )
        model = language_model()
        checkpoint = folder_of_run and Checkpointer(folder_of_run, every=1)
        model.fit(data, epochs=2, verbose=0, callbacks=list(callbacks), checkpoint=checkpoint)
        return model.get_weights()

    expected = fit()
    steps = model_steps(folder, tokenizer)
    with pytest.raises(KeyboardInterrupt):
        fit(Stop(2 * steps - 4), folder_of_run=tmp_path / "run")
    again = fit(folder_of_run=tmp_path / "run")
    for found, weight in zip(again, expected, strict=True):
        np.testing.assert_array_equal(found, weight)
    assert len(seen) < len(LINES) / 2


def model_steps(folder, tokenizer):
    """The batches of an epoch."""
    data = TextLines(folder / "[012]*", tokenizer, shuffle=100)
    return sum(1 for _ in pack_sequences(data, LENGTH, batch_size=8, window=4))


# ---------------------------------------------------------------- tokenizers


@pytest.mark.promise("Tokenizers are those of")
def test_tokenizers(folder):
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="?"))
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=40, special_tokens=["?"], show_progress=False
    )
    tokenizer.train_from_iterator(LINES, trainer)
    found = list(TextLines(folder / "[012]*", tokenizer))
    assert [tokens.tolist() for tokens in found] == [tokenizer.encode(line).ids for line in LINES]


@pytest.mark.promise("Tokenizers are those of")
def test_sentencepiece(folder, tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_prefix=str(tmp_path / "pieces"),
        vocab_size=24,
        model_type="bpe",
        minloglevel=2,
    )
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "pieces.model"))
    found = list(TextLines(folder / "[012]*", tokenizer))
    assert [tokens.tolist() for tokens in found] == [tokenizer.encode(line) for line in LINES]
