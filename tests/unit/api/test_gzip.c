/* Packing: what comes out is a gzip stream of what went in, never larger than allowed, and fails
 * cleanly where memory does. */
#include "api/file/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "api/http/pack.h"
#include "store/base/alloc.h"

enum { PLAIN_BYTES = 200000 };

/* Text that repeats itself a little, or noise. */
static void
fill(uint8_t *out, size_t size, bool noise)
{
    uint64_t x = 1;

    for (size_t i = 0; i < size; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i] = noise ? (uint8_t)(x >> 56) : (uint8_t)("{\"name\": 0123456789}"[x >> 60]);
    }
}

static size_t
unpack(const struct buf *packed, uint8_t *out, size_t size)
{
    z_stream stream = {.next_in = packed->data,
                       .avail_in = (uInt)packed->size,
                       .next_out = out,
                       .avail_out = (uInt)size};

    assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(inflateEnd(&stream), Z_OK);
    return stream.total_out;
}

static void
every_size_comes_back(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 513, 65536, PLAIN_BYTES};
    static uint8_t plain[PLAIN_BYTES], back[PLAIN_BYTES + 1];

    (void)state;
    fill(plain, sizeof plain, false);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct err err = ERR_INIT;
        struct buf packed;

        buf_init(&packed, sizes[i] + 64);
        assert_int_equal(api_gzip_pack(bytes_of(plain, sizes[i]), &packed, &err), OK);
        assert_int_equal(unpack(&packed, back, sizeof back), sizes[i]);
        assert_memory_equal(back, plain, sizes[i]);
        assert_true(sizes[i] < 513 || packed.size < sizes[i]);
        buf_drop(&packed);
    }
}

static void
what_does_not_become_smaller_is_refused(void **state)
{
    static uint8_t noise[4096];
    struct err err = ERR_INIT;
    struct buf packed;

    (void)state;
    fill(noise, sizeof noise, true);
    buf_init(&packed, sizeof noise);
    assert_int_equal(api_gzip_pack(bytes_of(noise, sizeof noise), &packed, &err),
                     ERR_PAYLOAD_TOO_LARGE);
    buf_drop(&packed);
}

static void
memory_may_run_out_anywhere(void **state)
{
    static const uint8_t plain[1000];
    enum err_code code = ERR_NO_MEMORY;
    uint64_t failures = 0;

    (void)state;
    while (code != OK) {
        struct err err = ERR_INIT;
        struct buf packed;

        buf_init(&packed, sizeof plain);
        (void)mem_fail_at(failures + 1, 0);
        code = api_gzip_pack(bytes_of(plain, sizeof plain), &packed, &err);
        (void)mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        failures += code != OK;
        buf_drop(&packed);
    }
    assert_true(failures > 1);
}

static void
tags_of_packed_forms_are_their_own(void **state)
{
    char tag[32];

    (void)state;
    assert_true(api_pack_etag("\"r5-models\"", tag, sizeof tag));
    assert_string_equal(tag, "\"r5-models-gzip\"");
    assert_true(api_pack_etag("\"r5-models\"", tag, 17));
    assert_false(api_pack_etag("\"r5-models\"", tag, 16));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_comes_back),
        cmocka_unit_test(what_does_not_become_smaller_is_refused),
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(tags_of_packed_forms_are_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
