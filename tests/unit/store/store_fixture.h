/* What the store's tests share: a store in a folder of its own, and one-line puts and gets. */
#ifndef TESTS_UNIT_STORE_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/crc32c.h"
#include "store/store.h"
#include "tests/support/unit.h"

struct fixture {
    char *folder;
    struct store_config config;
    struct store *store;
    struct err err;
};

/* For calls that must succeed: shows the error's text when they do not. */
#define WORKS(call, e)                                                                             \
    do {                                                                                           \
        enum err_code works_code_ = (call);                                                        \
        if (works_code_ != OK)                                                                     \
            print_error("%s: %s\n", #call, (e)->text);                                             \
        assert_int_equal(works_code_, OK);                                                         \
    } while (0)

/* For calls that must fail in one way; clears the error. */
#define FAILS(call, expected, e)                                                                   \
    do {                                                                                           \
        assert_int_equal((call), (expected));                                                      \
        err_clear(e);                                                                              \
    } while (0)

static inline int
fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -1;
    f->err = (struct err)ERR_INIT;
    f->folder = unit_temp_dir();
    f->config = store_config_default(f->folder);
    f->config.map_size_bytes = unit_map_bytes();
    f->config.force_file_system = true;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    *state = f;
    return 0;
}

static inline int
fixture_close(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    unit_temp_dir_remove(f->folder);
    free(f);
    return 0;
}

static inline void
fixture_reopen(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

/* --- one-line writes and reads ------------------------------------------------------------- */

struct pair {
    const char *key, *value; /* value NULL: delete */
};

static inline enum err_code
put_pair(struct store_txn *txn, void *context, struct err *err)
{
    const struct pair *pair = context;

    if (pair->value == NULL)
        return store_delete(txn, bytes_of_text(pair->key), err);
    return store_put(txn, bytes_of_text(pair->key), bytes_of_text(pair->value), err);
}

static inline uint64_t
put(struct fixture *f, const char *key, const char *value)
{
    struct pair pair = {key, value};
    uint64_t revision = 0;

    WORKS(store_update(f->store, put_pair, &pair, NULL, &revision, &f->err), &f->err);
    return revision;
}

static inline void
view_must_hold(const struct store_view *view, const char *key, const char *value)
{
    struct err err = ERR_INIT;
    struct bytes found;

    WORKS(store_get(view, bytes_of_text(key), &found, &err), &err);
    if (value == NULL) {
        assert_null(found.data);
        return;
    }
    assert_non_null(found.data);
    assert_int_equal(found.size, strlen(value));
    assert_memory_equal(found.data, value, found.size);
}

static inline void
must_hold(struct fixture *f, const char *key, const char *value)
{
    struct store_snapshot *snapshot = NULL;

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    view_must_hold(store_snapshot_view(snapshot), key, value);
    store_snapshot_drop(snapshot);
}

/* Waits until nothing freed is left to delete. */
static inline struct store_stats
stats_when_drained(struct fixture *f)
{
    struct store_stats stats;

    for (int i = 0; i < 2000; i++) {
        WORKS(store_stats_read(f->store, &stats, &f->err), &f->err);
        if (stats.garbage_chunks == 0 && !stats.sweeping)
            break;
        usleep(5000);
    }
    assert_int_equal(stats.garbage_chunks, 0);
    return stats;
}

#endif
