"""`keras.visualization`: images with boxes and masks drawn on them, and galleries of them; what a
classifier confuses, its worst examples, and curves of several trainings.
"""

from jkeras.core.names.exports import exported
from jkeras.visualization.confusion import confusion_counts, confusion_matrix
from jkeras.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks
from jkeras.visualization.galleries import (
    plot_bounding_box_gallery,
    plot_image_gallery,
    plot_segmentation_mask_gallery,
)
from jkeras.visualization.runs import plot_runs
from jkeras.visualization.two_runs import RunComparison, compare_runs
from jkeras.visualization.worst import plot_worst_examples

__all__ = exported(globals())
