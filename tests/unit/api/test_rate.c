/* Buckets: how often, how many at once, and what a full table forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/guard/rate.h"

static struct api_rate *
made(uint64_t requests, uint64_t window_ms, uint64_t at_once)
{
    struct api_rate_rule rule = {requests, window_ms, at_once};
    struct api_rate *rate = NULL;

    assert_int_equal(api_rate_open(&rule, 7, &rate, NULL), OK);
    return rate;
}

static struct api_rate_key
key(uint32_t number)
{
    struct api_rate_key key = {{0}};

    memcpy(key.bytes, &number, sizeof number);
    return key;
}

/* One request that is over at once. */
static enum api_rate_verdict
ask(struct api_rate *rate, uint32_t client, uint64_t now_ms, struct api_rate_state *state)
{
    struct api_rate_key who = key(client);
    uint32_t place;
    enum api_rate_verdict verdict = api_rate_enter(rate, &who, now_ms, &place, state);

    assert_int_equal(place != 0, verdict == RATE_ALLOWED);
    api_rate_leave(rate, place);
    return verdict;
}

static void
a_bucket_empties_and_fills_evenly(void **state)
{
    struct api_rate *rate = made(3, 3000, 0);
    struct api_rate_state told;

    (void)state;
    for (uint64_t left = 2; left < 3; left--) {
        assert_int_equal(ask(rate, 1, 10, &told), RATE_ALLOWED);
        assert_int_equal(told.left, left);
    }
    assert_int_equal(told.full_ms, 3000);
    assert_int_equal(ask(rate, 1, 10, &told), RATE_TOO_OFTEN);
    assert_int_equal(told.retry_ms, 1000);
    assert_int_equal(ask(rate, 1, 1009, &told), RATE_TOO_OFTEN);
    assert_int_equal(told.retry_ms, 1);
    assert_int_equal(ask(rate, 2, 1009, &told), RATE_ALLOWED);
    assert_int_equal(ask(rate, 1, 1010, &told), RATE_ALLOWED);
    assert_int_equal(ask(rate, 1, 1010, &told), RATE_TOO_OFTEN);
    assert_int_equal(ask(rate, 1, 1000000, &told), RATE_ALLOWED);
    assert_int_equal(told.left, 2);
    /* a clock that seems to go back gives nothing */
    assert_int_equal(ask(rate, 1, 10, &told), RATE_ALLOWED);
    assert_int_equal(told.left, 1);
    api_rate_drop(rate);
}

static void
looking_takes_nothing(void **state)
{
    struct api_rate *rate = made(1, 1000, 0);
    struct api_rate_key who = key(1);
    struct api_rate_state told;

    (void)state;
    assert_true(api_rate_allows(rate, &who, 0, &told));
    assert_true(api_rate_allows(rate, &who, 0, &told));
    assert_int_equal(ask(rate, 1, 0, &told), RATE_ALLOWED);
    assert_false(api_rate_allows(rate, &who, 999, &told));
    assert_int_equal(told.retry_ms, 1);
    assert_true(api_rate_allows(rate, &who, 1000, &told));
    api_rate_drop(rate);
    api_rate_drop(NULL);
}

static void
so_many_at_once_and_no_more(void **state)
{
    struct api_rate *rate = made(0, 1000, 2);
    struct api_rate_key who = key(1);
    struct api_rate_state told;
    uint32_t first, second, third;

    (void)state;
    assert_int_equal(api_rate_enter(rate, &who, 0, &first, &told), RATE_ALLOWED);
    assert_int_equal(api_rate_enter(rate, &who, 0, &second, &told), RATE_ALLOWED);
    assert_int_equal(api_rate_enter(rate, &who, 0, &third, &told), RATE_TOO_MANY);
    assert_int_equal(third, 0);
    assert_int_equal(ask(rate, 2, 0, &told), RATE_ALLOWED);
    api_rate_leave(rate, first);
    assert_int_equal(api_rate_enter(rate, &who, 0, &third, &told), RATE_ALLOWED);
    api_rate_leave(rate, second);
    api_rate_leave(rate, third);
    api_rate_drop(rate);
}

/* A client that is limited stays so however many others come; who is busy keeps his place. */
static void
a_flood_of_others_frees_nobody(void **state)
{
    struct api_rate *rate = made(2, 1000000, 1);
    struct api_rate_key busy = key(2);
    struct api_rate_state told;
    uint32_t place, again;

    (void)state;
    assert_int_equal(ask(rate, 1, 0, &told), RATE_ALLOWED);
    assert_int_equal(ask(rate, 1, 0, &told), RATE_ALLOWED);
    assert_int_equal(api_rate_enter(rate, &busy, 0, &place, &told), RATE_ALLOWED);
    for (uint32_t other = 10; other < 100000; other++)
        assert_int_equal(ask(rate, other, 0, &told), RATE_ALLOWED);
    assert_int_equal(ask(rate, 1, 0, &told), RATE_TOO_OFTEN);
    assert_int_equal(api_rate_enter(rate, &busy, 0, &again, &told), RATE_TOO_MANY);
    api_rate_leave(rate, place);
    api_rate_drop(rate);
}

static void
the_largest_rule_overflows_nothing(void **state)
{
    struct api_rate *rate = made(1000000000, 86400000, 0);
    struct api_rate_state told;

    (void)state;
    assert_int_equal(ask(rate, 1, 0, &told), RATE_ALLOWED);
    assert_int_equal(told.left, 999999999);
    assert_int_equal(ask(rate, 1, UINT64_MAX, &told), RATE_ALLOWED);
    assert_int_equal(told.left, 999999999);
    api_rate_drop(rate);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_empties_and_fills_evenly),
        cmocka_unit_test(looking_takes_nothing),
        cmocka_unit_test(so_many_at_once_and_no_more),
        cmocka_unit_test(a_flood_of_others_frees_nobody),
        cmocka_unit_test(the_largest_rule_overflows_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
