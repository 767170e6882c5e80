#!/usr/bin/env bash
# Start Matinee: create .venv on the first run, then run server.py, under spark-submit where SPARK_HOME is set.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/system/environment.sh"

# Print a setting from the environment, else from .env; empty where neither has it.
given() {
    if [ -n "${!1-}" ]; then
        printf '%s\n' "${!1}"
    elif grep -qs "$1" .env; then
        "$VENV_PYTHON" -m dotenv -f .env get "$1" 2>/dev/null || true
    fi
}

OPTIONS_OF_SUBMIT='
import shlex, settings
s = settings.load()
print("--master", s.spark_master, "--driver-memory", s.spark_driver_memory, sep="\n")
for word in shlex.split(s.spark_conf):
    print("--conf", word, sep="\n")
'

start_under_spark_submit() {
    local submit="$1/bin/spark-submit" python options
    [ -x "$submit" ] || fail "SPARK_HOME=$1, but $submit cannot be run." \
        "Set SPARK_HOME to an unpacked Spark 4, or unset it to use the one in .venv."
    JAVA_HOME=$(given JAVA_HOME)
    JAVA_HOME=$(JAVA_HOME=$JAVA_HOME "$VENV_PYTHON" -m spark.java)
    # Options of the JVM, which exists before server.py can read its settings.
    options=$("$VENV_PYTHON" -c "$OPTIONS_OF_SUBMIT")
    mapfile -t options <<<"$options"
    python=$(given PYSPARK_PYTHON)
    export SPARK_HOME="$1" JAVA_HOME PYSPARK_PYTHON="${python:-$VENV_PYTHON}" PYSPARK_DRIVER_PYTHON="$VENV_PYTHON"
    say "starting server.py under $submit"
    exec "$submit" "${options[@]}" server.py "${@:2}"
}

# Whether a database can be used: initdb, which makes the embedded one, wants a name for the account.
has_database() {
    [ -n "${DATABASE_URL-}" ] || grep -Eqs '^ *(export +)?(DATABASE_URL|MATINEE_STATE_DIR)=.' .env ||
        [ -e "${MATINEE_STATE_DIR:-var}/postgres/password" ] || id -un >/dev/null 2>&1
}

cd -- "$MATINEE_ROOT"
# before the packages, which take a minute; the server knows more exactly
environment_is_ready requirements.txt || has_database || fail "the user id $(id -u) has no entry in /etc/passwd, which" \
    "the embedded PostgreSQL wants: add one, or set DATABASE_URL to a PostgreSQL of your own."
ensure_environment requirements.txt
spark_home=$(given SPARK_HOME)
[ -z "$spark_home" ] || start_under_spark_submit "$spark_home" "$@"
say "starting server.py"
exec "$VENV_PYTHON" server.py "$@"
