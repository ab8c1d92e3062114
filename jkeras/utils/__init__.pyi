# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.core.graph.keras_tensor import is_symbolic as _is_keras_tensor
from jkeras.core.names.dtypes import standardize_dtype as standardize_dtype
from jkeras.core.names.registry import CustomObjectScope as CustomObjectScope
from jkeras.core.names.registry import CustomObjectScope as _custom_object_scope
from jkeras.core.names.registry import get_custom_objects as get_custom_objects
from jkeras.core.names.registry import get_registered_name as get_registered_name
from jkeras.core.names.registry import get_registered_object as get_registered_object
from jkeras.core.names.registry import register_keras_serializable as register_keras_serializable
from jkeras.core.session.settings import clear_session as clear_session
from jkeras.core.session.settings import disable_interactive_logging as disable_interactive_logging
from jkeras.core.session.settings import enable_interactive_logging as enable_interactive_logging
from jkeras.core.session.settings import is_interactive_logging_enabled as is_interactive_logging_enabled
from jkeras.core.session.settings import set_random_seed as set_random_seed
from jkeras.utils import bounding_boxes as bounding_boxes
from jkeras.utils import legacy as legacy
from jkeras.utils.archives import extract_archive as extract_archive
from jkeras.utils.arrays import normalize as normalize
from jkeras.utils.arrays import pad_sequences as pad_sequences
from jkeras.utils.arrays import to_categorical as to_categorical
from jkeras.utils.batches import PyDataset as PyDataset
from jkeras.utils.batches import PyDataset as _Sequence
from jkeras.utils.batches import pack_x_y_sample_weight as pack_x_y_sample_weight
from jkeras.utils.batches import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from jkeras.utils.buckets import bucket_by_length as bucket_by_length
from jkeras.utils.chat_template import ChatTemplate as ChatTemplate
from jkeras.utils.config import Config as Config
from jkeras.utils.datasets import timeseries_dataset_from_array as timeseries_dataset_from_array
from jkeras.utils.devices import report_devices as report_devices
from jkeras.utils.feature_space import FeatureSpace as FeatureSpace
from jkeras.utils.files import get_file as get_file
from jkeras.utils.folders import audio_dataset_from_directory as audio_dataset_from_directory
from jkeras.utils.folders import image_dataset_from_directory as image_dataset_from_directory
from jkeras.utils.folders import text_dataset_from_directory as text_dataset_from_directory
from jkeras.utils.images import array_to_img as array_to_img
from jkeras.utils.images import img_to_array as img_to_array
from jkeras.utils.images import load_img as load_img
from jkeras.utils.images import save_img as save_img
from jkeras.utils.mixing import mix as mix
from jkeras.utils.packing import pack_sequences as pack_sequences
from jkeras.utils.plotting import model_to_dot as model_to_dot
from jkeras.utils.plotting import plot_model as plot_model
from jkeras.utils.progbar import Progbar as Progbar
from jkeras.utils.splitting import split_dataset as split_dataset
from jkeras.utils.tensors import get_source_inputs as get_source_inputs
from jkeras.utils.text_lines import TextLines as TextLines

Sequence = _Sequence
custom_object_scope = _custom_object_scope
def deserialize_keras_object(
    config: Any,
    custom_objects: Any = None,
    safe_mode: Any = True,
    **kwargs: Any,
) -> Any: ...
is_keras_tensor = _is_keras_tensor
def serialize_keras_object(obj: Any) -> Any: ...
