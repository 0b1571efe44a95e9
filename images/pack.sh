#!/bin/sh
# Installs the packages that were copied to /build/project into /opt/reme/app, compiled.
set -eu
cd /build/project
# The wheel's metadata needs a readme and a licence.
: > README.md
[ -f LICENSE ] || : > LICENSE
hatchling build -t wheel -d /build/dist >/dev/null
uv pip install --quiet --offline --no-deps --no-index --target /opt/reme/app /build/dist/*.whl
rm -rf /opt/reme/app/bin /opt/reme/app/.lock
python3 -m compileall -q --invalidation-mode unchecked-hash /opt/reme/app
