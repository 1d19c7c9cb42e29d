#!/bin/sh
# A scoring run for cron or a systemd timer: at most one at a time, into a folder of the day's.
#   nightly.sh INPUT OUTPUT [flags of `digit-job score` ...]
# writes OUTPUT/2026-01-31/ and, beside it, OUTPUT/2026-01-31.log. cron mails what a command prints: a run that goes well
# prints nothing, one that does not says in a few lines what is wrong and whether anything need be done. The exit code
# is digit-job's; 75 where another run is still at work. Variables: as of run.sh.
set -u

if [ $# -lt 2 ] || [ -z "$1" ] || [ -z "$2" ]; then
    echo "usage: $0 INPUT OUTPUT [flags of digit-job score ...]" >&2
    exit 2
fi
input=$1 output=$2
shift 2
here=$(dirname "$(realpath "$0")")
day=$(date -u +%Y-%m-%d)
log=$output/$day.log

mkdir -p "$output" || exit 74
# In a folder that others can write to, a link would lead these writes to any file.
for each in "$output/.lock" "$log"; do
    if [ -L "$each" ] || { [ -e "$each" ] && ! { [ -f "$each" ] && [ -O "$each" ]; }; }; then
        echo "digit-job: $each is a link, no file, or another user's; delete it" >&2
        exit 74
    fi
done
touch "$output/.lock" || exit 74
# Held until this process ends, however it does.
exec 9>"$output/.lock"
if ! flock --nonblock 9; then
    echo "digit-job: the run before this one is still at work in $output; this one was not begun" >&2
    exit 75
fi

# Gates, because nobody watches: a warning or a large drift ends the run with 3, and its results can be read. Variables
# and flags set others; an empty variable sets none.
gates="--env DIGIT_JOB_MAX_WARNINGS=${DIGIT_JOB_MAX_WARNINGS-0} --env DIGIT_JOB_MAX_DRIFT=${DIGIT_JOB_MAX_DRIFT-0.25}"

RUN_OPTIONS="$gates ${RUN_OPTIONS:-}" DIGIT_JOB_LOG_FORMAT=text "$here/../run.sh" "$input" "$output/$day" "$@" >>"$log" 2>&1 &
run=$!
# What stops this stops the run, which leaves in good order.
trap 'kill -TERM $run 2>/dev/null' TERM INT
wait $run
code=$?
if [ $code -gt 128 ] && kill -0 $run 2>/dev/null; then
    wait $run
    code=$?
fi
[ $code -eq 0 ] && exit 0

case $code in
    3) what="the results are there and did not pass a gate; look at report.html. Looser gates finish it without scoring" ;;
    65) what="the data cannot be used: its layout, or too many rejects; look at the data" ;;
    66) what="there is no input; see what should have put it there" ;;
    73) what="the folder holds another run, as when the input changed since; move it away, or add --overwrite" ;;
    74 | 75 | 125 | 137) what="storage, memory or the engine failed; the next run goes on from what is committed" ;;
    134 | 139) what="a library crashed, most often over one file, which would happen again; please report it" ;;
    130 | 143) what="it was stopped; the next run goes on from what is committed" ;;
    78) what="the model, the settings or the engine cannot be used" ;;
    *) what="a defect, or wrong usage" ;;
esac
{
    echo "digit-job: scoring $input into $output/$day ended with $code: $what"
    echo "The end of $log:"
    tail -n 5 "$log"
} >&2
exit $code
