"""Utilities: seeds, labels, files, images, data sets of batches, pictures of models, configs,
devices.
"""

from jkeras.core.names.exports import exported
from jkeras.core.graph.keras_tensor import is_symbolic as is_keras_tensor
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.names.registry import (
    CustomObjectScope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from jkeras.core.session.settings import (
    clear_session,
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
    set_random_seed,
)
from jkeras.saving import custom_object_scope, deserialize_keras_object, serialize_keras_object
from jkeras.utils import legacy
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
    "legacy",
    on_first_use={
        "jkeras.utils.archives": "extract_archive",
        "jkeras.utils.bounding_boxes": "",
        "jkeras.utils.buckets": "bucket_by_length",
        "jkeras.utils.chat_template": "ChatTemplate",
        "jkeras.utils.config": "Config",
        "jkeras.utils.datasets": "timeseries_dataset_from_array",
        "jkeras.utils.devices": "report_devices",
        "jkeras.utils.feature_space": "FeatureSpace",
        "jkeras.utils.files": "get_file",
        "jkeras.utils.folders": (
            "audio_dataset_from_directory image_dataset_from_directory text_dataset_from_directory"
        ),
        "jkeras.utils.images": "array_to_img img_to_array load_img save_img",
        "jkeras.utils.mixing": "mix",
        "jkeras.utils.packing": "pack_sequences",
        "jkeras.utils.plotting": "model_to_dot plot_model",
        "jkeras.utils.splitting": "split_dataset",
        "jkeras.utils.text_lines": "TextLines",
    },
)
