/* Replies written down and read again, and what a client is told when the disk has failed. The rest
 * of idempotency keys is seen from outside: tests/http/e05_idempotency.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/reply_record.h"
#include "store/base/alloc.h"
#include "tests/unit/api/serve.h"

/* --- a disk that fails --------------------------------------------------------------------- */

static _Atomic bool syncs_fail;

int
fdatasync(int file)
{
    if (!atomic_load(&syncs_fail))
        return (int)syscall(SYS_fdatasync, file);
    errno = EIO;
    return -1;
}

static void
tells_of_the_key(const char *headers, const char *words)
{
    static const char body[] = "{\"labels\":{\"a\":\"b\"}}";
    struct serve serve;
    struct http_reply reply;

    serve_start(&serve, NULL);
    log_set_level(LOG_ERROR);
    reply = http_call(serve.port, "PUT /v1/models/m", "", "{}");
    assert_int_equal(reply.status, 201);
    http_reply_drop(&reply);
    atomic_store(&syncs_fail, true);
    reply = http_call(serve.port, "PATCH /v1/models/m", headers, body);
    atomic_store(&syncs_fail, false);
    assert_int_equal(reply.status, 500);
    assert_non_null(strstr((const char *)reply.body, "\"code\":\"UNKNOWN\""));
    assert_non_null(strstr((const char *)reply.body, "is not known"));
    if (strstr((const char *)reply.body, words) == NULL)
        fail_msg("'%s' is not in %s", words, (const char *)reply.body);
    http_reply_drop(&reply);
    /* Not run again: the store writes no more, and so keeps the truth for the next start. */
    reply = http_call(serve.port, "PATCH /v1/models/m", headers, body);
    assert_int_equal(reply.status, 503);
    http_reply_drop(&reply);
    serve_stop(&serve);
}

static void
an_unknown_outcome_says_how_to_find_out(void **state)
{
    (void)state;
    tells_of_the_key("Idempotency-Key: k\r\n", "repeat it with the same Idempotency-Key");
    tells_of_the_key("", "send an Idempotency-Key with the next one");
}

/* --- records ------------------------------------------------------------------------------- */

static struct api_request *
request_new(void)
{
    struct api_request *rq = calloc(1, sizeof *rq);

    assert_non_null(rq);
    rq->reply.request = rq;
    arena_init(&rq->arena, 1 << 20);
    return rq;
}

static void
request_free(struct api_request *rq)
{
    api_reply_reset(&rq->reply);
    arena_drop(&rq->arena);
    free(rq);
}

static struct buf
encoded(const struct api_reply *rp)
{
    struct err err = ERR_INIT;
    struct buf out;

    buf_init(&out, 1 << 20);
    assert_int_equal(api_reply_encode(rp, &out, &err), OK);
    return out;
}

static void
must_be_the_same(const struct api_reply *a, const struct api_reply *b, struct bytes body)
{
    assert_int_equal(a->status, b->status);
    assert_true((a->media_type == NULL) == (b->media_type == NULL));
    if (a->media_type != NULL)
        assert_string_equal(a->media_type, b->media_type);
    assert_int_equal(a->has_etag, b->has_etag);
    assert_string_equal(a->etag, b->etag);
    assert_string_equal(a->vary, b->vary);
    assert_int_equal(a->takes_ranges, b->takes_ranges);
    assert_int_equal(a->header_count, b->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        assert_string_equal(a->headers[i].name, b->headers[i].name);
        assert_string_equal(a->headers[i].value, b->headers[i].value);
    }
    assert_int_equal(b->kind, REPLY_BUF);
    assert_int_equal(b->size, body.size);
    assert_true(bytes_equal(buf_bytes(&b->body), body));
}

static void
must_come_back(const struct api_reply *rp, struct bytes body)
{
    struct api_request *again = request_new();
    struct err err = ERR_INIT;
    struct buf record = encoded(rp);

    assert_int_equal(api_reply_decode(buf_bytes(&record), &again->reply, &err), OK);
    must_be_the_same(rp, &again->reply, body);
    request_free(again);
    buf_drop(&record);
}

static void
fill_heads(struct api_reply *rp)
{
    bool done = false;

    assert_int_equal(api_reply_header(rp, "Location", NULL, "/v1/models/%s", "m"), OK);
    assert_int_equal(api_reply_revision(rp, 77, NULL), OK);
    rp->request->method = METHOD_POST;
    assert_int_equal(api_reply_etag(rp->request, rp, 77, "variable", &done, NULL), OK);
}

static void
replies_come_back_as_they_were(void **state)
{
    static const char text[] = "borrowed";
    struct api_request *rq = request_new();
    struct api_reply *rp = &rq->reply;
    struct buf body;

    (void)state;
    assert_int_equal(api_reply_empty(rp, 204, NULL), OK);
    must_come_back(rp, bytes_of("", 0));
    api_reply_reset(rp);
    fill_heads(rp);
    buf_init(&body, 100);
    assert_int_equal(buf_append(&body, "a\0b", 3, NULL), OK);
    assert_int_equal(api_reply_buf(rp, 201, "application/json", &body, NULL), OK);
    must_come_back(rp, bytes_of("a\0b", 3));
    api_reply_reset(rp);
    assert_int_equal(api_reply_static(rp, 200, "text/plain", bytes_of_text(text), NULL), OK);
    must_come_back(rp, bytes_of_text(text));
    request_free(rq);
}

static unsigned releases;

static void
count_release(void *owner)
{
    (void)owner;
    releases++;
}

static void
lent_bytes_are_written_down_too(void **state)
{
    static uint8_t bytes[10000];
    const struct bytes spans[] = {bytes_of(bytes, 6000), bytes_of("", 0),
                                  bytes_of(bytes + 6000, 4000)};
    struct api_request *rq = request_new();

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    rq->method = METHOD_POST;
    assert_int_equal(api_reply_spans(rq, &rq->reply, "application/octet-stream", spans, 3, rq,
                                     count_release, NULL),
                     OK);
    must_come_back(&rq->reply, bytes_of(bytes, sizeof bytes));
    assert_int_equal(releases, 0);
    request_free(rq);
    assert_int_equal(releases, 1);
}

static void
a_reply_may_be_rendered_again(void **state)
{
    struct api_request *rq = request_new();
    struct api_reply *rp = &rq->reply, before;

    (void)state;
    releases = 0;
    assert_int_equal(api_reply_header(rp, "Preference-Applied", NULL, "x"), OK);
    before = *rp;
    for (int i = 0; i < 3; i++) {
        struct bytes span = bytes_of("0123456789", 10);

        api_reply_rewind(rp, &before);
        assert_int_equal(rp->kind, REPLY_NONE);
        assert_int_equal(rp->header_count, 1);
        assert_false(rp->has_etag);
        fill_heads(rp);
        if (i == 1)
            assert_int_equal(
                api_reply_spans(rq, rp, "text/plain", &span, 1, rq, count_release, NULL), OK);
        else
            assert_int_equal(api_reply_json(rp, 200, json_pack("{s:i}", "n", i), NULL), OK);
        assert_int_equal(rp->header_count, 3);
    }
    assert_int_equal(releases, 1);
    assert_true(bytes_equal(buf_bytes(&rp->body), bytes_of_text("{\"n\":2}")));
    request_free(rq);
}

/* Any byte may be damaged or missing: refused, or read as another reply, but never past the end. */
static void
damage_is_told(void **state)
{
    struct api_request *rq = request_new();
    struct err err = ERR_INIT;
    struct buf record, body;
    unsigned refused = 0;

    (void)state;
    fill_heads(&rq->reply);
    buf_init(&body, 100);
    assert_int_equal(buf_append(&body, "body", 4, NULL), OK);
    assert_int_equal(api_reply_buf(&rq->reply, 200, "application/json", &body, NULL), OK);
    record = encoded(&rq->reply);
    for (size_t size = 0; size < record.size; size++) {
        struct api_request *again = request_new();
        uint8_t *cut = malloc(size + 1); /* so that a tool sees who reads on */

        assert_non_null(cut);
        memcpy(cut, record.data, size);
        assert_int_equal(api_reply_decode(bytes_of(cut, size), &again->reply, &err), ERR_DATA_LOSS);
        assert_non_null(strstr(err.text, "damaged"));
        err_clear(&err);
        free(cut);
        request_free(again);
    }
    for (size_t at = 0; at < record.size; at++) {
        struct api_request *again = request_new();
        enum err_code code;

        record.data[at] ^= 0xff;
        code = api_reply_decode(buf_bytes(&record), &again->reply, &err);
        assert_true(code == OK || code == ERR_DATA_LOSS);
        refused += code != OK;
        record.data[at] ^= 0xff;
        err_clear(&err);
        request_free(again);
    }
    assert_in_range(refused, 20, record.size);
    buf_drop(&record);
    request_free(rq);
}

static void
short_memory_is_told(void **state)
{
    struct api_request *rq = request_new();
    struct err err = ERR_INIT;
    struct buf record, body;
    enum err_code code = ERR_NO_MEMORY;
    uint64_t nth = 1;

    (void)state;
    fill_heads(&rq->reply);
    buf_init(&body, 10000);
    assert_int_equal(buf_append(&body, "body", 4, NULL), OK);
    assert_int_equal(api_reply_buf(&rq->reply, 200, "application/json", &body, NULL), OK);
    record = encoded(&rq->reply);
    for (; nth < 20 && code != OK; nth++) {
        struct api_request *again = request_new();

        again->scratch_used = sizeof again->scratch; /* so that it takes from its arena */
        (void)mem_fail_at(nth, 0);
        code = api_reply_decode(buf_bytes(&record), &again->reply, &err);
        (void)mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        err_clear(&err);
        request_free(again);
    }
    assert_in_range(nth, 2, 19);
    buf_drop(&record);
    request_free(rq);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_outcome_says_how_to_find_out),
        cmocka_unit_test(replies_come_back_as_they_were),
        cmocka_unit_test(lent_bytes_are_written_down_too),
        cmocka_unit_test(a_reply_may_be_rendered_again),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(short_memory_is_told),
    };

    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
