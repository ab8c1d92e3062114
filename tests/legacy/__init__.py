"""Files that earlier releases wrote, opened in each run."""
