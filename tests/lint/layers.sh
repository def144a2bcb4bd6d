#!/usr/bin/env bash
# Includes obey the layers: api -> service -> store -> store/base, never upward, and api never past
# service but for store/base. A third-party header has one home. service/main.c, where everything is put
# together, is the one exception. Tests see their own layer and those below.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t files < <(find api service store tests -name '*.[ch]' -o -name '*.inc' -o -name '*.def' |
    sort)

awk '
function find_fault(file, header, quoted) {
    if (quoted) {
        if (header !~ /^(api|service|store|tests)\//)
            return "not a path from the root"
        if (file == "service/main.c")
            return header ~ /^tests\// ? "a test header in the server" : ""
        if (file !~ /^tests\// && header ~ /^tests\//)
            return "a test header in the server"
        if (file ~ /^(store|tests\/unit)\/base\// && header !~ /^(store\/base|tests)\//)
            return "store/base includes itself only"
        if (file ~ /^(store|tests\/unit\/store)\// && header ~ /^(api|service)\//)
            return "store looks upward"
        if (file ~ /^(service|tests\/unit\/service)\// && header ~ /^api\//)
            return "service looks upward"
        if (file ~ /^api\// && header ~ /^store\// && header !~ /^store\/base\//)
            return "api skips service"
        return ""
    }
    if (file ~ /^tests\//)
        return ""
    if (header ~ /^(microhttpd|jansson)/ && file !~ /^api\//)
        return "belongs in api/"
    if (header ~ /^gnutls/ && file !~ /^api\/guard\/tls\.c$/)
        return "belongs in api/guard/tls.c"
    if (header ~ /^(archive|zlib)/ && file !~ /^api\/file\//)
        return "belongs in api/file/"
    if (header ~ /^lmdb/ && (file !~ /^store\// || file ~ /^store\/base\//))
        return "belongs in store/"
    if (header ~ /^(cblas|openblas)/ && file != "service/tensor/blas.c")
        return "belongs in service/tensor/blas.c"
    if (header ~ /^lapack/ && file != "service/tensor/blas_factor.c")
        return "belongs in service/tensor/blas_factor.c"
    if (header ~ /^snappy/ && file !~ /^api\/file\//)
        return "belongs in api/file/"
    return ""
}
/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    quoted = index($0, "\"") > 0
    split($0, part, /[<">]/)
    fault = find_fault(FILENAME, part[2], quoted)
    if (fault != "") {
        printf "%s:%d: %s: %s\n", FILENAME, FNR, part[2], fault
        found = 1
    }
}
END { exit found }
' "${files[@]}"
