"""Attacks by several threads at once."""

from tests.attacks.attempts import Attack


ATTACKS: list[Attack] = []
