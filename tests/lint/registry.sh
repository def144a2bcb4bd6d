#!/usr/bin/env bash
# A plug-in that no list names would be left out of the program without a word. Every exported object in a
# plug-in folder has its row in the folder's list, and every row has its object. Reads the objects of
# a built tree (B, build/release by default), so descriptors made by macros count too.
set -euo pipefail
cd "$(dirname "$0")/../.."
B=${B:-build/release}

found=0

check_folder() { # folder, prefix of its descriptors, list in the folder
    local folder=$1 prefix=$2 list=$1/$3 source
    local objects=()
    for source in "$folder"/*.c; do
        [ -e "$source" ] || return 0
        objects+=("$B/${source%.c}.o")
        if [ ! -f "${objects[-1]}" ]; then
            echo "${objects[-1]} is not built: run make first"
            exit 1
        fi
    done
    # The rows of the list, then what the objects define: "build/release/service/ops/add.o:0000 R op_add".
    nm -A -g --defined-only "${objects[@]}" | awk -v prefix="$prefix" -v root="$B/" -v list="$list" '
        FILENAME == list {
            if (match($0, /^[A-Z_]+\([a-z0-9_]+/)) {
                name = substr($0, 1, RLENGTH)
                sub(/^[A-Z_]+\(/, "", name)
                row[name] = FNR
            }
            next
        }
        $2 ~ /^[RDB]$/ && index($3, prefix) == 1 {
            name = substr($3, length(prefix) + 1)
            defined[name] = 1
            if (name in row) next
            source = substr($1, length(root) + 1)
            sub(/\.o:.*/, ".c", source)
            printf "%s:1: %s is not in %s\n", source, $3, list
            found = 1
        }
        END {
            for (name in row)
                if (!(name in defined)) {
                    printf "%s:%d: there is no %s%s beside it\n", list, row[name], prefix, name
                    found = 1
                }
            exit found
        }' "$list" - || found=1
}

check_folder service/ops op_ list.def
check_folder service/optimizers optimizer_ list.def
check_folder service/device device_kind_ kinds.def
check_folder api/wire api_wire_ list.def
exit $found
