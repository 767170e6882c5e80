#!/bin/sh
# Run the command `matinee` from any folder; .venv/bin/matinee is a link to this file.
root=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$root/.venv/bin/python" "$root/cli.py" "$@"
