#!/bin/sh
# Runs a command inside the build with the proxies, package indexes and certificates of the builder,
# which are secrets of the build, so that no layer contains them.
if [ -f /run/secrets/network ]; then . /run/secrets/network; fi
exec "$@"
