"""The programs in README.md and in pages of docs/, run as they are printed, from the repository's root."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("page", "rows"), [("README.md", 5000), ("docs/python.md", 5000), ("docs/tutorial.md", 2000)])
def test_programs(page, rows, tmp_path):
    programs = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    program = "\n".join([*programs, "assert fewter.open(table.uri, version=1).count_rows() == " + str(rows)])
    for folder in ("/tmp/index-cache", "/var/cache/fewter", "/tmp/tutorial"):
        program = program.replace(folder, str(tmp_path / "cache"))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout
