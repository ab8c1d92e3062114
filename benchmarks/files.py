"""Files beside the libraries they go through: time for the same bytes, and memory to load them.

    python -m benchmarks.files [--layers 50] [--rounds 10] [--folder /tmp]

Each format is written and read in turns with plain h5py, safetensors, numpy and orbax, which then
wait until the bytes are on the disk, and hand over what they read to JAX, as we do. A `.keras` file
is HDF5 in a zip archive, which h5py alone does not write: its target is h5py with zipfile, in the
quickest of their ways, and h5py alone is shown beside it. Orbax is given JAX's arrays, of which it
makes fewer copies than of numpy's. Both write new files, and both keep what they read before until
they have all of the new. Before each reading, memory that was freed goes back to the system: a
program loads a file once, and finds none that is its own already. Memory is the largest of a
process of its own that loads the file, over what it took before.
"""

import argparse
import contextlib
import ctypes
import functools
import io
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

from benchmarks import others
from benchmarks.others import Experiment

WIDTH = 1000
FORMATS = {
    ".weights.h5": "h5py",
    ".keras": "h5py and zipfile",
    ".h5": "h5py",
    ".weights.json": "h5py",
    ".safetensors": "safetensors",
    ".npz": "numpy",
    "checkpoint": "orbax",
}
SHOWN = {".keras": "h5py"}  # what a format is compared with beside that
NAMES = {"numpy": "plain.npz", "h5py and zipfile": "plain.zip"}
MEMBER = "model.weights.h5"  # of a zip archive


def network(layers):
    """A model of a million parameters for each layer."""
    import jkeras

    return jkeras.Sequential(
        [jkeras.Input((WIDTH,))] + [jkeras.layers.Dense(WIDTH) for _ in range(layers)]
    )


def synced(path):
    """Waits until a file, or all in a folder, is on the disk."""
    for place in [path, *path.rglob("*")] if path.is_dir() else [path]:
        handle = os.open(place, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def remove_all(folder):
    """So that both write new files: one that is written over has its pages already."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def give_back():
    """Gives memory that was freed back to the system, where the C library can."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


class Plain:
    """What the libraries do for arrays by name."""

    def __init__(self, arrays, folder):
        self.arrays, self.folder = arrays, folder
        self.found = None  # what was read last

    @functools.cached_property
    def placed(self):
        """The arrays as JAX's."""
        import jax

        return jax.block_until_ready(jax.device_put(self.arrays))

    def write(self, library):
        """Writes all arrays; returns where."""
        path = self.folder / NAMES.get(library, f"plain.{library}")
        if library == "h5py":
            self._write_hdf5(path)
        elif library == "h5py and zipfile":
            inner = self.folder / MEMBER  # quicker than in memory
            self._write_hdf5(inner)
            with zipfile.ZipFile(path, "w") as archive:
                archive.write(inner, MEMBER)
            inner.unlink()
        elif library == "safetensors":
            from safetensors.numpy import save_file

            save_file(self.arrays, path)
        elif library == "numpy":
            np.savez(path, **self.arrays)
        else:
            import orbax.checkpoint as ocp

            ocp.Checkpointer(ocp.StandardCheckpointHandler()).save(
                path, args=ocp.args.StandardSave(self.placed)
            )
        synced(path)
        return path

    def _write_hdf5(self, target):
        import h5py

        with h5py.File(target, "w") as file:
            for name, value in self.arrays.items():
                file[name] = value

    def read(self, library, path):
        """Reads all arrays into JAX. What was read before stays until then, as in a model, which
        keeps its weights where a file is damaged.
        """
        self.found = self._read(library, path)
        return self.found

    def _read(self, library, path):
        import jax

        if library == "h5py":
            found = self._read_hdf5(path)
        elif library == "h5py and zipfile":
            with zipfile.ZipFile(path) as archive:  # quicker than through zipfile's file object
                found = self._read_hdf5(io.BytesIO(archive.read(MEMBER)))
        elif library == "safetensors":
            from safetensors.numpy import load_file

            found = load_file(path)
        elif library == "numpy":
            with np.load(path) as file:
                found = {name: file[name] for name in file.files}
        else:
            import orbax.checkpoint as ocp

            place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
            like = {
                name: jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=place)
                for name, value in self.arrays.items()
            }
            return ocp.Checkpointer(ocp.StandardCheckpointHandler()).restore(
                path, args=ocp.args.StandardRestore(like)
            )
        return jax.block_until_ready(jax.device_put(found))

    def _read_hdf5(self, source):
        import h5py

        with h5py.File(source) as file:
            return {name: file[name][()] for name in self.arrays}


class Ours:
    """What jkeras does."""

    def __init__(self, model, folder):
        self.model, self.folder = model, folder
        self.megabytes = 4 * model.count_params() // 10**6

    def write(self, form):
        """Writes the model; returns where."""
        from jkeras.saving import Checkpointer

        path = self.folder / ("checkpoint" if form == "checkpoint" else f"ours{form}")
        if form == "checkpoint":
            with Checkpointer(path, background=False) as checkpointer:
                checkpointer.save(self.model.params, step=1)
        elif form == ".weights.json":
            self.model.save_weights(path, max_shard_size=0.05)
        else:
            (self.model.save if form in (".keras", ".h5") else self.model.save_weights)(path)
        return path

    def read(self, form, path):
        """Reads the weights."""
        import jax

        from jkeras.saving import Checkpointer

        if form == "checkpoint":
            with Checkpointer(path) as checkpointer:
                return checkpointer.restore(self.model.params)
        self.model.load_weights(path)
        return jax.block_until_ready(self.model.params)


def pair(layers, folder):
    """(`Ours`, `Plain`) of the same arrays."""
    model = network(layers)
    arrays = {v.path.replace("/", "."): v.numpy() for v in model.weights}
    return Ours(model, folder), Plain(arrays, folder)


def measure(layers, rounds, folder):
    """(format, [(seconds, how many times the library's)] to write and to read), of all formats: the
    least seconds of the rounds, and the median of the ratios in each. Until the next format the
    files are there.
    """
    both = pair(layers, folder)
    for form, library in FORMATS.items():
        found = []
        for make in (writes, reads):
            one = make(*both, form)
            times = others.measure(one.forms, rounds, one.before)
            mine, plain = (
                [each["wall_s"] for each in times[name]["rounds"]] for name in ("jkeras", library)
            )
            ratios = [ours / theirs for ours, theirs in zip(mine, plain)]
            found.append((min(mine), statistics.median(ratios)))
        yield form, found


def _libraries(form):
    """What a format is compared with, its target first."""
    return [FORMATS[form], *([SHOWN[form]] if form in SHOWN else [])]


def writes(ours, plain, form):
    """The ways to write."""
    forms = {name: functools.partial(plain.write, name) for name in _libraries(form)}
    forms["jkeras"] = lambda: ours.write(form)
    return Experiment(
        f"save {form}",
        f"save {ours.megabytes} MB as `{form}`",
        forms,
        before=lambda: remove_all(ours.folder),
    )


def reads(ours, plain, form):
    """The ways to read, of files that are written now."""
    remove_all(ours.folder)
    paths = {name: plain.write(name) for name in _libraries(form)}
    own = ours.write(form)
    forms = {name: functools.partial(plain.read, name, path) for name, path in paths.items()}
    forms["jkeras"] = lambda: ours.read(form, own)
    return Experiment(
        f"load {form}", f"load {ours.megabytes} MB as `{form}`", forms, before=give_back
    )


def experiments(quick):
    """Each format beside the library it goes through, for `benchmarks.others`."""
    layers = 1 if quick else 50
    with tempfile.TemporaryDirectory() as folder:
        both = pair(layers, pathlib.Path(folder))
        for form in FORMATS:
            for make in (writes, reads):
                yield make(*both, form)


def memory(form, path, layers):
    """The largest memory of a process that loads a file, over what it took before, in bytes."""
    code = (
        "import re, benchmarks.files as f, jkeras\nstatus = lambda: "
        "open('/proc/self/status').read()\npeak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', "
        f"status())[1]) * 1024\nform, path = {form!r}, {str(path)!r}\n"
        "jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)]).get_weights()\nimport "
        "h5py\nbefore = peak()\nif form in ('.keras', '.h5'):\n    model = "
        f"jkeras.saving.load_model(path)\nelse:\n    model = f.network({layers}); "
        "model.load_weights(path)\nprint(peak() - before)\n"
    )
    return int(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
    )


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--folder", default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        folder = pathlib.Path(folder)
        size = 4 * chosen.layers * (WIDTH**2 + WIDTH)
        print(f"{size / 4e6:.0f} million parameters, {size / 1e6:.0f} MB")
        print("| format | write s | of plain | read s | of plain | memory to load / size |")
        print("|---|---:|---:|---:|---:|---:|")
        for form, ((w, of_w), (r, of_r)) in measure(chosen.layers, chosen.rounds, folder):
            taken = (
                ""
                if form == "checkpoint"
                else f"{memory(form, folder / f'ours{form}', chosen.layers) / size:.2f}"
            )
            print(
                f"| `{form}` | {w:.2f} | {of_w:.2f} x {FORMATS[form]} | {r:.2f} | {of_r:.2f} "
                f"| {taken} |"
            )


if __name__ == "__main__":
    main()
