/* From a head to a decision. The order matters: first what makes the connection itself doubtful,
 * then who is asking, then what for, then whether its body fits. */
#include "api/guard/admit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/guard/caller.h"
#include "api/guard/gate.h"
#include "api/http/target.h"
#include "api/json/chars.h"
#include "api/observe/trace.h"

bool
api_library_is_verified(void)
{
    return strcmp(MHD_get_version(), "0.9.75") == 0;
}

/* --- the head ------------------------------------------------------------------------------ */

/* The library keeps request line and fields where they came in, in one piece, and tells its size.
 * So what it cut off or skipped can be seen: a NUL in the target or in a value, a lone LF, spaces
 * too many. */
static enum err_code
read_block(struct api_request *rq, const char *method, const char *version, struct err *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(rq->connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *begin = version + strlen(version);
    const char *end = info == NULL ? begin : method + info->header_size;
    size_t size = end < begin ? 0 : (size_t)(end - begin);
    char *copy;

    if (rq->target_place != method + strlen(method) + 1 ||
        version != rq->target_place + rq->target_size + 1)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the request line is malformed: it must be method, "
                       "target and version with one space between");
    if (size < 4 || begin[0] != '\0' || begin[1] != '\0')
        return err_set(err, ERR_INVALID_ARGUMENT, "the request line does not end with CR LF");
    copy = api_request_scratch(rq, size - 2, err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, begin + 2, size - 2);
    rq->head.fields = rq->head_fields;
    rq->head_size = size + (size_t)(begin - method);
    TRY(api_head_split(bytes_of(copy, size - 2), rq->head_fields, API_HEADERS_MAX, &rq->head.count,
                       err));
    if (MHD_get_connection_values_n(rq->connection->mhd, MHD_HEADER_KIND, NULL, NULL) !=
        (int)rq->head.count)
        return err_set(err, ERR_INVALID_ARGUMENT, "the head of the request holds NUL");
    return OK;
}

struct collected {
    struct api_request *rq;
    struct err *err;
    enum err_code code;
};

static enum MHD_Result
collect(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
        const char *value, size_t value_size)
{
    struct collected *c = context;
    struct api_request *rq = c->rq;
    char *copy;

    (void)kind;
    if (rq->head.count == API_HEADERS_MAX) {
        c->code = err_set(c->err, ERR_INVALID_ARGUMENT, "more than %d header fields in the request",
                          API_HEADERS_MAX);
        return MHD_NO;
    }
    copy = api_request_scratch(rq, name_size + value_size + 1, c->err);
    if (copy == NULL) {
        c->code = ERR_NO_MEMORY;
        return MHD_NO;
    }
    memcpy(copy, name, name_size);
    if (value_size > 0)
        memcpy(copy + name_size, value, value_size);
    rq->head_size += name_size + value_size + 4;
    rq->head_fields[rq->head.count++] = (struct api_header){
        bytes_of(copy, name_size), api_chars_trim(bytes_of(copy + name_size, value_size))};
    return MHD_YES;
}

/* Another version of the library: what it says must do. Later ones refuse more themselves. */
static enum err_code
read_values(struct api_request *rq, struct err *err)
{
    struct collected collected = {rq, err, OK};

    rq->head.fields = rq->head_fields;
    (void)MHD_get_connection_values_n(rq->connection->mhd, MHD_HEADER_KIND, collect, &collected);
    return collected.code;
}

static enum err_code
pass_gate(struct api_request *rq, const char *method, const char *version,
          struct api_target *target, struct err *err)
{
    struct api_gate_facts facts = {method, version, &rq->head};
    struct api_gate_result result;

    if (rq->target == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the request target");
    if (api_library_is_verified())
        TRY(read_block(rq, method, version, err));
    else
        TRY(read_values(rq, err));
    TRY(api_gate_check_size(strlen(method) + 1 + rq->target_size + 1 + strlen(version),
                            rq->head_size, rq->server->settings->head_max_bytes, err));
    TRY(api_gate_check(&facts, &result, err));
    rq->method_known = api_method_of(method, &rq->method);
    rq->has_body = result.has_body;
    rq->body_length = result.length;
    return api_target_split(bytes_of(rq->target, rq->target_size), target, err);
}

/* --- who asks ------------------------------------------------------------------------------ */

#define FIELD(name, place)                                                                         \
    {                                                                                              \
        (name), sizeof(name) - 1, (place)                                                          \
    }

/* All of them in one walk over the fields. */
static void
read_origin(const struct api_request *rq, struct api_origin_facts *facts)
{
    const struct {
        const char *name;
        size_t size;
        struct bytes *value;
    } wanted[] = {
        FIELD("Host", &facts->host),
        FIELD("Origin", &facts->origin),
        FIELD("Referer", &facts->referer),
        FIELD("User-Agent", &facts->user_agent),
        FIELD("Content-Type", &facts->content_type),
        FIELD("Sec-Fetch-Site", &facts->fetch_site),
        FIELD("Sec-Fetch-Mode", &facts->fetch_mode),
        FIELD("Authorization", &facts->token),
        FIELD("X-Requested-With", &facts->custom),
    };

    for (size_t i = 0; i < rq->head.count; i++) {
        const struct api_header *field = &rq->head.fields[i];

        for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++)
            if (field->name.size == wanted[k].size && wanted[k].value->data == NULL &&
                api_chars_equal(field->name, wanted[k].name))
                *wanted[k].value = field->value;
    }
}

static enum err_code
check_caller(struct api_request *rq, struct err *err)
{
    struct api_origin_facts facts = {
        .kind = rq->method == METHOD_OPTIONS                            ? ORIGIN_PREFLIGHT
                : rq->method == METHOD_GET || rq->method == METHOD_HEAD ? ORIGIN_READ
                                                                        : ORIGIN_WRITE,
        .tls = rq->server->tls != NULL,
    };
    bool allowed = false;
    char *origin;

    read_origin(rq, &facts);
    TRY(api_hosts_check(rq->server->hosts, facts.host, err));
    TRY(api_hosts_check_origin(rq->server->hosts, &facts, &allowed, err));
    if (!allowed)
        return OK;
    origin = api_request_scratch(rq, facts.origin.size + 1, err);
    if (origin == NULL)
        return ERR_NO_MEMORY;
    memcpy(origin, facts.origin.data, facts.origin.size);
    origin[facts.origin.size] = '\0';
    rq->cors_origin = origin;
    return OK;
}

/* --- what for ------------------------------------------------------------------------------ */

static enum err_code
answer_options(struct api_request *rq, struct err *err)
{
    struct api_reply *rp = &rq->reply;

    TRY(api_reply_header(rp, "Allow", err, "%s", rq->match.allow));
    if (rq->cors_origin != NULL) {
        TRY(api_reply_header(rp, "Access-Control-Allow-Methods", err, "%s", rq->match.allow));
        TRY(api_reply_header(
            rp, "Access-Control-Allow-Headers", err,
            "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
            "If-Range, Last-Event-ID, Prefer, Range, Tensor-Dtype, Tensor-Shape, Traceparent, "
            "Tracestate, "
            "Want-Content-Digest, Want-Repr-Digest, X-Request-Id, X-Requested-With"));
        TRY(api_reply_header(rp, "Access-Control-Max-Age", err, "600"));
    }
    return api_reply_empty(rp, 204, err);
}

static bool
is_json_type(const struct api_request *rq)
{
    struct bytes header = api_request_header(rq, "Content-Type"), type;

    return header.data != NULL && api_chars_next(&header, ';', &type) &&
           api_chars_equal(api_chars_trim(type), "application/json");
}

static enum err_code
check_body(struct api_request *rq, struct err *err)
{
    const struct settings *settings = rq->server->settings;
    enum api_body_kind kind = rq->match.route->body;
    struct bytes encoding = api_request_header(rq, "Content-Encoding");
    bool json = kind == BODY_JSON || (kind == BODY_EITHER && is_json_type(rq));

    if (!rq->has_body)
        return OK;
    if (kind == BODY_NONE)
        return err_set(err, ERR_INVALID_ARGUMENT, "this request takes no body");
    if (encoding.data != NULL && !api_chars_equal(encoding, "identity"))
        return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE,
                       "an encoded body (Content-Encoding) is not taken: send it as it is");
    /* RFC 9110, 14.5: else a part would be taken for the whole. */
    if (rq->method == METHOD_PUT && api_request_header(rq, "Content-Range").data != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a part of a body (Content-Range) is not taken: a PUT sends all of it; a "
                       "slice of a value is named in the query");
    rq->gathers = json || (rq->body_length <= API_GATHER_BYTES_MAX);
    rq->body_limit = json ? settings->json_body_max_bytes : settings->upload_max_bytes;
    rq->body_limit_setting = json ? "json_body_max_bytes" : "upload_max_bytes";
    if (rq->body_length != UINT64_MAX && rq->body_length > rq->body_limit)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the body has %" PRIu64 " bytes, %" PRIu64 " are allowed (setting %s)",
                       rq->body_length, rq->body_limit, rq->body_limit_setting);
    return OK;
}

enum err_code
api_admit(struct api_request *rq, const char *method, const char *version, struct err *err)
{
    struct api_target target;
    enum err_code code = pass_gate(rq, method, version, &target, err);

    api_trace_begin(rq);
    rq->reply.close = code != OK;
    if (code != OK)
        return code;
    if (rq->connection->over || atomic_load(&rq->server->draining)) {
        rq->reply.close = true;
        return err_set(err, ERR_UNAVAILABLE, "%s",
                       rq->connection->over ? "too many connections (setting connections_max)"
                                            : "the server is stopping");
    }
    TRY(check_caller(rq, err));
    TRY(api_caller_find(rq, err));
    code = api_router_match(rq->server->router, rq->method, target.path, &rq->match, err);
    TRY(api_caller_admit(rq, code, target.query, err));
    if (rq->match.route == NULL)
        return answer_options(rq, err);
    TRY(api_query_parse(rq, target.query, err));
    return check_body(rq, err);
}
