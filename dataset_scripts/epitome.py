"""The Reddit part of EPITOME as a `datasets` builder: CSV files in, levels and character-aligned rationales out.

    from dataset_scripts.epitome import load_epitome

    corpus = load_epitome("explorations", data_dir="path/to/csvs")

The face of [`modeling_empathy.corpus.builder`], which documents it. datasets 3.6 takes it as a loading script.
"""

from modeling_empathy.corpus.builder import (
    CORPUS_DIR_VARIABLE,
    REPORT_NAME,
    SOURCES,
    EpitomeConfig,
    EpitomeReddit,
    load_epitome,
)


__all__ = ["CORPUS_DIR_VARIABLE", "REPORT_NAME", "SOURCES", "EpitomeConfig", "EpitomeReddit", "load_epitome"]
