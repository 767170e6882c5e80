#!/usr/bin/env bash
# Run the tests, two files at a time; arguments go to pytest, e.g. ./run_tests.sh tests/spark/test_java.py -k shim
# With --faults: run the long tests that inject faults instead, one by one, some ten minutes, and print a table.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/system/environment.sh"

at_once=2
for argument in "$@"; do
    [ "$argument" != --faults ] || at_once=0
done
cd -- "$MATINEE_ROOT"
ensure_environment requirements-dev.txt
# the same low priority as the service's trainer: tests wait for it, and must not take the CPU from it
exec nice -n 10 "$VENV_PYTHON" -m pytest --numprocesses "$at_once" --dist loadfile --no-loadscope-reorder "$@"
