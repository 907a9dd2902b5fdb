"""What is installed beside the package."""

import importlib.metadata
import subprocess
import sys

import pyarrow


def test_a_pyarrow_of_another_major_version_is_named():
    program = "import pyarrow; pyarrow.__version__ = '99.0.0'; import fewter"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode != 0
    error = done.stderr.splitlines()[-1]
    assert error.startswith("ImportError: this fewter was built for pyarrow ")
    assert "pyarrow 99.0.0 is installed" in error
    assert pyarrow.__version__.split(".")[0] in error


def test_it_asks_for_the_pyarrow_that_it_was_built_for():
    from packaging.requirements import Requirement

    wanted = [Requirement(one) for one in importlib.metadata.requires("fewter")]
    (arrow,) = [one for one in wanted if one.name == "pyarrow" and (one.marker is None or one.marker.evaluate())]
    assert pyarrow.__version__ in arrow.specifier
    assert "99.0.0" not in arrow.specifier
