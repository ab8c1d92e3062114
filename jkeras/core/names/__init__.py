"""Names: public ones, those of dtypes and variables, and objects as plain JSON."""
