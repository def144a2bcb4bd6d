/* Staging: readable before it is published, kept when it is, gone when it is dropped. */
#include "tests/unit/store/chunk_fixture.h"

static void
must_read_staged(struct store_stage *stage, const struct named_chunk *c)
{
    struct err err = ERR_INIT;
    struct bytes bytes;

    WORKS(store_stage_read(stage, c->id, c->length, &bytes, &err), &err);
    assert_int_equal(bytes.size, c->length);
    assert_true(is_filled(bytes, c->seed));
    FAILS(store_stage_read(stage, c->id, c->length + 1, &bytes, &err), ERR_DATA_LOSS, &err);
}

static void
staged_chunks_are_readable_before_and_after_publishing(void **state)
{
    enum { BULK = 11, ROWS = 150 };
    struct fixture *f = *state;
    struct named_chunk bulk[BULK], rows[ROWS];
    struct naming naming = {bulk, BULK}, more = {rows, ROWS};
    struct store_update_options options = {0};
    struct store_stage *stage = NULL;
    struct store_stats stats;
    uint64_t revision = 0;

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    stage_chunks(f, stage, STORE_CLASS_BULK, 3, STORE_BULK_BYTES, bulk, BULK);
    for (int i = 0; i < BULK; i++)
        must_read_staged(stage, &bulk[i]);
    options.stage = stage;
    WORKS(store_update(f->store, name_chunks, &naming, &options, &revision, &f->err), &f->err);
    assert_int_equal(revision, 1);
    must_read_all(f, bulk, BULK);

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    stage_chunks(f, stage, STORE_CLASS_ROWS, 4, 12345, rows, ROWS);
    for (int i = 0; i < ROWS; i++)
        must_read_staged(stage, &rows[i]);
    options.stage = stage;
    WORKS(store_update(f->store, name_chunks, &more, &options, &revision, &f->err), &f->err);
    fixture_reopen(f);
    must_read_all(f, bulk, BULK);
    must_read_all(f, rows, ROWS);
    stats = stats_when_drained(f);
    assert_int_equal(stats.chunks[STORE_CLASS_BULK], BULK);
    assert_int_equal(stats.chunks[STORE_CLASS_ROWS], ROWS);
}

static void
a_dropped_stage_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct named_chunk bulk[20], rows[130];
    struct store_stage *stage = NULL;
    struct store_stats stats;

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    stage_chunks(f, stage, STORE_CLASS_BULK, 3, 1000, bulk, 20);
    stage_chunks(f, stage, STORE_CLASS_ROWS, 3, 1000, rows, 130);
    WORKS(store_stats_read(f->store, &stats, &f->err), &f->err);
    assert_true(stats.chunks[STORE_CLASS_BULK] > 0);
    assert_true(stats.chunks[STORE_CLASS_ROWS] > 0);
    store_stage_drop(stage);
    store_stage_drop(NULL);
    stats = stats_when_drained(f);
    assert_int_equal(stats.chunks[STORE_CLASS_BULK], 0);
    assert_int_equal(stats.chunks[STORE_CLASS_ROWS], 0);
}

static enum err_code
refuse(struct store_txn *txn, void *context, struct err *err)
{
    (void)txn;
    (void)context;
    return err_set(err, ERR_FAILED_PRECONDITION, "not now");
}

static void
a_stage_whose_unit_failed_can_be_published_later(void **state)
{
    struct fixture *f = *state;
    struct named_chunk chunks[5];
    struct naming naming = {chunks, 5};
    struct store_update_options options = {0};
    struct store_stage *stage = NULL;

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    stage_chunks(f, stage, STORE_CLASS_BULK, 3, 1000, chunks, 5);
    options.stage = stage;
    FAILS(store_update(f->store, refuse, NULL, &options, NULL, &f->err), ERR_FAILED_PRECONDITION,
          &f->err);
    WORKS(store_update(f->store, name_chunks, &naming, &options, NULL, &f->err), &f->err);
    must_read_all(f, chunks, 5);
    assert_int_equal(stats_when_drained(f).chunks[STORE_CLASS_BULK], 5);
}

static void
sixteen_chunks_may_be_filled_at_once_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct store_update_options options = {0};
    struct store_chunk open[16], one_more;
    struct named_chunk made[16];
    struct naming naming = {made, 16};
    struct store_stage *stage = NULL;

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    for (uint32_t i = 0; i < 16; i++)
        WORKS(store_stage_chunk(stage, STORE_CLASS_BULK, (struct store_chunk_place){9, i},
                                STORE_BULK_BYTES - i, &open[i], &f->err),
              &f->err);
    FAILS(store_stage_chunk(stage, STORE_CLASS_BULK, (struct store_chunk_place){9, 16}, 1,
                            &one_more, &f->err),
          ERR_INTERNAL, &f->err);
    options.stage = stage;
    FAILS(store_update(f->store, refuse, NULL, &options, NULL, &f->err), ERR_INTERNAL, &f->err);
    for (uint32_t i = 16; i-- > 0;)
        finish(&open[i], (struct store_chunk_place){9, i}, i, &made[i]);
    WORKS(store_update(f->store, name_chunks, &naming, &options, NULL, &f->err), &f->err);
    must_read_all(f, made, 16);
}

static void
an_abandoned_half_filled_chunk_is_dropped_with_its_stage(void **state)
{
    struct fixture *f = *state;
    struct store_stage *stage = NULL;
    struct store_chunk chunk;

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    WORKS(store_stage_chunk(stage, STORE_CLASS_ROWS, (struct store_chunk_place){9, 0}, 100, &chunk,
                            &f->err),
          &f->err);
    memset(chunk.bytes, 1, 50);
    store_stage_drop(stage);
    assert_int_equal(stats_when_drained(f).chunks[STORE_CLASS_ROWS], 0);
}

static enum err_code
name_unread(struct store_txn *txn, void *context, struct err *err)
{
    const struct named_chunk *c = context;

    return store_put(txn, bytes_of_text("c"), bytes_of(c, sizeof *c), err);
}

static void
an_interrupted_store_stages_no_more_but_publishes_what_there_is(void **state)
{
    struct fixture *f = *state;
    struct named_chunk made;
    struct store_update_options options = {0};
    struct store_snapshot *snapshot = NULL;
    struct store_stage *stage = NULL;
    struct store_chunk chunk;
    struct bytes bytes;
    uint64_t revision = 0;

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    stage_chunks(f, stage, STORE_CLASS_BULK, 3, 1000, &made, 1);
    store_interrupt(f->store);
    FAILS(store_stage_chunk(stage, STORE_CLASS_BULK, (struct store_chunk_place){3, 1}, 1000, &chunk,
                            &f->err),
          ERR_UNAVAILABLE, &f->err);
    options.stage = stage;
    WORKS(store_update(f->store, name_unread, &made, &options, &revision, &f->err), &f->err);
    assert_int_equal(revision, 1);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(store_chunk_read(store_snapshot_view(snapshot), made.id, made.place, made.length,
                           made.crc, &bytes, &f->err),
          &f->err);
    FAILS(store_chunk_verify(store_snapshot_view(snapshot), made.id, made.place, made.length,
                             made.crc, &bytes, &f->err),
          ERR_UNAVAILABLE, &f->err);
    store_snapshot_drop(snapshot);
    fixture_reopen(f);
    must_read_all(f, &made, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(staged_chunks_are_readable_before_and_after_publishing),
        STORE_TEST(a_dropped_stage_leaves_nothing),
        STORE_TEST(a_stage_whose_unit_failed_can_be_published_later),
        STORE_TEST(sixteen_chunks_may_be_filled_at_once_and_no_more),
        STORE_TEST(an_abandoned_half_filled_chunk_is_dropped_with_its_stage),
        STORE_TEST(an_interrupted_store_stages_no_more_but_publishes_what_there_is),
    };

    return cmocka_run_group_tests_name("store_stage", tests, NULL, NULL);
}
