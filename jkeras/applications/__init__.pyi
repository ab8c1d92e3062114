# Written by `python -m tests.make_stubs`.
from jkeras.models.functional import Functional
from typing import Any
import os
from jkeras.applications import convnext as convnext
from jkeras.applications import densenet as densenet
from jkeras.applications import efficientnet as efficientnet
from jkeras.applications import efficientnet_v2 as efficientnet_v2
from jkeras.applications import imagenet_utils as imagenet_utils
from jkeras.applications import inception_resnet_v2 as inception_resnet_v2
from jkeras.applications import inception_v3 as inception_v3
from jkeras.applications import mobilenet as mobilenet
from jkeras.applications import mobilenet_v2 as mobilenet_v2
from jkeras.applications import mobilenet_v3 as mobilenet_v3
from jkeras.applications import nasnet as nasnet
from jkeras.applications import resnet as resnet
from jkeras.applications import resnet50 as resnet50
from jkeras.applications import resnet_v2 as resnet_v2
from jkeras.applications import vgg16 as vgg16
from jkeras.applications import vgg19 as vgg19
from jkeras.applications import xception as xception

def ConvNeXtBase(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_base',
) -> Functional: ...
def ConvNeXtLarge(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_large',
) -> Functional: ...
def ConvNeXtSmall(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_small',
) -> Functional: ...
def ConvNeXtTiny(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_tiny',
) -> Functional: ...
def ConvNeXtXLarge(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'convnext_xlarge',
) -> Functional: ...
def DenseNet121(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'densenet121',
) -> Functional: ...
def DenseNet169(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'densenet169',
) -> Functional: ...
def DenseNet201(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'densenet201',
) -> Functional: ...
def EfficientNetB0(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb0',
) -> Functional: ...
def EfficientNetB1(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb1',
) -> Functional: ...
def EfficientNetB2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb2',
) -> Functional: ...
def EfficientNetB3(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb3',
) -> Functional: ...
def EfficientNetB4(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb4',
) -> Functional: ...
def EfficientNetB5(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb5',
) -> Functional: ...
def EfficientNetB6(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb6',
) -> Functional: ...
def EfficientNetB7(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'efficientnetb7',
) -> Functional: ...
def EfficientNetV2B0(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-b0',
) -> Functional: ...
def EfficientNetV2B1(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-b1',
) -> Functional: ...
def EfficientNetV2B2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-b2',
) -> Functional: ...
def EfficientNetV2B3(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-b3',
) -> Functional: ...
def EfficientNetV2L(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-l',
) -> Functional: ...
def EfficientNetV2M(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-m',
) -> Functional: ...
def EfficientNetV2S(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'efficientnetv2-s',
) -> Functional: ...
def InceptionResNetV2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'inception_resnet_v2',
) -> Functional: ...
def InceptionV3(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'inception_v3',
) -> Functional: ...
def MobileNet(
    input_shape: tuple[Any, ...] | None = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 0.001,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str | None = None,
) -> Functional: ...
def MobileNetV2(
    input_shape: tuple[Any, ...] | None = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str | None = None,
) -> Functional: ...
def MobileNetV3Large(
    input_shape: tuple[Any, ...] | None = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'MobileNetV3Large',
) -> Functional: ...
def MobileNetV3Small(
    input_shape: tuple[Any, ...] | None = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = 'softmax',
    include_preprocessing: bool = True,
    name: str = 'MobileNetV3Small',
) -> Functional: ...
def NASNetLarge(
    input_shape: tuple[Any, ...] | None = None,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'nasnet_large',
) -> Functional: ...
def NASNetMobile(
    input_shape: tuple[Any, ...] | None = None,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'nasnet_mobile',
) -> Functional: ...
def ResNet101(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'resnet101',
) -> Functional: ...
def ResNet101V2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'resnet101v2',
) -> Functional: ...
def ResNet152(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'resnet152',
) -> Functional: ...
def ResNet152V2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'resnet152v2',
) -> Functional: ...
def ResNet50(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'resnet50',
) -> Functional: ...
def ResNet50V2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'resnet50v2',
) -> Functional: ...
def VGG16(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'vgg16',
) -> Functional: ...
def VGG19(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'vgg19',
) -> Functional: ...
def Xception(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = 'imagenet',
    input_tensor: Any = None,
    input_shape: tuple[Any, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = 'softmax',
    name: str = 'xception',
) -> Functional: ...
