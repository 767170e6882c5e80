"""What a fit learns from, as a Parquet file: Spark's tasks read it by themselves and nothing passes the driver's heap.

Handed over as a table, the ratings go through the driver's JVM whole, and 32 million of them need several GB of it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

ROWS_A_GROUP = 1_000_000  # a task reads whole groups, so this bounds its memory, and with fewer rows one task is enough


@contextmanager
def parquet_file(folder: Path, columns: Mapping[str, npt.NDArray[Any]]) -> Iterator[Path]:
    """A file of these columns in `folder`, in the given order of rows, for the time of the block."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder, prefix="fit-", suffix=".parquet") as file:
        pq.write_table(pa.table(dict(columns)), file.name, row_group_size=ROWS_A_GROUP)
        yield Path(file.name)
