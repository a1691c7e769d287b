"""What is published loads without the package and is what it was: a model's scores, a corpus's rows."""

import pytest

from modeling_empathy.errors import InputError
from modeling_empathy.hub.load_check import check_dataset_loads, check_model_loads
from modeling_empathy.hub.staging import stage_model
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


pytestmark = pytest.mark.slow


def test_what_does_not_load_or_says_something_else_without_the_package_is_not_published(tmp_path):
    folder, staging = tmp_path / "output", tmp_path / "staging"
    tiny_model("bert", max_post_length=40).save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    staging.mkdir()
    stage_model(str(folder), staging)
    check_model_loads(staging)
    # Logits are divided by temperatures there: half of these, and the code that travels gives other probabilities.
    code = (staging / "modeling_empathy.py").read_text()
    assert "/ divisors" in code
    (staging / "modeling_empathy.py").write_text(code.replace("/ divisors", "* 2 / divisors"))
    with pytest.raises(InputError, match="gives other scores where this package is not installed"):
        check_model_loads(staging)
    (staging / "encoded_pairs.py").write_text("import modeling_empathy\n")
    with pytest.raises(InputError, match=r"can't be loaded without this package: .*modeling_empathy"):
        check_model_loads(staging)


def test_a_corpus_of_which_rows_are_missing_is_not_published(exported):
    rows = {
        name: {"train": 102, "validation": 20, "test": 37}
        for name in ("all", "emotional_reactions", "interpretations", "explorations")
    }
    check_dataset_loads(exported, rows)
    # A row more than there is, as if one had been lost in writing.
    rows["explorations"]["test"] = 38
    with pytest.raises(InputError, match=r"'test': 38.* rows, and .*'test': 37.* are read: it is not published"):
        check_dataset_loads(exported, rows)
