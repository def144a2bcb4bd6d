#include "api/observe/trace.h"

#include <string.h>

#include "api/state.h"

enum { VERSION_CHARS = 2, FLAGS_CHARS = 2, TRACEPARENT_CHARS = 55 };

/* --- traceparent ------------------------------------------------------------------------------ */

static bool
is_hex(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return true;
}

/* An id of zeros is none. */
static bool
take_hex_id(const uint8_t *text, size_t size, char *out)
{
    bool zero = true;

    for (size_t i = 0; i < size; i++)
        zero &= text[i] == '0';
    memcpy(out, text, size);
    out[size] = '\0';
    return !zero && is_hex(text, size);
}

/* version-trace-parent-flags. A later version may have more behind them, after another '-'. */
bool
api_trace_parse(struct bytes traceparent, struct api_trace *out)
{
    const uint8_t *version = traceparent.data, *trace = version + VERSION_CHARS + 1;
    const uint8_t *parent = trace + API_TRACE_ID_CHARS + 1;
    const uint8_t *flags = parent + API_SPAN_ID_CHARS + 1;
    bool later;

    *out = (struct api_trace){.given = false};
    if (traceparent.data == NULL || traceparent.size < TRACEPARENT_CHARS)
        return false;
    later = memcmp(version, "00", VERSION_CHARS) != 0;
    if (!is_hex(version, VERSION_CHARS) || memcmp(version, "ff", VERSION_CHARS) == 0 ||
        trace[-1] != '-' || parent[-1] != '-' || flags[-1] != '-' || !is_hex(flags, FLAGS_CHARS))
        return false;
    if (traceparent.size > TRACEPARENT_CHARS && (!later || flags[FLAGS_CHARS] != '-'))
        return false;
    if (!take_hex_id(trace, API_TRACE_ID_CHARS, out->trace_id) ||
        !take_hex_id(parent, API_SPAN_ID_CHARS, out->parent_id))
        return false;
    out->given = true;
    out->sampled = memchr("13579bdf", flags[1], 8) != NULL;
    return true;
}

void
api_trace_response(const struct api_trace *trace, char out[static API_TRACE_RESPONSE_BYTES])
{
    char *at = out;

    memcpy(at, "00-", 3);
    memcpy(at += 3, trace->trace_id, API_TRACE_ID_CHARS);
    *(at += API_TRACE_ID_CHARS) = '-';
    memcpy(++at, trace->span_id, API_SPAN_ID_CHARS);
    memcpy(at + API_SPAN_ID_CHARS, trace->sampled ? "-01" : "-00", 4);
}

/* --- ids -------------------------------------------------------------------------------------- */

/* splitmix64, from https://prng.di.unimi.it/splitmix64.c: unlike its neighbours, never twice. */
static void
make_id(struct api_server *server, char out[static API_SPAN_ID_CHARS + 1])
{
    uint64_t x =
        server->id_seed + atomic_fetch_add(&server->id_counter, 1) * UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    x ^= x >> 31;
    for (size_t i = API_SPAN_ID_CHARS; i-- > 0; x >>= 4)
        out[i] = "0123456789abcdef"[x & 15];
    out[API_SPAN_ID_CHARS] = '\0';
}

static void
take_id(struct api_request *rq)
{
    struct bytes id = api_request_header(rq, "X-Request-Id");

    for (size_t i = 0; i < id.size; i++)
        if (id.data[i] <= 0x20 || id.data[i] >= 0x7F)
            id.size = 0;
    if (id.size == 0 || id.size > API_REQUEST_ID_BYTES_MAX) {
        make_id(rq->server, rq->id);
        return;
    }
    memcpy(rq->id, id.data, id.size);
    rq->id[id.size] = '\0';
}

void
api_trace_begin(struct api_request *rq)
{
    take_id(rq);
    if (api_head_count(&rq->head, "traceparent") == 1 &&
        api_trace_parse(api_request_header(rq, "traceparent"), &rq->trace))
        make_id(rq->server, rq->trace.span_id);
}
