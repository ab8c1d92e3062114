"""Programs of bug reports, each of which is a test from then on."""
