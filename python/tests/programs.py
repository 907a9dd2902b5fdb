"""The programs of README.md and of pages of docs/, each page's as one.

programs.py FOLDER      writes them there, for type checkers
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# And how many rows `table` has at the end of each.
PAGES = {"README.md": 5000, "docs/python.md": 5000, "docs/tutorial.md": 2000, "docs/metrics.md": 5000}


def program_of(page: str) -> str:
    return "\n".join(re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL))


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        (folder / f"{pathlib.Path(page).stem.lower()}_page.py").write_text(program_of(page))
