#!/bin/sh
# Runs a command of `strangler` in the cluster, as a Job made of the CronJob `strangler` (k8s/components/operators):
#   sh deploy/strangler-job.sh flip items --to shadow --why "compare first"
# It prints what the command prints, and ends with its exit code. It needs kubectl and the rights of the group
# polycode-operators; the credential stays in the cluster. The journal says your user name.
set -eu
namespace=polycode-operators
job=strangler-$(date +%s)-$$
quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"; }
words=
for word in "$@"; do words="$words${words:+, }$(quoted "$word")"; done
container=/spec/template/spec/containers/0
kubectl create job "$job" --namespace "$namespace" --from cronjob/strangler --dry-run=client --output json |
    kubectl patch --local --filename - --type json --output json --patch "[
        {\"op\": \"add\", \"path\": \"$container/args\", \"value\": [$words]},
        {\"op\": \"add\", \"path\": \"$container/env/-\", \"value\": {\"name\": \"USER\", \"value\": $(quoted "$(id -un)")}}]" |
    kubectl create --filename - >/dev/null

status() { kubectl get pods --namespace "$namespace" --selector "job-name=$job" --output "jsonpath={.items[*].status.$1}"; }
while case $(status phase) in "" | Pending) true ;; *) false ;; esac; do sleep 1; done
kubectl logs --namespace "$namespace" --container strangler --follow "job/$job"
ended='containerStatuses[0].state.terminated.exitCode'
while [ -z "$(status "$ended")" ]; do sleep 1; done
exit "$(status "$ended")"
