"""Attacks by disks, memory, paths and places to write."""

from tests.attacks.attempts import Attack


ATTACKS: list[Attack] = []
