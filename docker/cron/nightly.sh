#!/bin/sh
# Scoring runs for cron or a systemd timer: one wrapper at a time, a folder for each day.
#   nightly.sh [--only-new] [--keep-days N] INPUT OUTPUT [flags of `digit-job score` ...]
# writes OUTPUT/2026-01-31/ (the day in UTC) and, beside it, OUTPUT/2026-01-31.log. Days that were begun and not finished
# come first, the oldest first, each with the inputs that it began with; then today.
#   --only-new     score only the files that no finished day has scored
#   --keep-days N  remove the results and logs of this wrapper that are older than N days; without it, all are kept
#
# cron mails what a command prints: a night that goes well prints nothing, any other says in a few lines which day went
# wrong, how, and whether anything need be done. A day that another try cannot help gets OUTPUT/2026-01-31.failed with
# the exit code, and is left alone until that file is deleted. The exit code is digit-job's: of the days that failed, one
# that somebody has to see to counts most, then one that the next night goes on with, and the later of two alike. 75 where
# another wrapper is still at work. Variables: as of run.sh.
set -u

usage() {
    echo "usage: $0 [--only-new] [--keep-days N] INPUT OUTPUT [flags of digit-job score ...]" >&2
    exit 2
}

only_new='' keep_days=''
while [ $# -gt 0 ]; do
    case $1 in
        --only-new) only_new=yes ;;
        --keep-days)
            [ $# -gt 1 ] || usage
            shift
            keep_days=${1:-none}
            ;;
        --keep-days=*) keep_days=${1#*=}; keep_days=${keep_days:-none} ;;
        -*) usage ;;
        *) break ;;
    esac
    shift
done
case $keep_days in
    0* | *[!0-9]* | ??????*)
        echo "--keep-days $keep_days: expected a number of days from 1 to 99999" >&2
        exit 2
        ;;
esac
if [ $# -lt 2 ] || [ -z "$1" ] || [ -z "$2" ]; then
    usage
fi
input=$1 output=$2
shift 2
for each in "$@"; do
    case $each in
        --only-new | --keep-days | --keep-days=*)
            echo "$each: belongs before INPUT" >&2
            usage
            ;;
    esac
done
here=$(dirname "$(realpath "$0")")
# Read once, so that a night that goes past midnight stays one.
now=$(date -u +%s)
today=$(date -u -d "@$now" +%Y-%m-%d)
first_kept=0000-00-00
[ -z "$keep_days" ] || first_kept=$(date -u -d "@$((now - keep_days * 86400))" +%Y-%m-%d)

mkdir -p "$output" || exit 74

# In a folder that others can write to, a link would lead these writes to any file.
check_own() {
    for each in "$@"; do
        if [ -L "$each" ] || { [ -e "$each" ] && ! { [ -f "$each" ] && [ -O "$each" ]; }; }; then
            echo "digit-job: $each is a link, no file, or another user's; delete it" >&2
            exit 74
        fi
    done
}

check_own "$output/.lock"
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

run='' is_stopped='' worst=0
# What stops this stops the run, which leaves in good order.
trap 'is_stopped=yes; [ -z "$run" ] || kill -TERM "$run" 2>/dev/null' TERM INT

is_before() { # of two days
    [ "$(echo "$1" | tr -d -)" -lt "$(echo "$2" | tr -d -)" ]
}

is_begun() { # whether a folder holds a run that is neither finished nor did not pass its gates
    [ ! -L "$1" ] && [ ! -L "$1/_parts" ] && { [ -f "$1/_parts/run.json" ] || [ -f "$1/_parts/inputs.json" ]; } &&
        [ ! -e "$1/_SUCCESS" ] && [ ! -e "$1/_FAILED" ]
}

rank() { # of an exit code: how much it has to be seen
    case $1 in
        0) echo 0 ;;
        74 | 75 | 125 | 137) echo 1 ;;
        130 | 143) echo 3 ;;
        *) echo 2 ;;
    esac
}

explain() { # an exit code of a day
    case $1 in
        3) echo "the results are there and did not pass a gate; look at report.html. Looser gates finish it without scoring" ;;
        65) echo "the data cannot be used: its layout, or too many rejects; look at the data" ;;
        66) echo "there is no input; see what should have put it there" ;;
        73)
            if [ "$2" = "$today" ]; then
                echo "the folder holds another run, as when the input changed since; move it away, or add --overwrite"
            else
                echo "it cannot be finished, as its inputs, the model or the flags changed since; other days go on"
            fi
            ;;
        74 | 75 | 125 | 137) echo "storage, memory or the engine failed; the next run goes on from what is committed" ;;
        134 | 139) echo "a library crashed, most often over one file, which would happen again; please report it" ;;
        130 | 143) echo "it was stopped; the next run goes on from what is committed" ;;
        78) echo "the model, the settings or the engine cannot be used" ;;
        *) echo "a defect, or wrong usage" ;;
    esac
}

score_day() { # a day, and flags
    day=$1 log=$output/$1.log mark=$output/$1.failed
    shift
    check_own "$log" "$mark"
    RUN_OPTIONS="$gates ${RUN_OPTIONS:-}" DONE=${only_new:+$output} DIGIT_JOB_LOG_FORMAT=text \
        "$here/../run.sh" "$input" "$output/$day" "$@" >>"$log" 2>&1 &
    run=$!
    wait "$run"
    code=$?
    if [ $code -gt 128 ] && kill -0 "$run" 2>/dev/null; then
        wait "$run"
        code=$?
    fi
    run=
    # Where nothing is new, nothing is written.
    [ -z "$only_new" ] || rmdir "$output/$day" 2>/dev/null
    rm -f "$mark"
    [ $code -ne 0 ] || return
    case $code in
        # These come from the day's files, and would come again. Others may be set right for all days at once.
        3 | 65 | 70 | 73 | 134 | 139) echo $code >"$mark" ;;
    esac
    [ "$(rank $code)" -lt "$(rank $worst)" ] || worst=$code
    {
        echo "digit-job: scoring $input into $output/$day ended with $code: $(explain $code "$day")"
        echo "The end of $log:"
        tail -n 5 "$log"
    } >&2
}

is_ours() { # whether a run of this job has left a folder, through no link
    for each in manifest.json _parts/run.json; do
        if [ ! -L "$1" ] && [ ! -L "$1/_parts" ] && [ -f "$1/$each" ] && [ ! -L "$1/$each" ] &&
            grep -q '"fingerprint": *"[0-9a-f]\{64\}"' "$1/$each"; then
            return
        fi
    done
    return 1
}

remove() { # what runs have written into a folder; other files stay. What says that it is ours goes last
    rm -f "$1/_SUCCESS" "$1/_FAILED" "$1/report.json" "$1/report.html"
    for each in predictions rejects review _parts; do
        if [ ! -d "$1/$each" ] || [ -L "$1/$each" ]; then
            continue
        fi
        # Somebody has labelled rows, and may not have trained with them yet.
        if [ "$each" = review ] && [ -n "$(find "$1/review" -newer "$1/manifest.json" -print -quit)" ]; then
            continue
        fi
        find "$1/$each" -depth \( -type f \( -name '*.csv' -o -name '*.parquet' -o -name '*.jsonl' -o -name '*.arrow' \
            -o -name '*.html' -o -name '*.json' -o -name '*.xml' -o -name '*.png' \
            -o -name '.*.tmp' \) -o -type d -empty \) -delete
    done
    if [ -d "$1/_parts" ]; then
        rm -f "$1/_parts/run.json"
        rmdir "$1/_parts"
    fi
    rm -f "$1/manifest.json"
    rmdir "$1" 2>/dev/null || echo "digit-job: $1 holds other files, which --keep-days does not remove" >&2
}

remove_old_day() {
    folder=$output/$1
    if [ ! -e "$folder/_SUCCESS" ] && [ -e "$folder/_parts" ]; then
        echo "digit-job: --keep-days $keep_days removes $folder, which is not finished" >&2
    elif [ -n "$only_new" ] && [ -f "$folder/_SUCCESS" ]; then
        # What is done has to stay on record, for --only-new.
        [ ! -L "$output/.done" ] && mkdir -p "$output/.done/$1" &&
            cp "$folder/manifest.json" "$output/.done/$1/" && cp "$folder/_SUCCESS" "$output/.done/$1/" || return
    fi
    remove "$folder"
}

for folder in "$output"/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]; do
    day=${folder##*/}
    if [ -z "$is_stopped" ] && is_begun "$folder" && [ ! -e "$folder.failed" ] && is_before "$day" "$today" &&
        ! is_before "$day" "$first_kept"; then
        score_day "$day" "$@"
    fi
done
[ -n "$is_stopped" ] || score_day "$today" "$@"

if [ -n "$keep_days" ] && [ -z "$is_stopped" ]; then
    for folder in "$output"/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]; do
        day=${folder##*/}
        if [ ! -d "$folder" ] || [ -L "$folder" ] || ! is_before "$day" "$first_kept"; then
            continue
        fi
        if is_ours "$folder"; then
            remove_old_day "$day" || { [ "$worst" -ne 0 ] || worst=74; }
        else
            rmdir "$folder" 2>/dev/null # of a run that ended before it wrote anything
        fi
    done
    for file in "$output"/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].log \
        "$output"/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].failed; do
        day=${file##*/}
        if [ -f "$file" ] && [ ! -L "$file" ] && [ -O "$file" ] && is_before "${day%.*}" "$first_kept"; then
            rm -f "$file"
        fi
    done
fi
if [ -n "$is_stopped" ] && [ "$(rank "$worst")" -ne 3 ]; then
    worst=143
fi
exit "$worst"
