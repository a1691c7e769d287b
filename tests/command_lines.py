"""Command lines as their users see them, without a process of their own."""

import re

import typer
from typer.testing import CliRunner


def printed_by(app: typer.Typer, *argv: object) -> str:
    """Runs a command that must succeed; what it printed on standard output."""
    result = CliRunner().invoke(app, list(map(str, argv)))
    assert result.exit_code == 0, result.output
    return result.stdout


def refused_by(app: typer.Typer, *argv: object) -> str:
    """Runs a command that must be refused; the message."""
    result = CliRunner().invoke(app, list(map(str, argv)))
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", result.output).split())
