"""A first search, with nothing installed but the wheel and what it asks for; run by scripts/python_test.sh.

fresh_install.py DATASET
"""

import pathlib
import re
import subprocess
import sys

import fewter

table = fewter.open(sys.argv[1])
query = table.take([5], ["vector"])["vector"][0]
names = table.search(query, k=3, columns=["name"])["name"].to_pylist()
assert names[0] == table.take([5], ["name"])["name"][0].as_py(), names

# Every library comes from the wheel, pyarrow's, or is part of any system that a wheel may count on.
module = pathlib.Path(fewter._core.__file__)
wheels = module.parent.parent
needed = subprocess.run(["ldd", module], check=True, capture_output=True, text=True).stdout
for name, path in re.findall(r"^\s*(\S+) => (.*) \(0x", needed, re.MULTILINE):
    is_of_any_system = re.match(r"(libc|libm|libdl|librt|libpthread|libgcc_s|libstdc\+\+|libz)\.so", name)
    assert is_of_any_system or pathlib.Path(path).resolve().is_relative_to(wheels), f"{name} comes from {path}"
assert "not found" not in needed, needed
print(f"fewter {fewter.__version__} finds {', '.join(names)}")
