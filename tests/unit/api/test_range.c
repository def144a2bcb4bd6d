/* What a Range header asks for, and the bytes that come of it, against a plain twin: an array of
 * bytes, and a list of flags that say which of them were asked for. */
#include "api/http/range.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BOUNDARY "0123456789abcdef0123456789abcdef"

/* xorshift64*, for ranges that are the same in every run. */
static uint64_t
chance(uint64_t *state, size_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (*state * UINT64_C(2685821657736338717) >> 16) % below;
}

enum { WHOLE_BYTES_MAX = 400, TEXT_BYTES_MAX = 16384 };

static enum api_range_kind
parse(const char *header, uint64_t size, struct api_ranges *out)
{
    return api_range_parse(header != NULL ? bytes_of_text(header) : bytes_of(NULL, 0), size, out);
}

static void
one_range_is_what_it_says(void **state)
{
    static const struct {
        const char *header;
        uint64_t begin, end;
    } cases[] = {
        {"bytes=0-0", 0, 1},
        {"bytes=0-9", 0, 10},
        {"bytes=5-", 5, 10},
        {"bytes=-3", 7, 10},
        {"bytes=-10", 0, 10},
        {"bytes=-11", 0, 10},
        {"bytes=3-99", 3, 10},
        {"bytes=9-9", 9, 10},
        {"bytes=2-18446744073709551615", 2, 10},
        {"Bytes=0-1", 0, 2},
        {"bytes= 4-5 ", 4, 6},
        {"bytes=,,1-2,", 1, 3},
        {"bytes=007-008", 7, 9},
        {"bytes=0-99999999999999999999", 0, 10},
        {"bytes=-99999999999999999999", 0, 10},
    };
    struct api_ranges ranges;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].header, 10, &ranges), RANGE_PARTS);
        assert_int_equal(ranges.count, 1);
        assert_int_equal(ranges.list[0].begin, cases[i].begin);
        assert_int_equal(ranges.list[0].end, cases[i].end);
    }
}

static void
what_cannot_be_understood_is_ignored(void **state)
{
    static const char *const headers[] = {
        NULL,          "",
        "bytes",       "bytes=",
        "bytes=,",     "bytes=-",
        "bytes=x",     "bytes=5-4",
        "bytes=1",     "bytes=--1",
        "bytes=1--2",  "bytes=+1-2",
        "bytes=1-2;3", "lines=0-1",
        "bytes 0-1",   "bytes=0x1-2",
        "0-1",         "bytes=1 - 2",
        "bytes=0-1,x", "bytes=0-1,5-4",
        "bytes=0-1,-", "bytes=99-,5-4",
        "bytes=1.0-2",
    };
    struct api_ranges ranges;

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (parse(headers[i], 10, &ranges) != RANGE_WHOLE)
            fail_msg("'%s' is no range", headers[i]);
}

static void
what_lies_past_the_end_cannot_be_satisfied(void **state)
{
    struct api_ranges ranges;

    (void)state;
    assert_int_equal(parse("bytes=10-", 10, &ranges), RANGE_UNSATISFIABLE);
    assert_int_equal(parse("bytes=10-20,-0,99999999999999999999-", 10, &ranges),
                     RANGE_UNSATISFIABLE);
    assert_int_equal(parse("bytes=0-0", 0, &ranges), RANGE_UNSATISFIABLE);
    assert_int_equal(parse("bytes=-5", 0, &ranges), RANGE_UNSATISFIABLE);
    assert_int_equal(parse("bytes=10-,9-,-0", 10, &ranges), RANGE_PARTS);
    assert_int_equal(ranges.count, 1);
    assert_int_equal(ranges.asked, 3);
}

static void
one_range_is_cut_at_every_possible_place(void **state)
{
    static const char text[] = "abcdefghij";

    (void)state;
    for (uint64_t begin = 0; begin < 10; begin++) {
        for (uint64_t end = begin + 1; end <= 10; end++) {
            struct bytes spans[] = {bytes_of(text, 3), bytes_of(text + 3, 1),
                                    bytes_of(text + 4, 6)};
            size_t count = api_range_cut(spans, 3, (struct api_range){begin, end});
            char out[16] = "";
            size_t size = 0;

            for (size_t i = 0; i < count; i++) {
                assert_true(spans[i].size > 0);
                memcpy(out + size, spans[i].data, spans[i].size);
                size += spans[i].size;
            }
            assert_int_equal(size, end - begin);
            assert_memory_equal(out, text + begin, size);
        }
    }
}

static void
order_is_as_asked_and_what_touches_is_one(void **state)
{
    static const struct {
        const char *header, *answer;
    } cases[] = {
        {"bytes=8-9,0-1", "8-10 0-2"},      {"bytes=0-1,2-3", "0-4"},
        {"bytes=2-3,0-1", "0-4"},           {"bytes=4-4,0-1,6-7", "4-5 0-2 6-8"},
        {"bytes=6-7,0-1,1-5", "0-8"},       {"bytes=9-,4-4,0-0,3-3", "9-10 3-5 0-1"},
        {"bytes=0-,1-1,-1", "0-10"},        {"bytes=1-1,1-1,1-1", "1-2"},
        {"bytes=20-30,5-5,3-3", "5-6 3-4"},
    };
    struct api_ranges ranges;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256] = "";
        size_t used = 0;

        assert_int_equal(parse(cases[i].header, 10, &ranges), RANGE_PARTS);
        for (size_t k = 0; k < ranges.count; k++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRIu64 "-%" PRIu64,
                                     k > 0 ? " " : "", ranges.list[k].begin, ranges.list[k].end);
        assert_string_equal(text, cases[i].answer);
    }
}

/* `count` ranges of a byte each, none touching another, from the last to the first. */
static const char *
many(size_t count, char text[static TEXT_BYTES_MAX])
{
    size_t used = (size_t)snprintf(text, TEXT_BYTES_MAX, "bytes=");

    for (size_t i = count; i-- > 0;)
        used += (size_t)snprintf(text + used, TEXT_BYTES_MAX - used, "%zu-%zu,", 2 * i, 2 * i);
    return text;
}

static void
there_is_a_limit_and_it_is_exact(void **state)
{
    char text[TEXT_BYTES_MAX];
    struct api_ranges ranges;

    (void)state;
    assert_int_equal(parse(many(API_RANGES_MAX, text), 10000, &ranges), RANGE_PARTS);
    assert_int_equal(ranges.count, API_RANGES_MAX);
    assert_int_equal(ranges.list[0].begin, 2 * (API_RANGES_MAX - 1));
    assert_int_equal(parse(many(API_RANGES_MAX + 1, text), 10000, &ranges), RANGE_TOO_MANY);
    assert_int_equal(ranges.asked, API_RANGES_MAX + 1);
    text[strlen(text) - 1] = 'x';
    assert_int_equal(parse(text, 10000, &ranges), RANGE_WHOLE);
}

/* --- against the twin ---------------------------------------------------------------------- */

struct twin {
    uint8_t bytes[WHOLE_BYTES_MAX];
    size_t size;
    struct bytes spans[WHOLE_BYTES_MAX];
    size_t span_count;
    bool asked[WHOLE_BYTES_MAX];
    char header[TEXT_BYTES_MAX];
};

static void
twin_make(struct twin *t, uint64_t *rng)
{
    size_t at = 0;

    memset(t, 0, sizeof *t);
    t->size = 1 + chance(rng, WHOLE_BYTES_MAX);
    for (size_t i = 0; i < t->size; i++)
        t->bytes[i] = (uint8_t)chance(rng, 256);
    while (at < t->size) {
        size_t length = 1 + chance(rng, t->size - at < 40 ? t->size - at : 40);

        t->spans[t->span_count++] = bytes_of(t->bytes + at, length);
        at += length;
    }
}

/* Ranges by chance, as text and as flags. */
static void
twin_ask(struct twin *t, uint64_t *rng)
{
    size_t used = (size_t)snprintf(t->header, sizeof t->header, "bytes=");
    size_t count = 1 + chance(rng, chance(rng, 4) == 0 ? 60 : 5);

    for (size_t i = 0; i < count; i++) {
        size_t begin = chance(rng, t->size + 5), end = begin + chance(rng, t->size / 4 + 2);
        size_t room = sizeof t->header - used;

        switch (chance(rng, 8)) {
        case 0: /* the last ones */
            used += (size_t)snprintf(t->header + used, room, "-%zu,", end - begin);
            begin = end - begin > t->size ? 0 : t->size - (end - begin);
            end = t->size - 1;
            break;
        case 1:
            used += (size_t)snprintf(t->header + used, room, "%zu-,", begin);
            end = t->size - 1;
            break;
        default:
            used += (size_t)snprintf(t->header + used, room, " %zu-%zu,", begin, end);
            break;
        }
        for (size_t k = begin; k <= end && k < t->size; k++)
            t->asked[k] = true;
    }
}

static size_t
gather(const struct bytes *spans, size_t count, uint8_t *out, size_t room)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        assert_true(spans[i].size > 0);
        assert_in_range(spans[i].size, 1, room - at);
        memcpy(out + at, spans[i].data, spans[i].size);
        at += spans[i].size;
    }
    return at;
}

/* Runs of flags are the ranges, each once; returns how many runs there are. */
static size_t
must_be_what_was_asked(const struct twin *t, const struct api_ranges *ranges)
{
    bool answered[WHOLE_BYTES_MAX + 1] = {false};
    size_t runs = 0;

    for (size_t i = 0; i < ranges->count; i++) {
        struct api_range range = ranges->list[i];

        assert_true(range.begin < range.end && range.end <= t->size);
        assert_true(range.begin == 0 || !answered[range.begin - 1]);
        assert_false(answered[range.end]);
        for (uint64_t k = range.begin; k < range.end; k++) {
            assert_false(answered[k]);
            answered[k] = true;
        }
    }
    assert_memory_equal(answered, t->asked, t->size * sizeof answered[0]);
    for (size_t k = 0; k < t->size; k++)
        runs += t->asked[k] && (k == 0 || !t->asked[k - 1]);
    assert_int_equal(ranges->count, runs);
    return runs;
}

static void
must_cut_to_one(const struct twin *t, struct api_range range)
{
    struct bytes spans[WHOLE_BYTES_MAX];
    uint8_t got[WHOLE_BYTES_MAX];
    size_t count;

    memcpy(spans, t->spans, sizeof spans);
    count = api_range_cut(spans, t->span_count, range);
    assert_int_equal(gather(spans, count, got, sizeof got), range.end - range.begin);
    assert_memory_equal(got, t->bytes + range.begin, range.end - range.begin);
}

/* The body written out plainly. */
static size_t
write_plainly(const struct twin *t, const struct api_ranges *ranges, uint8_t *out, size_t room)
{
    size_t at = 0;

    for (size_t i = 0; i < ranges->count; i++) {
        struct api_range range = ranges->list[i];
        size_t size = (size_t)(range.end - range.begin);

        at += (size_t)snprintf((char *)out + at, room - at,
                               "%s--" BOUNDARY "\r\nContent-Type: text/x\r\nContent-Range: bytes "
                               "%" PRIu64 "-%" PRIu64 "/%zu\r\n\r\n",
                               i > 0 ? "\r\n" : "", range.begin, range.end - 1, t->size);
        memcpy(out + at, t->bytes + range.begin, size);
        at += size;
    }
    return at + (size_t)snprintf((char *)out + at, room - at, "\r\n--" BOUNDARY "--\r\n");
}

static void
must_lay_out(const struct twin *t, const struct api_ranges *ranges)
{
    struct api_byteranges body = {.boundary = BOUNDARY, .media_type = "text/x", .whole = t->size};
    static uint8_t got[TEXT_BYTES_MAX], wanted[TEXT_BYTES_MAX];
    struct arena arena;
    struct err err = ERR_INIT;
    size_t size;

    arena_init(&arena, 1 << 20);
    assert_int_equal(api_byteranges_lay_out(&body, t->spans, t->span_count, ranges, &arena, &err),
                     OK);
    size = write_plainly(t, ranges, wanted, sizeof wanted);
    assert_int_equal(body.size, size);
    assert_int_equal(gather(body.spans, body.span_count, got, sizeof got), size);
    assert_memory_equal(got, wanted, size);
    arena_drop(&arena);
}

static void
ranges_by_chance_are_what_the_twin_has(void **state)
{
    uint64_t rng = 41;
    size_t several = 0, none = 0;

    (void)state;
    for (int i = 0; i < 4000; i++) {
        static struct twin t;
        struct api_ranges ranges;
        enum api_range_kind kind;
        size_t runs = 0;

        twin_make(&t, &rng);
        twin_ask(&t, &rng);
        kind = parse(t.header, t.size, &ranges);
        if (kind == RANGE_UNSATISFIABLE)
            ranges.count = 0;
        else
            assert_int_equal(kind, RANGE_PARTS);
        runs = must_be_what_was_asked(&t, &ranges);
        for (size_t k = 0; k < ranges.count; k++)
            must_cut_to_one(&t, ranges.list[k]);
        if (runs > 0)
            must_lay_out(&t, &ranges);
        several += runs > 1;
        none += runs == 0;
    }
    assert_in_range(several, 500, 4000);
    assert_in_range(none, 10, 1000);
}

static void
a_layout_that_finds_no_memory_says_so(void **state)
{
    struct bytes span = bytes_of("abcdef", 6);
    struct api_ranges ranges = {.list = {{0, 1}, {3, 4}}, .count = 2};
    struct api_byteranges body = {.boundary = BOUNDARY, .media_type = "text/x", .whole = 6};
    struct arena arena;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&arena, 16);
    assert_int_not_equal(api_byteranges_lay_out(&body, &span, 1, &ranges, &arena, &err), OK);
    arena_drop(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_range_is_what_it_says),
        cmocka_unit_test(what_cannot_be_understood_is_ignored),
        cmocka_unit_test(what_lies_past_the_end_cannot_be_satisfied),
        cmocka_unit_test(one_range_is_cut_at_every_possible_place),
        cmocka_unit_test(order_is_as_asked_and_what_touches_is_one),
        cmocka_unit_test(there_is_a_limit_and_it_is_exact),
        cmocka_unit_test(ranges_by_chance_are_what_the_twin_has),
        cmocka_unit_test(a_layout_that_finds_no_memory_says_so),
    };

    return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
