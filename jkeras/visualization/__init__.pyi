# Written by `python -m tests.make_stubs`.
from jkeras.visualization.drawing import draw_bounding_boxes as draw_bounding_boxes
from jkeras.visualization.drawing import draw_segmentation_masks as draw_segmentation_masks
from jkeras.visualization.galleries import plot_bounding_box_gallery as plot_bounding_box_gallery
from jkeras.visualization.galleries import plot_image_gallery as plot_image_gallery
from jkeras.visualization.galleries import plot_segmentation_mask_gallery as plot_segmentation_mask_gallery
