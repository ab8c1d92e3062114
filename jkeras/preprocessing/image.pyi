# Written by `python -m tests.make_stubs`.
from typing import Any

def array_to_img(x: Any, data_format: Any = None, scale: Any = True, dtype: Any = None) -> Any: ...
def img_to_array(img: Any, data_format: Any = None, dtype: Any = None) -> Any: ...
def load_img(
    path: Any,
    color_mode: Any = 'rgb',
    target_size: Any = None,
    interpolation: Any = 'nearest',
    keep_aspect_ratio: Any = False,
) -> Any: ...
def save_img(
    path: Any,
    x: Any,
    data_format: Any = None,
    file_format: Any = None,
    scale: Any = True,
    **kwargs: Any,
) -> Any: ...
def smart_resize(
    x: Any,
    size: Any,
    interpolation: Any = 'bilinear',
    data_format: Any = 'channels_last',
    **kwargs: Any,
) -> Any: ...
