/* Request targets, heads, routes and the small headers around them: any bytes. The first byte
 * chooses what the rest is. */
#include <stdlib.h>
#include <string.h>

#include "api/guard/gate.h"
#include "api/guard/host.h"
#include "api/http/etag.h"
#include "api/http/negotiate.h"
#include "api/http/range.h"
#include "api/http/target.h"
#include "api/router.h"
#include "api/tensors/digest.h"
#include "store/base/check.h"
#include "store/base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct api_router *router;
static struct api_hosts *hosts;

static void
open_once(void)
{
    if (router != NULL)
        return;
    CHECK(api_router_open(api_routes, api_route_count, &router, NULL) == OK);
    CHECK(api_hosts_open("127.0.0.1", "a.example", "https://b.example", &hosts, NULL) == OK);
}

static void
try_query(struct bytes query)
{
    AUTO(arena) arena;
    struct bytes out;

    arena_init(&arena, 1 << 20);
    if (api_target_decode_query(query, &arena, &out, NULL) == OK)
        CHECK(out.size <= query.size && memchr(out.data, '\0', out.size) == NULL);
}

/* What passes has one meaning: no segment that anything on the way could bend. */
static void
try_target(struct bytes raw)
{
    struct api_target target;

    if (api_target_split(raw, &target, NULL) != OK)
        return;
    try_query(target.query);
    for (int m = 0; m < METHOD_COUNT; m++) {
        struct api_match match;

        if (api_router_match(router, (enum api_method)m, target.path, &match, NULL) != OK)
            continue;
        CHECK(strstr(match.path.name, "//") == NULL && strchr(match.path.name, ':') == NULL);
        CHECK(strncmp(match.path.name, "../", 3) != 0 && match.path.name[0] != '/');
        CHECK(strchr(match.path.model, '/') == NULL);
    }
}

static void
try_head(struct bytes block)
{
    struct api_header fields[API_HEADERS_MAX];
    struct api_head head = {fields, 0};
    struct api_gate_facts facts = {"PUT", "HTTP/1.1", &head};
    struct api_gate_result result;

    if (api_head_split(block, fields, API_HEADERS_MAX, &head.count, NULL) != OK)
        return;
    if (api_gate_check(&facts, &result, NULL) != OK)
        return;
    CHECK(api_head_count(&head, "Host") == 1);
    CHECK(result.has_body == (result.length > 0));
    CHECK(result.length != UINT64_MAX || api_head_count(&head, "Content-Length") == 0);
}

/* Every byte of every range comes once, and the parts take as many bytes as they say. */
static void
try_range(struct bytes header)
{
    static const uint8_t text[32];
    const struct bytes whole[] = {{text, 5}, {text + 5, 1}, {text + 6, 26}};
    struct api_byteranges body = {.boundary = "b", .media_type = "t/t", .whole = sizeof text};
    struct api_ranges ranges;
    bool sent[sizeof text] = {false};
    uint64_t total = 0;
    AUTO(arena) arena;

    arena_init(&arena, 1 << 20);
    if (api_range_parse(header, sizeof text, &ranges) != RANGE_PARTS)
        return;
    CHECK(ranges.count > 0 && ranges.count <= ranges.asked && ranges.asked <= API_RANGES_MAX);
    for (size_t i = 0; i < ranges.count; i++) {
        struct bytes spans[3] = {whole[0], whole[1], whole[2]};
        struct api_range range = ranges.list[i];
        size_t count;

        CHECK(range.begin < range.end && range.end <= sizeof text);
        count = api_range_cut(spans, 3, range);
        for (size_t k = 0; k < count; k++)
            for (size_t at = 0; at < spans[k].size; at++) {
                CHECK(!sent[spans[k].data - text + (ptrdiff_t)at]);
                sent[spans[k].data - text + (ptrdiff_t)at] = true;
            }
    }
    CHECK(api_byteranges_lay_out(&body, whole, 3, &ranges, &arena, NULL) == OK);
    for (size_t i = 0; i < body.span_count; i++)
        total += body.spans[i].size;
    CHECK(total == body.size);
}

static void
try_digest_wants(struct bytes header)
{
    struct api_digest_wants wants = api_digest_wants_of(header);

    CHECK(wants.crc32c >= API_DIGEST_UNSAID && wants.crc32c <= 10);
    CHECK(wants.sha256 >= API_DIGEST_UNSAID && wants.sha256 <= 10);
}

static void
try_headers(struct bytes text)
{
    struct api_origin_facts facts = {.kind = ORIGIN_WRITE,
                                     .host = bytes_of_text("localhost"),
                                     .origin = text,
                                     .fetch_site = text,
                                     .fetch_mode = text,
                                     .user_agent = text,
                                     .content_type = text};
    struct bytes no_origin = {NULL, 0};
    enum api_format format;
    uint64_t revision;
    bool allowed;

    try_range(text);
    try_digest_wants(text);
    (void)api_etag_list_names(text, "\"r1-json\"", &allowed);
    (void)api_etag_list_matches(text, "\"r1-json\"");
    (void)api_etag_revision(text, &revision);
    if (api_negotiate_accept(text, API_FORMATS(API_FORMAT_JSON) | API_FORMATS(API_FORMAT_NPY),
                             &format, NULL) == OK)
        CHECK(format == API_FORMAT_JSON || format == API_FORMAT_NPY);
    if (api_hosts_check(hosts, text, NULL) == OK)
        CHECK(text.size > 0);
    if (api_hosts_check_origin(hosts, &facts, &allowed, NULL) == OK)
        CHECK(text.data != NULL);
    facts.origin = facts.fetch_site = no_origin;
    facts.referer = text;
    if (api_hosts_check_origin(hosts, &facts, &allowed, NULL) == OK)
        CHECK(!allowed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest;

    open_once();
    if (size == 0)
        return 0;
    rest = bytes_of(data + 1, size - 1);
    if (data[0] % 4 == 0)
        try_target(rest);
    else if (data[0] % 4 == 1)
        try_head(rest);
    else if (data[0] % 4 == 2)
        try_headers(rest);
    else
        try_query(rest);
    return 0;
}
