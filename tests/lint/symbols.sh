#!/usr/bin/env bash
# Every exported name carries a prefix of its room, so that a call tells where it goes. Reads the objects
# of a built tree (B, build/release by default).
set -euo pipefail
cd "$(dirname "$0")/../.."
B=${B:-build/release}

base='(err|buf|file|reader|arena|mem|log|clock|histogram|lock|condition|latch|check|bytes)_|crc32c($|_)'
store='(store|value|verify|backup)_'
# The nouns of the domain. A new one is a decision: is it not a part of one that is there?
service='(accumulation|accumulator|service|settings|model|graph|name|variable|checkpoint|saver|scratch|change|record|state|compute|device|initialize|incoming|restore|verify|key_walk|sparse|outcome|look|statistics|preview|history|cluster|task)_'
service+='|(tensor|tensor_set|shape|dtype|slice|kernel|vector|half|bfloat16|blas)_'
service+='|(draft|run|verb|op|attr|expr|evaluator|plan|parallel|recipe|random|initializer|command|notify|partition|optimizer|average)_'
api='api_'

found=0

# room, pattern, objects...
check_room() {
    local room=$1 pattern=$2 object kind name source line
    shift 2
    [ $# -gt 0 ] || return 0
    while read -r object kind name; do
        if [[ $name =~ ^($pattern) ]]; then
            continue
        fi
        source=${object#"$B"/}
        source=${source%.o}.c
        line=$(grep -nE "(^|[^a-zA-Z0-9_])$name([^a-zA-Z0-9_]|\$)" "$source" | head -1 | cut -d: -f1)
        echo "$source:${line:-1}: exported '$name' ($kind) has no prefix of $room"
        found=1
    done < <(nm -A -g --defined-only "$@" | sed -E 's/^([^:]+):[0-9a-f]* ([A-Za-z]) /\1 \2 /')
}

objects_of() { # find arguments
    find "$@" -name '*.c' | sort | sed "s|^|$B/|; s|\.c\$|.o|"
}

mapfile -t base_objects < <(objects_of store/base)
mapfile -t store_objects < <(objects_of store -not -path 'store/base/*')
mapfile -t service_objects < <(objects_of service -not -path service/main.c)
mapfile -t api_objects < <(objects_of api)

for object in "${base_objects[@]}" "${store_objects[@]}" "${service_objects[@]}" "${api_objects[@]}"; do
    if [ ! -f "$object" ]; then
        echo "$object is not built: run make first"
        exit 1
    fi
done
check_room store/base "$base" "${base_objects[@]}"
check_room store "$store" "${store_objects[@]}"
check_room service "$service" "${service_objects[@]}"
check_room api "$api" "${api_objects[@]}"
exit $found
