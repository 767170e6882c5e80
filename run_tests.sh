#!/usr/bin/env bash
# Runs the tests; arguments go to pytest, e.g. ./run_tests.sh tests/test_java.py -k shim
# With --faults it runs the long tests that inject faults instead, some ten minutes, and ends with a table of them.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/runtime/environment.sh"

cd -- "$MATINEE_ROOT"
ensure_environment requirements-dev.txt
exec "$VENV_PYTHON" -m pytest "$@"
