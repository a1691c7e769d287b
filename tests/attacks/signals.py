"""Attacks by signals to stop."""

from tests.attacks.attempts import Attack


ATTACKS: list[Attack] = []
