"""Runs the blocks of a page in a process of their own, in order: `python -m tests.docs.run_page < blocks.json`.

Python blocks share their names, as they would for a reader who types them one after the other. Each line of output
says, as JSON, what a block printed; the first that fails ends it.
"""

import contextlib
import io
import json
import subprocess
import sys
import traceback


def main() -> None:
    """Reads `[{"language": ..., "code": ...}]`, prints `{"printed": ..., "error": ...}` for each."""
    names: dict[str, object] = {"__name__": "__main__"}
    # What blocks and their libraries print must not stand among the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for block in json.load(sys.stdin):
        printed, error = _python(block["code"], names) if block["language"] == "python" else _bash(block["code"])
        print(json.dumps({"printed": printed, "error": error}), file=answers, flush=True)
        if error:
            break


def _python(code: str, names: dict[str, object]) -> tuple[str, str | None]:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "<block>", "exec"), names)
    except (Exception, SystemExit):
        return printed.getvalue(), traceback.format_exc()
    return printed.getvalue(), None


def _bash(code: str) -> tuple[str, str | None]:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return done.stdout, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}" if done.returncode else None


if __name__ == "__main__":
    main()
