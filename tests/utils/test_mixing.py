"""Data sets mixed by weight: how often each comes, where it ends, and any state of an iterator goes
on with what came next.
"""

import collections
import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from jkeras.utils import TextLines, mix, pack_sequences


def letters(letter, count):
    return [f"{letter}{i}" for i in range(count)]


def test_items_come_by_weight():
    mixed = mix([letters("a", 9000), letters("b", 9000), letters("c", 9000)], [6, 3, 0], seed=3)
    count = collections.Counter(item[0] for item in mixed)
    share = count["a"] / (count["a"] + count["b"])
    assert abs(share - 2 / 3) < 0.02 and "c" not in count
    assert max(count.values()) == 9000


def test_each_keeps_its_order_and_an_epoch_has_its_own_draws():
    mixed = mix([letters("a", 30), letters("b", 30)])
    first = list(mixed)
    assert first == list(mixed)
    of_a = [item for item in first if item[0] == "a"]
    assert of_a == letters("a", 30)[: len(of_a)]
    mixed.set_epoch(1)
    assert [item[0] for item in mixed] != [item[0] for item in first]


@pytest.mark.parametrize("shuffle", [False, True])
def test_all_are_seen_to_their_end(shuffle):
    mixed = mix(
        [letters("a", 5), letters("b", 50)],
        [0.5, 0.5],
        shuffle=shuffle,
        stopping_strategy="all_exhausted",
    )
    count = collections.Counter(mixed)
    assert set(count) == {*letters("a", 5), *letters("b", 50)}
    assert all(count[item] == 1 for item in letters("b", 50)) and count["a0"] > 3


def test_without_an_end():
    items = iter(mix([[1], [2]], stopping_strategy="never"))
    assert {next(items) for _ in range(100)} == {1, 2}


@hypothesis.given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    strategy=st.sampled_from(["first_exhausted", "all_exhausted"]),
    shuffle=st.booleans(),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 3),
    taken=st.integers(0, 30),
)
def test_a_state_goes_on(sizes, strategy, shuffle, seed, epoch, taken):
    """Through JSON; of generators too, which are passed over."""

    class Again:
        def __init__(self, items):
            self.items = items

        def __iter__(self):
            return iter(self.items)

    sets = [letters("abcd"[i], size) for i, size in enumerate(sizes)]
    sets[-1] = Again(sets[-1])

    def mixed():
        made = mix(sets, seed=seed, shuffle=shuffle, stopping_strategy=strategy)
        made.set_epoch(epoch)
        return made

    whole = list(mixed())
    items = iter(mixed())
    taken = min(taken, len(whole))
    assert [next(items) for _ in range(taken)] == whole[:taken]
    state = json.loads(json.dumps(items.get_state()))
    again = iter(mix(sets, seed=seed, shuffle=shuffle, stopping_strategy=strategy))
    again.set_state(state)
    assert list(again) == whole[taken:] == list(items)


def test_files_and_masks_in_packed_rows_go_on(tmp_path):
    """A mixture of a file and of pairs with masks, packed: the same rows from any state."""
    (tmp_path / "a.txt").write_text("\n".join("a" * (1 + i % 7) for i in range(60)))
    file = TextLines(tmp_path / "a.txt", lambda text: list(text.encode()), shuffle=8)
    rng = np.random.default_rng(0)
    pairs = [(rng.integers(0, 9, n), rng.integers(0, 2, n)) for n in rng.integers(1, 9, 60)]

    def data():
        mixed = mix([file, pairs], [1, 2], stopping_strategy="all_exhausted", shuffle=True)
        return pack_sequences(mixed, 16, batch_size=2, window=4)

    whole = [rows_of(batch) for batch in data()]
    for taken in (0, 1, len(whole) // 2, len(whole) - 1):
        batches = iter(data())
        for _ in range(taken):
            next(batches)
        state = json.loads(json.dumps(batches.get_state()))
        again = iter(data())
        again.set_state(state)
        assert [rows_of(batch) for batch in again] == whole[taken:]


def rows_of(batch):
    x, labels, weights = batch
    return [*(v.tolist() for v in x.values()), labels.tolist(), weights.tolist()]


@pytest.mark.promise("tokens whose mask is 0 are seen, and not learned")
def test_a_mask_by_hand():
    pairs = [([5, 6, 7, 8], [0, 0, 1, 1]), ([1, 2], [1, 0])]
    x, labels, weights = next(iter(pack_sequences(pairs, 8, batch_size=1, normalize=False)))
    assert x["tokens"].tolist() == [[5, 6, 7, 8, 1, 2, 0, 0]]
    assert labels.tolist() == [[6, 7, 8, 0, 2, 0, 0, 0]]
    # 6 is not learned; nor is 1, which has nothing before it, nor 2
    assert weights.tolist() == [[0, 1, 1, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: mix([]), "data sets"),
        (lambda: mix([[1]], [1, 2]), "a weight of 0 or more for each"),
        (lambda: mix([[1], [2]], [0, 0]), "not all of them 0"),
        (lambda: mix([[1], [2]], [1, float("nan")]), "weight"),
        (lambda: mix([[1]], stopping_strategy="last"), "first_exhausted"),
        (lambda: list(mix([[], []], stopping_strategy="all_exhausted")), "none in data set"),
        (lambda: list(mix([iter([1]), [2] * 9], stopping_strategy="never")), "begins again"),
        (lambda: next(iter(pack_sequences([([1, 2], [1])], 4))), "mask of a 0 or 1"),
        (lambda: next(iter(pack_sequences([([1, 2], [1, 2])], 4))), "mask of a 0 or 1"),
        (lambda: iter(mix([[1]], seed=1)).set_state(iter(mix([[1]])).get_state()), "seed 1"),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
