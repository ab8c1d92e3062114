"""`keras.layers`: layers, grouped in one file for each family."""

from jkeras.core.exports import exported
from jkeras.core.input_spec import InputSpec
from jkeras.core.layer import Layer
from jkeras.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from jkeras.layers.attention import AdditiveAttention, Attention
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
from jkeras.layers.embedding import Embedding, ReversibleEmbedding
from jkeras.layers.identity import Identity
from jkeras.layers.input import Input, InputLayer
from jkeras.layers.lambda_layer import Lambda
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

__all__ = exported(
    globals(),
    on_first_use={
        "TernaryDense": "jkeras.layers.ternary_dense",
        "AugMix": "jkeras.layers.image_mix",
        "AutoContrast": "jkeras.layers.image_filter",
        "CategoryEncoding": "jkeras.layers.encoding",
        "CenterCrop": "jkeras.layers.image_size",
        "ContrastLimitedAdaptiveHistogramEqualization": "jkeras.layers.image_filter",
        "ConvLSTM1D": "jkeras.layers.conv_recurrent",
        "ConvLSTM2D": "jkeras.layers.conv_recurrent",
        "ConvLSTM3D": "jkeras.layers.conv_recurrent",
        "CutMix": "jkeras.layers.image_mix",
        "Discretization": "jkeras.layers.encoding",
        "Equalization": "jkeras.layers.image_filter",
        "EquinoxLayer": "jkeras.layers.equinox_layer",
        "FlaxLayer": "jkeras.layers.jax_layer",
        "HashedCrossing": "jkeras.layers.encoding",
        "Hashing": "jkeras.layers.encoding",
        "IntegerLookup": "jkeras.layers.lookup",
        "JaxLayer": "jkeras.layers.jax_layer",
        "MaxNumBoundingBoxes": "jkeras.layers.image_size",
        "MelSpectrogram": "jkeras.layers.spectrogram",
        "MixUp": "jkeras.layers.image_mix",
        "Pipeline": "jkeras.layers.pipeline",
        "RandAugment": "jkeras.layers.image_mix",
        "RandomBrightness": "jkeras.layers.image_color",
        "RandomColorDegeneration": "jkeras.layers.image_color",
        "RandomColorJitter": "jkeras.layers.image_color",
        "RandomContrast": "jkeras.layers.image_color",
        "RandomCrop": "jkeras.layers.image_size",
        "RandomElasticTransform": "jkeras.layers.image_geometry",
        "RandomErasing": "jkeras.layers.image_filter",
        "RandomFlip": "jkeras.layers.image_geometry",
        "RandomGaussianBlur": "jkeras.layers.image_filter",
        "RandomGrayscale": "jkeras.layers.image_color",
        "RandomHue": "jkeras.layers.image_color",
        "RandomInvert": "jkeras.layers.image_color",
        "RandomPerspective": "jkeras.layers.image_geometry",
        "RandomPosterization": "jkeras.layers.image_color",
        "RandomRotation": "jkeras.layers.image_geometry",
        "RandomSaturation": "jkeras.layers.image_color",
        "RandomSharpness": "jkeras.layers.image_filter",
        "RandomShear": "jkeras.layers.image_geometry",
        "RandomTranslation": "jkeras.layers.image_geometry",
        "RandomZoom": "jkeras.layers.image_geometry",
        "Resizing": "jkeras.layers.image_size",
        "STFTSpectrogram": "jkeras.layers.spectrogram",
        "Solarization": "jkeras.layers.image_color",
        "StringLookup": "jkeras.layers.lookup",
        "TFSMLayer": "jkeras.layers.foreign",
        "TextVectorization": "jkeras.layers.text_vectorization",
        "TorchModuleWrapper": "jkeras.layers.foreign",
    },
)
