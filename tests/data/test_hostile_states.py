"""States of iterators in a checkpoint that somebody changed."""

import pytest

from jkeras.training.data.iterator_state import IteratorState, StateMisfit, put_back


class Counting:
    """An iterator with a state, as Grain's."""

    def __next__(self):
        return 0

    def __iter__(self):
        return self

    def get_state(self):
        return {"number": 1}

    def set_state(self, state):
        raise ValueError(f"not {state}")


@pytest.mark.parametrize(
    "text", ["[" * 100_000 + "]" * 100_000, '{"\\u001b[2J": 1}', '"\\u001b[2J"', '{"a": 1e999}']
)
def test_a_state_is_refused_in_words(text):
    name = type(Counting()).__name__
    with pytest.raises(StateMisfit, match="does not take it") as caught:
        put_back(Counting(), IteratorState(name, "json", text))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 3000
    with pytest.raises(StateMisfit) as caught:
        put_back(Counting(), IteratorState("\x1b[2J", "json", "{}"))
    assert str(caught.value).isprintable()
