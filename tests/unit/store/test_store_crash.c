/* What a process that ends without closing leaves behind: everything acknowledged, and no waste.
 * The child opens the store itself: none may be open across a fork. */
#include "tests/unit/store/chunk_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "store/value.h"

enum { BULK_VALUE_BYTES = 600000, KEPT = 7 };

/* --- the child ----------------------------------------------------------------------------- */

struct publication {
    struct value_builder *builder;
    const char *key;
};

static enum err_code
publish(struct store_txn *txn, void *context, struct err *err)
{
    const struct publication *p = context;
    struct value_ref ref;
    struct buf record;
    enum err_code code;

    TRY(value_builder_publish(p->builder, txn, &ref, err));
    buf_init(&record, 4096);
    code = value_ref_encode(&ref, &record, err);
    if (code == OK)
        code = store_put(txn, bytes_of_text(p->key), buf_bytes(&record), err);
    buf_drop(&record);
    return code;
}

static struct value_builder *
build(struct fixture *f, struct store_stage *stage, uint32_t seed)
{
    struct value_builder *b = NULL;
    uint8_t *bytes = malloc(BULK_VALUE_BYTES);

    fill(bytes, BULK_VALUE_BYTES, seed);
    WORKS(value_builder_open(f->store, stage, BULK_VALUE_BYTES, STORE_CLASS_BULK, &b, &f->err),
          &f->err);
    WORKS(value_builder_append(b, bytes, BULK_VALUE_BYTES, &f->err), &f->err);
    free(bytes);
    return b;
}

static void
build_and_publish(struct fixture *f, const char *key, uint32_t seed)
{
    struct store_update_options options = {0};
    struct publication p = {.key = key};

    WORKS(store_stage_open(f->store, &options.stage, &f->err), &f->err);
    p.builder = build(f, options.stage, seed);
    WORKS(store_update(f->store, publish, &p, &options, NULL, &f->err), &f->err);
    value_builder_drop(p.builder);
}

/* Publishes KEPT values, stages more that nobody names, replaces nothing, never closes. */
static void
live_and_die(struct fixture *f)
{
    struct store_stage *stage = NULL;
    char key[32];

    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    for (uint32_t i = 0; i < KEPT; i++) {
        snprintf(key, sizeof key, "value %u", i);
        build_and_publish(f, key, i);
    }
    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    for (uint32_t i = 0; i < 5; i++)
        (void)build(f, stage, 50 + i);
    (void)kill(getpid(), SIGKILL);
}

static void
run_child(struct fixture *f, void (*life)(struct fixture *f))
{
    pid_t child;
    int status = 0;

    store_close(f->store);
    f->store = NULL;
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        life(f);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* --- the tests ----------------------------------------------------------------------------- */

static void
must_hold_value(struct fixture *f, const char *key, uint32_t seed)
{
    struct store_snapshot *snapshot = NULL;
    struct value_reader reader;
    struct value_ref ref;
    struct bytes record;
    struct reader in;
    uint8_t *bytes = malloc(BULK_VALUE_BYTES);

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(store_get(store_snapshot_view(snapshot), bytes_of_text(key), &record, &f->err), &f->err);
    assert_non_null(record.data);
    in = reader_of(record);
    value_ref_decode(&in, &ref);
    WORKS(value_open(store_snapshot_view(snapshot), &ref, &reader, &f->err), &f->err);
    WORKS(value_copy(&reader, 0, BULK_VALUE_BYTES, bytes, &f->err), &f->err);
    assert_true(is_filled(bytes_of(bytes, BULK_VALUE_BYTES), seed));
    WORKS(value_verify(&reader, &f->err), &f->err);
    value_reader_drop(&reader);
    store_snapshot_drop(snapshot);
    free(bytes);
}

static uint64_t
count_chunks(struct fixture *f)
{
    struct store_stats stats = stats_when_drained(f);

    return stats.chunks[STORE_CLASS_BULK] + stats.chunks[STORE_CLASS_ROWS];
}

static void
what_was_published_stays_and_what_was_not_is_swept(void **state)
{
    struct fixture *f = *state;
    uint64_t chunks_of_one;
    char key[32];

    build_and_publish(f, "mine", 99);
    chunks_of_one = count_chunks(f);
    assert_true(chunks_of_one > 1);
    run_child(f, live_and_die);
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    assert_int_equal(count_chunks(f), (KEPT + 1) * chunks_of_one);
    must_hold_value(f, "mine", 99);
    for (uint32_t i = 0; i < KEPT; i++) {
        snprintf(key, sizeof key, "value %u", i);
        must_hold_value(f, key, i);
    }
    f->config.verify_at_open = true;
    fixture_reopen(f);
    assert_int_equal(store_revision(f->store), KEPT + 1);
}

/* Writers do not wait for the sweep, and it takes nothing of theirs. */
static void
sweeping_goes_on_beside_writers(void **state)
{
    struct fixture *f = *state;
    uint64_t chunks_of_one;
    char key[32];

    build_and_publish(f, "mine", 99);
    chunks_of_one = count_chunks(f);
    for (int round = 0; round < 3; round++) {
        run_child(f, live_and_die);
        WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
        for (uint32_t i = 0; i < KEPT; i++) {
            snprintf(key, sizeof key, "new %d %u", round, i);
            build_and_publish(f, key, i);
        }
        assert_int_equal(count_chunks(f) % chunks_of_one, 0);
        for (uint32_t i = 0; i < KEPT; i++) {
            snprintf(key, sizeof key, "new %d %u", round, i);
            must_hold_value(f, key, i);
        }
        must_hold_value(f, "mine", 99);
    }
}

/* A store that is closed before its sweep has come to its end is swept by the next start. */
static void
a_sweep_that_was_cut_short_is_made_up_for(void **state)
{
    struct fixture *f = *state;
    uint64_t chunks_of_one;

    build_and_publish(f, "mine", 99);
    chunks_of_one = count_chunks(f);
    run_child(f, live_and_die);
    for (int i = 0; i < 5; i++) {
        WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
        store_close(f->store);
        f->store = NULL;
    }
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    assert_int_equal(count_chunks(f), (KEPT + 1) * chunks_of_one);
    must_hold_value(f, "mine", 99);
}

static void
acknowledge_and_die(struct fixture *f)
{
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    (void)put(f, "k", "acknowledged");
    (void)put(f, "k2", "this, too");
    (void)kill(getpid(), SIGKILL);
}

static void
an_acknowledged_record_survives_the_process(void **state)
{
    struct fixture *f = *state;

    run_child(f, acknowledge_and_die);
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    must_hold(f, "k", "acknowledged");
    must_hold(f, "k2", "this, too");
    assert_int_equal(put(f, "k", "again"), 3);
}

static void
open_and_die(struct fixture *f)
{
    uint64_t id;
    FILE *file;
    char path[256];

    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    id = store_new_id(f->store);
    snprintf(path, sizeof path, "%s/id", f->folder);
    file = fopen(path, "w");
    fprintf(file, "%llu", (unsigned long long)id);
    fclose(file);
    (void)kill(getpid(), SIGKILL);
}

static void
ids_of_a_run_that_crashed_are_not_given_again(void **state)
{
    struct fixture *f = *state;
    unsigned long long id = 0;
    FILE *file;
    char path[256];

    run_child(f, open_and_die);
    snprintf(path, sizeof path, "%s/id", f->folder);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu", &id), 1);
    fclose(file);
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    assert_true(id > 0);
    assert_true(store_new_id(f->store) > id);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_was_published_stays_and_what_was_not_is_swept),
        STORE_TEST(sweeping_goes_on_beside_writers),
        STORE_TEST(a_sweep_that_was_cut_short_is_made_up_for),
        STORE_TEST(an_acknowledged_record_survives_the_process),
        STORE_TEST(ids_of_a_run_that_crashed_are_not_given_again),
    };

    return cmocka_run_group_tests_name("store_crash", tests, NULL, NULL);
}
