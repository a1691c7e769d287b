"""The examples are the sample's."""

import csv

from dataset_scripts import epitome
from modeling_empathy.demo.examples import examples


def test_examples_stand_in_the_synthetic_sample():
    path = f"{epitome.__file__.removesuffix('epitome.py')}sample/explorations-sample.csv"
    with open(path, encoding="utf-8", newline="") as file:
        pairs = {(row["seeker_post"], row["response_post"]) for row in csv.DictReader(file)}
    found = examples()
    assert len(found) == 4
    assert {(example.seeker_post, example.response_post) for example in found} <= pairs
