"""Members of an ensemble in one program."""
