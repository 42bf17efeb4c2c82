"""Takes the picture of a report that the README shows.

    python web/picture.py runs/digits-001/report.html docs/images/report.png

Needs playwright, and Chromium as `chromium` on the path (apt-get install chromium).
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1280, 1180  # the card that says it all, the curves, and the first classes


def picture(report: Path, image: Path) -> None:
    """The top of the page, light, as PNG.

    Raises:
        FileNotFoundError: no Chromium on the path, or no such report.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise FileNotFoundError("chromium is not on the path; run: apt-get install chromium")
    image.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(report.resolve(strict=True).as_uri())
        page.screenshot(path=image)
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    picture(Path(sys.argv[1]), Path(sys.argv[2]))
