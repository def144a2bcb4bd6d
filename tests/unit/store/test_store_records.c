/* Records: what a unit puts is seen by itself at once, by others after the commit, or by nobody. */
#include "tests/unit/store/store_fixture.h"

static const struct bytes none = {NULL, 0};

/* --- helpers ------------------------------------------------------------------------------- */

/* "a=1 b=2 " for all keys after `after` that begin with `prefix`. */
static void
list(const struct store_view *view, const char *prefix, const char *after, char out[256])
{
    struct store_cursor *cursor = NULL;
    struct err err = ERR_INIT;
    size_t used = 0;

    out[0] = '\0';
    WORKS(store_cursor_open(view, bytes_of_text(prefix),
                            after == NULL ? none : bytes_of_text(after), &cursor, &err),
          &err);
    for (;;) {
        struct bytes key, value;
        bool found = false;

        WORKS(store_cursor_next(cursor, &found, &key, &value, &err), &err);
        if (!found)
            break;
        used += (size_t)snprintf(out + used, 256 - used, "%.*s=%.*s ", (int)key.size, key.data,
                                 (int)value.size, value.data);
    }
    store_cursor_drop(cursor);
}

static void
must_list(struct fixture *f, const char *prefix, const char *after, const char *expected)
{
    struct store_snapshot *snapshot = NULL;
    char text[256];

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    list(store_snapshot_view(snapshot), prefix, after, text);
    store_snapshot_drop(snapshot);
    assert_string_equal(text, expected);
}

static enum err_code
put_text(struct store_txn *txn, const char *key, const char *value, struct err *err)
{
    return store_put(txn, bytes_of_text(key), bytes_of_text(value), err);
}

/* --- reading ------------------------------------------------------------------------------- */

static void
an_empty_value_is_not_a_missing_one(void **state)
{
    struct fixture *f = *state;

    (void)put(f, "empty", "");
    must_hold(f, "empty", "");
    must_hold(f, "missing", NULL);
}

static void
records_of_every_size_come_back_as_written(void **state)
{
    static const size_t sizes[] = {1, 2, 7, 1999, 2000, 2041, 4080, 16319, STORE_RECORD_BYTES_MAX};
    struct fixture *f = *state;
    char *text = malloc(STORE_RECORD_BYTES_MAX + 1);
    char key[32];

    assert_non_null(text);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(text, 'a' + (int)i, sizes[i]);
        text[sizes[i]] = '\0';
        snprintf(key, sizeof key, "size %zu", sizes[i]);
        (void)put(f, key, text);
        must_hold(f, key, text);
    }
    fixture_reopen(f);
    must_hold(f, key, text);
    free(text);
}

static enum err_code
put_bad_things(struct store_txn *txn, void *context, struct err *err)
{
    static const uint8_t big[STORE_RECORD_BYTES_MAX + 1], long_key[STORE_KEY_BYTES_MAX + 1] = {1};
    struct err own = ERR_INIT;

    (void)context;
    FAILS(store_put(txn, bytes_of("k", 1), bytes_of(big, sizeof big), &own), ERR_PAYLOAD_TOO_LARGE,
          &own);
    FAILS(store_put(txn, bytes_of("", 0), bytes_of("v", 1), &own), ERR_INVALID_ARGUMENT, &own);
    FAILS(store_put(txn, bytes_of("\0k", 2), bytes_of("v", 1), &own), ERR_INVALID_ARGUMENT, &own);
    FAILS(store_put(txn, bytes_of(long_key, sizeof long_key), bytes_of("v", 1), &own),
          ERR_INVALID_ARGUMENT, &own);
    return store_put(txn, bytes_of(long_key, STORE_KEY_BYTES_MAX), bytes_of("v", 1), err);
}

static void
keys_and_records_have_limits(void **state)
{
    struct fixture *f = *state;
    uint64_t revision = 0;

    WORKS(store_update(f->store, put_bad_things, NULL, NULL, &revision, &f->err), &f->err);
    assert_int_equal(revision, 1);
}

static void
a_cursor_walks_a_prefix_in_byte_order(void **state)
{
    struct fixture *f = *state;

    (void)put(f, "b/2", "two");
    (void)put(f, "b/10", "ten");
    (void)put(f, "a", "first");
    (void)put(f, "b/1", "one");
    (void)put(f, "b", "itself");
    (void)put(f, "c", "last");
    must_list(f, "b/", NULL, "b/1=one b/10=ten b/2=two ");
    must_list(f, "b/", "b/1", "b/10=ten b/2=two ");
    must_list(f, "b/", "b/11", "b/2=two ");
    must_list(f, "b/", "b/2", "");
    must_list(f, "b/", "a", "b/1=one b/10=ten b/2=two ");
    must_list(f, "d", NULL, "");
    must_list(f, "", NULL, "a=first b=itself b/1=one b/10=ten b/2=two c=last ");
    must_list(f, "", "b/2", "c=last ");
}

/* --- inside a unit ------------------------------------------------------------------------- */

static enum err_code
change_and_look(struct store_txn *txn, void *context, struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    char text[256];

    (void)context;
    TRY(put_text(txn, "k2", "new", err));
    TRY(put_text(txn, "k0", "before all", err));
    TRY(put_text(txn, "k9", "after all", err));
    TRY(store_delete(txn, bytes_of_text("k3"), err));
    TRY(store_delete(txn, bytes_of_text("never there"), err));
    view_must_hold(view, "k1", "1");
    view_must_hold(view, "k2", "new");
    view_must_hold(view, "k3", NULL);
    list(view, "k", NULL, text);
    assert_string_equal(text, "k0=before all k1=1 k2=new k4=4 k9=after all ");
    list(view, "k", "k1", text);
    assert_string_equal(text, "k2=new k4=4 k9=after all ");
    list(view, "k", "k3", text);
    assert_string_equal(text, "k4=4 k9=after all ");
    TRY(put_text(txn, "k3", "again", err));
    TRY(put_text(txn, "k2", "a longer value than the one before", err));
    TRY(store_delete(txn, bytes_of_text("k0"), err));
    list(view, "k", NULL, text);
    assert_string_equal(text, "k1=1 k2=a longer value than the one before k3=again k4=4 k9=after "
                              "all ");
    return OK;
}

static void
a_unit_sees_its_own_changes_merged_with_what_was_there(void **state)
{
    struct fixture *f = *state;

    (void)put(f, "k1", "1");
    (void)put(f, "k2", "2");
    (void)put(f, "k3", "3");
    (void)put(f, "k4", "4");
    WORKS(store_update(f->store, change_and_look, NULL, NULL, NULL, &f->err), &f->err);
    must_list(f, "k", NULL,
              "k1=1 k2=a longer value than the one before k3=again k4=4 k9=after all ");
}

enum { MANY = 3000 };

/* In an order that is neither up nor down. */
static enum err_code
put_many(struct store_txn *txn, void *context, struct err *err)
{
    struct store_cursor *cursor = NULL;
    struct bytes key, value;
    bool found = true;
    int count = -1;
    char text[16];

    (void)context;
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "%05d", i * 7919 % MANY);
        TRY(put_text(txn, text, text, err));
    }
    TRY(store_cursor_open(store_txn_view(txn), none, none, &cursor, err));
    for (; found; count++) {
        WORKS(store_cursor_next(cursor, &found, &key, &value, err), err);
        snprintf(text, sizeof text, "%05d", count + 1);
        assert_true(!found || bytes_equal(key, bytes_of_text(text)));
    }
    store_cursor_drop(cursor);
    assert_int_equal(count, MANY);
    return OK;
}

static void
thousands_of_puts_in_one_unit_stay_in_order(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;

    WORKS(store_update(f->store, put_many, NULL, NULL, NULL, &f->err), &f->err);
    WORKS(store_stats_read(f->store, &stats, &f->err), &f->err);
    assert_int_equal(stats.records, MANY);
    must_hold(f, "02999", "02999");
}

/* --- outcomes ------------------------------------------------------------------------------ */

static enum err_code
put_then_fail(struct store_txn *txn, void *context, struct err *err)
{
    (void)context;
    TRY(put_text(txn, "a", "changed", err));
    TRY(store_delete(txn, bytes_of_text("b"), err));
    return err_set(err, ERR_NOT_FOUND, "no such thing as '%s'", "c");
}

static void
a_failing_unit_changes_nothing_and_its_error_reaches_the_caller(void **state)
{
    struct fixture *f = *state;

    (void)put(f, "a", "1");
    (void)put(f, "b", "2");
    assert_int_equal(store_update(f->store, put_then_fail, NULL, NULL, NULL, &f->err),
                     ERR_NOT_FOUND);
    assert_string_equal(f->err.text, "no such thing as 'c'");
    err_clear(&f->err);
    must_hold(f, "a", "1");
    must_hold(f, "b", "2");
    assert_int_equal(store_revision(f->store), 2);
}

static enum err_code
change_nothing(struct store_txn *txn, void *context, struct err *err)
{
    (void)context;
    view_must_hold(store_txn_view(txn), "a", "1");
    return store_delete(txn, bytes_of_text("never there"), err);
}

static void
revisions_grow_by_one_and_only_with_changes(void **state)
{
    struct fixture *f = *state;
    uint64_t revision = 99;

    assert_int_equal(put(f, "a", "1"), 1);
    WORKS(store_update(f->store, change_nothing, NULL, NULL, &revision, &f->err), &f->err);
    assert_int_equal(revision, 1);
    for (uint64_t i = 2; i < 20; i++)
        assert_int_equal(put(f, "a", "x"), i);
    fixture_reopen(f);
    assert_int_equal(put(f, "a", "y"), 20);
}

static enum err_code
expect_then_put(struct store_txn *txn, void *context, struct err *err)
{
    const char *old = context;

    TRY(store_expect(txn, bytes_of_text("absent"), none, err));
    TRY(store_expect(txn, bytes_of_text("k"), old == NULL ? none : bytes_of_text(old), err));
    return put_text(txn, "k", "next", err);
}

static void
an_expectation_that_does_not_hold_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    char now[] = "now", next[] = "next", empty[] = "";

    (void)put(f, "k", "now");
    FAILS(store_update(f->store, expect_then_put, NULL, NULL, NULL, &f->err), ERR_CONFLICT,
          &f->err);
    FAILS(store_update(f->store, expect_then_put, empty, NULL, NULL, &f->err), ERR_CONFLICT,
          &f->err);
    WORKS(store_update(f->store, expect_then_put, now, NULL, NULL, &f->err), &f->err);
    must_hold(f, "k", "next");
    WORKS(store_update(f->store, expect_then_put, next, NULL, NULL, &f->err), &f->err);
    (void)put(f, "absent", "");
    FAILS(store_update(f->store, expect_then_put, next, NULL, NULL, &f->err), ERR_CONFLICT,
          &f->err);
}

static void
a_snapshot_does_not_change(void **state)
{
    struct fixture *f = *state;
    struct store_snapshot *old = NULL, *new = NULL;

    (void)put(f, "k", "1");
    WORKS(store_snapshot_open(f->store, &old, &f->err), &f->err);
    (void)put(f, "k", "2");
    (void)put(f, "other", "x");
    WORKS(store_snapshot_open(f->store, &new, &f->err), &f->err);
    view_must_hold(store_snapshot_view(old), "k", "1");
    view_must_hold(store_snapshot_view(old), "other", NULL);
    view_must_hold(store_snapshot_view(new), "k", "2");
    assert_int_equal(store_view_revision(store_snapshot_view(old)), 1);
    assert_int_equal(store_view_revision(store_snapshot_view(new)), 3);
    store_snapshot_drop(old);
    store_snapshot_drop(new);
}

static void
too_many_snapshots_are_refused_and_dropping_one_helps(void **state)
{
    enum { ENOUGH = 200 };
    struct fixture *f = *state;
    struct store_snapshot *open[ENOUGH] = {NULL};
    enum err_code code = OK;
    int count = 0;

    f->config.readers_max = 10;
    fixture_reopen(f);
    (void)put(f, "k", "1");
    while (count < ENOUGH && code == OK) {
        code = store_snapshot_open(f->store, &open[count], &f->err);
        if (code == OK)
            count++;
    }
    assert_int_equal(code, ERR_BUSY);
    assert_int_equal(count, 10);
    err_clear(&f->err);
    store_snapshot_drop(open[--count]);
    WORKS(store_snapshot_open(f->store, &open[count], &f->err), &f->err);
    view_must_hold(store_snapshot_view(open[count]), "k", "1");
    for (int i = 0; i <= count; i++)
        store_snapshot_drop(open[i]);
}

/* --- quietly ------------------------------------------------------------------------------- */

static enum err_code
put_quietly(struct store_txn *txn, void *context, struct err *err)
{
    return put_text(txn, "quiet", context, err);
}

static enum err_code
fail_quietly(struct store_txn *txn, void *context, struct err *err)
{
    TRY(put_text(txn, "quiet", context, err));
    return err_set(err, ERR_INTERNAL, "on purpose");
}

static void
quiet_units_change_records_and_no_revision(void **state)
{
    static char one[] = "one", two[] = "two";
    const struct store_update_options quietly = {.quiet = true, .durable = true};
    struct fixture *f = *state;
    uint64_t revision = 0, before = put(f, "a", "1");

    WORKS(store_update(f->store, put_quietly, one, &quietly, &revision, &f->err), &f->err);
    assert_int_equal(revision, before);
    assert_int_equal(store_revision(f->store), before);
    must_hold(f, "quiet", "one");
    FAILS(store_update(f->store, fail_quietly, two, &quietly, NULL, &f->err), ERR_INTERNAL,
          &f->err);
    must_hold(f, "quiet", "one");
    assert_int_equal(put(f, "b", "2"), before + 1);
    WORKS(store_update(f->store, put_quietly, two, &quietly, &revision, &f->err), &f->err);
    fixture_reopen(f);
    must_hold(f, "quiet", "two");
    assert_int_equal(store_revision(f->store), before + 1);
    assert_int_equal(put(f, "c", "3"), before + 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(an_empty_value_is_not_a_missing_one),
        STORE_TEST(records_of_every_size_come_back_as_written),
        STORE_TEST(keys_and_records_have_limits),
        STORE_TEST(a_cursor_walks_a_prefix_in_byte_order),
        STORE_TEST(a_unit_sees_its_own_changes_merged_with_what_was_there),
        STORE_TEST(thousands_of_puts_in_one_unit_stay_in_order),
        STORE_TEST(a_failing_unit_changes_nothing_and_its_error_reaches_the_caller),
        STORE_TEST(revisions_grow_by_one_and_only_with_changes),
        STORE_TEST(an_expectation_that_does_not_hold_is_a_conflict),
        STORE_TEST(a_snapshot_does_not_change),
        STORE_TEST(too_many_snapshots_are_refused_and_dropping_one_helps),
        STORE_TEST(quiet_units_change_records_and_no_revision),
    };

    return cmocka_run_group_tests_name("store_records", tests, NULL, NULL);
}
