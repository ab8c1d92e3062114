# Written by `python -m tests.make_stubs`.
from jkeras.utils.images import array_to_img as array_to_img
from jkeras.utils.images import img_to_array as img_to_array
from jkeras.utils.images import load_img as load_img
from jkeras.utils.images import save_img as save_img
from jkeras.utils.images import smart_resize as smart_resize
