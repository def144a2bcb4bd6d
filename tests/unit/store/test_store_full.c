/* A full store says so, stays as it was, lets things be deleted, and takes new ones then. */
#include "tests/unit/store/chunk_fixture.h"

enum { SMALL_MAP_BYTES = 6 << 20 };

static void
open_small(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
    f->config.map_size_bytes = SMALL_MAP_BYTES;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
}

/* Out of the full file. */
static void
move_to_rows(struct fixture *f, struct replacement *r)
{
    r->class = STORE_CLASS_ROWS;
    r->length = 0;
    replace(f, r);
}

static void
chunks_that_do_not_fit_fail_alone_and_deleting_makes_room(void **state)
{
    enum { SLOTS = 64 };
    struct fixture *f = *state;
    struct replacement slots[SLOTS] = {0};
    enum err_code code = OK;
    uint32_t count = 0;
    uint64_t revision;

    open_small(f);
    while (count < SLOTS && code == OK) {
        slots[count] = (struct replacement){.class = STORE_CLASS_BULK,
                                            .place = {1, count},
                                            .length = STORE_BULK_BYTES,
                                            .seed = count};
        code = store_update(f->store, replace_chunk, &slots[count], NULL, NULL, &f->err);
        if (code == OK) {
            slots[count].old = slots[count].made;
            count++;
        }
    }
    assert_int_equal(code, ERR_FULL);
    err_clear(&f->err);
    assert_true(count > 8 && count < SLOTS);
    revision = store_revision(f->store);
    assert_int_equal(revision, count);
    FAILS(store_reserve_check(f->store, SMALL_MAP_BYTES, &f->err), ERR_FULL, &f->err);
    for (uint32_t i = 0; i < count; i++)
        must_read_all(f, &slots[i].made, 1);

    (void)put(f, "small things still fit", "yes");
    /* Trees need single pages, and take them from the first free run: a little more goes than
     * comes. */
    for (uint32_t i = 0; i < 3; i++)
        move_to_rows(f, &slots[i]);
    for (uint32_t round = 0; round < 10; round++) {
        struct replacement *r = &slots[3 + round % (count - 3)];

        move_to_rows(f, r);
        r->class = STORE_CLASS_BULK;
        r->length = STORE_BULK_BYTES;
        r->seed += 100;
        replace(f, r);
        must_read_all(f, &r->made, 1);
    }
}

static void
a_full_file_does_not_fail_a_stage_while_garbage_can_go(void **state)
{
    enum { EACH = 8 };
    struct fixture *f = *state;
    struct named_chunk now[EACH], old[EACH] = {{.id = 0}};

    open_small(f);
    for (uint32_t round = 0; round < 12; round++) {
        struct store_update_options options = {0};
        struct naming naming = {now, EACH};

        WORKS(store_stage_open(f->store, &options.stage, &f->err), &f->err);
        stage_chunks(f, options.stage, STORE_CLASS_BULK, round + 1, STORE_BULK_BYTES, now, EACH);
        WORKS(store_update(f->store, name_chunks, &naming, &options, NULL, &f->err), &f->err);
        must_read_all(f, now, EACH);
        for (int i = 0; i < EACH && old[0].id != 0; i++) {
            struct replacement r = {
                .class = STORE_CLASS_ROWS, .place = old[i].place, .old = old[i], .length = 1};

            replace(f, &r);
        }
        memcpy(old, now, sizeof old);
    }
}

static void
staging_past_the_end_fails_cleanly(void **state)
{
    struct fixture *f = *state;
    struct store_stage *stage = NULL;
    enum err_code code = OK;

    open_small(f);
    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    for (uint32_t i = 0; i < 100 && code == OK; i++) {
        struct store_chunk_place place = {1, i};
        struct named_chunk made;
        struct store_chunk chunk;

        code = store_stage_chunk(stage, STORE_CLASS_BULK, place, STORE_BULK_BYTES, &chunk, &f->err);
        if (code == OK)
            finish(&chunk, place, i, &made);
    }
    assert_int_equal(code, ERR_FULL);
    err_clear(&f->err);
    store_stage_drop(stage);
    assert_int_equal(stats_when_drained(f).chunks[STORE_CLASS_BULK], 0);
    assert_int_equal(put(f, "k", "v"), 1);
}

/* Records of 16 KB until the meta file is full. */
static void
a_full_meta_file_still_deletes(void **state)
{
    struct fixture *f = *state;
    char *value = malloc(STORE_RECORD_BYTES_MAX + 1);
    struct pair pair = {NULL, value};
    enum err_code code = OK;
    char key[32];
    int count = 0;

    memset(value, 'x', STORE_RECORD_BYTES_MAX);
    value[STORE_RECORD_BYTES_MAX] = '\0';
    open_small(f);
    pair.key = key;
    for (; code == OK && count < 2000; count++) {
        snprintf(key, sizeof key, "key %d", count);
        code = store_update(f->store, put_pair, &pair, NULL, NULL, &f->err);
    }
    assert_int_equal(code, ERR_FULL);
    err_clear(&f->err);
    count--;
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "key %d", i);
        (void)put(f, key, NULL);
    }
    (void)put(f, "another", value);
    must_hold(f, "another", value);
    snprintf(key, sizeof key, "key %d", count - 1);
    must_hold(f, key, value);
    free(value);
}

/* Short records under scattered keys: no run of free pages anywhere. */
struct scatter {
    int first, count;
    const char *value; /* NULL: delete */
};

static enum err_code
scatter(struct store_txn *txn, void *context, struct err *err)
{
    const struct scatter *s = context;

    for (int i = s->first; i < s->first + s->count; i++) {
        struct pair pair = {NULL, s->value};
        char key[32];

        snprintf(key, sizeof key, "%d", i * 7919 % 100003);
        pair.key = key;
        TRY(put_pair(txn, &pair, err));
    }
    return OK;
}

static void
scatter_one(struct fixture *f, int i, const char *value)
{
    struct scatter s = {i, 1, value};

    WORKS(store_update(f->store, scatter, &s, NULL, NULL, &f->err), &f->err);
}

static void
a_meta_file_full_of_short_records_takes_others_and_is_emptied(void **state)
{
    enum { SOME = 20 };
    struct fixture *f = *state;
    struct scatter s = {0, SOME, "a value of thirty-two characters"};

    store_close(f->store);
    f->store = NULL;
    f->config.map_size_bytes = 1 << 20;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    for (; s.count > 0; s.count /= 2) {
        while (store_update(f->store, scatter, &s, NULL, NULL, &f->err) == OK)
            s.first += s.count;
        assert_int_equal(f->err.code, ERR_FULL);
        err_clear(&f->err);
    }
    assert_true(s.first > 2000);
    for (int i = 0; i < SOME; i++)
        scatter_one(f, i, "another one of exactly as much..");
    for (int i = 0; i < SOME; i++)
        scatter_one(f, i, NULL);
    s.value = NULL;
    s.count = SOME;
    for (s.first -= SOME; s.first >= SOME; s.first -= SOME)
        WORKS(store_update(f->store, scatter, &s, NULL, NULL, &f->err), &f->err);
    (void)put(f, "again", "yes");
    fixture_reopen(f);
    must_hold(f, "again", "yes");
}

static void
limits_are_checked_before_work_starts(void **state)
{
    struct fixture *f = *state;

    WORKS(store_reserve_check(f->store, 1 << 20, &f->err), &f->err);
    FAILS(store_reserve_check(f->store, UINT64_MAX, &f->err), ERR_FULL, &f->err);
    f->config.size_max_bytes = 1 << 20;
    fixture_reopen(f);
    WORKS(store_reserve_check(f->store, 1 << 19, &f->err), &f->err);
    assert_int_equal(store_reserve_check(f->store, 1 << 20, &f->err), ERR_FULL);
    assert_non_null(strstr(f->err.text, "size limit"));
    err_clear(&f->err);
    f->config.size_max_bytes = 0;
    f->config.disk_reserve_bytes = UINT64_MAX / 2;
    fixture_reopen(f);
    assert_int_equal(store_reserve_check(f->store, 1, &f->err), ERR_FULL);
    assert_non_null(strstr(f->err.text, "disk"));
    err_clear(&f->err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(chunks_that_do_not_fit_fail_alone_and_deleting_makes_room),
        STORE_TEST(a_full_file_does_not_fail_a_stage_while_garbage_can_go),
        STORE_TEST(staging_past_the_end_fails_cleanly),
        STORE_TEST(a_full_meta_file_still_deletes),
        STORE_TEST(a_meta_file_full_of_short_records_takes_others_and_is_emptied),
        STORE_TEST(limits_are_checked_before_work_starts),
    };

    return cmocka_run_group_tests_name("store_full", tests, NULL, NULL);
}
