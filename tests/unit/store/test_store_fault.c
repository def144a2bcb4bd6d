/* Writes, syncs and allocations that fail: the caller learns the truth, what was acknowledged
 * stays, and after a failed sync nothing is written any more. */
#include "tests/unit/store/chunk_fixture.h"

#include <errno.h>

#include "store/base/alloc.h"
#include "tests/support/faults.h"

static int
fault_close(void **state)
{
    faults_next(FAULT_NONE, 0, 0);
    return fixture_close(state);
}

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fault_close)

static enum err_code
try_put(struct fixture *f, const char *key, const char *value)
{
    struct pair pair = {key, value};

    return store_update(f->store, put_pair, &pair, NULL, NULL, &f->err);
}

static bool
has_failed(struct fixture *f)
{
    struct store_stats stats;

    WORKS(store_stats_read(f->store, &stats, &f->err), &f->err);
    return stats.failed;
}

/* --- the tests ----------------------------------------------------------------------------- */

static void
after_a_failed_sync_the_outcome_is_unknown_and_writing_ends(void **state)
{
    struct fixture *f = *state;
    struct store_stage *stage = NULL;
    struct named_chunk chunks[8];

    (void)put(f, "before", "acknowledged");
    faults_next(FAULT_SYNC, EIO, 1);
    FAILS(try_put(f, "k", "v"), ERR_UNKNOWN, &f->err);
    assert_true(has_failed(f));
    FAILS(try_put(f, "k", "v"), ERR_UNAVAILABLE, &f->err); /* although syncs would work again */
    must_hold(f, "before", "acknowledged");
    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    stage_chunks(f, stage, STORE_CLASS_BULK, 1, 10, chunks, 4);
    {
        struct store_update_options options = {.stage = stage};
        struct naming naming = {chunks, 4};

        FAILS(store_update(f->store, name_chunks, &naming, &options, NULL, &f->err),
              ERR_UNAVAILABLE, &f->err);
    }
    store_stage_drop(stage);
    fixture_reopen(f);
    must_hold(f, "before", "acknowledged");
    assert_false(has_failed(f));
    (void)put(f, "k", "works again");
}

static void
a_full_disk_fails_the_unit_and_nothing_else(void **state)
{
    static const int errors[] = {ENOSPC, EDQUOT, EFBIG};
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_BULK, .place = {1, 0}, .length = 1000};

    (void)put(f, "k", "old");
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        uint64_t revision = store_revision(f->store);

        faults_next(FAULT_WRITE, errors[i], 1000);
        FAILS(try_put(f, "k", "new"), ERR_FULL, &f->err);
        faults_next(FAULT_WRITE, errors[i], 1000);
        FAILS(store_update(f->store, replace_chunk, &r, NULL, NULL, &f->err), ERR_FULL, &f->err);
        faults_next(FAULT_NONE, 0, 0);
        assert_false(has_failed(f));
        must_hold(f, "k", "old");
        assert_int_equal(store_revision(f->store), revision);
        replace(f, &r);
    }
    assert_int_equal(stats_when_drained(f).chunks[STORE_CLASS_BULK], 1);
    must_read_all(f, &r.made, 1);
}

static void
a_failed_write_that_the_disk_does_not_explain_ends_writing(void **state)
{
    struct fixture *f = *state;

    (void)put(f, "k", "old");
    faults_next(FAULT_WRITE, EIO, 1);
    FAILS(try_put(f, "k", "new"), ERR_UNKNOWN, &f->err);
    assert_true(has_failed(f));
    fixture_reopen(f);
    must_hold(f, "k", "old");
}

static void
a_failed_write_of_a_meta_page_is_unknown(void **state)
{
    struct fixture *f = *state;

    (void)put(f, "before", "acknowledged");
    faults_next(FAULT_META_WRITE, ENOSPC, 1);
    FAILS(try_put(f, "k", "v"), ERR_UNKNOWN, &f->err);
    assert_true(has_failed(f));
    faults_next(FAULT_NONE, 0, 0);
    fixture_reopen(f);
    must_hold(f, "before", "acknowledged");
    (void)put(f, "k", "again");
}

static void
a_failed_sync_while_staging_ends_writing(void **state)
{
    struct fixture *f = *state;
    struct named_chunk made;
    struct store_stage *stage = NULL;
    enum err_code code = OK;

    (void)put(f, "before", "acknowledged");
    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    faults_next(FAULT_SYNC, EIO, 1);
    for (uint32_t i = 0; i < 20 && code == OK; i++) {
        struct store_chunk_place place = {1, i};
        struct store_chunk chunk;

        code = store_stage_chunk(stage, STORE_CLASS_BULK, place, 10, &chunk, &f->err);
        if (code == OK)
            finish(&chunk, place, i, &made);
    }
    assert_int_equal(code, ERR_UNKNOWN);
    err_clear(&f->err);
    assert_true(has_failed(f));
    store_stage_drop(stage);
    fixture_reopen(f);
    must_hold(f, "before", "acknowledged");
    assert_int_equal(stats_when_drained(f).chunks[STORE_CLASS_BULK], 0);
}

static void
a_failed_sync_point_ends_writing(void **state)
{
    struct fixture *f = *state;
    struct store_update_options options = {.durable = true};
    struct pair pair = {"k", "v"};

    f->config.durability = STORE_DURABLE_INTERVAL;
    f->config.interval_ms = 100000;
    fixture_reopen(f);
    (void)put(f, "before", "acknowledged");
    faults_next(FAULT_SYNC, EIO, 1);
    FAILS(store_update(f->store, put_pair, &pair, &options, NULL, &f->err), ERR_UNKNOWN, &f->err);
    assert_true(has_failed(f));
    FAILS(try_put(f, "k", "v"), ERR_UNAVAILABLE, &f->err);
    must_hold(f, "before", "acknowledged");
}

/* --- memory -------------------------------------------------------------------------------- */

static bool
try_everything(struct fixture *f, struct replacement *r)
{
    struct store_update_options options = {0};
    struct store_chunk_place place = {77, 0};
    struct store_chunk chunk;
    bool good = true;

    if (store_update(f->store, replace_chunk, r, NULL, NULL, &f->err) == OK)
        r->old = r->made;
    else
        good = false;
    err_clear(&f->err);
    if (store_stage_open(f->store, &options.stage, &f->err) != OK)
        return false;
    if (store_stage_chunk(options.stage, STORE_CLASS_ROWS, place, 10, &chunk, &f->err) == OK) {
        fill(chunk.bytes, chunk.length, 0);
        store_chunk_seal(&chunk);
        good = try_put(f, "k", "v") == OK && good;
    } else {
        good = false;
    }
    store_stage_drop(options.stage);
    return good;
}

static void
every_failing_allocation_is_survived(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {1, 0}, .length = 300};
    bool good = false;
    uint64_t nth = 1;

    for (; !good && nth < 500; nth++) {
        mem_fail_at(nth, 0);
        good = try_everything(f, &r);
        mem_fail_at(0, 0);
        if (!good && f->err.code != OK)
            assert_int_equal(f->err.code, ERR_NO_MEMORY);
        err_clear(&f->err);
        assert_false(has_failed(f));
    }
    assert_true(good && nth > 5);
    assert_int_equal(stats_when_drained(f).chunks[STORE_CLASS_ROWS], 1);
    must_read_all(f, &r.old, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(after_a_failed_sync_the_outcome_is_unknown_and_writing_ends),
        FAULT_TEST(a_full_disk_fails_the_unit_and_nothing_else),
        FAULT_TEST(a_failed_write_that_the_disk_does_not_explain_ends_writing),
        FAULT_TEST(a_failed_write_of_a_meta_page_is_unknown),
        FAULT_TEST(a_failed_sync_while_staging_ends_writing),
        FAULT_TEST(a_failed_sync_point_ends_writing),
        FAULT_TEST(every_failing_allocation_is_survived),
    };

    return cmocka_run_group_tests_name("store_fault", tests, NULL, NULL);
}
