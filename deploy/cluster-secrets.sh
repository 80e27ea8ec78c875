#!/bin/sh
# Makes the Secrets that k8s/ names, from a folder with one file for each secret (default: deploy/secrets):
#   sh deploy/cluster-secrets.sh development [FOLDER]   writes what is missing there: random secrets, and the addresses of
#                                                       the servers that run as pods
#   sh deploy/cluster-secrets.sh production FOLDER      every file must be there
#   sh deploy/cluster-secrets.sh list OVERLAY           prints a line for each Secret: namespace, name, files
# It needs kubectl. Files that it does not know are left alone.
set -eu
command=${1:-}
overlay=$command
[ "$command" != list ] || overlay=${2:-}
case $overlay in
development) secrets="
polycode monolith jwt-secret
polycode rabbitmq rabbitmq-password" ;;
production)
    of_gateway="consul-ca consul-token"
    of_account="polycode polycode-account polycode-identity"
    of_learning=polycode-learning
    of_mailer=smtp-password
    secrets="
polycode realm keycloak-admin polycode polycode-account polycode-identity polycode-learning polycode-mailer polycode-runner polycode-shop" ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2 ;;
esac
secrets="\
polycode gateway broker-url database-url jwt-secret operator-token redis-url signing-key ${of_gateway:-}
polycode shop broker-url database-url documents-url internal-token operator-token
polycode account broker-url database-url internal-token jwt-secret operator-token ${of_account:-}
polycode learning broker-url database-url documents-url internal-token operator-token ${of_learning:-}
polycode mailer broker-url database-url internal-token operator-token ${of_mailer:-}
polycode-runner runner internal-token operator-token
polycode-operators strangler operator-token$secrets"
if [ "$command" = list ]; then
    echo "$secrets"
    exit
fi

folder=${2:-$(dirname "$0")/secrets}
write() { [ -e "$folder/$1" ] || printf %s "$2" >"$folder/$1"; }
if [ "$overlay" = development ]; then
    sh "$(dirname "$0")/new-secrets.sh" "$folder"
    write documents-url mongodb://mongo/polycode
    write redis-url redis://redis:6379/0
fi
echo "$secrets" | while read -r namespace name files; do
    set -- # the options, one for each file
    for file in $files; do
        [ -s "$folder/$file" ] || { echo "$folder/$file is missing or empty: write the secret into it" >&2; exit 1; }
        set -- "$@" "--from-file=$folder/$file"
    done
    kubectl create namespace "$namespace" --dry-run=client --output yaml | kubectl apply --filename - >/dev/null
    kubectl create secret generic "$name" --namespace "$namespace" "$@" --dry-run=client --output yaml |
        kubectl apply --filename -
done
