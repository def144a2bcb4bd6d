/* The gate in front of everything. Each rule answers a request that libmicrohttpd 0.9.75 was seen
 * to let through and that two readers may understand differently. Routing and limits of routes are
 * left to the dispatcher. */
#include "api/guard/gate.h"

#include <inttypes.h>
#include <string.h>

#include "api/json/chars.h"

static enum err_code
check_request_line(const struct api_gate_facts *facts, struct err *err)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

    if (strcmp(facts->version, "HTTP/1.1") != 0 && strcmp(facts->version, "HTTP/1.0") != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "this server speaks HTTP/1.1 and HTTP/1.0");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(facts->method, known[i]) == 0)
            return OK;
    return err_set(
        err, ERR_UNIMPLEMENTED,
        "this method is not implemented; GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS "
        "are");
}

static enum err_code
check_host(const struct api_head *head, struct err *err)
{
    size_t hosts = api_head_count(head, "Host");

    if (hosts != 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "a request has one Host header, this one has %zu",
                       hosts);
    return OK;
}

static enum err_code
check_chunked(const struct api_gate_facts *facts, struct bytes coding, struct err *err)
{
    if (api_head_count(facts->head, "Transfer-Encoding") != 1 ||
        !api_chars_equal(coding, "chunked"))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Transfer-Encoding must be chunked and nothing else");
    if (api_head_count(facts->head, "Content-Length") > 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a request has Content-Length or Transfer-Encoding, not both");
    if (strcmp(facts->version, "HTTP/1.1") != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "Transfer-Encoding needs HTTP/1.1");
    return OK;
}

static enum err_code
read_length(const struct api_head *head, uint64_t *out, struct err *err)
{
    struct bytes text = api_head_value(head, "Content-Length");

    if (text.data == NULL)
        return OK;
    if (api_head_count(head, "Content-Length") != 1)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a request has one Content-Length, this one more");
    for (size_t i = 0; i < text.size; i++)
        if (!api_is_digit(text.data[i]))
            return err_set(err, ERR_INVALID_ARGUMENT, "Content-Length must be digits only");
    if (text.size == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "Content-Length is empty");
    if (!api_chars_u64(text, out) || *out > INT64_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "Content-Length %.*s is beyond any limit",
                       (int)(text.size < 40 ? text.size : 40), (const char *)text.data);
    return OK;
}

static bool
may_have_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

enum err_code
api_gate_check(const struct api_gate_facts *facts, struct api_gate_result *out, struct err *err)
{
    struct bytes coding = api_head_value(facts->head, "Transfer-Encoding");
    struct bytes expect = api_head_value(facts->head, "Expect");

    *out = (struct api_gate_result){0};
    TRY(check_request_line(facts, err));
    TRY(api_head_check_fields(facts->head, err));
    TRY(check_host(facts->head, err));
    if (coding.data != NULL) {
        TRY(check_chunked(facts, coding, err));
        out->has_body = true;
        out->length = UINT64_MAX;
    } else {
        TRY(read_length(facts->head, &out->length, err));
        out->has_body = out->length > 0;
    }
    if (expect.data != NULL && !api_chars_equal(expect, "100-continue"))
        return err_set(err, ERR_EXPECTATION_FAILED, "Expect may ask for 100-continue only");
    if (out->has_body && !may_have_body(facts->method))
        return err_set(err, ERR_INVALID_ARGUMENT, "a %s request has no body", facts->method);
    return OK;
}

enum err_code
api_gate_check_size(uint64_t line_bytes, uint64_t head_bytes, uint64_t bytes_max, struct err *err)
{
    if (line_bytes > bytes_max)
        return err_set(err, ERR_TARGET_TOO_LONG,
                       "the request line has %" PRIu64 " bytes, more than the %" PRIu64
                       " that a head may have (setting head_max_bytes)",
                       line_bytes, bytes_max);
    if (head_bytes > bytes_max)
        return err_set(err, ERR_HEAD_TOO_LARGE,
                       "request line and headers have %" PRIu64 " bytes, more than the %" PRIu64
                       " that they may have (setting head_max_bytes)",
                       head_bytes, bytes_max);
    return OK;
}
