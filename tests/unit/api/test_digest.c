/* Digests as fields, what clients want of them, sums of parts of a body, and those remembered. */
#include "api/tensors/digest.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/tensors/digest_cache.h"
#include "store/base/crc32c.h"

static void
what_clients_want_is_read(void **state)
{
    static const struct {
        const char *header;
        int crc32c, sha256;
    } cases[] = {
        {NULL, -1, -1},
        {"", -1, -1},
        {"sha-256=10", -1, 10},
        {"sha-256=1, crc32c=0", 0, 1},
        {"sha-512=3,sha-256=10 , unixsum=0", -1, 10},
        {"sha-256=1;x=y, crc32c=5", 5, 1},
        {" crc32c = 7 ", 7, -1},
        {"sha-256=0", -1, 0},
        {"sha-256=11", -1, -1},
        {"sha-256=-1", -1, -1},
        {"sha-256", -1, -1},
        {"sha-256=", -1, -1},
        {"sha-256=1.5", -1, -1},
        {"SHA-256=1", -1, -1},
        {"sha-256=2, sha-256=4", -1, 4},
        {",,=,;,=1,sha-256=3", -1, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct api_digest_wants wants = api_digest_wants_of(
            cases[i].header != NULL ? bytes_of_text(cases[i].header) : bytes_of(NULL, 0));

        if (wants.crc32c != cases[i].crc32c || wants.sha256 != cases[i].sha256)
            fail_msg("'%s' reads as crc32c %d, sha-256 %d", cases[i].header, wants.crc32c,
                     wants.sha256);
    }
}

/* RFC 5843 has the number of "dog"; RFC 9530 the SHA-256 of {"hello": "world"} and a line end. */
static void
digests_are_written_as_others_write_them(void **state)
{
    struct api_digest digest = {.has_crc32c = true, .crc32c = crc32c(0, "dog", 3)};
    static const uint8_t hello[API_SHA256_BYTES] = {0x44, 0xaf, 0xf4, 0xab, 0x2d, 0x7c, 0x32, 0x50,
                                                    0x52, 0x56, 0x75, 0xa0, 0x8f, 0x0c, 0xfa, 0x95,
                                                    0x91, 0x16, 0x8c, 0xff, 0xe5, 0x17, 0x91, 0xc5,
                                                    0xf5, 0xbb, 0xc4, 0x17, 0xc1, 0x5a, 0x6c, 0x38};
    char text[API_DIGEST_TEXT_BYTES_MAX];

    (void)state;
    assert_int_equal(digest.crc32c, 0x0A72A4DF);
    assert_string_equal(api_digest_text(&digest, text), "crc32c=:CnKk3w==:");
    digest.has_sha256 = true;
    memcpy(digest.sha256, hello, sizeof hello);
    assert_string_equal(
        api_digest_text(&digest, text),
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:, crc32c=:CnKk3w==:");
    digest.has_crc32c = false;
    assert_string_equal(api_digest_text(&digest, text),
                        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
    digest.has_sha256 = false;
    assert_string_equal(api_digest_text(&digest, text), "");
}

static void
sums_of_parts_join_where_they_are_known_and_whole(void **state)
{
    static const char body[] = "abcdefghij";
    const struct api_sum sums[] = {api_sum_of(bytes_of(body, 3)),
                                   {.size = 0},
                                   api_sum_of(bytes_of(body + 3, 1)),
                                   {.size = 2},
                                   api_sum_of(bytes_of(body + 6, 4))};
    static const struct {
        uint64_t begin, end;
        bool known;
    } cases[] = {
        {0, 3, true},   {0, 4, true},  {3, 4, true},   {6, 10, true}, {0, 6, false},
        {0, 10, false}, {4, 6, false}, {0, 2, false},  {1, 3, false}, {2, 4, false},
        {7, 10, false}, {6, 9, false}, {6, 11, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct api_range range = {cases[i].begin, cases[i].end};
        uint32_t crc = 0;
        bool known = api_sums_crc32c(sums, sizeof sums / sizeof sums[0], range, &crc);

        assert_int_equal(known, cases[i].known);
        if (known)
            assert_int_equal(crc, crc32c(0, body + range.begin, range.end - range.begin));
    }
}

/* --- remembered ---------------------------------------------------------------------------- */

static struct api_digest_cache *
cache_new(void)
{
    struct api_digest_cache *cache = NULL;

    assert_int_equal(api_digest_cache_open(&cache, NULL), OK);
    return cache;
}

/* The key of number `n`, and the digest it has in these tests. */
static void
numbered(unsigned n, uint8_t key[static API_SHA256_BYTES], uint8_t digest[static API_SHA256_BYTES])
{
    char etag[24];

    snprintf(etag, sizeof etag, "\"r%u\"", n);
    api_digest_key(etag, bytes_of_text("/v1/x"), key);
    api_digest_key(etag, bytes_of_text("digest"), digest);
}

static void
keys_are_of_tag_and_target(void **state)
{
    uint8_t a[API_SHA256_BYTES], b[API_SHA256_BYTES];

    (void)state;
    api_digest_key("\"r1\"", bytes_of_text("/a"), a);
    api_digest_key("\"r1\"", bytes_of_text("/a"), b);
    assert_memory_equal(a, b, sizeof a);
    api_digest_key("\"r1\"", bytes_of_text("/b"), b);
    assert_memory_not_equal(a, b, sizeof a);
    api_digest_key("\"r2\"", bytes_of_text("/a"), b);
    assert_memory_not_equal(a, b, sizeof a);
    api_digest_key("\"r1\"/", bytes_of_text("a"), b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void
what_was_computed_is_known_until_others_drive_it_out(void **state)
{
    enum { COUNT = 5000, KEPT_MIN = 512 };
    struct api_digest_cache *cache = cache_new();
    uint8_t key[API_SHA256_BYTES], digest[API_SHA256_BYTES], out[API_SHA256_BYTES];
    size_t known = 0;

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        struct api_digest_use use;

        numbered(i, key, digest);
        assert_false(api_digest_find(cache, key, out));
        assert_false(api_digest_begin(cache, key, &use, out));
        assert_false(api_digest_find(cache, key, out));
        api_digest_end(cache, &use, digest);
        assert_true(api_digest_begin(cache, key, &use, out));
        assert_memory_equal(out, digest, sizeof out);
        numbered(0, key, digest); /* used all the time: it stays */
        assert_true(api_digest_find(cache, key, out));
        assert_memory_equal(out, digest, sizeof out);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        numbered(i, key, digest);
        if (!api_digest_find(cache, key, out))
            continue;
        assert_memory_equal(out, digest, sizeof out);
        known++;
    }
    assert_in_range(known, KEPT_MIN, COUNT - 1);
    api_digest_cache_drop(cache);
}

struct crowd {
    struct api_digest_cache *cache;
    uint8_t key[API_SHA256_BYTES], digest[API_SHA256_BYTES];
    atomic_uint computed, failed, at_once, wrong;
};

/* The first two come to nothing. */
static void *
want(void *context)
{
    struct crowd *crowd = context;
    uint8_t out[API_SHA256_BYTES];
    struct api_digest_use use;

    while (!api_digest_begin(crowd->cache, crowd->key, &use, out)) {
        bool fails = atomic_fetch_add(&crowd->failed, 1) < 2;

        if (atomic_fetch_add(&crowd->at_once, 1) != 0)
            atomic_fetch_add(&crowd->wrong, 1);
        if (!fails)
            atomic_fetch_add(&crowd->computed, 1);
        atomic_fetch_sub(&crowd->at_once, 1);
        api_digest_end(crowd->cache, &use, fails ? NULL : crowd->digest);
        if (!fails)
            return NULL;
    }
    if (memcmp(out, crowd->digest, sizeof out) != 0)
        atomic_fetch_add(&crowd->wrong, 1);
    return NULL;
}

static void
of_those_who_want_one_at_once_one_computes_it(void **state)
{
    enum { THREADS = 8 };
    struct crowd crowd = {.cache = cache_new()};
    pthread_t threads[THREADS];

    (void)state;
    numbered(1, crowd.key, crowd.digest);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, want, &crowd), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.computed), 1);
    assert_int_equal(atomic_load(&crowd.wrong), 0);
    api_digest_cache_drop(crowd.cache);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_clients_want_is_read),
        cmocka_unit_test(digests_are_written_as_others_write_them),
        cmocka_unit_test(sums_of_parts_join_where_they_are_known_and_whole),
        cmocka_unit_test(keys_are_of_tag_and_target),
        cmocka_unit_test(what_was_computed_is_known_until_others_drive_it_out),
        cmocka_unit_test(of_those_who_want_one_at_once_one_computes_it),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
