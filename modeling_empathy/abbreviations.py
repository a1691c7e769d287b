"""What the original's files, columns and options call the mechanisms: `ER_label`, `--IP_model_path`."""

ABBREVIATIONS = {"emotional_reactions": "ER", "interpretations": "IP", "explorations": "EX"}
