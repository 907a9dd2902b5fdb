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

try:
    from fewter import _core
except ImportError as _error:  # A libarrow of another major version has another name.
    raise ImportError(
        f"fewter could not be loaded beside pyarrow {_pyarrow.__version__}; it belongs to the major version that "
        f"its own requirements name (pip install fewter picks it): {_error}"
    ) from _error

from fewter.accelerate import AcceleratedDataset, accelerate
from fewter.backend import CacheBackend
from fewter.faiss_form import FaissIndex
from fewter.session import Session, default_session
from fewter.table import Follower, PrewarmReport, Table, follow, open

__version__: str = _core.VERSION

__all__ = [
    "AcceleratedDataset",
    "CacheBackend",
    "FaissIndex",
    "Follower",
    "PrewarmReport",
    "Session",
    "Table",
    "accelerate",
    "default_session",
    "follow",
    "open",
]
