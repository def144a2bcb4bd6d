/* Problem documents. Always true: valid JSON in valid UTF-8, whatever a name in the error text
 * held. The status comes from api/http/status.c, headers are left to the reply. */
#include "api/http/problem.h"

#include <inttypes.h>

#include "api/http/status.h"
#include "api/json/text.h"
#include "store/base/scope.h"

enum { CLEAN_BYTES_MAX = 3 * ERR_TEXT_BYTES_MAX };

/* A copy in which each broken byte is U+FFFD. */
static enum err_code
clean(const char *text, struct buf *out, struct err *err)
{
    struct bytes rest = bytes_of_text(text);

    while (rest.size > 0) {
        size_t good = api_utf8_prefix(rest);

        TRY(buf_append(out, rest.data, good, err));
        rest = bytes_of(rest.data + good, rest.size - good);
        if (rest.size > 0) {
            TRY(buf_append_text(out, "\xef\xbf\xbd", err));
            rest = bytes_of(rest.data + 1, rest.size - 1);
        }
    }
    return OK;
}

static enum err_code
put_member(const char *name, const char *text, struct buf *out, struct err *err)
{
    AUTO(buf) cleaned;

    buf_init(&cleaned, CLEAN_BYTES_MAX);
    TRY(clean(text, &cleaned, err));
    TRY(buf_printf(out, err, ",\"%s\":", name));
    return api_json_escape(buf_bytes(&cleaned), out, err);
}

enum err_code
api_problem_write(const struct err *problem, struct bytes members, struct buf *out, struct err *err)
{
    TRY(buf_printf(
        out, err, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\"",
        err_title(problem->code), api_status_of(problem->code), err_wire_name(problem->code)));
    TRY(put_member("detail", problem->text, out, err));
    if (problem->about_kind != NULL)
        TRY(put_member(problem->about_kind, problem->about, out, err));
    if (problem->failed_operation >= 0)
        TRY(buf_printf(out, err, ",\"failed_operation\":%" PRId64, problem->failed_operation));
    TRY(put_member("error", problem->text, out, err));
    TRY(buf_append(out, members.data, members.size, err));
    return buf_append_byte(out, '}', err);
}
