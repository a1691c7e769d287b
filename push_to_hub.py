#!/usr/bin/env python
"""Publishes a trained model, the corpus or the page on the Hub, as `empathy push` does.

    python push_to_hub.py model output/corpus --repo_id me/empathy --dry_run
    python push_to_hub.py dataset --source sample --repo_id me/empathy-sample --private
    python push_to_hub.py space --repo_id me/empathy-page

Each has its own `--help`.
"""

from modeling_empathy.cli.failures import run_command
from modeling_empathy.cli.push import app


if __name__ == "__main__":
    run_command(app)
