/* Many threads at once: each unit succeeds or fails by itself, revisions have no gaps, readers see
 * whole commits, and everything freed goes in the end. */
#include "tests/unit/store/chunk_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 8, UPDATES = 120 };

struct worker {
    struct fixture *f;
    pthread_t thread;
    uint32_t number;
    unsigned done, refused;
    bool wrong; /* cmocka's asserts belong to the main thread */
    uint64_t revisions[UPDATES];
};

static void
run_workers(struct fixture *f, void *(*work)(void *), struct worker workers[THREADS])
{
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.f = f, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_false(workers[i].wrong);
    }
}

/* --- counting ------------------------------------------------------------------------------ */

struct count_up {
    uint32_t number;
    bool fail;
    uint64_t seen;
};

/* Adds one to a shared counter and to one's own; or does so and then fails. */
static enum err_code
count_up(struct store_txn *txn, void *context, struct err *err)
{
    struct count_up *c = context;
    char own[16];
    struct bytes keys[2] = {bytes_of_text("shared")};

    snprintf(own, sizeof own, "own %u", c->number);
    keys[1] = bytes_of_text(own);
    c->seen = store_txn_revision(txn);
    for (int i = 0; i < 2; i++) {
        struct bytes old;
        uint64_t value = 0;

        TRY(store_get(store_txn_view(txn), keys[i], &old, err));
        if (old.data != NULL)
            memcpy(&value, old.data, sizeof value);
        value++;
        TRY(store_put(txn, keys[i], bytes_of(&value, sizeof value), err));
    }
    return c->fail ? err_set(err, ERR_ABORTED, "asked to fail") : OK;
}

static void *
count(void *argument)
{
    struct worker *w = argument;

    for (uint32_t i = 0; i < UPDATES; i++) {
        struct count_up c = {.number = w->number, .fail = (i + w->number) % 3 == 0};
        struct err err = ERR_INIT;
        uint64_t revision = 0;
        enum err_code code = store_update(w->f->store, count_up, &c, NULL, &revision, &err);

        if (code == ERR_ABORTED && c.fail)
            w->refused++;
        else if (code == OK && !c.fail && revision == c.seen)
            w->revisions[w->done++] = revision;
        else
            w->wrong = true;
    }
    return NULL;
}

static uint64_t
read_number(struct fixture *f, const char *key)
{
    struct store_snapshot *snapshot = NULL;
    struct bytes bytes;
    uint64_t value = 0;

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(store_get(store_snapshot_view(snapshot), bytes_of_text(key), &bytes, &f->err), &f->err);
    assert_int_equal(bytes.size, sizeof value);
    memcpy(&value, bytes.data, sizeof value);
    store_snapshot_drop(snapshot);
    return value;
}

static void
failing_units_are_undone_alone_and_revisions_have_no_gaps(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS];
    bool *given = calloc(THREADS * UPDATES + 1, sizeof *given);
    uint64_t total = 0;
    char key[16];

    assert_non_null(given);
    run_workers(f, count, workers);
    for (uint32_t i = 0; i < THREADS; i++) {
        total += workers[i].done;
        snprintf(key, sizeof key, "own %u", i);
        assert_int_equal(read_number(f, key), workers[i].done);
        assert_int_equal(workers[i].done + workers[i].refused, UPDATES);
        for (unsigned j = 0; j < workers[i].done; j++) {
            uint64_t revision = workers[i].revisions[j];

            assert_true(revision >= 1 && revision <= THREADS * UPDATES);
            assert_false(given[revision]);
            given[revision] = true;
        }
    }
    assert_int_equal(read_number(f, "shared"), total);
    assert_int_equal(store_revision(f->store), total);
    for (uint64_t revision = 1; revision <= total; revision++)
        assert_true(given[revision]);
    free(given);
}

/* --- everything at once -------------------------------------------------------------------- */

static bool
update_chunk(struct worker *w, struct replacement *r, struct err *err)
{
    if (store_update(w->f->store, replace_chunk, r, NULL, NULL, err) != OK)
        return false;
    r->old = r->made;
    return true;
}

static bool
read_under_lease(struct worker *w, const struct named_chunk *c, struct err *err)
{
    struct store_snapshot *snapshot = NULL;
    struct store_lease *lease = NULL;
    struct bytes bytes;
    bool good;

    if (store_snapshot_open(w->f->store, &snapshot, err) != OK)
        return false;
    good = store_lease_open(w->f->store, &lease, err) == OK &&
           store_lease_add(lease, snapshot, c->place.family, err) == OK &&
           store_chunk_read(store_snapshot_view(snapshot), c->id, c->place, c->length, c->crc,
                            &bytes, err) == OK;
    store_snapshot_drop(snapshot);
    good = good && is_filled(bytes, c->seed);
    store_lease_drop(lease);
    return good;
}

/* Stages some chunks; every other time they are dropped. */
static bool
stage_some(struct worker *w, uint32_t round, struct err *err)
{
    struct store_stage *stage = NULL;

    if (store_stage_open(w->f->store, &stage, err) != OK)
        return false;
    for (uint32_t i = 0; i < 6; i++) {
        struct store_chunk_place place = {1000 + w->number, i};
        struct store_chunk chunk;

        if (store_stage_chunk(stage, STORE_CLASS_BULK, place, 100 + round, &chunk, err) != OK)
            return false;
        fill(chunk.bytes, chunk.length, i);
        store_chunk_seal(&chunk);
    }
    store_stage_drop(stage);
    return true;
}

static void *
do_everything(void *argument)
{
    struct worker *w = argument;
    struct replacement r = {.class = w->number % 2 ? STORE_CLASS_ROWS : STORE_CLASS_BULK,
                            .place = {w->number, 0},
                            .length = 5000};
    struct err err = ERR_INIT;

    for (uint32_t i = 0; i < UPDATES / 2 && !w->wrong; i++) {
        struct named_chunk before;

        r.seed = w->number * 1000 + i;
        w->wrong = !update_chunk(w, &r, &err);
        before = r.made;
        if (!w->wrong && i % 4 == 1)
            w->wrong = !read_under_lease(w, &before, &err);
        if (!w->wrong && i % 10 == 3)
            w->wrong = !stage_some(w, i, &err);
    }
    if (w->wrong)
        fprintf(stderr, "worker %u: %s\n", w->number, err.text);
    return NULL;
}

static void
updates_stages_leases_and_snapshots_get_along(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS];
    struct store_stats stats;

    run_workers(f, do_everything, workers);
    stats = stats_when_drained(f);
    assert_int_equal(stats.chunks[STORE_CLASS_ROWS], THREADS / 2);
    assert_int_equal(stats.chunks[STORE_CLASS_BULK], THREADS / 2);
    assert_int_equal(stats.snapshots_open, 0);
    assert_int_equal(stats.leases_open, 0);
    assert_int_equal(stats.revision, THREADS * (UPDATES / 2));
    assert_true(stats.units >= stats.commits.count);
}

/* --- readers ------------------------------------------------------------------------------- */

/* Two records that every unit changes together. */
static enum err_code
change_both(struct store_txn *txn, void *context, struct err *err)
{
    const uint32_t *value = context;

    TRY(store_put(txn, bytes_of_text("left"), bytes_of(value, sizeof *value), err));
    return store_put(txn, bytes_of_text("right"), bytes_of(value, sizeof *value), err);
}

static void *
read_or_write_both(void *argument)
{
    struct worker *w = argument;
    struct err err = ERR_INIT;

    for (uint32_t i = 0; i < UPDATES; i++) {
        struct store_snapshot *snapshot = NULL;
        struct bytes left, right;
        uint32_t value = w->number * UPDATES + i;

        if (w->number < THREADS / 2 &&
            store_update(w->f->store, change_both, &value, NULL, NULL, &err) != OK)
            w->wrong = true;
        if (store_snapshot_open(w->f->store, &snapshot, &err) != OK) {
            w->wrong = true;
            break;
        }
        if (store_get(store_snapshot_view(snapshot), bytes_of_text("left"), &left, &err) != OK ||
            store_get(store_snapshot_view(snapshot), bytes_of_text("right"), &right, &err) != OK ||
            !bytes_equal(left, right))
            w->wrong = true;
        store_snapshot_drop(snapshot);
    }
    return NULL;
}

static void
readers_see_whole_commits(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS];
    uint32_t first = 0;

    WORKS(store_update(f->store, change_both, &first, NULL, NULL, &f->err), &f->err);
    run_workers(f, read_or_write_both, workers);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(failing_units_are_undone_alone_and_revisions_have_no_gaps),
        STORE_TEST(updates_stages_leases_and_snapshots_get_along),
        STORE_TEST(readers_see_whole_commits),
    };

    return cmocka_run_group_tests_name("store_threads", tests, NULL, NULL);
}
