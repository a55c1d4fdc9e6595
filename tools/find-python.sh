#!/bin/sh
# Prints the path of a Python 3.13 that runs, or says in one line what is missing.
# A name on PATH proves nothing: pyenv's shim of a version that is not selected is found and then refuses to run.

is_python313() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1
}

for candidate in python3.13 python3 python; do
    found=$(command -v "$candidate") && is_python313 "$found" && echo "$found" && exit 0
done
for found in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 \
    /opt/homebrew/bin/python3.13 /usr/local/bin/python3.13; do
    [ -x "$found" ] && is_python313 "$found" && echo "$found" && exit 0
done
echo "Python 3.13 is needed and was not found: install it (for example with 'pyenv install 3.13') and run make again." >&2
exit 1
