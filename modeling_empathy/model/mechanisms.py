"""The mechanisms of empathy, the levels at which they are communicated, and their abbreviations."""

MECHANISMS = ("emotional_reactions", "interpretations", "explorations")
LEVELS = ("no", "weak", "strong")

# What the original's files, columns and options call the mechanisms: `ER_label`, `--IP_model_path`.
ABBREVIATIONS = {"emotional_reactions": "ER", "interpretations": "IP", "explorations": "EX"}
