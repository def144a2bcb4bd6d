#!/usr/bin/env bash
# A file fits a sitting, a function fits a screen. Files over 600 lines fail, over 450 are told; functions
# over 70 lines fail. A function body stands between a '{' and a '}' in the first column: the layout that
# clang-format enforces, so no parser is needed. Lines of the signature do not count.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t files < <(find api service store tests -name '*.[ch]' -o -name '*.inc' -o -name '*.py' \
    -o -name '*.sh' | sort)

awk '
function end_file() {
    if (lines > 600) {
        printf "%s:%d: %d lines, the limit is 600\n", file, lines, lines
        found = 1
    } else if (lines > 450)
        printf "%s:%d: %d lines want a split (warning)\n", file, lines, lines
}
FNR == 1 { end_file(); file = FILENAME; begin = 0; name = "" }
{ lines = FNR }
FILENAME ~ /\.(py|sh)$/ { next }
/^[A-Za-z_].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^\{/ { begin = FNR }
/^\}/ && begin > 0 {
    if (FNR - begin + 1 > 70) {
        printf "%s:%d: %s has %d lines, the limit is 70\n", FILENAME, begin, name, FNR - begin + 1
        found = 1
    }
    begin = 0
}
END { end_file(); exit found }
' "${files[@]}"
