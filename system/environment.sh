# Create the project's Python environment; sourced by the scripts in the root, never run by itself.
#
#   . system/environment.sh                 (after: MATINEE_ROOT, VENV_PYTHON, say, fail)
#   ensure_environment requirements.txt      (after: "$VENV_PYTHON" has everything that file asks for, and
#                                             .venv/bin/matinee is there)
#
# A second call with the same requirements runs no pip and needs no network. Progress goes to stderr. The requirements
# are locked: pip installs only files whose SHA-256 they list.

MATINEE_ROOT=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV="$MATINEE_ROOT/.venv"
VENV_PYTHON="$VENV/bin/python"

# One BLAS thread per process: requests and training run side by side, and small products are faster with one thread.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

say() { printf 'matinee: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

ensure_environment() {
    ensure_requirements "$1"
    [ -x "$VENV/bin/matinee" ] || ln -sf ../../system/matinee.sh "$VENV/bin/matinee" ||
        say "cannot create $VENV/bin/matinee; .venv/bin/python cli.py is the same command"
}

ensure_requirements() {
    environment_is_ready "$1" && return
    # Lock this file itself: that needs no extra file, and the kernel releases the lock with the process.
    exec 9<"$MATINEE_ROOT/system/environment.sh"
    if command -v flock >/dev/null && ! flock -n 9; then
        say "another script is building .venv; waiting for it"
        flock 9 || fail "cannot wait for the other script; start this one again when it has ended"
    fi
    environment_is_ready "$1" || build_environment "$1"
    exec 9<&-
}

environment_is_ready() {
    [ ! -e "$VENV/unfinished" ] && [ "$(cat "$(stamp_of "$1")" 2>/dev/null)" = "$(checksum_of "$1")" ] &&
        "$VENV_PYTHON" -c '' 2>/dev/null
}

stamp_of() { printf '%s/installed-%s\n' "$VENV" "$1"; }

checksum_of() { cksum <"$MATINEE_ROOT/$1"; }

build_environment() {
    local began=$SECONDS
    if [ -e "$VENV/unfinished" ] || ! "$VENV_PYTHON" -m pip --version >/dev/null 2>&1; then
        make_venv
    fi
    say "downloading and installing the packages of $1: several hundred MB the first time, a minute or more"
    # After an interruption of pip, a half-installed package looks installed: only a new .venv is safe.
    : >"$VENV/unfinished"
    trap 'fail "interrupted; the next start creates a new .venv"' INT TERM
    [ -w "${HOME-}" ] || export PIP_NO_CACHE_DIR=1 # pip would complain that it cannot keep a cache
    # quiet: only warnings and errors; -W hides pip's advice to those who publish packages
    if "$VENV_PYTHON" -W ignore -m pip install --quiet --disable-pip-version-check --no-input \
        -r "$MATINEE_ROOT/$1" >&2; then
        checksum_of "$1" >"$(stamp_of "$1")"
        rm "$VENV/unfinished"
        say "the packages are installed; .venv has $(du -sm "$VENV/" | cut -f 1) MB, $((SECONDS - began)) s"
    else
        rm "$VENV/unfinished" # after its own errors pip leaves no half-installed package
        fail "pip could not install $1 (see above). Check that a package index is reachable, then start this again."
    fi
    trap - INT TERM
}

make_venv() {
    local python
    python=$(find_python) || exit 1
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python cannot make virtual environments." \
        "On Debian and Ubuntu: apt install python3-venv. Then start this again."
    [ -e "$VENV" ] && say ".venv is unfinished or broken; creating it again"
    say "creating .venv with $("$python" --version) ($python)"
    rm -rf "$VENV" && mkdir "$VENV" && : >"$VENV/unfinished" ||
        fail "cannot write $VENV; make $MATINEE_ROOT writable for $(id -un 2>/dev/null || id -u)."
    "$python" -m venv "$VENV" >&2 || fail "python -m venv failed (see above). On Debian and Ubuntu:" \
        "apt install python3-venv. Check the free disk space, then start this again."
}

# Print the first Python 3.11 or later; $PYTHON, when set, is the only candidate.
find_python() {
    local candidate found=""
    set -- python3 python3.13 python3.12 python3.11
    [ -n "${PYTHON-}" ] && set -- "$PYTHON"
    for candidate in "$@"; do
        command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
        found="$found $(command -v "$candidate") is $("$candidate" --version 2>&1 | head -n 1);"
    done
    fail "Matinee needs Python 3.11 or newer; found:${found:- none}." \
        "Install it (Debian and Ubuntu: apt install python3 python3-venv), or set PYTHON=/path/to/python3.11"
}
