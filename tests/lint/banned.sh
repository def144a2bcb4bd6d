#!/usr/bin/env bash
# Calls that have no safe use here, memory that tests cannot make fail, jumps, and promises left in the
# code. Calls and jumps are looked for in C with comments and texts taken out.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t sources < <(find api service store tests openapi -name node_modules -prune -o -name '*.[ch]' -print -o -name '*.inc' | sort)
mapfile -t texts < <(find Makefile .ci api service store tests openapi docker -name node_modules -prune -o -type f \
    -not -path '*/__pycache__/*' -not -path 'tests/lint/*' -not -path 'tests/fuzz/*/*' -print 2>/dev/null | sort)

found=0

awk '
# The line without comments, character and text literals; in_comment lasts from line to line.
function code_of(line,    out, c, quote, i) {
    out = ""
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (in_comment) {
            if (substr(line, i, 2) == "*/") { in_comment = 0; i++ }
        } else if (quote != "") {
            if (c == "\\") i++
            else if (c == quote) { quote = ""; out = out c }
        } else if (substr(line, i, 2) == "/*") { in_comment = 1; i++ }
        else if (substr(line, i, 2) == "//") break
        else { out = out c; if (c == "\"" || c == "\047") quote = c }
    }
    return out
}
function report(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; found = 1 }
FNR == 1 { in_comment = 0 }
{
    # Nothing to see in most lines: a cheap look first, unless a comment begins or goes on.
    if (!in_comment && !/\/\*/ &&
        !/goto|str|printf|gets|ato|alloca|alloc|free/) next
    code = " " code_of($0)
    if (match(code, /[^A-Za-z0-9_](strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|alloca)[ ]*\(/))
        report("banned call: " substr(code, RSTART + 1, RLENGTH - 2))
    if (FILENAME !~ /^tests\// && FILENAME != "store/base/alloc.c" &&
        match(code, /[^A-Za-z0-9_.>](malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|free|strdup|strndup|asprintf|vasprintf)[ ]*\(/))
        report("memory past store/base/alloc.h: " substr(code, RSTART + 1, RLENGTH - 2))
    if (code ~ /[^A-Za-z0-9_]goto[^A-Za-z0-9_]/)
        report("goto: bind the clean-up to the scope instead")
}
END { exit found }
' "${sources[@]}" || found=1

if grep -nIHwE 'TODO|FIXME|XXX' "${texts[@]}"; then
    found=1
fi
exit $found
