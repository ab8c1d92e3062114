# Written by `python -m tests.make_stubs`.
from collections.abc import Sequence
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
from jkeras.utils.batches import PyDataset as PyDataset
from jkeras.utils.batches import PyDataset as _Sequence
from jkeras.utils.config import Config as Config
from jkeras.utils.feature_space import FeatureSpace as FeatureSpace
from jkeras.utils.packing import pack_sequences as pack_sequences
from jkeras.utils.progbar import Progbar as Progbar
from jkeras.utils.text_lines import TextLines as TextLines

Sequence = _Sequence
def array_to_img(x: Any, data_format: Any = None, scale: Any = True, dtype: Any = None) -> Any: ...
def audio_dataset_from_directory(
    directory: Any,
    labels: Any = 'inferred',
    label_mode: Any = 'int',
    class_names: Any = None,
    batch_size: Any = 32,
    sampling_rate: Any = None,
    output_sequence_length: Any = None,
    ragged: Any = False,
    shuffle: Any = True,
    seed: Any = None,
    validation_split: Any = None,
    subset: Any = None,
    follow_links: Any = False,
    verbose: Any = True,
) -> Any: ...
def bucket_by_length(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: Any = 32,
    lengths: Any = None,
    value: Any = 0,
    mask: Any = False,
    per_step: Any = False,
    shuffle: Any = False,
    seed: Any = None,
) -> Any: ...
custom_object_scope = _custom_object_scope
def deserialize_keras_object(
    config: Any,
    custom_objects: Any = None,
    safe_mode: Any = True,
    **kwargs: Any,
) -> Any: ...
def extract_archive(file_path: Any, path: Any = '.', archive_format: Any = 'auto') -> Any: ...
def get_file(
    fname: Any = None,
    origin: Any = None,
    untar: Any = False,
    md5_hash: Any = None,
    file_hash: Any = None,
    cache_subdir: Any = 'datasets',
    hash_algorithm: Any = 'auto',
    extract: Any = False,
    archive_format: Any = 'auto',
    cache_dir: Any = None,
    force_download: Any = False,
) -> Any: ...
def get_source_inputs(tensor: Any) -> Any: ...
def image_dataset_from_directory(
    directory: Any,
    labels: Any = 'inferred',
    label_mode: Any = 'int',
    class_names: Any = None,
    color_mode: Any = 'rgb',
    batch_size: Any = 32,
    image_size: Any = ...,
    shuffle: Any = True,
    seed: Any = None,
    validation_split: Any = None,
    subset: Any = None,
    interpolation: Any = 'bilinear',
    follow_links: Any = False,
    crop_to_aspect_ratio: Any = False,
    pad_to_aspect_ratio: Any = False,
    data_format: Any = None,
    format: Any = 'tf',
    verbose: Any = True,
) -> Any: ...
def img_to_array(img: Any, data_format: Any = None, dtype: Any = None) -> Any: ...
is_keras_tensor = _is_keras_tensor
def load_img(
    path: Any,
    color_mode: Any = 'rgb',
    target_size: Any = None,
    interpolation: Any = 'nearest',
    keep_aspect_ratio: Any = False,
) -> Any: ...
def model_to_dot(
    model: Any,
    show_shapes: Any = False,
    show_dtype: Any = False,
    show_layer_names: Any = True,
    rankdir: Any = 'TB',
    expand_nested: Any = False,
    dpi: Any = 200,
    subgraph: Any = False,
    show_layer_activations: Any = False,
    show_trainable: Any = False,
    splines: Any = 'ortho',
    **kwargs: Any,
) -> Any: ...
def normalize(x: Any, axis: Any = -1, order: float = 2) -> Any: ...
def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any: ...
def pad_sequences(
    sequences: Any,
    maxlen: Any = None,
    dtype: Any = 'int32',
    padding: Any = 'pre',
    truncating: Any = 'pre',
    value: Any = 0.0,
) -> Any: ...
def plot_model(
    model: Any,
    to_file: Any = 'model.png',
    show_shapes: Any = False,
    show_dtype: Any = False,
    show_layer_names: Any = False,
    rankdir: Any = 'TB',
    expand_nested: Any = False,
    dpi: Any = 200,
    show_layer_activations: Any = False,
    show_trainable: Any = False,
    splines: Any = 'ortho',
    **kwargs: Any,
) -> Any: ...
def report_devices() -> Any: ...
def save_img(
    path: Any,
    x: Any,
    data_format: Any = None,
    file_format: Any = None,
    scale: Any = True,
    **kwargs: Any,
) -> Any: ...
def serialize_keras_object(obj: Any) -> Any: ...
def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: Any = False,
    seed: Any = None,
    preferred_backend: Any = None,
) -> Any: ...
def text_dataset_from_directory(
    directory: Any,
    labels: Any = 'inferred',
    label_mode: Any = 'int',
    class_names: Any = None,
    batch_size: Any = 32,
    max_length: Any = None,
    shuffle: Any = True,
    seed: Any = None,
    validation_split: Any = None,
    subset: Any = None,
    follow_links: Any = False,
    format: Any = 'tf',
    verbose: Any = True,
) -> Any: ...
def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: Any,
    sequence_stride: Any = 1,
    sampling_rate: Any = 1,
    batch_size: Any = 128,
    shuffle: Any = False,
    seed: Any = None,
    start_index: Any = None,
    end_index: Any = None,
    format: Any = 'tf',
) -> Any: ...
def to_categorical(x: Any, num_classes: Any = None) -> Any: ...
def unpack_x_y_sample_weight(data: Any) -> Any: ...
