#!/bin/sh
# Makes the Secrets that k8s/ names, from a folder with one file for each secret (default: deploy/secrets):
#   sh deploy/cluster-secrets.sh development [FOLDER]   writes what is missing there: random secrets, and the addresses of
#                                                       the servers that run as pods
#   sh deploy/cluster-secrets.sh production FOLDER      every file must be there
#   sh deploy/cluster-secrets.sh list                   prints a line for each Secret: namespace, name, files
# It needs kubectl. Files that it does not know are left alone.
set -eu
overlay=${1:-}
folder=${2:-$(dirname "$0")/secrets}

secrets="
polycode gateway broker-url database-url jwt-secret operator-token redis-url signing-key
polycode shop broker-url database-url documents-url internal-token operator-token
polycode account broker-url database-url internal-token jwt-secret operator-token
polycode learning broker-url database-url documents-url internal-token operator-token
polycode mailer broker-url database-url internal-token operator-token
polycode-runner runner internal-token operator-token
"
[ "$overlay" = production ] || secrets="$secrets
polycode monolith jwt-secret
polycode rabbitmq rabbitmq-password
"

write() { [ -e "$folder/$1" ] || printf %s "$2" >"$folder/$1"; }

case $overlay in
list) echo "$secrets" | sed '/^$/d'; exit ;;
production) ;;
development)
    sh "$(dirname "$0")/new-secrets.sh" "$folder"
    write rabbitmq-password "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
    write broker-url "amqp://polycode:$(cat "$folder/rabbitmq-password")@rabbitmq:5672/"
    write database-url postgresql://postgres@postgres/postgres
    write documents-url mongodb://mongo/polycode
    write redis-url redis://redis:6379/0
    ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

echo "$secrets" | while read -r namespace name files; do
    [ -n "$namespace" ] || continue
    set -- # the options, a file each
    for file in $files; do
        [ -s "$folder/$file" ] || { echo "$folder/$file is missing or empty: write the secret into it" >&2; exit 1; }
        set -- "$@" "--from-file=$folder/$file"
    done
    kubectl create namespace "$namespace" --dry-run=client --output yaml | kubectl apply --filename - >/dev/null
    kubectl create secret generic "$name" --namespace "$namespace" "$@" --dry-run=client --output yaml | kubectl apply --filename -
done
