#!/bin/sh
# Writes the secrets that compose.yaml names into a folder (default: deploy/secrets), each with 32 random bytes, and the
# gateways' signing key (needs openssl). It leaves files that exist. Only the folder's owner can enter it; the files themselves are readable, because Docker mounts them
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
if [ ! -e "$folder/signing-key" ]; then
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/signing-key.new"
    mv "$folder/signing-key.new" "$folder/signing-key"
fi
chmod 0444 "$folder/signing-key"
echo "the secrets are in $folder"
