"""The short configs of `keras.utils.legacy`, and what else Keras 3 keeps of old names."""

import keras
import pytest

import jkeras
import jkeras.legacy.saving
from jkeras.utils import legacy


class Range:
    """An object of a library's own, which is not registered anywhere."""

    def __init__(self, low, high=1):
        self.low, self.high = low, high

    def get_config(self):
        return {"low": self.low, "high": self.high}


def test_a_round_trip_through_the_short_form():
    config = legacy.serialize_keras_object(Range(2, 5))
    assert config == {"class_name": "Range", "config": {"low": 2, "high": 5}}
    for tables in ({"module_objects": {"Range": Range}}, {"custom_objects": {"Range": Range}}):
        assert legacy.deserialize_keras_object(config, **tables).get_config() == config["config"]


def test_the_config_of_a_layer_is_that_of_keras():
    both = [
        which.utils.legacy.serialize_keras_object(which.layers.Dense(2, name="d"))
        for which in (jkeras, keras)
    ]
    assert both[0] == both[1]


def test_names_stand_for_functions_and_for_classes_without_arguments():
    assert legacy.deserialize_keras_object("length", {"length": len}) is len
    assert legacy.deserialize_keras_object("dict", {"dict": dict}) == {}
    assert legacy.serialize_keras_object(len) == "len"


def test_none_and_objects_stay_what_they_are():
    assert legacy.serialize_keras_object(None) is None is legacy.deserialize_keras_object(None)
    assert legacy.deserialize_keras_object(len) is len


@pytest.mark.parametrize(
    "given, words",
    [
        ({"class_name": "Rnage", "config": {}}, "Unknown thing: 'Rnage'.*Did you mean 'Range'"),
        ({"config": {}}, "'class_name'"),
        (3, "Received: 3"),
    ],
)
def test_what_is_no_config(given, words):
    with pytest.raises(ValueError, match=words):
        legacy.deserialize_keras_object(given, {"Range": Range}, printable_module_name="thing")


def test_what_has_no_config():
    with pytest.raises(ValueError, match="get_config"):
        legacy.serialize_keras_object(3)


@pytest.mark.promise("which is an `ImportError` in Keras 3 and in jkeras")
@pytest.mark.parametrize("which", [jkeras, keras])
def test_optimizers_of_keras_2_can_be_named_but_not_made(which):
    names = vars(keras.optimizers.legacy).keys()
    for name in sorted(name for name in names if not name.startswith("_")):
        cls = getattr(which.optimizers.legacy, name)
        assert not isinstance(which.optimizers.SGD(), cls)
        with pytest.raises(ImportError, match="keras.optimizers.legacy"):
            cls(0.1)


def test_the_older_path_leads_to_the_same():
    for which in (jkeras, keras):
        for name in ("serialize_keras_object", "deserialize_keras_object"):
            assert getattr(which.legacy.saving, name) is getattr(which.utils.legacy, name)
