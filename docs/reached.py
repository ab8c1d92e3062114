"""What the programs of examples/ and the notebooks of the gallery reach, for the tables of
examples/README.md: of each its idea, a text, and where the text's numbers stand in what it prints;
of a notebook also what was published.
"""

NOTEBOOKS = {
    "diffusion": (
        "a diffusion model draws digits out of noise",
        "a classifier reads {1} of the drawn digits, {0} of test digits; Fréchet distance {3}, "
        "of test digits {2}",
        r"(?s)test digits (\S+), drawn ones (\S+)\n.*test digits: (\S+)\n"
        r".*drawn digits: (\S+) ",
        "other images; as near as unseen ones",
    ),
    "grokking": (
        "sums modulo a prime are understood long after they are known",
        "accuracy {1} on other sums, {0} times as many steps later",
        r"(?s)many: (\S+) .*in the end: (\S+) ",
        "accuracy 1, many times as many steps later",
    ),
    "neural_ode": (
        "a network is the field of a differential equation",
        "relative difference of the adjoint gradient {0}; mean error of curves that begin "
        "elsewhere {1}",
        r"(?s)gradient: (\S+) .*elsewhere: (\S+)",
        "the same gradient; no number for the spiral",
    ),
    "cartpole": (
        "a deep Q-network keeps a pole upright",
        "mean return {0} of 500",
        r"best policies: (\S+) ",
        "solved at 475",
    ),
    "double_descent": (
        "more features than examples are better than as many",
        "test error {2} with many more, {0} with as many, {1} at best with fewer",
        r"(?s)error at the peak: (\S+)\n.*fewer features: (\S+)\n.*example: (\S+) ",
        "the peak at as many; lower with many more than with fewer",
    ),
    "maml": (
        "weights from which one step learns a new wave",
        "error {0} after a step on 5 points, {1} on 10",
        r"(?s)5 points, error after a step: (\S+) .*10 points, error after a step: (\S+) ",
        "1.13 ± 0.18 and 0.77 ± 0.11",
    ),
    "lottery": (
        "a fifth of the weights is enough, where they begin as they began",
        "accuracy of tickets of 20 % less the whole network's {0}, less that of new weights {1}",
        r"20 % less that: (\S+) (?s:.*)20 % less new weights: (\S+) ",
        "0 or more, and more than 0",
    ),
    "vae": (
        "bounds of the likelihood, tighter with more samples",
        "{0} nats for 1 sample, {1} for 500; {2} more by training on 5",
        r"(?s)of 1 samples: (\S+) .*of 500 samples: (\S+) .*on 5 samples: (\S+) ",
        "larger with more, and by training on more",
    ),
}

EXAMPLES = {
    "digits_quickstart": (
        "a ConvNet from data to test accuracy",
        "test accuracy {}",
        r"test accuracy: (\S+)",
    ),
    "functional_multi_io": (
        "a graph with two inputs and two outputs",
        "digit {}, even {}",
        r"digit accuracy: (\S+), even accuracy: (\S+)",
    ),
    "subclass_custom_layer": (
        "layers and models of one's own; the same as pure functions",
        "test accuracy {}, from the pure function {}",
        r"test accuracy: (\S+), from the pure function: (\S+)",
    ),
    "custom_train_step": (
        "a training step of one's own, in Keras's contract and purely",
        "test accuracy {}, by pure functions {}",
        r"test accuracy: (\S+) through fit, (\S+) by pure",
    ),
    "image_augmentation": (
        "few labels, and images that change in every epoch",
        "test accuracy {1}, {0} without",
        r"plain: test accuracy (\S+), augmented: test accuracy (\S+)",
    ),
    "transfer_learning": (
        "freeze, a new head, unfreeze",
        "test accuracy {1}, from scratch {0}",
        r"from scratch: (\S+), .*fine-tuned: (\S+)",
    ),
    "text_classification": (
        "from raw strings, `TextVectorization`",
        "test accuracy {1}, counting words {0}",
        r"word_counts: test accuracy (\S+), convolutions: test accuracy (\S+)",
    ),
    "explain_images": (
        "Grad-CAM in a model that was built on a trained one, and attributions of pixels",
        "{} of the maps lie on the digit, {} with random weights, {} by chance",
        r"Grad-CAM: (\S+), .*random weights: (\S+), by chance: (\S+)",
    ),
    "explain_text": (
        "which words decide, by integrated gradients at an embedding",
        "the two words that decide are found in a share of {} of the sentences",
        r"both words that decide are found in (\S+)",
    ),
    "private_digits": (
        "training with differential privacy: clipped gradients, noise, an account",
        "test accuracy {1} at epsilon {0}, {2} without privacy",
        r"(?s)after an epoch, (\S+) after all.*test accuracy: (\S+) with privacy, (\S+) without",
    ),
    "lstm_time_series": (
        "a chaotic series, twelve steps ahead",
        "mean squared error {1}, the best linear function {0}",
        r"linear: (\S+), LSTM: (\S+)",
    ),
    "language_model": (
        "a transformer trained on Python's `help`, LoRA on code, generation, serving",
        "{0} bits a letter; code from {2} to {3}; served texts the same as each alone: {1}",
        r"(?s)(\S+) bits a letter.* same: (\w+).*code: (\S+) bits a letter, (\S+) by LoRA",
    ),
    "preferences": (
        "pairs of answers, DPO by a low-rank change of the model that is its own reference",
        "{2} of the answers are the preferred ones, {0} before; of the others {3}, {1} before",
        r"(?s)before: (\S+) of the answers count up, (\S+) down.*"
        r"apo_zero: (\S+) of the answers count up, (\S+) down",
    ),
    "served_model": (
        "a folder behind OpenAI's interface, its tokenizer and chats, a client with streams",
        "{0} of the sums are right over HTTP; the same as in the client's process: {1}",
        r"(\S+) of the sums are right; those that the model writes here: (\w+)",
    ),
    "rewards": (
        "a language model learns to count from rewards of its own answers, GRPO",
        "mean reward {1}, {0} at first",
        r"mean reward (\S+) at first, (\S+) at last",
    ),
    "vae": (
        "a variational autoencoder, its divergence by `add_loss`",
        "{1} nats for an unseen image, the mean image {0}",
        r"mean image: (\S+), VAE: (\S+)",
    ),
    "gan": (
        "two networks with two optimizers in one `fit`",
        "{} of the images show the asked digit; near to {} real ones of {} tries",
        r"(\S+) of the images.*nearest to (\d+) real ones of (\d+) tries",
    ),
    "ddpm": (
        "a diffusion model, trained and drawn from by `lax.scan`",
        "{} of the images show the asked digit; {} times as far from real ones as unseen digits",
        r"(\S+) of the images.*they are (\S+) times as far",
    ),
    "unet_segmentation": (
        "which pixel belongs to what",
        "mean intersection over union {}, background only {}",
        r"mean intersection over union: (\S+), background only: (\S+)",
    ),
    "siamese": (
        "one encoder called twice, contrastive loss",
        "{1} of equal pairs are nearer, {0} by pixels",
        r"by pixels: (\S+), by codes: (\S+)",
    ),
    "actor_critic": (
        "environments, gradient and updates in one compiled program",
        "the pole is up for {1} steps, {0} in the first updates",
        r"up for (\S+) steps in the first 10 updates, (\S+) in the last",
    ),
    "structured_data": (
        "tables of numbers and texts, `FeatureSpace`",
        "area under the curve {1}, {0} without the cross",
        r"logistic: (\S+), crossed: (\S+)",
    ),
    "sklearn_pipeline": (
        "a network in a `Pipeline` under `GridSearchCV`",
        "test accuracy {1}, linear {0}",
        r"linear: test accuracy (\S+), network: test accuracy (\S+)",
    ),
    "flax_module": ("a Flax module as a layer", "test accuracy {}", r"test accuracy: (\S+);"),
    "keras_file": (
        "a file of Keras opened, trained on, and written back",
        "test accuracy {} as it came, {} trained on",
        r"as it came: test accuracy (\S+), trained on: test accuracy (\S+)",
    ),
    "export_and_serve": (
        "a file that a process with nothing but JAX serves",
        "test accuracy {}; largest difference to `predict` {}",
        r"served test accuracy (\S+); largest difference to predict (\S+)",
    ),
    "kill_and_resume": (
        "killed twice, and the same bits at the end",
        "{1} of {0} arrays differ",
        r"(\d+) arrays of weights and optimizer at the end, (\d+) of them",
    ),
    "many_devices": (
        "eight devices: batches cut, layers cut",
        "losses fall to {0} on one device, {2} with layers cut; {3} of {1} KiB on each device",
        r"(?s)one device: .*? to (\S+), (\d+) KiB.*model parallel: .*? to (\S+), (\d+) KiB",
    ),
    "two_processes": (
        "two processes train one model",
        "test accuracy {} in one of them, alone {}",
        r"(?s)process 0: .*?test accuracy (\S+).*alone: .*?test accuracy (\S+)",
    ),
    "ensemble": (
        "sixteen trainings by one `vmap`",
        "{1} nats of surprise, the mean member {0}",
        r"(?s)mean member: \S+ \S+ (\S+) nats.*ensemble: \S+ \S+ (\S+) nats",
    ),
    "maml": (
        "a gradient through a step of gradient descent",
        "error on new waves {1} after five steps, {0} without",
        r"(?s)all waves at once: .*?after 5 steps (\S+).*MAML: .*?after 5 steps (\S+)",
    ),
    "pure_research": (
        "ensemble, gradient of each sample and MAML side by side, in 100 lines",
        "members of accuracies {}; MAML {} before, {} after a step",
        r"(?s)member: \[(.*?)\].*waves: (\S+) before one step, (\S+) after",
    ),
}
