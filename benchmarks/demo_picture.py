"""Makes docs/figures/demo.png: the page of `empathy demo` with a scored pair of the synthetic sample.

    python -m benchmarks.demo_picture

Needs Chromium (apt-get install chromium), and no network.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from modeling_empathy.demo.server import serving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_path", type=Path, default=Path("docs/figures/demo.png"))
    arguments = parser.parse_args()
    with serving() as address, sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = browser.new_page(viewport={"width": 1100, "height": 1060}, color_scheme="light")
        page.goto(address)
        page.wait_for_selector("#result .empathy-mechanism")
        page.wait_for_timeout(1000)
        page.screenshot(path=arguments.output_path)
        browser.close()


if __name__ == "__main__":
    main()
