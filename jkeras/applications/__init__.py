"""Architectures with weights that were trained on ImageNet."""

from jkeras.applications import imagenet_utils, vgg16, vgg19
from jkeras.applications.vgg import VGG16, VGG19
from jkeras.core.exports import exported

__all__ = exported(globals(), "imagenet_utils", "vgg16", "vgg19")
