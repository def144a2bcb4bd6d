#!/usr/bin/env bash
# A plug-in that no list names would be left out of the program without a word. Every exported object in a
# plug-in folder has its row in the folder's list.def, and every row has its object. Reads the objects of
# a built tree (B, build/release by default), so descriptors made by macros count too.
set -euo pipefail
cd "$(dirname "$0")/../.."
B=${B:-build/release}

found=0

check_folder() { # folder, prefix of its descriptors
    local folder=$1 prefix=$2 list=$1/list.def source object name line
    local -A defined=()
    [ -d "$folder" ] || return 0
    for source in "$folder"/*.c; do
        [ -e "$source" ] || return 0
        object=$B/${source%.c}.o
        if [ ! -f "$object" ]; then
            echo "$object is not built: run make first"
            exit 1
        fi
        while read -r name; do
            defined[$name]=1
            if ! grep -qE "^[A-Z_]+\(${name}[,)]" "$list" 2>/dev/null; then
                line=$(grep -nw -e "$prefix$name" -e "$name" "$source" | head -1 | cut -d: -f1)
                echo "$source:${line:-1}: $prefix$name is not in $list"
                found=1
            fi
        done < <(nm -g --defined-only "$object" | sed -nE "s/^[0-9a-f]+ [RDB] $prefix//p")
    done
    [ -f "$list" ] || return 0
    while IFS=: read -r line name; do
        if [ -z "${defined[$name]:-}" ]; then
            echo "$list:$line: there is no $prefix$name in $folder/"
            found=1
        fi
    done < <(grep -nE '^[A-Z_]+\(' "$list" | sed -E 's/^([0-9]+):[A-Z_]+\(([a-z0-9_]+).*/\1:\2/')
}

check_folder service/ops op_
check_folder service/optimizers optimizer_
check_folder api/wire api_wire_
exit $found
