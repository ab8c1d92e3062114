"""The kernel of values: what a layer computes, as functions of its hyper-parameters, its values and
its inputs. It imports jax, numpy and itself.

To read in this order: `tree`, `keys`, `spec`, `scope`, `apply`; then `beside`, `valid_rows` and
`microbatch`, what may be asked of the pass that is going on.
"""
