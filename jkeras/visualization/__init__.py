"""`keras.visualization`: images with boxes and masks drawn on them, and galleries of them."""

from jkeras.core.names.exports import exported
from jkeras.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks
from jkeras.visualization.galleries import (
    plot_bounding_box_gallery,
    plot_image_gallery,
    plot_segmentation_mask_gallery,
)

__all__ = exported(globals())
