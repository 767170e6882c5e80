"""One BLAS thread for this process and its children, unless the environment says otherwise.

The entry points import this module before anything that loads numpy, which reads these names once. Requests and
training run side by side, and many small products are faster so.
"""

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
