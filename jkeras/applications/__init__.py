"""Architectures with weights that were trained on ImageNet."""

from jkeras.applications import (
    convnext,
    efficientnet,
    efficientnet_v2,
    imagenet_utils,
    mobilenet,
    mobilenet_v2,
    mobilenet_v3,
    vgg16,
    vgg19,
)
from jkeras.applications.convnext import ConvNeXtBase, ConvNeXtLarge, ConvNeXtSmall, ConvNeXtTiny, ConvNeXtXLarge
from jkeras.applications.efficientnet import (
    EfficientNetB0,
    EfficientNetB1,
    EfficientNetB2,
    EfficientNetB3,
    EfficientNetB4,
    EfficientNetB5,
    EfficientNetB6,
    EfficientNetB7,
)
from jkeras.applications.efficientnet_v2 import (
    EfficientNetV2B0,
    EfficientNetV2B1,
    EfficientNetV2B2,
    EfficientNetV2B3,
    EfficientNetV2L,
    EfficientNetV2M,
    EfficientNetV2S,
)
from jkeras.applications.mobilenet import MobileNet
from jkeras.applications.mobilenet_v2 import MobileNetV2
from jkeras.applications.mobilenet_v3 import MobileNetV3Large, MobileNetV3Small
from jkeras.applications.vgg import VGG16, VGG19
from jkeras.core.exports import exported

__all__ = exported(globals(), "convnext", "efficientnet", "efficientnet_v2", "imagenet_utils", "mobilenet",
                   "mobilenet_v2", "mobilenet_v3", "vgg16", "vgg19")
