/* A store as a stream and back: what is restored is what was there when the backup was opened. */
#include "tests/unit/store/backup_fixture.h"

static enum err_code
visit_owner(struct bytes key, struct bytes record,
            void (*found)(void *ctx, const struct value_ref *ref), void *ctx, struct err *err)
{
    struct reader in = reader_of(record);
    struct value_ref ref;

    (void)key;
    value_ref_decode(&in, &ref);
    if (!reader_ended_well(&in))
        return err_set(err, ERR_DATA_LOSS, "an owner is damaged");
    found(ctx, &ref);
    return OK;
}

static void
verify_finds_nothing(struct fixture *f)
{
    static struct store_verify_report report;
    const struct store_verify_owner owner = {.prefix = bytes_of("o", 1), .visit = visit_owner};

    WORKS(store_verify(f->store, &owner, 1, true, &report, &f->err), &f->err);
    if (report.findings != 0)
        print_error("%s\n", report.texts[0]);
    assert_int_equal(report.findings, 0);
}

/* Restores into a new folder and makes that store the fixture's. */
static void
move_to(struct fixture *f, char *folder, struct bytes stream, bool fork)
{
    WORKS(restore_at(f, folder, stream, fork), &f->err);
    store_close(f->store);
    f->store = NULL;
    unit_temp_dir_remove(f->folder);
    f->folder = folder;
    f->config.directory = folder;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
}

static void
what_is_restored_is_what_was_there(void **state)
{
    struct fixture *f = *state;
    char identity[17];
    struct buf stream, again;
    uint64_t revision;

    fill_store(f);
    revision = store_revision(f->store);
    memcpy(identity, store_identity(f->store), sizeof identity);
    stream = stream_of(f);
    move_to(f, unit_temp_dir(), buf_bytes(&stream), false);
    filled_store_must_be_there(f);
    verify_finds_nothing(f);
    assert_string_equal(store_identity(f->store), identity);
    assert_int_equal(store_revision(f->store), revision);
    assert_int_equal(store_origin(f->store), 0);
    again = stream_of(f);
    assert_int_equal(again.size, stream.size);
    /* All but BEGIN, which tells that the store was opened once more. */
    assert_memory_equal(again.data + 80, stream.data + 80, stream.size - 80);
    patch_owner(f, 'a', 0, "new", 3);
    verify_finds_nothing(f);
    buf_drop(&stream);
    buf_drop(&again);
}

static void
revisions_go_on_far_behind_those_that_may_have_been_told(void **state)
{
    struct fixture *f = *state;
    uint64_t told;
    struct buf stream;

    put(f, "key", "value");
    stream = stream_of(f);
    told = put(f, "key", "after the backup");
    move_to(f, unit_temp_dir(), buf_bytes(&stream), true);
    must_hold(f, "key", "value");
    assert_true(store_origin(f->store) > told);
    assert_int_equal(store_origin(f->store), store_revision(f->store));
    assert_int_equal(put(f, "key", "another"), store_origin(f->store) + 1);
    fixture_reopen(f);
    assert_int_equal(store_origin(f->store) + 1, store_revision(f->store));
    buf_drop(&stream);
}

static void
a_store_without_anything_is_a_backup_too(void **state)
{
    struct fixture *f = *state;
    struct buf stream = stream_of(f);

    move_to(f, unit_temp_dir(), buf_bytes(&stream), false);
    assert_int_equal(store_revision(f->store), 0);
    verify_finds_nothing(f);
    buf_drop(&stream);
}

static void
what_is_written_meanwhile_is_not_in_it(void **state)
{
    struct fixture *f = *state;
    struct backup *backup = NULL;
    struct store_stats stats;
    struct bytes piece;
    struct buf stream;

    fill_store(f);
    buf_init(&stream, STREAM_BYTES_MAX);
    WORKS(backup_open(f->store, &backup, &f->err), &f->err);
    WORKS(backup_next(backup, &piece, &f->err), &f->err);
    WORKS(buf_append(&stream, piece.data, piece.size, &f->err), &f->err);
    for (int i = 0; i < 50; i++) {
        patch_owner(f, 'a', 100, "after", 5);
        put(f, "another", "record");
    }
    drop_owner(f, 'b');
    give_rest(f, backup, &stream);
    backup_drop(backup);
    stats = stats_when_drained(f);
    assert_int_equal(stats.leases_open, 0);
    assert_int_equal(stats.snapshots_open, 0);
    move_to(f, unit_temp_dir(), buf_bytes(&stream), false);
    filled_store_must_be_there(f);
    verify_finds_nothing(f);
    must_hold(f, "another", NULL);
    buf_drop(&stream);
}

static void
a_folder_with_anything_in_it_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct buf stream = stream_of(f);
    char *folder = unit_temp_dir(), path[4200];

    FAILS(restore_at(f, f->folder, buf_bytes(&stream), false), ERR_UNAVAILABLE, &f->err);
    snprintf(path, sizeof path, "%s/something", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    FAILS(restore_at(f, folder, buf_bytes(&stream), false), ERR_FAILED_PRECONDITION, &f->err);
    assert_int_equal(count_entries(folder), 1);
    /* What a restore that was killed left is no hindrance. */
    assert_int_equal(rmdir(path), 0);
    snprintf(path, sizeof path, "%s/load", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    WORKS(restore_at(f, folder, buf_bytes(&stream), false), &f->err);
    unit_temp_dir_remove(folder);
    buf_drop(&stream);
}

/* --- in place of a store -------------------------------------------------------------------------
 */

static void
load_beside(struct fixture *f, struct store_load **load)
{
    struct backup_pipe pipe = {.backup = NULL};
    struct backup_counts counts;

    WORKS(backup_open(f->store, &pipe.backup, &f->err), &f->err);
    WORKS(store_load_open_beside(f->store, load, &f->err), &f->err);
    WORKS(backup_load(backup_pipe_source, &pipe, *load, false, &counts, &f->err), &f->err);
    backup_drop(pipe.backup);
}

static void
a_store_takes_the_place_of_another(void **state)
{
    struct fixture *f = *state;
    struct store_load *load = NULL;
    uint64_t revision;

    fill_store(f);
    drop_owner(f, 'd');
    revision = store_revision(f->store);
    load_beside(f, &load);
    WORKS(store_load_install(load, &f->err), &f->err);
    store_load_drop(load);
    fixture_reopen(f);
    filled_store_must_be_there(f);
    verify_finds_nothing(f);
    assert_int_equal(store_revision(f->store), revision);
    assert_int_equal(count_entries(f->folder), 6); /* three files and LMDB's locks */
}

static void
a_load_that_was_dropped_leaves_all_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct store_load *load = NULL;
    unsigned entries;

    fill_store(f);
    entries = count_entries(f->folder);
    load_beside(f, &load);
    assert_int_equal(count_entries(f->folder), entries + 1);
    store_load_drop(load);
    assert_int_equal(count_entries(f->folder), entries);
    fixture_reopen(f);
    filled_store_must_be_there(f);
}

/* The power may go after any of the renames. */
static void
what_was_decided_is_carried_on_from_anywhere(void **state)
{
    static const char *const files[] = {"rows.mdb", "bulk.mdb", "meta.mdb"};
    struct fixture *f = *state;

    fill_store(f);
    for (size_t moved = 0; moved <= 3; moved++) {
        struct store_load *load = NULL;
        char from[4200], to[4200];

        load_beside(f, &load);
        WORKS(store_load_install(load, &f->err), &f->err);
        store_load_drop(load);
        store_close(f->store);
        f->store = NULL;
        for (size_t i = 0; i < moved; i++) {
            snprintf(from, sizeof from, "%s/loaded/%s", f->folder, files[i]);
            snprintf(to, sizeof to, "%s/%s", f->folder, files[i]);
            assert_int_equal(rename(from, to), 0);
        }
        WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
        filled_store_must_be_there(f);
        verify_finds_nothing(f);
        assert_int_equal(count_entries(f->folder), 6);
    }
}

static void
a_full_heap_is_an_error_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct buf stream;
    char *folder = unit_temp_dir();
    enum err_code code = ERR_NO_MEMORY;

    fill_store(f);
    stream = stream_of(f);
    for (uint64_t nth = 1; code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = restore_at(f, folder, buf_bytes(&stream), false);
        (void)mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        err_clear(&f->err);
        assert_true(nth < 1000);
        if (code != OK)
            assert_int_equal(count_entries(folder), 0);
    }
    unit_temp_dir_remove(folder);
    buf_drop(&stream);
}

static void
a_full_heap_ends_a_backup_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    enum err_code code = ERR_NO_MEMORY;

    fill_store(f);
    for (uint64_t nth = 1; code != OK; nth++) {
        struct backup *backup = NULL;
        struct bytes piece = {NULL, 1};

        (void)mem_fail_at(nth, 0);
        code = backup_open(f->store, &backup, &f->err);
        while (code == OK && piece.size > 0)
            code = backup_next(backup, &piece, &f->err);
        (void)mem_fail_at(0, 0);
        backup_drop(backup);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        err_clear(&f->err);
        assert_true(nth < 1000);
    }
    assert_int_equal(stats_when_drained(f).leases_open, 0);
    filled_store_must_be_there(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_restored_is_what_was_there),
        STORE_TEST(revisions_go_on_far_behind_those_that_may_have_been_told),
        STORE_TEST(a_store_without_anything_is_a_backup_too),
        STORE_TEST(what_is_written_meanwhile_is_not_in_it),
        STORE_TEST(a_folder_with_anything_in_it_is_left_alone),
        STORE_TEST(a_store_takes_the_place_of_another),
        STORE_TEST(a_load_that_was_dropped_leaves_all_as_it_was),
        STORE_TEST(what_was_decided_is_carried_on_from_anywhere),
        STORE_TEST(a_full_heap_is_an_error_and_nothing_else),
        STORE_TEST(a_full_heap_ends_a_backup_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
