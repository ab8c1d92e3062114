"""SleepECG tells the stages of sleep from the times of heartbeats.

Its three nets are Keras 3 files, whose layers are a masking of padded rows, batch normalization,
dense layers by time and two bidirectional GRUs; they are trained on 1,971 nights of MESA. The
nights on which its authors measured it are given out to applicants only, so that the accuracies
are not measured again. The record is what the package has itself: an ECG of five minutes, whose
heartbeats its own detector finds and whose features (of windows around each half minute) its own
code computes. Intervals that it takes for invalid are left out first, since its spectra fail where
no window is without one, and the rest is repeated twelve times, about an hour.
"""

import contextlib
import pathlib
import sys
import tempfile
import zipfile

import numpy as np

from benchmarks.records.record import Record, Row, exported, importable, largest_difference

PACKAGE = "sleepecg==0.6.0"
NETS = ("wrn-gru-mesa", "wrn-gru-mesa-weighted", "ws-gru-mesa")
REPEATED = 12
PADDED = 40  # rows in front of the night


def night(params):
    """A record, as the package has it.

    Args:
        params: of the features of a net; says which intervals are valid, in seconds.
    """
    import sleepecg

    ecg, rate = sleepecg.get_toy_ecg()
    intervals = np.diff(sleepecg.detect_heartbeats(ecg, rate)) / rate
    valid = (intervals >= params["min_rri"]) & (intervals <= params["max_rri"])
    times = np.cumsum(np.tile(intervals[valid], REPEATED))
    return sleepecg.SleepRecord(heartbeat_times=times)


def features(record, classifier) -> np.ndarray:
    """(1, half minutes, features), -1 for those that the record does not have."""
    import sleepecg

    given = classifier.feature_extraction_params
    x = sleepecg.extract_features([record], **given)[0][0].astype("float32")
    return np.where(np.isfinite(x), x, classifier.mask_value)[None]


def loaded(path: pathlib.Path):
    """jkeras's model of a classifier's file."""
    import jkeras

    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(path).extract("classifier.keras", folder)
        return jkeras.models.load_model(f"{folder}/classifier.keras")


def behind_rows(model, x, value) -> np.ndarray:
    """What a net says of a night that comes behind rows of a value."""
    rows = np.pad(x, ((0, 0), (PADDED, 0), (0, 0)), constant_values=value)
    return model.predict(rows, verbose=0)[:, PADDED:]


def staged(name: str) -> tuple:
    """(the net, x, its probabilities, the package's own with Keras, those behind masked rows and
    those behind zeros).
    """
    import sleepecg

    classifier = sleepecg.load_classifier(name, "SleepECG")
    record = night(classifier.feature_extraction_params)
    model, x = loaded(classifier.source_file), features(record, classifier)
    with contextlib.redirect_stdout(sys.stderr):  # Keras shows how far it is
        of_package = sleepecg.stage(classifier, record, return_mode="prob")
    behind = [behind_rows(model, x, value) for value in (classifier.mask_value, 0)]
    return model, x, model.predict(x, verbose=0), of_package[None], *behind


def measure() -> list[Row]:
    importable(PACKAGE)
    models, x, ours, theirs, behind_masked, behind_zeros = zip(*map(staged, NETS))
    stages = sum(len(one[0]) for one in ours)
    same = sum(np.sum(a.argmax(-1) == b.argmax(-1)) for a, b in zip(ours, theirs))
    of_zeros = min(map(largest_difference, ours, behind_zeros))
    return [
        Row(
            f"half minutes in the stage that the package says, with Keras, of {stages}",
            same,
            "75, 70 and 83 % right on SHHS, which is not public",
            least=stages,
        ),
        Row("largest difference from Keras", largest_difference(ours, theirs), most=2e-6),
        Row(
            f"largest difference that {PADDED} masked rows in front make",
            largest_difference(ours, behind_masked),
            most=2e-6,
        ),
        Row("least of those that rows of zeros make, which are not masked", of_zeros, least=0.05),
        *exported(models[-1], x[-1], most=1e-5),
    ]


RECORD = Record(
    group="nets",
    title="SleepECG: stages of sleep from heartbeats",
    about="Three Keras 3 nets of bidirectional GRUs stage an hour of heartbeats as they do in "
    "Keras, and as they do behind rows that are masked.",
    packages=(PACKAGE,),
    licence="BSD-3-Clause",
    source="SleepECG's documentation of its classifiers (accuracies); Hofer et al., JOSS 2023",
    measure=measure,
    needs=("keras", "scipy", "yaml", "requests", "tqdm", "jax2onnx", "onnxruntime"),
)
