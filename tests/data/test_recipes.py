"""The recipes of docs/data-at-rate.md for libraries that need not be there: they give each row, and
a training that was cut goes on with the rows that it would have seen.
"""

import gc
import io
import itertools
import tarfile

import numpy as np
import pytest

import jkeras
from benchmarks.pages import programs

# WebDataset leaves the tar open that it is in
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

GROUPS, ROWS, BATCH = 3, 10, 4  # of a group or a tar; the last batch of each is smaller
X = np.arange(GROUPS * ROWS * 4, dtype="float32").reshape(-1, 4)
Y = np.arange(GROUPS * ROWS, dtype="int64")


@pytest.fixture(autouse=True)
def iterators_end_with_their_test():
    yield
    gc.collect()


def defined(name, **names):
    """The names after the block with a class of this name."""
    (text,) = [text for text in programs("data-at-rate") if f"class {name}" in text]
    names |= {"np": np, "jkeras": jkeras}
    exec(text, names)
    return names


def parquet(folder):
    pyarrow = pytest.importorskip("pyarrow")
    names = defined("Parquet")
    column = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(X.ravel()), 4)
    table = pyarrow.table({"x": column, "y": Y})
    pyarrow.parquet.write_table(table, folder / "rows.parquet", row_group_size=ROWS)
    return lambda **options: names["Parquet"](folder / "rows.parquet", BATCH, **options)


def shards(folder):
    pytest.importorskip("webdataset")
    names = defined("Shards")
    paths = []
    for group in range(GROUPS):
        paths.append(str(folder / f"{group}.tar"))
        with tarfile.open(paths[-1], "w") as tar:
            for number in range(group * ROWS, (group + 1) * ROWS):
                row = io.BytesIO()
                np.save(row, X[number])
                for end, data in (("x.npy", row.getvalue()), ("cls", str(number).encode())):
                    member = tarfile.TarInfo(f"{number:06}.{end}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    return lambda: names["Shards"](paths, BATCH)


def grain(folder):
    pytest.importorskip("grain")
    x, y = np.tile(X, (8, 1)), np.tile(Y, 8)
    return lambda: defined("Batches", x=x, y=y)["data"]


RECIPES = {"parquet": parquet, "webdataset": shards, "grain": grain}


def taken(iterator, count):
    return [(np.asarray(x), np.asarray(y)) for x, y in itertools.islice(iterator, count)]


@pytest.mark.parametrize("kind", ["parquet", "webdataset"])
def test_a_pass_has_each_row_once_and_the_next_another_order(kind, tmp_path):
    iterator, orders = RECIPES[kind](tmp_path)(), []
    for _ in range(2):
        batches = taken(iterator, GROUPS * -(-ROWS // BATCH))
        y = np.concatenate([y for _, y in batches])
        np.testing.assert_array_equal(np.sort(y), Y)
        np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), X[y])
        orders.append(y.tolist())
    assert orders[0] != orders[1]


@pytest.mark.promise("This iterator opens the tar where it was")
@pytest.mark.parametrize("at", [0, 2, 3, 11])
@pytest.mark.parametrize("kind", ["parquet", "webdataset"])
def test_another_iterator_goes_on_where_a_state_was_taken(kind, at, tmp_path):
    make = RECIPES[kind](tmp_path)
    first, second = make(), make()
    taken(first, at)
    second.set_state(first.get_state())
    for (x, y), (other_x, other_y) in zip(taken(first, 8), taken(second, 8), strict=True):
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)


def test_processes_have_row_groups_of_their_own(tmp_path):
    make = parquet(tmp_path)
    seen = [
        np.concatenate([y for _, y in taken(make(processes=2, process=number), count)])
        for number, count in enumerate((6, 3))
    ]
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), Y)


@pytest.mark.promise("An iterator with `get_state` and `set_state` resumes in the middle of one")
@pytest.mark.promise("keeps Grain's state")
@pytest.mark.parametrize("kind", RECIPES)
def test_a_training_goes_on_in_the_middle_of_a_pass(kind, tmp_path):
    """Its weights are those of one that was not cut."""
    make = RECIPES[kind](tmp_path)

    def train(folder, *epochs):
        for count in epochs:
            jkeras.utils.set_random_seed(0)
            model = jkeras.Sequential([jkeras.Input((X.shape[1],)), jkeras.layers.Dense(1)])
            model.compile(jkeras.optimizers.SGD(1e-6), "mse")
            model.fit(make(), steps_per_epoch=4, epochs=count, checkpoint=folder, verbose=0)
        return model.get_weights()

    for one, other in zip(train(tmp_path / "cut", 2, 4), train(tmp_path / "straight", 4)):
        np.testing.assert_array_equal(one, other)


def test_a_tar_gives_its_rows_by_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (256, 8, 8, 3)).astype("uint8")
    model = jkeras.Sequential([jkeras.Input((64,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    names = defined("Tar", images=images, model=model)
    tar = names["Tar"]("rows.tar", 100)
    assert len(tar) == 3
    found = np.concatenate([tar[number][0] for number in range(3)])
    np.testing.assert_array_equal(found, images.reshape(256, -1)[:, :64] / 255)
