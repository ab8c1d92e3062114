"""jkeras gives what Keras 3.16 gave where that is followed, and what the installed Keras 3.15 gives
where it is.
"""

import json

import keras
import numpy as np
import pytest

import jkeras
from tests.keras_316.programs import PROGRAMS, RECORDED, WRITTEN

KNOWN = json.loads(RECORDED.read_text())
# what Keras 3.15 cannot run, or runs wrong in a way that nobody wants: the same in both here
ONLY_316 = {
    "gptq_in_batches",
    "awq_without_clipping",
    "report_of_quantize",
    "quantization_summary",
    "policies",
    "class_weights_by_text",
    "class_weights_of_no_number",
    "one_weight_for_all_in_fbeta",
    "gradient_of_normalize_at_0",
    "normalize_along_the_first_axis",
    "top_k",
    "names",
    "graphs_take_no_other_arguments",
    "one_shard_of_data",
    "ternary",
    "names_of_stored_variables",
}
# of Keras 3.15.1 which calibrates on nothing, see `tests/parity/test_calibration.py`
CALIBRATED = {"gptq", "gptq_in_order_of_2_bits", "awq", "awq_with_a_rest"}
CASES = [name for name in PROGRAMS if name not in ONLY_316 | CALIBRATED]

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*support"),
    pytest.mark.filterwarnings("ignore:.*does not have a `quantize`"),
]


def same(found, expected, where=""):
    """Asserts that two structures are equal, numbers to rounding."""
    if isinstance(expected, dict):
        assert set(found) == set(expected), where
        for key, value in expected.items():
            same(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list) and any(isinstance(e, (list, dict, str)) for e in expected):
        assert len(found) == len(expected), where
        for i, (one, other) in enumerate(zip(found, expected)):
            same(one, other, f"{where}[{i}]")
    elif isinstance(expected, (list, float)) and expected != []:
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5, err_msg=where)
    else:
        assert found == expected, where


def as_json(value):
    """As it comes back from a file."""
    return json.loads(json.dumps(value))


@pytest.mark.promise("samples go through a block at once")
@pytest.mark.promise("which clips what AWQ rounds")
@pytest.mark.promise("one switch says which is followed")
@pytest.mark.promise("`alpha` weighs what is only in the targets")
@pytest.mark.promise("without `delta` and `axis`")
@pytest.mark.promise("config of `CategoryEncoding`")
@pytest.mark.promise("masks behind `RNN`")
@pytest.mark.promise("axes as given, one may come twice")
@pytest.mark.promise("they are passed over, and in the report")
@pytest.mark.promise("a `Dense` with a layer as activation is quantized")
@pytest.mark.promise("a class that is no number is a `ValueError`")
@pytest.mark.promise("`FBetaScore` takes one `sample_weight` for all")
@pytest.mark.promise('policies "int4/None_from_..."')
@pytest.mark.promise("functional models refuse arguments that they do not have")
@pytest.mark.parametrize("name", PROGRAMS)
def test_as_keras_316(name, keras_316):
    same(as_json(PROGRAMS[name](jkeras)), KNOWN[name], name)


@pytest.mark.parametrize("name", CASES)
def test_as_keras_315(name):
    found = as_json(PROGRAMS[name](jkeras))
    keras.utils.set_random_seed(7)
    same(found, as_json(PROGRAMS[name](keras)), name)


@pytest.mark.parametrize("version", ["3.15", "3.16"])
def test_a_file_of_keras_316_is_read(version, keras_316):
    jkeras.config.set_keras_version(version)
    model = jkeras.models.load_model(WRITTEN)
    same(np.asarray(model(np.arange(6.0).reshape(1, 6))).tolist(), KNOWN["written"])
    assert model.loss.delta == 3.0


def test_programs_are_those_that_were_recorded():
    assert {*PROGRAMS, "written"} == set(KNOWN)
    assert set(PROGRAMS) >= ONLY_316 | CALIBRATED
