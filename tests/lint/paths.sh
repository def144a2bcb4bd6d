#!/usr/bin/env bash
# Files that comments and documents speak of are there, by the name they are called: a path from the root, in
# which `*` stands for anything, or the bare name of a C file.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t files < <(find README.md Makefile .ci api service store tests openapi docker \
    \( -name node_modules -o -name fixtures -o -name __pycache__ \) -prune -o -type f -print | sort)
mapfile -t texts < <(printf '%s\n' "${files[@]}" | grep -E '\.(c|h|inc|def|md|py|sh|mjs|yaml)$|^Makefile$')

printf '%s\n' "${files[@]}" | awk '
function is_there(path,    pattern, name) {
    if (path in known)
        return known[path]
    known[path] = 0
    if (path ~ /\*/) {
        pattern = path
        gsub(/\./, "\\.", pattern)
        gsub(/\*/, ".*", pattern)
        for (name in file)
            if (name ~ ("^" pattern "$"))
                known[path] = 1
    }
    return known[path]
}
FILENAME == "-" {
    file[$0] = known[$0] = 1
    sub(/.*\//, "")
    known[$0] = 1
    next
}
!/\.(c|h|inc|def|md|py|sh|mjs|yaml)/ || /^[ \t]*#[ \t]*include/ { next }
{
    line = $0
    while (match(line, /[A-Za-z0-9_.*\/-]*[A-Za-z0-9_*]\.(c|h|inc|def|md|py|sh|mjs|yaml)/)) {
        word = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (line ~ /^[A-Za-z0-9_\/]/)
            continue # not its end
        if (word !~ /^(api|service|store|tests|openapi|docker)\// && word !~ /^[a-z][a-z0-9_]+[a-z0-9]\.(c|h|def)$/)
            continue
        if (!is_there(word)) {
            printf "%s:%d: there is no %s\n", FILENAME, FNR, word
            found = 1
        }
    }
}
END { exit found }
' - "${texts[@]}"
