"""Old names and what they are called in Keras 3: one table for running and for rewriting."""

# name of a class or function of Keras 1 or 2 -> its name in Keras 3, in the same module
RENAMED = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "Deconv2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "SeparableConv2d": "SeparableConv2D",
    "Container": "Model",
    # regularizers
    "ActivityRegularizer": "L1L2",
    "WeightRegularizer": "L1L2",
    "activity_l1": "L1",
    "activity_l1l2": "L1L2",
    "activity_l2": "L2",
    "l1l2": "L1L2",
    # initializers and losses
    "normal": "RandomNormal",
    "uniform": "RandomUniform",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
    "cosine_proximity": "cosine_similarity",
}

# short names of losses and metrics, as strings still good
SHORT = {
    "mse": "mean_squared_error",
    "MSE": "mean_squared_error",
    "mae": "mean_absolute_error",
    "MAE": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "MAPE": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "MSLE": "mean_squared_logarithmic_error",
    "kld": "kl_divergence",
    "KLD": "kl_divergence",
    "cosine": "cosine_similarity",
}

# what losses and metrics were called, too, which Keras 3 has by its long name alone
SHORT_NAMES = {
    **{short: name for short, name in SHORT.items() if short != "cosine"},
    "huber_loss": "huber",
    "maxnorm": "max_norm",
    "nonneg": "non_neg",
    "unitnorm": "unit_norm",
    "zero": "zeros",
    "one": "ones",
}
SHORT_IN = ("keras.losses", "keras.metrics", "keras.constraints", "keras.initializers")
REDUCTIONS = {
    "NONE": None,
    "SUM": "sum",
    "SUM_OVER_BATCH_SIZE": "sum_over_batch_size",
    "AUTO": "sum_over_batch_size",
}
# arguments of `compile` that go, with these values
GONE_OF_COMPILE = {
    "sample_weight_mode": ("temporal", None),
    "target_tensors": (None,),
    "experimental_run_tf_function": (True, False, None),
}

# values of arguments that name an initializer
INITIALIZERS = {
    "normal": "random_normal",
    "uniform": "random_uniform",
    "zero": "zeros",
    "one": "ones",
}

_WEIGHTS = {
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
}
_RECURRENT = {
    **_WEIGHTS,
    "output_dim": "units",
    "inner_activation": "recurrent_activation",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "consume_less": None,
    "implementation": None,
    "forget_bias_init": None,
}
_CONVOLUTION = {
    **_WEIGHTS,
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "atrous_rate": "dilation_rate",
    "output_shape": None,  # of transposed ones: follows from the rest
}
_POOLING = {
    "pool_length": "pool_size",
    "stride": "strides",
    "border_mode": "padding",
    "dim_ordering": "data_format",
}
_RATE = {"p": "rate"}
_OPTIMIZER = {"lr": "learning_rate", "schedule_decay": None}

# class -> {old argument: new one; None: it goes}
ARGUMENTS = {
    "Dense": {**_WEIGHTS, "output_dim": "units"},
    "Embedding": {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
        "dropout": None,
    },
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell"), _RECURRENT),
    "ConvLSTM2D": {**_RECURRENT, **_CONVOLUTION},
    **dict.fromkeys(
        (
            "Conv1D",
            "Conv2D",
            "Conv3D",
            "Conv2DTranspose",
            "Conv3DTranspose",
            "SeparableConv1D",
            "SeparableConv2D",
            "DepthwiseConv2D",
        ),
        _CONVOLUTION,
    ),
    **{
        f"{kind}Pooling{n}D": _POOLING
        for kind in ("Max", "Average", "GlobalMax", "GlobalAverage")
        for n in (1, 2, 3)
    },
    **{f"UpSampling{n}D": {"length": "size", "dim_ordering": "data_format"} for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": {"dim_ordering": "data_format"} for n in (1, 2, 3)},
    **{f"Cropping{n}D": {"dim_ordering": "data_format"} for n in (1, 2, 3)},
    "Flatten": {"dim_ordering": "data_format"},
    **dict.fromkeys(
        ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout", "AlphaDropout"),
        {**_RATE, "dim_ordering": "data_format"},
    ),
    "GaussianNoise": {"sigma": "stddev"},
    "LeakyReLU": {"alpha": "negative_slope"},
    "PReLU": {"init": "alpha_initializer", "weights": None},
    "BatchNormalization": {
        "mode": None,
        "gamma_init": "gamma_initializer",
        "beta_init": "beta_initializer",
        "gamma_regularizer": "gamma_regularizer",
        "fused": None,
        "renorm": None,
    },
    "RepeatVector": {},
    "Permute": {},
    "Activation": {},
    **dict.fromkeys(
        ("SGD", "RMSprop", "Adam", "Adamax", "Nadam", "Adagrad", "Adadelta", "Ftrl"), _OPTIMIZER
    ),
    "EarlyStopping": {},
    "VarianceScaling": {},
    "ReduceLROnPlateau": {"epsilon": "min_delta"},
    "ModelCheckpoint": {"period": None},
    "TensorBoard": {"write_grads": None, "batch_size": None, "embeddings_layer_names": None},
    "Model": {"input": "inputs", "output": "outputs"},
    "RandomNormal": {"std": "stddev"},
    "to_categorical": {"nb_classes": "num_classes"},
    "Discretization": {"bins": "bin_boundaries"},
    "CategoryEncoding": {"max_tokens": "num_tokens"},
    "random_normal": {"std": "stddev"},
    "random_uniform": {"low": "minval", "high": "maxval"},
    "KerasClassifier": {"nb_epoch": "epochs"},
    "KerasRegressor": {"nb_epoch": "epochs"},
}
# positions that Keras 1 had beside those of today: class -> names of positional ints to be joined
KERNEL_SIDES = {
    "Conv2D": ("nb_row", "nb_col"),
    "Conv2DTranspose": ("nb_row", "nb_col"),
    "SeparableConv2D": ("nb_row", "nb_col"),
    "ConvLSTM2D": ("nb_row", "nb_col"),
    "Conv3D": ("kernel_dim1", "kernel_dim2", "kernel_dim3"),
}
DATA_FORMATS = {"th": "channels_first", "tf": "channels_last"}

# arguments of methods of models
METHOD_ARGUMENTS = {
    "fit": {"nb_epoch": "epochs", "show_accuracy": None},
    "fit_generator": {
        "generator": "x",
        "nb_epoch": "epochs",
        "samples_per_epoch": "steps_per_epoch",
        "nb_val_samples": "validation_steps",
        "nb_worker": None,
        "pickle_safe": None,
    },
    "evaluate": {"show_accuracy": None},
    "evaluate_generator": {"generator": "x", "val_samples": "steps"},
    "predict_generator": {"generator": "x", "val_samples": "steps"},
}
# arguments that `fit` and its like have no more: how data is prepared is for the data set to say
GONE = ("max_queue_size", "max_q_size", "workers", "use_multiprocessing", "pickle_safe")
METHODS = {
    "fit_generator": "fit",
    "evaluate_generator": "evaluate",
    "predict_generator": "predict",
    "predict_proba": "predict",
}

# names of what is logged: old -> new
LOGS = {
    "acc": "accuracy",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "lr": "learning_rate",
}

# old module, without `keras.` -> where its names are now
MODULES = {
    **dict.fromkeys(
        (
            "layers.core",
            "layers.merge",
            "layers.normalization",
            "layers.advanced_activations",
            "layers.recurrent",
            "layers.convolutional",
            "layers.convolutional_recurrent",
            "layers.pooling",
            "layers.embeddings",
            "layers.noise",
            "layers.wrappers",
            "layers.local",
            "layers.cudnn_recurrent",
            "layers.experimental",
            "layers.experimental.preprocessing",
            "engine.base_layer",
            "engine.topology",
            "engine.input_layer",
            "engine",
            "legacy.layers",
        ),
        "layers",
    ),
    **dict.fromkeys(("engine.training", "engine.sequential", "engine.network"), "models"),
    **dict.fromkeys(("utils.np_utils", "utils.vis_utils", "utils.data_utils"), "utils"),
    **dict.fromkeys(("utils.generic_utils", "utils.layer_utils", "utils.io_utils"), "utils"),
    "backend.tensorflow_backend": "backend",
    "utils.conv_utils": "utils",
    "saving.save": "models",
    "utils.training_utils": "utils",
    "utils.visualize_util": "utils",
    "objectives": "losses",
    "optimizers.legacy": "optimizers",
    "optimizers.experimental": "optimizers",
    "initializations": "initializers",
    "callbacks.callbacks": "callbacks",
}

# tf's name -> name of the op with the same arguments
OPS_OF_TENSORFLOW = {
    "abs": "abs", "add": "add", "subtract": "subtract", "multiply": "multiply",
    "divide": "divide", "matmul": "matmul", "tensordot": "tensordot", "einsum": "einsum",
    "exp": "exp", "square": "square", "sqrt": "sqrt", "sign": "sign", "sin": "sin",
    "cos": "cos", "tanh": "tanh", "sigmoid": "sigmoid", "pow": "power", "round": "round",
    "floor": "floor", "maximum": "maximum", "minimum": "minimum", "equal": "equal",
    "not_equal": "not_equal", "greater": "greater", "greater_equal": "greater_equal",
    "less": "less", "less_equal": "less_equal", "logical_and": "logical_and",
    "logical_or": "logical_or", "logical_not": "logical_not", "where": "where",
    "reshape": "reshape", "expand_dims": "expand_dims", "squeeze": "squeeze",
    "zeros_like": "zeros_like", "ones_like": "ones_like", "shape": "shape",
    "stop_gradient": "stop_gradient", "argmax": "argmax", "argmin": "argmin",
    "repeat": "repeat", "tile": "tile", "range": "arange", "cumsum": "cumsum",
    "broadcast_to": "broadcast_to", "clip_by_value": "clip", "sort": "sort",
    "map_fn": "map", "split": "split", "unstack": "unstack",
}  # fmt: skip
