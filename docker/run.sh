#!/bin/sh
# One scoring run in a container that can read INPUT, write OUTPUT, and do nothing else:
#   run.sh INPUT OUTPUT [flags of `digit-job score` ...]
# The folder OUTPUT is made if it is not there. Variables: IMAGE (digit-job:score), ENGINE (docker or podman),
# RUN_OPTIONS (more options of `docker run`, such as "--memory 1g --cpus 2").
set -eu

if [ $# -lt 2 ] || [ -z "$1" ] || [ -z "$2" ]; then
    echo "usage: $0 INPUT OUTPUT [flags of digit-job score ...]" >&2
    exit 2
fi
input=$1 output=$2
shift 2

# An engine would make a folder of the name, owned by root.
if [ ! -e "$input" ]; then
    echo "$input: there is no such file or folder" >&2
    exit 66
fi
mkdir -p "$output" || exit 74

engine=${ENGINE:-}
for each in docker podman; do
    if [ -z "$engine" ] && "$each" info >/dev/null 2>&1; then
        engine=$each
    fi
done
if [ -z "$engine" ]; then
    echo "neither docker nor podman works here; install one of them, or start its service" >&2
    exit 78
fi

# A single file keeps its name, which its predictions are called after.
place=/input
if [ -f "$input" ]; then
    place=/input/$(basename "$input")
fi

# shellcheck disable=SC2086  # RUN_OPTIONS is several words
exec "$engine" run --rm --network none --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    --user "$(id -u):$(id -g)" --env DIGIT_JOB_LOG_FORMAT="${DIGIT_JOB_LOG_FORMAT:-auto}" ${RUN_OPTIONS:-} \
    --volume "$(realpath "$input"):$place:ro" --volume "$(realpath "$output"):/output" \
    "${IMAGE:-digit-job:score}" score "$@"
