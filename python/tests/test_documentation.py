"""The programs in README.md and docs/python.md, run as they are printed, from the repository's root."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_programs(page, tmp_path):
    programs = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    program = "\n".join([*programs, "assert table.count_rows() == 5000"])
    for folder in ("/tmp/index-cache", "/var/cache/fewter"):
        program = program.replace(folder, str(tmp_path / "cache"))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout
