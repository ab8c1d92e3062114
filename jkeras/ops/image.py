"""`keras.ops.image`: functions of images, one (height, width, channels) or a batch of them."""

from jkeras.core.names.exports import exported
from jkeras.ops.image_color import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from jkeras.ops.image_filter import gaussian_blur, sobel_edges, ssim
from jkeras.ops.image_patches import reconstruct_patches
from jkeras.ops.image_size import (
    crop_images,
    extract_patches,
    extract_patches_3d,
    pad_images,
    resize,
    scale_and_translate,
)
from jkeras.ops.image_warp import (
    affine_transform,
    elastic_transform,
    map_coordinates,
    perspective_transform,
)

__all__ = exported(globals())
