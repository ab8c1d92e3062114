"""Loading takes time and memory that the size of a file bounds, whatever the file says.

What would take minutes is stopped after seconds of processor time: far more than a bounded reading
takes on any machine.
"""

import contextlib
import io
import json
import signal
import struct
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.models import functional
from jkeras.saving import hdf5, hdf5_texts, safe_json
from jkeras.saving.allowance import FREE, FREE_INFLATED, RATIO, TIMES
from tests.thinning import some_slow

SECONDS = 20


@contextlib.contextmanager
def bounded():
    """Within it the process may use `SECONDS` of processor time."""

    def stop(number, frame):
        raise TimeoutError(f"more than {SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# ---------------------------------------------------------------- JSON


@pytest.mark.promise("JSON has at most 64 MiB and 500 levels")
def test_one_key_twice_after_many():
    keys = ",".join(f'"{i}":0' for i in range(200_000))
    with bounded(), pytest.raises(SerializationError, match="comes twice"):
        safe_json.loads(f'{{{keys},"199999":1}}', "it")


@pytest.mark.parametrize(
    "text", ["[" * 10_000 + "]" * 10_000, '{"a":1,"a":2}', "9" * 5000, "{"], ids=lambda t: t[:6]
)
def test_models_from_a_text_that_is_no_model(text):
    with pytest.raises(SerializationError, match="the JSON text"):
        jkeras.models.model_from_json(text)


def test_a_long_key_is_cut_in_the_message():
    key = "k" * 100_000
    with pytest.raises(SerializationError) as error:
        safe_json.loads(f'{{"{key}":1,"{key}":2}}', "it")
    assert len(str(error.value)) < 1000


# ---------------------------------------------------------------- graphs


def chain(count):
    """The config of a model with so many layers one after the other."""
    x = y = jkeras.Input((3,))
    for _ in range(count):
        y = jkeras.layers.Activation("tanh")(y)
    return jkeras.Model(x, y).get_config()


@pytest.mark.parametrize("turn", [list, reversed], ids=["in order", "backwards"])
def test_each_input_of_a_graph_is_looked_for_twice_at_most(turn, monkeypatch):
    config, looked_for = chain(100), []
    config["layers"] = list(turn(config["layers"]))
    find = functional._tensor
    monkeypatch.setattr(functional, "_tensor", lambda *a: looked_for.append(1) or find(*a))
    model = jkeras.Model.from_config(config)
    assert len(model.layers) == 101 and len(looked_for) < 400
    x = np.ones((1, 3), "float32")
    expected = x
    for _ in range(100):
        expected = np.tanh(expected)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4)


def test_many_calls_that_wait_for_the_calls_of_one_layer(monkeypatch):
    """Each is looked at when the call that it waits for was made, not at every call."""
    x = jkeras.Input((3,))
    shared, y, ends = jkeras.layers.Activation("tanh", name="shared"), x, []
    for _ in range(40):
        y = shared(y)
    for _ in range(40):
        ends.append(jkeras.layers.Activation("relu")(y))
    config = jkeras.Model(x, ends).get_config()
    config["layers"].sort(key=lambda entry: entry["name"] == "shared")
    looked_for, find = [], functional._tensor
    monkeypatch.setattr(functional, "_tensor", lambda *a: looked_for.append(1) or find(*a))
    assert len(jkeras.Model.from_config(config).outputs) == 40
    assert len(looked_for) < 6 * 80


def nested(depth, wrap=lambda model: model):
    """The config of models in models, each of which calls the one in it twice."""
    x = jkeras.Input((3,))
    model = jkeras.Model(x, jkeras.layers.Activation("tanh")(x))
    config = model.get_config()
    for level in range(depth):
        x = jkeras.Input((3,), name="x")
        inner = wrap(jkeras.Model(x, jkeras.layers.Activation("tanh")(x), name="inner"))
        outer = jkeras.Model(x, inner(inner(x)), name=f"level_{level}").get_config()
        (place,) = [entry for entry in outer["layers"] if entry["name"] == inner.name]
        target = place if inner.name == "inner" else place["config"]["layers"][-1]
        target["config"] = config
        config = outer
    return config


def test_a_layer_that_knows_the_one_it_is_in():
    class Outer(jkeras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = jkeras.layers.Dense(2)
            self.inner.outer = self

        def call(self, x):
            return self.inner(x)

    x = jkeras.Input((3,))
    assert jkeras.Model(x, Outer()(x)).output_shape == (None, 2)


def in_sequence(model):
    return jkeras.Sequential([jkeras.Input((3,)), model], name="sequence")


@pytest.mark.promise("Models in models lead to at most 100,000 calls of layers")
@pytest.mark.parametrize("wrap", [lambda m: m, in_sequence], ids=["graph", "sequence"])
def test_models_in_models_that_are_each_called_twice(wrap):
    few = jkeras.Model.from_config(nested(3, wrap))
    np.testing.assert_allclose(few.predict(np.zeros((1, 3)), verbose=0), 0)
    with bounded(), pytest.raises(SerializationError, match="more than 100000 calls"):
        jkeras.Model.from_config(nested(60, wrap))


def entry(name, module, class_name, config, args):
    """One entry of a graph's config."""
    return {
        "module": module,
        "class_name": class_name,
        "config": {"name": name, **config},
        "registered_name": class_name,
        "name": name,
        "inbound_nodes": [{"args": args, "kwargs": {}}],
    }


ALONE = [
    entry("ones", "keras.src.ops.numpy", "Ones", {"shape": [36000, 36000]}, []),
    entry("full", "keras.src.ops.numpy", "Full", {"shape": [10**5, 10**5]}, [1.0]),
    entry("arange", "keras.src.ops.numpy", "Arange", {}, [1.3e9]),
    entry("eye", "keras.src.ops.numpy", "Eye", {}, [10**5]),
    entry("dense", "keras.layers", "Dense", {"units": 10**5}, [[[0.0] * 8]]),
    entry("relu", "keras.layers", "ReLU", {}, [[1.0, 2.0]]),
]


@pytest.mark.promise("nothing is computed while it is read")
@pytest.mark.parametrize("call", ALONE, ids=lambda call: call["name"])
def test_a_call_without_a_tensor_of_the_graph_is_not_run(call):
    config = chain(1)
    config["layers"].append(call)
    with bounded(), pytest.raises(SerializationError):
        jkeras.Model.from_config(config)


@pytest.mark.promise("The graph of a model has layers and operations only")
@pytest.mark.parametrize(
    "thing",
    [jkeras.optimizers.Adam(), jkeras.regularizers.L2(), jkeras.losses.MeanSquaredError()],
    ids=lambda thing: type(thing).__name__,
)
def test_entries_of_a_graph_are_layers_or_operations(thing):
    config = chain(1)
    other = jkeras.saving.serialize_keras_object(thing)
    config["layers"].append({**other, "name": "other", "inbound_nodes": []})
    with pytest.raises(SerializationError, match="where layers and operations stand"):
        jkeras.Model.from_config(config)


# ---------------------------------------------------------------- regular expressions

ENDLESS = (
    "(a+)+b",
    "(a|aa)+b",
    "(aa?)+b",
    "(a|a)*b",
    "a?" * 40 + "a" * 40,
    ".*.*.*.*.*b",
    r"(a*)\1*b",
)


def policies(pattern):
    policy = jkeras.dtype_policies.DTypePolicyMap("float32", {pattern: "bfloat16"})
    return jkeras.dtype_policies.serialize(policy)


def muon(pattern):
    return jkeras.optimizers.serialize(jkeras.optimizers.Muon(exclude_layers=[pattern]))


def several_optimizers(pattern):
    adam = jkeras.optimizers.Adam()
    chosen = jkeras.optimizers.OptimizerMap(adam, {pattern: jkeras.optimizers.SGD()})
    return jkeras.optimizers.serialize(jkeras.optimizers.MultiOptimizer(chosen))


@pytest.mark.promise("Numbers that become lists")
@pytest.mark.parametrize("write", [policies, muon, several_optimizers], ids=lambda f: f.__name__)
@pytest.mark.parametrize("pattern", ENDLESS)
def test_expressions_of_a_file_that_may_take_for_ever(write, pattern):
    config = write(pattern)
    with bounded(), pytest.raises(SerializationError, match="regular expression"):
        jkeras.saving.deserialize_keras_object(config)


@pytest.mark.parametrize("write", [policies, muon, several_optimizers], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "pattern", ["dense", "encoder/.*", ".*attention.*kernel", r"(layers/)?dense(_\d+)?", "[ab]+|c"]
)
def test_expressions_of_a_file_that_people_write(write, pattern):
    config = write(pattern)
    made = jkeras.saving.deserialize_keras_object(config)
    assert jkeras.saving.serialize_keras_object(made) == config


def test_too_many_expressions():
    config = policies("dense")
    config["config"]["policy_map"] = {f"{i}.*": "bfloat16" for i in range(2000)}
    with pytest.raises(SerializationError, match="2000 regular expressions"):
        jkeras.saving.deserialize_keras_object(config)


# ---------------------------------------------------------------- numbers that become tables

HUGE = 10**9
SMALL = [
    (jkeras.metrics.AUC(), "num_thresholds"),
    (jkeras.metrics.AUC(multi_label=True, num_labels=2), "num_labels"),
    (jkeras.metrics.PrecisionAtRecall(0.5), "num_thresholds"),
    (jkeras.metrics.MeanIoU(2), "num_classes"),
    (jkeras.layers.StringLookup(), "num_oov_indices"),
    (jkeras.layers.TextVectorization(output_mode="count"), "max_tokens"),
    (jkeras.layers.RandAugment(), "num_ops"),
    (jkeras.layers.AugMix(), "chain_depth"),
    (jkeras.layers.AugMix(), "num_chains"),
    (jkeras.layers.MelSpectrogram(), "fft_length"),
    (jkeras.layers.MelSpectrogram(), "num_mel_bins"),
    (jkeras.layers.STFTSpectrogram(), "frame_length"),
    (jkeras.optimizers.Muon(), "ns_steps"),
]


@pytest.mark.promise("Loading a file takes time")
@pytest.mark.promise("Numbers that become lists")
@pytest.mark.parametrize(
    "thing, key", SMALL, ids=[f"{type(thing).__name__}-{key}" for thing, key in SMALL]
)
def test_a_number_that_becomes_a_table(thing, key):
    config = jkeras.saving.serialize_keras_object(thing)
    assert type(jkeras.saving.deserialize_keras_object(config)) is type(thing)
    config["config"][key] = HUGE
    with bounded(), pytest.raises(SerializationError, match=f"has {key}={HUGE}; at most"):
        jkeras.saving.deserialize_keras_object(config)


def test_two_numbers_that_are_multiplied():
    config = jkeras.saving.serialize_keras_object(jkeras.metrics.AUC(multi_label=True))
    config["config"] |= {"num_thresholds": 90_000, "num_labels": 90_000}
    with bounded(), pytest.raises(SerializationError, match="num_thresholds times num_labels"):
        jkeras.saving.deserialize_keras_object(config)


@pytest.mark.parametrize("place", ["args", "kwargs"])
@pytest.mark.parametrize(
    "function, name, key",
    [(jkeras.ops.unstack, "Unstack", "num"), (jkeras.ops.split, "Split", "indices_or_sections")],
)
def test_calls_with_millions_of_outputs(function, name, key, place):
    x = jkeras.Input((8,))
    outputs = function(x, 8, axis=1)
    config = jkeras.Model(x, outputs[0]).get_config()
    (call,) = [entry for entry in config["layers"] if entry["class_name"] == name]
    config["layers"][0]["config"]["batch_shape"] = [None, 10**7]
    (node,) = call["inbound_nodes"]
    call["config"].pop(key, None)
    node["args"], node["kwargs"] = node["args"][:1], {"axis": 1}
    if place == "args":
        node["args"].append(10**7)
    else:
        node["kwargs"][key] = 10**7
    with bounded(), pytest.raises(SerializationError, match="at most"):
        jkeras.Model.from_config(config)


@pytest.mark.promise("Neither holds for what")
def test_numbers_of_ones_own_have_no_limit():
    auc = jkeras.metrics.AUC(num_thresholds=200_000)
    assert jkeras.metrics.AUC.from_config(auc.get_config()).num_thresholds == 200_000
    config = jkeras.saving.serialize_keras_object(auc)
    read = jkeras.saving.deserialize_keras_object(config, safe_mode=False)
    assert read.num_thresholds == 200_000


# ---------------------------------------------------------------- HDF5


def object_with_texts(references, heaps, count):
    """An HDF5 file with one object, whose attribute "names" has texts at these places.

    Args:
        references: function of the address behind the object to (length, address, number)s.
        heaps: the bytes behind the object.
        count: of the texts.
    """
    name, kind = b"names\0\0\0", struct.pack("<BBHI", 0x19, 1, 0, 16)
    kind += struct.pack("<BBHIHH", 0x13, 0, 0, 1, 0, 8)[:8]
    space = struct.pack("<BBBxxxxxQ", 1, 1, 0, count)
    behind = 64 + 24 + 8 + 8 + len(kind) + 16 + 16 * count
    data = b"".join(struct.pack("<IQI", *reference) for reference in references(behind))
    message = struct.pack("<BxHHH", 1, 6, len(kind), len(space)) + name + kind + space + data
    header = struct.pack("<BxHII4x", 1, 1, 1, len(message) + 8)
    header += struct.pack("<HHBxxx", hdf5_texts.ATTRIBUTE, len(message), 0) + message
    content = (hdf5_texts.SIGNATURE.ljust(64, b"\0") + header).ljust(behind, b"\0")
    return io.BytesIO(content + heaps)


def heap(texts):
    """A heap with these texts, numbered from 1."""
    kept = b"".join(
        struct.pack("<HHxxxxQ", number, 1, len(text)) + text.ljust(-(-len(text) // 8) * 8, b"\0")
        for number, text in enumerate(texts, 1)
    )
    return struct.pack("<4sBxxxQ", b"GCOL", 1, 16 + len(kept)) + kept


def test_texts_on_a_heap_are_found():
    kept = heap([b"one", b"three"])
    file = object_with_texts(lambda at: [(5, at, 2), (3, at, 1)], kept, 2)
    assert hdf5_texts.texts(file, 64, "names") == [b"three", b"one"]


def test_many_texts_at_the_end_of_one_heap():
    """Each used to be looked for from the heap's beginning."""
    last = 60_000
    kept = heap([b"x"] * last)
    file = object_with_texts(lambda at: [(1, at, last)] * 3000, kept, 3000)
    with bounded():
        assert hdf5_texts.texts(file, 64, "names") == [b"x"] * 3000


def test_heaps_that_lie_over_each_other():
    """Each says that it goes on to the end of the file."""
    endless = struct.pack("<4sBxxxQ", b"GCOL", 1, 2**40)
    kept = (endless + heap([b"x"])[16:]) * 3000
    kept = kept.ljust(2**22, b"\0")
    file = object_with_texts(lambda at: [(1, at + 40 * i, 1) for i in range(3000)], kept, 3000)
    with bounded(), pytest.raises(SerializationError, match="more than its own"):
        hdf5_texts.texts(file, 64, "names")


@pytest.mark.parametrize("size", [2**16 + 1, 30_000_000, 10**15])
def test_an_op_with_as_many_outputs_as_its_input_has_rows(size, tmp_path):
    x = jkeras.Input((4, 3))
    model = jkeras.Model(x, jkeras.ops.unstack(x, axis=1)[0])
    assert jkeras.Model.from_config(model.get_config()).output_shape == (None, 3)
    text = model.to_json()
    assert text.count("4, 3]") >= 1
    with bounded(), pytest.raises(SerializationError, match="at most 65536 .*safe_mode=False"):
        jkeras.models.model_from_json(text.replace("4, 3]", f"{size}, 3]"))


@pytest.mark.parametrize("rows, windows", [(30_000_000, 3), (9, 30_000_000), (10**15, 2)])
def test_windows_over_a_long_axis(rows, windows):
    x = jkeras.Input((9, 3))
    text = jkeras.Model(x, jkeras.ops.adaptive_max_pool(x, 5)).to_json()
    text = text.replace("9, 3]", f"{rows}, 3]").replace(
        '"output_size": 5', f'"output_size": {windows}'
    )
    with bounded(), pytest.raises(SerializationError, match="places in its windows; at most"):
        jkeras.models.model_from_json(text)


@pytest.mark.promise("Loading a file takes time")
@pytest.mark.parametrize("name, cuts", [("split", 10**6), ("split", list(range(2**16 + 1)))])
def test_many_parts(name, cuts):
    x = jkeras.Input((4, 3))
    text = jkeras.Model(x, getattr(jkeras.ops, name)(x, 2, axis=1)[0]).to_json()
    text = text.replace('"indices_or_sections": 2', f'"indices_or_sections": {cuts}')
    with bounded(), pytest.raises(SerializationError, match="at most 65536"):
        jkeras.models.model_from_json(text)


def test_many_differences():
    x = jkeras.Input((4, 3))
    text = jkeras.Model(x, jkeras.ops.diff(x, n=2, axis=1)).to_json()
    with bounded(), pytest.raises(SerializationError, match="at most 1000"):
        jkeras.models.model_from_json(text.replace('"n": 2', '"n": 1001'))


@pytest.mark.parametrize("size", [[1001, 1], [1, 10**8], [2, -(10**8)]])
def test_many_tiles(size):
    layer = jkeras.layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))
    config = jkeras.saving.serialize_keras_object(layer)
    config["config"]["tile_grid_size"] = size
    with bounded(), pytest.raises(SerializationError, match="at most 1000"):
        jkeras.saving.deserialize_keras_object(config)


@pytest.mark.promise("Neither holds for what")
def test_ones_own_code_has_no_limit():
    x = jkeras.KerasTensor((2**16 + 1, 2))
    assert len(jkeras.ops.unstack(x)) == 2**16 + 1


def dense_layers(count, units):
    return jkeras.Sequential(
        [jkeras.Input((units,)), *(jkeras.layers.Dense(units) for _ in range(count))]
    )


def squeezed(path, model, shape):
    """Writes a model's weights, and then one compressed array of zeros under all their names."""
    model.save_weights(path)
    with h5py.File(path) as old, h5py.File(path.with_suffix(".small"), "w") as new:
        zeros = new.create_dataset("zeros", shape, "float32", compression="gzip", fillvalue=0)
        zeros[...] = 0
        for name, group in old["layers"].items():
            if len(group["vars"]):
                new[f"layers/{name}/vars/0"] = zeros
        new.create_group("vars")
    path.with_suffix(".small").rename(path)


@pytest.mark.promise("at most two hundred times the file's bytes")
@pytest.mark.parametrize(
    "how", some_slow(["load_weights", "skip_mismatch", "editor"], "load_weights", "editor")
)
def test_one_compressed_array_under_many_names(tmp_path, how, monkeypatch):
    layers, units = 60, 512
    options = dict(use_bias=False, kernel_initializer="zeros")
    dense = [jkeras.layers.Dense(units, **options) for _ in range(layers)]
    model = jkeras.Sequential([jkeras.Input((units,)), *dense])
    path = tmp_path / "m.weights.h5"
    squeezed(path, model, (units, units))
    size, made, aligned = path.stat().st_size, [], hdf5.aligned

    def counted(*args, **kwargs):
        made.append(aligned(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(hdf5, "aligned", counted)
    assert layers * 4 * units**2 > (FREE_INFLATED + RATIO * size)
    words = pytest.raises(SerializationError, match="compressed beyond what weights are.*h5repack")
    if how == "skip_mismatch":  # then what is too much is as what does not fit
        words = pytest.warns(UserWarning, match="compressed beyond")
    with words:
        if how == "editor":
            jkeras.saving.KerasFileEditor(path)
        else:
            model.load_weights(path, skip_mismatch=how == "skip_mismatch")
    assert sum(array.nbytes for array in made) <= FREE_INFLATED + RATIO * size


def test_compressed_weights_are_read(tmp_path):
    """Those that somebody has compressed by HDF5's own tools."""
    model = dense_layers(20, 64)
    values = [np.round(w, 1) for w in model.get_weights()]
    model.set_weights(values)
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)

    def squeeze(name, item):
        if isinstance(item, h5py.Dataset):
            new.create_dataset(name, data=item[()], compression="gzip", shuffle=True)
            new[name].attrs.update(item.attrs)
        else:
            new.require_group(name).attrs.update(item.attrs)

    with h5py.File(path) as old, h5py.File(tmp_path / "small.weights.h5", "w") as new:
        old.visititems(squeeze)
    model.set_weights([0 * w for w in values])
    model.load_weights(tmp_path / "small.weights.h5")
    for one, other in zip(values, model.get_weights()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.promise("Of an HDF5 file at most four times its own bytes")
def test_one_array_under_many_names(tmp_path):
    count, units = 80, 256
    model = dense_layers(count, units)
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)
    assert path.stat().st_size * TIMES + FREE > count * 4 * units**2  # an honest one passes
    model.load_weights(path)
    with h5py.File(path, "r+") as file:
        groups = [group for group in file["layers"].values() if len(group["vars"])]
        first = groups[0]["vars"]["0"]
        del first.attrs[hdf5.CHECKSUM]
        for group in groups[1:]:
            del group["vars"]["0"]
            group["vars"]["0"] = first
    with h5py.File(path) as old, h5py.File(tmp_path / "small.weights.h5", "w") as new:
        for key in old:
            old.copy(key, new)
    small = tmp_path / "small.weights.h5"
    assert small.stat().st_size < 4 * 4 * units**2
    before = model.get_weights()
    with pytest.raises(SerializationError, match="more than its own"):
        model.load_weights(small)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_file_of_shards_named_many_times(tmp_path):
    model = dense_layers(1, 2)
    path = tmp_path / "m.weights.json"
    model.save_weights(path, max_shard_size=1e-6)
    content = json.loads(path.read_text())
    for place, names in content["weight_map"].items():
        names = [names] if isinstance(names, str) else names
        content["weight_map"][place] = names * 200_000
    path.write_text(json.dumps(content))
    with bounded():
        model.load_weights(path)


def test_a_shard_that_is_a_link(tmp_path):
    """It could be any file of the reader's."""
    model = dense_layers(1, 2)
    path, elsewhere = tmp_path / "m.weights.json", tmp_path / "elsewhere.h5"
    model.save_weights(path, max_shard_size=1)
    (shard,) = tmp_path.glob("*.weights.h5")
    shard.rename(elsewhere)
    shard.symlink_to(elsewhere)
    with pytest.raises(SerializationError, match="is a symbolic link, which is not followed"):
        model.load_weights(path)


# ---------------------------------------------------------------- messages


@pytest.mark.promise("A message shows at most 2,000 characters")
def test_what_a_file_says_is_cut_and_harmless_in_messages(tmp_path):
    path = tmp_path / "m.keras"
    jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(2)]).save(path)
    name = "\x1b[31m" + "x" * 100_000
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["class_name"] = name
    members["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(SerializationError) as error:
        jkeras.models.load_model(path)
    assert len(str(error.value)) < 3000 and "\x1b" not in str(error.value)


# ---------------------------------------------------------------- vocabularies


def with_vocabulary(path, content):
    """Writes a model whose archive has some text for its vocabulary."""
    lookup = jkeras.layers.StringLookup()
    lookup.adapt(["a", "b"])
    jkeras.Sequential([jkeras.Input((), dtype="string"), lookup]).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, kept in members.items():
            is_vocabulary = name.endswith("vocabulary.txt")
            method = zipfile.ZIP_DEFLATED if is_vocabulary else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name), content if is_vocabulary else kept, method)


@pytest.mark.promise("An asset of a layer inflates to at most a hundred times its bytes")
@pytest.mark.slow
@pytest.mark.parametrize("line", [b"", b"a"], ids=["empty", "short"])
def test_a_vocabulary_of_many_equal_lines(line, tmp_path):
    """Sixteen megabytes of them, in as many kilobytes, take a few times their own size."""
    path = tmp_path / "m.keras"
    with_vocabulary(path, b"[UNK]\n" + (line + b"\n") * (8 * 2**20) + b"x")
    tracemalloc.start()
    try:
        with pytest.raises(SerializationError, match="at least one repeated term"):
            jkeras.models.load_model(path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 12 * 16 * 2**20


@pytest.mark.parametrize("text", ["[UNK]\na\n\nb", "[UNK]\na\nb\n\n\n", "[UNK]\n\na"])
def test_honest_vocabularies_with_empty_lines(text, tmp_path):
    path = tmp_path / "m.keras"
    with_vocabulary(path, text.encode())
    found = jkeras.models.load_model(path).layers[-1].get_vocabulary()
    assert found == text.rstrip("\n").split("\n")
