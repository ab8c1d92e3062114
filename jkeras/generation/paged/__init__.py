"""The cache of attention in blocks that rows of different lengths share."""
