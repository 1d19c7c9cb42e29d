#!/bin/sh
# One scoring run in a container that can read INPUT, write OUTPUT, and do nothing else:
#   run.sh INPUT OUTPUT [flags of `digit-job score` ...]
# The folder OUTPUT is made if it is not there. Variables: IMAGE (digit-job:score), ENGINE (docker or podman),
# RUN_OPTIONS (more options of `docker run`, such as "--memory 1g --cpus 2"), DONE (a folder of earlier results, whose
# inputs are skipped).
#
# The container runs as whoever calls this. Called by root, it runs as the owner of OUTPUT, never as root.
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
is_new=
[ -e "$output" ] || is_new=yes
mkdir -p "$output" || exit 74

user=$(id -u) group=$(id -g)
if [ "$user" -eq 0 ]; then
    if [ -L "$output" ]; then
        echo "$output: is a link, which is not followed as root; name the folder itself" >&2
        exit 73
    fi
    # A new folder is for the owner of the one around it, or for the user of the image.
    owned=$output
    [ -z "$is_new" ] || owned=$(dirname "$output")
    user=$(stat -c %u "$owned") group=$(stat -c %g "$owned")
    if [ "$user" -eq 0 ] && [ -z "$is_new" ]; then
        echo "$output: belongs to root, as whom no container is run; give it to another user (chown 65532:65532)" >&2
        exit 73
    fi
    [ "$user" -ne 0 ] || user=65532
    [ "$group" -ne 0 ] || group=65532
    [ -z "$is_new" ] || chown -h "$user:$group" "$output" || exit 74
fi

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

if [ -n "${DONE:-}" ]; then
    # What nightly.sh keeps of days that it has removed.
    [ ! -d "$DONE/.done" ] || set -- --skip-done /done/.done "$@"
    set -- --volume "$(realpath "$DONE"):/done:ro" "${IMAGE:-digit-job:score}" score --skip-done /done "$@"
else
    set -- "${IMAGE:-digit-job:score}" score "$@"
fi

# shellcheck disable=SC2086  # RUN_OPTIONS is several words
exec "$engine" run --rm --network none --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    --user "$user:$group" --env DIGIT_JOB_LOG_FORMAT="${DIGIT_JOB_LOG_FORMAT:-auto}" ${RUN_OPTIONS:-} \
    --volume "$(realpath "$input"):$place:ro" --volume "$(realpath "$output"):/output" "$@"
