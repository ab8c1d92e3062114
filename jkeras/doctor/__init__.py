"""`python -m jkeras doctor`: what a machine is, and whether jkeras computes on it as it should."""
