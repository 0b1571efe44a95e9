#!/bin/sh
# Runs a command inside the build with the builder's way to the network: proxies, indexes and
# certificates come as a secret, so that none of them is left in a layer.
if [ -f /run/secrets/network ]; then . /run/secrets/network; fi
exec "$@"
