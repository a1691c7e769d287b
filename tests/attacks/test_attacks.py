"""Attempts to hurt the package or its users, each a line in the module of its group; a further one is a further line.

`inputs` (files of pairs), `pairs` (what Python code gives), `checkpoints` (folders of models), `publications` (what
goes to the Hub), `trainings` (options and checkpoints of a run), `resources` (disks, memory, paths), `signals` and
`threads`. Each runs in an empty folder; what counts as harm is in `attempts`.
"""

from collections import Counter

import pytest

from tests.attacks import checkpoints, inputs, pairs, publications, resources, signals, threads, trainings


GROUPS = (inputs, pairs, checkpoints, publications, trainings, resources, signals, threads)
ATTACKS = {
    f"{group.__name__.rpartition('.')[2]}: {attack.name}": attack for group in GROUPS for attack in group.ATTACKS
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_does_no_harm(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ATTACKS[name].attempt(tmp_path)


def test_no_attack_hides_another_of_its_name():
    for group in GROUPS:
        assert group.ATTACKS
        assert [name for name, count in Counter(attack.name for attack in group.ATTACKS).items() if count > 1] == []
