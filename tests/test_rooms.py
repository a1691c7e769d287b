"""The rule of the rooms: the package's folders import one way, and what travels with a checkpoint imports no other."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[1]
PACKAGE = "modeling_empathy"

# A room imports itself and rooms further left. Rooms on one line do not know each other.
ORDER = (
    ("model", "errors", "precision", "phases"),
    ("original_names",),
    ("files", "encoders"),
    ("corpus", "checkpoints", "interactions"),
    ("scoring", "evaluation"),
    ("hub", "jobs", "analysis"),
    ("training",),
    ("demo",),
    ("cli",),
)
# Rooms of one file, beside the folders.
SINGLE_MODULES = ("errors", "precision", "phases", "original_names", "encoders")
FLOORS = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms}

# Importer and imported, and why the rule does not hold for them.
EXCEPTIONS = {
    ("model.modeling_empathy", "model.pipeline_empathy"): "never run; by this mention the pipeline travels",
    ("model.pipeline_empathy", "checkpoints.loading"): "by name, where it is installed: it takes packed checkpoints",
}


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """What a module of the package imports of it, wherever the import stands: both names without the package's."""
    module = path.relative_to(ROOT / PACKAGE).with_suffix("")
    importer = path_name(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = [PACKAGE, *module.parts][: -node.level] if node.level else []
            imported = ".".join([*base, *([node.module] if node.module else [])])
            names = [imported] if node.module else [f"{imported}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        else:
            continue
        for name in names:
            if name.split(".")[0] == PACKAGE and name not in (PACKAGE, f"{PACKAGE}.__version__"):
                yield importer, name.removeprefix(f"{PACKAGE}.")


def modules() -> list[Path]:
    """The modules in rooms; the face of the package, `__init__`, stands above all of them."""
    return [
        path
        for path in sorted((ROOT / PACKAGE).rglob("*.py"))
        if room_of(path) in FLOORS and (path.parent != ROOT / PACKAGE or path.stem in SINGLE_MODULES)
    ]


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / PACKAGE).with_suffix("").parts[0]


def test_a_room_imports_only_itself_and_rooms_to_its_left():
    found = [pair for path in modules() for pair in imports_of(path)]
    assert found
    for importer, imported in found:
        room, other = importer.split(".")[0], imported.split(".")[0]
        if (importer, imported) in EXCEPTIONS or room == other:
            continue
        assert FLOORS.get(other, len(ORDER)) < FLOORS[room], f"{importer} imports {imported}"


@pytest.mark.parametrize("path", sorted((ROOT / PACKAGE / "model").glob("*.py")), ids=lambda path: path.stem)
def test_what_travels_imports_torch_transformers_and_its_own_room_alone(path):
    allowed = {"torch", "transformers", *sys.stdlib_module_names}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1 and node.module, ast.unparse(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert {str(name).split(".")[0] for name in names} <= allowed, ast.unparse(node)


def test_no_modules_import_each_other_in_a_circle():
    graph = {path_name(path): set() for path in modules()}
    for path in modules():
        for importer, imported in imports_of(path):
            if (importer, imported) not in EXCEPTIONS:
                graph[importer] |= {imported} & graph.keys()
    # Which is in no circle ends up in the order; a circle is an error that names its modules.
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph) > 50


def path_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts)


# Modules of more than 60 lines without a test file of their name: where they are tested, and a word that shows it.
TESTED_IN = {
    "analysis.risk_differences": ("analysis/test_classifier_error.py", "annotated_moments"),
    "analysis.change": ("analysis/test_sections.py", "began at"),
    "analysis.contagion": ("analysis/test_sections.py", "contagion"),
    "analysis.figures": ("analysis/test_sections.py", "as_svg"),
    "analysis.groups": ("analysis/test_sections.py", "holm"),
    "analysis.levels": ("analysis/test_sections.py", "mean expected level"),
    "analysis.mixed_models": ("analysis/test_simulation.py", "MIXED"),
    "analysis.model_samples": ("analysis/test_sections.py", "a sample"),
    "analysis.odds_ratios": ("analysis/test_sections.py", "odds ratio"),
    "analysis.outcomes": ("analysis/test_sections.py", "risk ratio"),
    "analysis.report": ("analysis/test_run.py", "estimates.csv"),
    "analysis.scoring_manifest": ("analysis/test_run.py", "manifest.json"),
    "analysis.section": ("analysis/test_sections.py", "there is too little"),
    "analysis.values": ("analysis/test_scored_rows.py", "is_read_as_people_write_it"),
    "cli.analyze": ("analysis/test_run.py", "printed_by"),
    "cli.adapt": ("training/test_adaptation.py", "adapt"),
    "cli.push": ("hub/test_push_to_hub.py", "cli.push"),
    "cli.options": ("cli/test_convert.py", "refused_by"),
    "cli.interactions": ("interactions/test_interactions.py", "printed_by"),
    "cli.score": ("jobs/test_clusters.py", "printed_by"),
    "cli.train": ("training/test_train_hf.py", "train_and_print"),
    "corpus.alignment_report": ("corpus/test_annotated_csv.py", "AlignmentReport"),
    "corpus.annotated_files": ("corpus/test_original_csv.py", "read_annotated"),
    "corpus.preparation": ("corpus/test_original_csv.py", "prepare_file"),
    "corpus.token_labels": ("corpus/test_features.py", "unannotated"),
    "evaluation.curves": ("evaluation/test_run_page.py", "figures_say_in_words"),
    "demo.app": ("demo/test_page.py", "by_keyboard_alone"),
    "demo.explanations": ("demo/test_views.py", "meaning_of"),
    "evaluation.diagnostics": ("training/test_train_hf.py", "context_use"),
    "evaluation.evaluate": ("training/test_train_hf.py", "evaluate_checkpoint"),
    "evaluation.evaluated_run": ("cli/test_evaluate.py", "both_definitions"),
    "evaluation.measured_mechanism": ("evaluation/test_verdicts.py", "measured_mechanisms"),
    "evaluation.metrics_by_mechanism": ("training/test_trainer.py", "metrics_by_mechanism"),
    "evaluation.mistakes": ("evaluation/test_run_page.py", "most_certain_mistake_is_first"),
    "evaluation.plots": ("evaluation/test_report.py", "save_plots"),
    "evaluation.predictions": ("training/test_train_hf.py", "test_predictions.parquet"),
    "evaluation.repeated_pairs": ("evaluation/test_run_page.py", "second_time_is_listed"),
    "files.columnar_rows": ("files/test_rows.py", "columnar_rows"),
    "files.json_members": ("interactions/test_interactions.py", "json_members"),
    "files.row": ("files/test_rows.py", "Row("),
    "files.workbook_rows": ("files/test_input_files.py", "workbook_rows"),
    "files.zstd_stream": ("files/test_input_files.py", "zstd_stream"),
    "hub.cards": ("attacks/publications.py", "closes the card's metadata"),
    "hub.dataset_files": ("hub/test_dataset_card.py", "sha256"),
    "hub.publishable": ("attacks/publications.py", "behind the end of a picture"),
    "hub.report_page": ("hub/test_staging.py", "put_something_into"),
    "hub.run_record": ("hub/test_model_card.py", "run_record"),
    "interactions.pairing": ("interactions/test_interactions.py", "write_interactions"),
    "interactions.posts": ("interactions/test_interactions.py", "Post("),
    "jobs.datatrove_steps": ("jobs/test_clusters.py", "ScoreDocuments"),
    "jobs.executors": ("jobs/test_exactly_once.py", "Processes"),
    "jobs.kept_columns": ("jobs/test_input_pairs.py", "kept"),
    "jobs.output_folder": ("jobs/test_exactly_once.py", "OutputFolder"),
    "jobs.outputs": ("jobs/test_exactly_once.py", "scores.csv"),
    "jobs.score_shards": ("jobs/test_exactly_once.py", "score_shards"),
    "jobs.score_writer": ("jobs/test_score_files.py", "ScoreWriter"),
    "model.configuration_checks": ("attacks/checkpoints.py", "level_temperatures"),
    "model.configuration_empathy": ("model/test_modeling_empathy.py", "EmpathyConfig"),
    "model.option_values": ("attacks/pairs.py", "no_option"),
    "model.pair_inputs": ("attacks/pairs.py", "no_pair"),
    "model.results": ("model/test_pipeline_empathy.py", "return_all_scores"),
    "scoring.exported_graphs": ("attacks/publications.py", "export_onnx"),
    "scoring.onnx_backend": ("scoring/test_onnx.py", "OnnxBackend"),
    "scoring.onnx_export": ("scoring/test_onnx.py", "export-onnx"),
    "training.one_model": ("training/test_train_hf.py", "decisions_of"),
    "training.run": ("training/test_train_hf.py", "joins_them"),
    "training.run_report": ("training/test_train_hf.py", "report.html"),
    "training.unlabelled_posts": ("training/test_adaptation.py", "read_posts"),
}


@pytest.mark.parametrize("path", modules(), ids=path_name)
def test_a_module_of_more_than_sixty_lines_has_tests_that_can_be_found(path):
    if path.read_text(encoding="utf-8").count("\n") <= 60:
        return
    name = path_name(path)
    test_file = ROOT / "tests" / path.relative_to(ROOT / PACKAGE).with_name(f"test_{path.name}")
    assert test_file.is_file() != (name in TESTED_IN), f"{name}: a test file of its name, or a line in TESTED_IN"
    if name in TESTED_IN:
        file, word = TESTED_IN[name]
        assert word in (ROOT / "tests" / file).read_text(encoding="utf-8"), f"{name} is not tested in {file}"
