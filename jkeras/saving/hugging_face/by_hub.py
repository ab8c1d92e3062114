"""x"""


def check(config, stored):
    from jkeras.saving.hugging_face import sizes

    sizes.check_counts(config, stored)
