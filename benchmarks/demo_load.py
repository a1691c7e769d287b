"""What the page of `empathy demo` does under load, and what it answers to those who mean it no good.

    taskset -c 1 python -m benchmarks.demo_load

Starts the page on this machine with the model that comes with the package, has 20 clients ask for a minute, then sends
what is too large, what is markup and 200 requests at once, and prints Markdown tables of what each got.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from statistics import quantiles
from typing import Any

import httpx
import psutil
from gradio_client import Client

from modeling_empathy.demo.examples import examples
from modeling_empathy.evaluation.tables import markdown_table


MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)> ${7*7} {{7*7}}"
PAIR = ("I failed again and feel useless.", "I'm so sorry. What happened?")


@contextmanager
def served() -> Iterator[tuple[str, psutil.Process]]:
    """The page in a process of its own: its address, and the process."""
    command = [sys.executable, "-m", "modeling_empathy.cli.app", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        found = next(match for line in process.stdout if (match := re.search(r"http://\S+", line)))
        try:
            yield found[0], psutil.Process(process.pid)
        finally:
            process.terminate()


def outcome(call: Callable[[], Any]) -> str:
    """What a call got: a result, or the message of its error."""
    try:
        call()
    except Exception as error:  # of every class that clients of a page raise
        return re.sub(r"\s+", " ", str(error))[:110] or type(error).__name__
    return "a result"


def minute_of_clients(address: str, clients: int, seconds: float) -> tuple[list[float], Counter[str]]:
    """Seconds that each answer took, and what was answered to how many.

    Args:
        address: Of the page.
        clients: That ask at once, each for the next answer once it has one.
        seconds: How long.
    """
    pairs = [(one.seeker_post, one.response_post) for one in examples()]
    end = time.monotonic() + seconds

    def asks(number: int) -> list[tuple[float, str]]:
        client = Client(address, verbose=False)
        answers: list[tuple[float, str]] = []
        while time.monotonic() < end:
            pair = pairs[(number + len(answers)) % len(pairs)]
            start = time.monotonic()
            said = outcome(partial(client.predict, *pair, api_name="/score"))
            answers.append((time.monotonic() - start, said))
        return answers

    with ThreadPoolExecutor(clients) as threads:
        answers = [answer for found in threads.map(asks, range(clients)) for answer in found]
    return [taken for taken, said in answers if said == "a result"], Counter(said for _, said in answers)


def at_once(address: str, count: int) -> Counter[str]:
    """What so many requests get that arrive together."""
    clients = [Client(address, verbose=False) for _ in range(8)]
    with ThreadPoolExecutor(count) as threads:
        jobs = [
            threads.submit(outcome, partial(clients[number % len(clients)].predict, *PAIR, api_name="/score"))
            for number in range(count)
        ]
        return Counter(job.result() for job in jobs)


def uploaded(address: str, size: int) -> str:
    """What a file of so many bytes gets."""
    try:
        files = {"files": ("pairs.csv", b"a" * size)}
        answer = httpx.post(f"{address}gradio_api/upload", files=files, timeout=60)
    except httpx.HTTPError as error:
        # The page answers before it has read the file, and closes.
        return f"the connection is closed ({type(error).__name__})"
    return f"{answer.status_code}: {answer.text[:100]}"


def hostile(address: str) -> dict[str, str]:
    """What those get who send too much, or markup."""
    client = Client(address, verbose=False)
    shown = client.predict(MARKUP, MARKUP, api_name="/score")
    return {
        "a text of 1 MB": outcome(lambda: client.predict("a" * 10**6, "Why?", api_name="/score")),
        "a text of 6,000 characters": outcome(lambda: client.predict("a" * 6000, "Why?", api_name="/score")),
        "a file of 50 MB": uploaded(address, 50 * 10**6),
        "a file of 2 MB and one byte": uploaded(address, 2 * 10**6 + 1),
        "HTML and script in both texts": "a result" if "explorations" in shown else str(shown),
        "markup as a number": outcome(lambda: client.predict(*PAIR, MARKUP, api_name="/score")),
        "another endpoint": outcome(lambda: client.predict(*PAIR, fn_index=0)),
        "a request past the queue": _past_the_queue(address),
    }


def _past_the_queue(address: str) -> str:
    answer = httpx.post(f"{address}gradio_api/run/score", json={"data": [*PAIR, 0, False]}, timeout=60)
    return f"{answer.status_code}: {answer.text[:80]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--at_once", type=int, default=200)
    arguments = parser.parse_args()
    with served() as (address, process):
        client = Client(address, verbose=False)
        client.predict(*PAIR, api_name="/score")
        before = process.memory_info().rss
        times, answers = minute_of_clients(address, arguments.clients, arguments.seconds)
        after = process.memory_info().rss
        cuts = quantiles(times, n=20)
        failures = sum(answers.values()) - len(times)
        header = ["clients", "seconds", "requests", "failures", "p50", "p95", "memory before", "memory after"]
        measured = [arguments.clients, f"{arguments.seconds:g}", sum(answers.values()), failures]
        measured += [f"{cuts[9]:.2f} s", f"{cuts[18]:.2f} s", f"{before >> 20} MiB", f"{after >> 20} MiB"]
        print(f"{markdown_table(header, [measured])}\n", flush=True)
        answered = hostile(address)
        crowd = at_once(address, arguments.at_once).most_common()
        answered[f"{arguments.at_once} requests at once"] = "; ".join(f"{many}: {said}" for said, many in crowd)
        still = outcome(lambda: client.predict(*PAIR, api_name="/score"))
        answered["one more, afterwards"] = f"{still}; {process.memory_info().rss >> 20} MiB"
        print(markdown_table(["what is sent", "what it gets"], answered.items()))


if __name__ == "__main__":
    main()
