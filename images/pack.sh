#!/bin/sh
# Installs the packages that were copied to /build/project into /opt/reme/app, compiled.
set -eu
cd /build/project
# The readme and the licence only travel in the wheel's metadata; a build needs them to be there.
: > README.md
[ -f LICENSE ] || : > LICENSE
hatchling build -t wheel -d /build/dist >/dev/null
uv pip install --quiet --offline --no-deps --no-index --target /opt/reme/app /build/dist/*.whl
rm -rf /opt/reme/app/bin /opt/reme/app/.lock
python3 -m compileall -q --invalidation-mode unchecked-hash /opt/reme/app
