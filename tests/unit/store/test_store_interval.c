/* Interval durability: a killed process loses nothing; a restarted machine goes back to the last
 * sync point, whole. A restart is played by another boot id in the side file. */
#include "tests/unit/store/chunk_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "store/lmdb/side.h"

static int
interval_open(void **state)
{
    struct fixture *f;

    if (fixture_open(state) != 0)
        return -1;
    f = *state;
    f->config.durability = STORE_DURABLE_INTERVAL;
    f->config.interval_ms = 100000; /* by itself, never in a test */
    fixture_reopen(f);
    return 0;
}

#define INTERVAL_TEST(name) cmocka_unit_test_setup_teardown(name, interval_open, fixture_close)

static bool
has_side_file(struct fixture *f)
{
    char path[256];

    snprintf(path, sizeof path, "%s/sync.meta", f->folder);
    return access(path, F_OK) == 0;
}

static void
put_durably(struct fixture *f, const char *key, const char *value)
{
    struct store_update_options options = {.durable = true};
    struct pair pair = {key, value};

    WORKS(store_update(f->store, put_pair, &pair, &options, NULL, &f->err), &f->err);
}

static void
a_clean_close_keeps_everything_and_removes_the_side_file(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_BULK, .place = {1, 0}, .length = 7777};

    assert_string_equal(store_durability_name(f->store), "interval");
    assert_true(has_side_file(f));
    (void)put(f, "k", "v");
    replace(f, &r);
    replace(f, &r); /* what it replaced must be gone by then: otherwise all would be swept */
    store_close(f->store);
    assert_false(has_side_file(f));
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    must_hold(f, "k", "v");
    must_read_all(f, &r.made, 1);
}

static void
the_interval_makes_commits_durable_by_itself(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {1, 0}, .length = 10};
    struct store_stats before, after;

    f->config.interval_ms = 10;
    fixture_reopen(f);
    replace(f, &r);
    replace(f, &r);
    /* The freed chunk may go only after a sync point. */
    assert_int_equal(stats_when_drained(f).chunks[STORE_CLASS_ROWS], 1);
    WORKS(store_stats_read(f->store, &before, &f->err), &f->err);
    usleep(100000);
    WORKS(store_stats_read(f->store, &after, &f->err), &f->err);
    usleep(100000);
    WORKS(store_stats_read(f->store, &before, &f->err), &f->err);
    assert_int_equal(before.syncs.count, after.syncs.count); /* and nothing to do means no syncs */
}

/* --- unclean stops ------------------------------------------------------------------------- */

enum { OVERWRITES = 40 };

/* "old" is synced; "new" and many overwrites are not. */
static void
live_and_die(struct fixture *f)
{
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {1, 0}, .length = 5000};

    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    put_durably(f, "old", "synced");
    put_durably(f, "k", "first");
    for (uint32_t i = 0; i < OVERWRITES; i++) {
        r.seed = i;
        replace(f, &r);
        (void)put(f, "k", i % 2 ? "odd" : "even");
    }
    (void)put(f, "new", "not synced");
    (void)kill(getpid(), SIGKILL);
}

static void
run_child(struct fixture *f)
{
    pid_t child;
    int status = 0;

    store_close(f->store);
    f->store = NULL;
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        live_and_die(f);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(has_side_file(f));
}

/* Rewrites both slots, newest last. */
static void
pretend_restart(struct fixture *f)
{
    struct store_folder folder;
    struct store_side_point point;
    bool found = false;

    WORKS(store_folder_open(&folder, f->folder, true, &f->err), &f->err);
    WORKS(store_side_read(&folder, &found, &point, &f->err), &f->err);
    assert_true(found);
    snprintf(point.boot, sizeof point.boot, "another-boot");
    point.generation++;
    WORKS(store_side_write(&folder, &point, &f->err), &f->err);
    store_folder_drop(&folder);
}

static void
a_killed_process_loses_nothing(void **state)
{
    struct fixture *f = *state;

    run_child(f);
    f->config.verify_at_open = true;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    must_hold(f, "old", "synced");
    must_hold(f, "k", "odd");
    must_hold(f, "new", "not synced");
    assert_int_equal(store_revision(f->store), 2 + 2 * OVERWRITES + 1);
}

static void
a_restarted_machine_goes_back_to_the_last_sync_point(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {2, 0}, .length = 5000, .seed = 9};

    run_child(f);
    pretend_restart(f);
    f->config.verify_at_open = true;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    must_hold(f, "old", "synced");
    must_hold(f, "k", "first");
    must_hold(f, "new", NULL);
    assert_int_equal(store_revision(f->store), 2);
    for (int i = 0; i < 50; i++)
        replace(f, &r);
    must_read_all(f, &r.made, 1);
    assert_int_equal(put(f, "k", "next"), 53);
    fixture_reopen(f);
    must_hold(f, "k", "next");
}

static void
commit_mode_rolls_back_an_interval_run_too(void **state)
{
    struct fixture *f = *state;

    run_child(f);
    pretend_restart(f);
    f->config.durability = STORE_DURABLE_COMMIT;
    f->config.verify_at_open = true;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    assert_false(has_side_file(f));
    must_hold(f, "k", "first");
    must_hold(f, "new", NULL);
    assert_int_equal(put(f, "k", "next"), 3);
}

static void
a_torn_slot_falls_back_to_the_other_and_two_are_refused(void **state)
{
    struct fixture *f = *state;
    struct store_folder folder;
    struct store_side_point point;
    uint64_t newest;
    bool found = false;
    FILE *file;
    char path[256];

    run_child(f);
    snprintf(path, sizeof path, "%s/sync.meta", f->folder);
    WORKS(store_folder_open(&folder, f->folder, true, &f->err), &f->err);
    WORKS(store_side_read(&folder, &found, &point, &f->err), &f->err);
    newest = point.generation;
    file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, (long)(newest % 2 * 4096 + 100), SEEK_SET);
    fputc('?', file);
    fflush(file);
    WORKS(store_side_read(&folder, &found, &point, &f->err), &f->err);
    assert_int_equal(point.generation, newest - 1);
    fseek(file, (long)((newest + 1) % 2 * 4096 + 100), SEEK_SET);
    fputc('?', file);
    fclose(file);
    FAILS(store_side_read(&folder, &found, &point, &f->err), ERR_DATA_LOSS, &f->err);
    store_folder_drop(&folder);
    FAILS(store_open(&f->config, &f->store, &f->err), ERR_DATA_LOSS, &f->err);
    assert_null(f->store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        INTERVAL_TEST(a_clean_close_keeps_everything_and_removes_the_side_file),
        INTERVAL_TEST(the_interval_makes_commits_durable_by_itself),
        INTERVAL_TEST(a_killed_process_loses_nothing),
        INTERVAL_TEST(a_restarted_machine_goes_back_to_the_last_sync_point),
        INTERVAL_TEST(commit_mode_rolls_back_an_interval_run_too),
        INTERVAL_TEST(a_torn_slot_falls_back_to_the_other_and_two_are_refused),
    };

    return cmocka_run_group_tests_name("store_interval", tests, NULL, NULL);
}
