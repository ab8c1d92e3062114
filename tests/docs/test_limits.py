"""Limits that pages say in numbers are those of the code."""

import inspect
import pathlib

import pytest

import jkeras
from jkeras import search
from jkeras.callbacks import remote
from jkeras.core.system import checkout
from jkeras.core import errors
from jkeras.distribution import launch
from jkeras.explain import running
from jkeras.models import functional
from jkeras.ops import attention_flash
from jkeras.saving import allowance, safe_json, safe_zip
from jkeras.training.data import chunk_feed
from jkeras.training.data import array_source
from jkeras.utils import archives, download, pack_sequences

DOCS = pathlib.Path(jkeras.__file__).parents[1] / "docs"
KIB, MIB = 2**10, 2**20


def default(function, name):
    return inspect.signature(function).parameters[name].default


@pytest.mark.parametrize(
    "page, in_code, said",
    [
        pytest.param(
            "saving",
            (allowance.TIMES, allowance.FREE),
            (4, MIB),
            marks=pytest.mark.promise("at most four times its own bytes, and one megabyte"),
        ),
        pytest.param(
            "saving",
            (allowance.RATIO, allowance.FREE_INFLATED),
            (200, 16 * MIB),
            marks=pytest.mark.promise(
                "at most two hundred times the file's bytes, and sixteen megabytes"
            ),
        ),
        pytest.param(
            "saving",
            (safe_json.LONGEST, safe_json.DEEPEST),
            (64 * MIB, 500),
            marks=pytest.mark.promise("at most 64 MiB and 500 levels"),
        ),
        pytest.param(
            "saving",
            (functional.MOST_CALLS,),
            (100_000,),
            marks=pytest.mark.promise("at most 100,000 calls of layers"),
        ),
        pytest.param(
            "saving",
            (safe_zip.RATIO, safe_zip.FREE),
            (100, 16 * MIB),
            marks=pytest.mark.promise(
                "inflates to at most a hundred times its bytes, and sixteen megabytes"
            ),
        ),
        pytest.param(
            "saving",
            (archives.RATIO, archives.FREE),
            (100, 64 * MIB),
            marks=pytest.mark.promise("comes to at most a hundred times its bytes, and 64 MiB"),
        ),
        pytest.param(
            "saving",
            (archives.BYTES_EACH, archives.FREE_ENTRIES),
            (16, 10_000),
            marks=pytest.mark.promise("one file or folder for sixteen of its bytes, and 10,000"),
        ),
        pytest.param(
            "saving",
            (archives.DEEPEST,),
            (100,),
            marks=pytest.mark.promise("at most a hundred folders lie in one another"),
        ),
        pytest.param(
            "saving",
            (archives.LONGEST_HEADER,),
            (MIB,),
            marks=pytest.mark.promise("Names and headers have at most one megabyte"),
        ),
        pytest.param(
            "saving",
            (download.GRACE, download.SLOWEST),
            (30, KIB),
            marks=pytest.mark.promise(
                "within half a minute, and send a kilobyte of the file in each second"
            ),
        ),
        pytest.param(
            "saving",
            (download.BESIDE,),
            (MIB,),
            marks=pytest.mark.promise("at most a megabyte of anything else"),
        ),
        pytest.param(
            "saving",
            (download.LONGEST,),
            (12 * 3600,),
            marks=pytest.mark.promise("twelve hours are the most"),
        ),
        pytest.param(
            "saving",
            (remote.LAST,),
            (5,),
            marks=pytest.mark.promise("the end of a training waits five seconds for it"),
        ),
        pytest.param(
            "saving",
            (errors.LONGEST_MESSAGE,),
            (2000,),
            marks=pytest.mark.promise("A message shows at most 2,000 characters"),
        ),
        pytest.param(
            "data-reference",
            (array_source.ON_DEVICE_LIMIT,),
            (256 * MIB,),
            marks=pytest.mark.promise("it takes more than 256 MiB"),
        ),
        pytest.param(
            "data-reference",
            (array_source.ON_DEVICE_LIMIT,),
            (256 * MIB,),
            marks=pytest.mark.promise("on the device, up to 256 MiB"),
        ),
        pytest.param(
            "data-reference",
            (chunk_feed.BYTES,),
            (16 * MIB,),
            marks=pytest.mark.promise("as many batches as take 16 MiB are read at once"),
        ),
        pytest.param(
            "cluster",
            (launch.Job(["x"]).grace,),
            (20,),
            marks=pytest.mark.promise("until what still runs is killed (20)"),
        ),
        pytest.param(
            "cluster",
            (launch.Job(["x"]).retries,),
            (0,),
            marks=pytest.mark.promise("how often all are started again (0)"),
        ),
        pytest.param(
            "cluster",
            (launch.Job(["x"]).grace, launch.FIRST_DELAY),
            (20, 1),
            marks=pytest.mark.promise(
                "killed 20 seconds later, and all are started again, after 1, 2, 4, … seconds"
            ),
        ),
        pytest.param(
            "preprocessing",
            (default(pack_sequences, "window"),),
            (16,),
            marks=pytest.mark.promise("in the first of `window=16` open rows that has room"),
        ),
        pytest.param(
            "explain",
            (running.BATCH_SIZE,),
            (32,),
            marks=pytest.mark.promise("and `batch_size` (32) is how many rows the model sees"),
        ),
        pytest.param(
            "search",
            (default(search.optuna, "batch"),),
            (16,),
            marks=pytest.mark.promise("it is asked for sixteen trials at a time"),
        ),
        pytest.param(
            "reproducing",
            (checkout.SECONDS,),
            (5,),
            marks=pytest.mark.promise("the bytes are compared, 5 seconds long at most"),
        ),
        pytest.param(
            "scaling",
            (attention_flash.SHORTEST,),
            (512,),
            marks=pytest.mark.promise("from 512 positions on; what is seen follows"),
        ),
    ],
)
def test_a_limit_is_that_of_the_page(request, page, in_code, said):
    [part] = request.node.get_closest_marker("promise").args
    assert part in " ".join((DOCS / f"{page}.md").read_text().split())
    assert in_code == said
