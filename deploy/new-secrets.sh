#!/bin/sh
# Writes the secrets that compose.yaml names into a folder (default: deploy/secrets), each with 32 random bytes. It leaves
# files that exist. Only the folder's owner can enter it; the files themselves are readable, because Docker mounts them
# as they are and the containers run as user 10001.
set -eu
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 0700 "$folder"
clients="polycode polycode-identity polycode-account polycode-shop polycode-learning polycode-runner polycode-mailer"
for name in jwt-secret operator-token internal-token keycloak-admin $clients; do
    [ -e "$folder/$name" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$folder/$name"
    chmod 0444 "$folder/$name"
done
echo "the secrets are in $folder"
