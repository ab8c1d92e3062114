"""Many clients at the same time, and some that mean no good beside them."""

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from benchmarks import serving_load


@pytest.mark.slow
@pytest.mark.promise("slow, half-sent, oversized and hostile requests")
def test_no_text_is_lost_and_memory_does_not_grow():
    """1,000 requests of 64 clients, three times, each text compared with the one of its prompt
    alone.
    """
    with pytest.raises(SystemExit) as ended:
        serving_load.main()
    assert not ended.value.code
