"""The corpus as a `datasets` builder, and a synthetic sample in its format."""
