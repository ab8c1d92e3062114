"""Utilities: seeds, labels, files, images, data sets of batches, pictures of models, configs,
devices.
"""

from jkeras.core.exports import exported
from jkeras.core.graph import is_symbolic as is_keras_tensor
from jkeras.core.dtypes import standardize_dtype
from jkeras.core.registry import (
    CustomObjectScope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from jkeras.core.settings import (
    clear_session,
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
    set_random_seed,
)
from jkeras.saving import custom_object_scope, deserialize_keras_object, serialize_keras_object
from jkeras.utils import bounding_boxes, legacy
from jkeras.utils.arrays import normalize, pad_sequences, to_categorical
from jkeras.utils.batches import (
    PyDataset,
    Sequence,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from jkeras.utils.progbar import Progbar
from jkeras.utils.tensors import get_source_inputs

__all__ = exported(
    globals(),
    "bounding_boxes",
    "legacy",
    on_first_use={
        "FeatureSpace": "jkeras.utils.feature_space",
        "Config": "jkeras.utils.config",
        "array_to_img": "jkeras.utils.images",
        "audio_dataset_from_directory": "jkeras.utils.folders",
        "bucket_by_length": "jkeras.utils.buckets",
        "extract_archive": "jkeras.utils.archives",
        "get_file": "jkeras.utils.files",
        "image_dataset_from_directory": "jkeras.utils.folders",
        "img_to_array": "jkeras.utils.images",
        "load_img": "jkeras.utils.images",
        "model_to_dot": "jkeras.utils.plotting",
        "plot_model": "jkeras.utils.plotting",
        "report_devices": "jkeras.utils.devices",
        "save_img": "jkeras.utils.images",
        "split_dataset": "jkeras.utils.datasets",
        "text_dataset_from_directory": "jkeras.utils.folders",
        "timeseries_dataset_from_array": "jkeras.utils.datasets",
    },
)
