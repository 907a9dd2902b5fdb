"""Vector search over Lance datasets, by a native engine with an index cache that outlives the process.

    import fewter

    table = fewter.open("packages.lance")
    table.search(vector, k=5, columns=["name"]).to_pandas()

`Table` is one version of a dataset, `Session` what several tables share: caches and threads. Everything may be used from
several threads; the interpreter's lock is released while something is searched or read. Results are `pyarrow.Table`,
errors are pyarrow's exceptions, which are the built-in ones too: `ValueError`, `KeyError`, `NotImplementedError`,
`OSError`.
"""

# First of all, so that the one libarrow of the process is pyarrow's.
import pyarrow as _pyarrow

from fewter._arrow import ARROW_VERSION as _ARROW_VERSION

# Another major version has another binary interface, and libraries of other names.
if _pyarrow.__version__.split(".")[0] != _ARROW_VERSION.split(".")[0]:
    raise ImportError(
        f"this fewter was built for pyarrow {_ARROW_VERSION}, and pyarrow {_pyarrow.__version__} is installed; it needs "
        f"one of the same major version: pip install 'pyarrow=={_ARROW_VERSION.split('.')[0]}.*', or build fewter anew"
    )

from fewter import _core
from fewter.accelerate import AcceleratedDataset, accelerate
from fewter.backend import CacheBackend
from fewter.faiss_form import FaissIndex
from fewter.options import SearchOptions
from fewter.session import Session, default_session
from fewter.table import Follower, PrewarmReport, Table, follow, open

__version__: str = _core.VERSION

__all__ = [
    "AcceleratedDataset",
    "CacheBackend",
    "FaissIndex",
    "Follower",
    "PrewarmReport",
    "SearchOptions",
    "Session",
    "Table",
    "accelerate",
    "default_session",
    "follow",
    "open",
]
