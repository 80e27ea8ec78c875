#!/bin/sh
# Writes the secrets that compose.yaml names into a folder (default: deploy/secrets): random ones of 32 bytes, the addresses of
# the database and the broker with their passwords, and the gateways' signing key (needs openssl). It leaves files that exist.
# Only the folder's owner can enter it; the files themselves are readable, because Docker mounts them as they are and the
# containers run as ordinary users.
set -eu
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 0700 "$folder"
write() {
    [ -e "$folder/$1" ] || printf %s "$2" >"$folder/$1"
    chmod 0444 "$folder/$1"
}
clients="polycode polycode-identity polycode-account polycode-shop polycode-learning polycode-runner polycode-mailer"
for name in jwt-secret operator-token internal-token keycloak-admin postgres-password rabbitmq-password $clients; do
    write "$name" "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
done
write database-url "postgresql://postgres:$(cat "$folder/postgres-password")@postgres/postgres"
write broker-url "amqp://polycode:$(cat "$folder/rabbitmq-password")@rabbitmq:5672/"
write rabbitmq.conf "default_user = polycode
default_pass = $(cat "$folder/rabbitmq-password")
"
if [ ! -e "$folder/signing-key" ]; then
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/signing-key.new"
    mv "$folder/signing-key.new" "$folder/signing-key"
fi
chmod 0444 "$folder/signing-key"
echo "the secrets are in $folder"
