"""What became of a response, as yes or no."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """An outcome.

    Attributes:
        column: Of the table, NULL where nothing is known.
        condition: An expression of SQL that is true where it is yes.
        name: In the report.
    """

    column: str
    condition: str
    name: str

    @property
    def known(self) -> str:
        """An expression of SQL that is true where something is known."""
        return f"{self.column} IS NOT NULL"
