/* What a handler says, kept until the HTTP thread sends it (api/send.c). Always true: an owner of
 * lent bytes is released exactly once, also when something fails here. Error replies are made here
 * and nowhere else. */
#include "api/reply.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/guard/caller.h"
#include "api/http/etag.h"
#include "api/http/pack.h"
#include "api/http/problem.h"
#include "api/http/status.h"
#include "api/json/chars.h"
#include "api/json/json_write.h"
#include "api/resource/describe.h"
#include "api/state.h"
#include "store/base/check.h"
#include "store/base/log.h"
#include "store/base/scope.h"

enum {
    REPLY_JSON_BYTES_MAX = 1 << 30,
    PROBLEM_BYTES_MAX = 17 * 1024 * 1024,
    FAILURE_MEMBERS_BYTES_MAX = 16 * 1024 * 1024,
    HEADER_VALUE_BYTES_MAX = 4096,
};

void
api_reply_release(struct api_reply *rp)
{
    void (*release)(void *owner) = rp->release;

    rp->release = NULL;
    if (release != NULL)
        release(rp->owner);
}

void
api_reply_reset(struct api_reply *rp)
{
    struct api_request *rq = rp->request;

    api_reply_release(rp);
    buf_drop(&rp->body);
    buf_drop(&rp->failure_members);
    *rp = (struct api_reply){.request = rq};
}

void
api_reply_rewind(struct api_reply *rp, const struct api_reply *before)
{
    struct buf members = rp->failure_members;

    CHECK(before->kind == REPLY_NONE);
    api_reply_release(rp);
    buf_drop(&rp->body);
    *rp = *before;
    rp->failure_members = members;
}

static enum err_code add_header(struct api_reply *rp, const char *name, struct err *err,
                                const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

static enum err_code
add_header(struct api_reply *rp, const char *name, struct err *err, const char *format,
           va_list args)
{
    char text[HEADER_VALUE_BYTES_MAX], *copy;
    int length = vsnprintf(text, sizeof text, format, args);

    if (length < 0 || (size_t)length >= sizeof text || rp->header_count == API_REPLY_HEADERS_MAX)
        return err_set(err, ERR_INTERNAL, "the reply header %s does not fit", name);
    for (int i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return err_set(err, ERR_INTERNAL, "the reply header %s holds a control character",
                           name);
    copy = api_request_scratch(rp->request, (size_t)length + 1, err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, text, (size_t)length + 1);
    rp->headers[rp->header_count].name = name;
    rp->headers[rp->header_count].value = copy;
    rp->header_count++;
    return OK;
}

enum err_code
api_reply_header(struct api_reply *rp, const char *name, struct err *err, const char *format, ...)
{
    enum err_code code;
    va_list args;

    va_start(args, format);
    code = add_header(rp, name, err, format, args);
    va_end(args);
    return code;
}

enum err_code
api_reply_revision(struct api_reply *rp, uint64_t revision, struct err *err)
{
    return api_reply_header(rp, "Tensorkeep-Revision", err, "%" PRIu64, revision);
}

void
api_reply_vary(struct api_reply *rp, const char *name)
{
    size_t used = strlen(rp->vary);
    struct bytes rest = bytes_of(rp->vary, used), item;

    while (api_chars_next(&rest, ',', &item))
        if (api_chars_equal(api_chars_trim(item), name))
            return;
    CHECK(used + strlen(name) + 3 <= sizeof rp->vary);
    snprintf(rp->vary + used, sizeof rp->vary - used, "%s%s", used > 0 ? ", " : "", name);
}

enum err_code
api_reply_begin(struct api_reply *rp, enum api_reply_kind kind, int status, uint64_t size)
{
    CHECK(rp->kind == REPLY_NONE);
    rp->kind = kind;
    rp->status = status;
    rp->size = size;
    return OK;
}

/* The packed form's tag has the same state in it. Which form 304 tells of is the client's. */
static bool
has_it(struct api_reply *rp, struct bytes known)
{
    char packed[API_ETAG_BYTES_MAX];

    if (api_etag_list_matches(known, rp->etag))
        return true;
    if (!api_pack_etag(rp->etag, packed, sizeof packed) || !api_etag_list_matches(known, packed))
        return false;
    memcpy(rp->etag, packed, sizeof packed);
    api_reply_vary(rp, "Accept-Encoding");
    return true;
}

/* If-Match of a read: the client goes on with what it has begun, or not at all. */
static enum err_code
check_if_match(struct api_request *rq, const struct api_reply *rp, uint64_t revision,
               struct err *err)
{
    struct bytes wanted = api_request_header(rq, "If-Match");
    char packed[API_ETAG_BYTES_MAX];
    bool matches = false;

    if (wanted.data == NULL)
        return OK;
    if (!api_etag_list_names(wanted, rp->etag, &matches))
        return err_set(err, ERR_INVALID_ARGUMENT, "If-Match is not a list of quoted entity tags");
    if (!matches && api_pack_etag(rp->etag, packed, sizeof packed))
        (void)api_etag_list_names(wanted, packed, &matches);
    if (matches)
        return OK;
    (void)err_set(err, ERR_PRECONDITION_FAILED,
                  "If-Match does not name what is here now, which is %s", rp->etag);
    if (err != NULL)
        err->current_revision = revision;
    return ERR_PRECONDITION_FAILED;
}

enum err_code
api_reply_etag(struct api_request *rq, struct api_reply *rp, uint64_t revision,
               const char *representation, bool *done, struct err *err)
{
    struct bytes known = api_request_header(rq, "If-None-Match");
    bool reads = rq->method == METHOD_GET || rq->method == METHOD_HEAD;
    int length =
        snprintf(rp->etag, sizeof rp->etag, "\"r%" PRIu64 "-%s\"", revision, representation);

    *done = false;
    if (length < 0 || (size_t)length >= sizeof rp->etag)
        return err_set(err, ERR_INTERNAL, "the entity tag of '%s' does not fit", representation);
    rp->has_etag = true;
    api_reply_vary(rp, "Accept");
    if (!reads)
        return OK;
    TRY(check_if_match(rq, rp, revision, err));
    *done = known.data != NULL && has_it(rp, known);
    return *done ? api_reply_begin(rp, REPLY_EMPTY, 304, 0) : OK;
}

bool
api_reply_is_conditional(const struct api_request *rq)
{
    return api_request_header(rq, "If-None-Match").data != NULL ||
           api_request_header(rq, "If-Match").data != NULL;
}

void
api_reply_may_pack(struct api_reply *rp)
{
    rp->may_pack = true;
}

enum err_code
api_reply_json(struct api_reply *rp, int status, json_t *body, struct err *err)
{
    enum err_code code;

    if (body == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the reply's document");
    buf_init(&rp->body, REPLY_JSON_BYTES_MAX);
    code = api_json_write(body, &rp->body, err);
    json_decref(body);
    TRY(code);
    rp->media_type = "application/json";
    api_reply_may_pack(rp);
    return api_reply_begin(rp, REPLY_BUF, status, rp->body.size);
}

enum err_code
api_reply_written(struct api_request *rq, struct api_reply *rp, bool created,
                  const char *collection, const char *name, json_t *json, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *taken = json;

    if (created)
        TRY(api_reply_header(rp, "Location", err, "/v1/models/%s/%s/%s", api_request_model(rq),
                             collection, name));
    return api_reply_json(rp, created ? 201 : 200, TAKE(taken), err);
}

enum err_code
api_reply_deleted(struct api_reply *rp, const char *name, uint64_t revision, struct err *err)
{
    TRY(api_reply_revision(rp, revision, err));
    return api_reply_json(
        rp, 200, json_pack("{s:s, s:I}", "deleted", name, "revision", (json_int_t)revision), err);
}

enum err_code
api_reply_on_failure(struct api_reply *rp, const json_t *members, struct err *err)
{
    rp->failure_members.size = 0;
    rp->failure_members.size_max = FAILURE_MEMBERS_BYTES_MAX;
    return api_json_write_members(members, &rp->failure_members, err);
}

enum err_code
api_reply_buf(struct api_reply *rp, int status, const char *media_type, struct buf *body,
              struct err *err)
{
    (void)err;
    rp->body = *body;
    *body = (struct buf){0};
    rp->media_type = media_type;
    return api_reply_begin(rp, REPLY_BUF, status, rp->body.size);
}

enum err_code
api_reply_empty(struct api_reply *rp, int status, struct err *err)
{
    (void)err;
    return api_reply_begin(rp, REPLY_EMPTY, status, 0);
}

enum err_code
api_reply_static(struct api_reply *rp, int status, const char *media_type, struct bytes body,
                 struct err *err)
{
    (void)err;
    rp->text = body;
    rp->media_type = media_type;
    return api_reply_begin(rp, REPLY_STATIC, status, body.size);
}

/* --- failure ------------------------------------------------------------------------------- */

static enum err_code
add_failure_headers(struct api_request *rq, const struct err *problem, uint64_t range_whole)
{
    struct api_reply *rp = &rq->reply;

    TRY(api_caller_explain(rq, problem));
    if (problem->code == ERR_METHOD_NOT_ALLOWED)
        TRY(api_reply_header(rp, "Allow", NULL, "%s", rq->match.allow));
    if (problem->code == ERR_RANGE_UNSATISFIABLE)
        TRY(api_reply_header(rp, "Content-Range", NULL, "bytes */%" PRIu64, range_whole));
    if (problem->code == ERR_PRECONDITION_FAILED && problem->current_revision != 0 &&
        !rp->has_etag) {
        snprintf(rp->etag, sizeof rp->etag, "\"r%" PRIu64 "\"", problem->current_revision);
        rp->has_etag = true;
    }
    return OK;
}

void
api_reply_fail(struct api_request *rq, const struct err *problem)
{
    static const char spare[] =
        "{\"type\":\"about:blank\",\"title\":\"Out of memory\",\"status\":507,"
        "\"code\":\"RESOURCE_EXHAUSTED\",\"detail\":\"out of memory\","
        "\"error\":\"out of memory\"}";
    struct api_reply *rp = &rq->reply;
    uint64_t range_whole = rp->range_whole;
    bool close = rp->close, keeps_etag = problem->code == ERR_PRECONDITION_FAILED && rp->has_etag;
    char etag[API_ETAG_BYTES_MAX];
    AUTO(buf) members = TAKE(rp->failure_members);

    if (api_status_is_ours(problem->code))
        log_failure(rq->match.route != NULL ? rq->match.route->operation_id : "request", problem);
    memcpy(etag, rp->etag, sizeof etag);
    api_reply_reset(rp);
    rp->close = close;
    rp->has_etag = keeps_etag;
    memcpy(rp->etag, etag, sizeof etag);
    buf_init(&rp->body, PROBLEM_BYTES_MAX);
    rp->media_type = API_PROBLEM_TYPE;
    if (add_failure_headers(rq, problem, range_whole) == OK &&
        api_problem_write(problem, buf_bytes(&members), &rp->body, NULL) == OK) {
        (void)api_reply_begin(rp, REPLY_BUF, api_status_of(problem->code), rp->body.size);
        return;
    }
    api_reply_reset(rp);
    rp->close = close;
    rp->media_type = API_PROBLEM_TYPE;
    rp->text = bytes_of_text(spare);
    (void)api_reply_begin(rp, REPLY_STATIC, 507, rp->text.size);
}
