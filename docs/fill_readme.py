"""Draw the README's picture with the demo, run its Python example, and write what that prints under it.

`python docs/fill_readme.py`, in the root of the project.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "payment-outage.png"
EXAMPLE = re.compile(r"<!-- example: begin -->\n```python\n(.*?)```", re.DOTALL)
OUTPUT = re.compile(r"(<!-- example output: begin.*?-->\n).*?(<!-- example output: end -->)", re.DOTALL)


def printed(text: str) -> str:
    """What the example in this README prints, run in the root of the project."""
    code = EXAMPLE.search(text)
    if code is None:
        raise SystemExit(f"{README} has no Python example between its `example` comments.")
    command = [sys.executable, "-c", code[1]]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def filled(text: str, output: str) -> str:
    """The README with this output between its `example output` comments."""
    block = f"```\n{output.rstrip()}\n```\n"
    return OUTPUT.sub(lambda found: found[1] + block + found[2], text)


def draw() -> None:
    """The picture that `make demo` produces, at the place from which the README shows it."""
    subprocess.run([sys.executable, "-m", "edasim", "demo"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    PICTURE.parent.mkdir(exist_ok=True)
    shutil.copy(ROOT / "out" / "demo" / "slide.png", PICTURE)


if __name__ == "__main__":
    draw()
    readme = README.read_text(encoding="utf-8")
    README.write_text(filled(readme, printed(readme)), encoding="utf-8")
