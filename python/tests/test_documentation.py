"""The programs in README.md and in pages of docs/, run as they are printed, from the repository's root."""

import subprocess
import sys

import pytest
from programs import PAGES, ROOT, program_of


@pytest.mark.parametrize(("page", "rows"), PAGES.items())
def test_programs(page, rows, tmp_path):
    program = program_of(page) + f"\nassert fewter.open(table.uri, version=1).count_rows() == {rows}"
    for folder in ("/tmp/index-cache", "/var/cache/fewter", "/tmp/tutorial"):
        program = program.replace(folder, str(tmp_path / "cache"))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout
