"""`keras.layers`: layers, grouped in one file for each family."""

from jkeras.core.exports import exported
from jkeras.core.input_spec import InputSpec
from jkeras.core.layer import Layer
from jkeras.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from jkeras.layers.attention import AdditiveAttention, Attention
from jkeras.layers.conv_recurrent import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from jkeras.layers.convolution import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from jkeras.layers.dense import Dense
from jkeras.layers.einsum_dense import EinsumDense
from jkeras.layers.dropout import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from jkeras.layers.equinox_layer import EquinoxLayer
from jkeras.layers.embedding import Embedding, ReversibleEmbedding
from jkeras.layers.encoding import CategoryEncoding, Discretization, HashedCrossing, Hashing
from jkeras.layers.foreign import TFSMLayer, TorchModuleWrapper
from jkeras.layers.identity import Identity
from jkeras.layers.image_color import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    Solarization,
)
from jkeras.layers.image_filter import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
    RandomErasing,
    RandomGaussianBlur,
    RandomSharpness,
)
from jkeras.layers.image_geometry import (
    RandomElasticTransform,
    RandomFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from jkeras.layers.image_mix import AugMix, CutMix, MixUp, RandAugment
from jkeras.layers.image_size import CenterCrop, MaxNumBoundingBoxes, RandomCrop, Resizing
from jkeras.layers.input import Input, InputLayer
from jkeras.layers.jax_layer import FlaxLayer, JaxLayer
from jkeras.layers.lambda_layer import Lambda
from jkeras.layers.lookup import IntegerLookup, StringLookup
from jkeras.layers.masking import Masking
from jkeras.layers.merge import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from jkeras.layers.multi_head_attention import GroupedQueryAttention as GroupQueryAttention
from jkeras.layers.multi_head_attention import MultiHeadAttention
from jkeras.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    SpectralNormalization,
    UnitNormalization,
)
from jkeras.layers.pipeline import Pipeline
from jkeras.layers.pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from jkeras.layers.preprocessing import Normalization, Rescaling
from jkeras.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from jkeras.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from jkeras.layers.reshaping import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from jkeras.layers.stack import Stack
from jkeras.layers.spectrogram import MelSpectrogram, STFTSpectrogram
from jkeras.layers.ternary_dense import TernaryDense
from jkeras.layers.text_vectorization import TextVectorization
from jkeras.layers.serialization import deserialize, serialize
from jkeras.layers.wrappers import Bidirectional, TimeDistributed, Wrapper

Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D

__all__ = exported(globals())
