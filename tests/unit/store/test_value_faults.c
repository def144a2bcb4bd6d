/* Every allocation that a build or a change makes fails once: it says so, leaves nothing behind and
 * has changed nothing. */
#include "tests/unit/store/value_fixture.h"

enum { BYTES = 2 * 262080 + 20000, ATTEMPTS_MAX = 2000 };

/* One try with the n-th allocation failing. True when there were fewer than n. */
static bool
passed_all(uint64_t nth, enum err_code code, uint64_t counted)
{
    if (counted >= nth)
        return false;
    assert_int_equal(code, OK);
    return true;
}

static enum err_code
try_build(struct fixture *f, const uint8_t *bytes, uint8_t name, struct err *err)
{
    struct store_stage *stage = NULL;
    struct publish_call call = {.name = name};
    struct store_update_options options;
    uint64_t revision;
    enum err_code code = store_stage_open(f->store, &stage, err);

    if (code == OK)
        code = value_builder_open(f->store, stage, BYTES, STORE_CLASS_BULK, &call.builder, err);
    if (code == OK)
        code = value_builder_append(call.builder, bytes, BYTES, err);
    options = (struct store_update_options){.stage = stage};
    if (code == OK)
        code = store_update(f->store, publish_unit, &call, &options, &revision, err);
    if (code != OK)
        store_stage_drop(stage);
    value_builder_drop(call.builder);
    return code;
}

static void
a_build_that_runs_out_of_memory_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(BYTES, 1);
    uint64_t nth = 1;

    for (; nth < ATTEMPTS_MAX; nth++) {
        enum err_code code;

        (void)mem_fail_at(nth, 0);
        code = try_build(f, bytes, 1, &f->err);
        if (passed_all(nth, code, mem_fail_at(0, 0)))
            break;
        if (code == OK) { /* the engine had other memory to do it with */
            drop_owner(f, 1);
            continue;
        }
        FAILS(code, ERR_NO_MEMORY, &f->err);
        chunks_must_become(f, 0);
    }
    assert_in_range(nth, 4, ATTEMPTS_MAX - 1);
    owner_must_hold(f, 1, bytes_of(bytes, BYTES));
    assert_int_equal(verify_must_find_nothing(f).values, 1);
    free(bytes);
}

/* Owner 1 has a value alone (a change in place) or with owner 2 (a fork). */
static void
fail_changes(struct fixture *f, bool shared)
{
    uint8_t *bytes = make_bytes(BYTES, 1), *changed = make_bytes(BYTES, 1);
    struct patch_call call = {1, 262000, {changed + 262000, 200}, false};
    uint64_t nth = 1, revision;

    (void)build(f, 1, bytes_of(bytes, BYTES), STORE_CLASS_BULK, BYTES);
    if (shared)
        copy_owner(f, 1, 2);
    memset(changed + 262000, 1, 200);
    for (; nth < ATTEMPTS_MAX; nth++) {
        enum err_code code;

        (void)mem_fail_at(nth, 0);
        code = store_update(f->store, patch_unit, &call, NULL, &revision, &f->err);
        if (passed_all(nth, code, mem_fail_at(0, 0)) || code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &f->err);
        owner_must_hold(f, 1, bytes_of(bytes, BYTES));
        assert_int_equal(verify_must_find_nothing(f).chunks, 4);
    }
    assert_in_range(nth, 4, ATTEMPTS_MAX - 1);
    owner_must_hold(f, 1, bytes_of(changed, BYTES));
    if (shared)
        owner_must_hold(f, 2, bytes_of(bytes, BYTES));
    chunks_must_become(f, verify_must_find_nothing(f).chunks);
    free(bytes);
    free(changed);
}

static void
a_change_in_place_that_runs_out_of_memory_changes_nothing(void **state)
{
    fail_changes(*state, false);
}

static void
a_fork_that_runs_out_of_memory_changes_nothing(void **state)
{
    fail_changes(*state, true);
}

static void
a_release_that_runs_out_of_memory_frees_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(BYTES, 1), name = 2;
    uint64_t nth = 1, revision;

    (void)build(f, 1, bytes_of(bytes, BYTES), STORE_CLASS_BULK, BYTES);
    copy_owner(f, 1, 2);
    patch_owner(f, 2, 0, "fork", 4);
    for (; nth < ATTEMPTS_MAX; nth++) {
        enum err_code code;

        (void)mem_fail_at(nth, 0);
        code = store_update(f->store, delete_unit, &name, NULL, &revision, &f->err);
        if (passed_all(nth, code, mem_fail_at(0, 0)) || code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &f->err);
        assert_int_equal(verify_must_find_nothing(f).chunks, 5);
    }
    assert_in_range(nth, 3, ATTEMPTS_MAX - 1);
    assert_int_equal(verify_must_find_nothing(f).chunks, 4);
    owner_must_hold(f, 1, bytes_of(bytes, BYTES));
    free(bytes);
}

static enum err_code
try_reading(const struct looking *looking, uint8_t *copy, uint32_t *crc, struct err *err)
{
    struct value_reader reader;
    struct stored_usage usage;
    struct bytes run;
    enum err_code code;

    TRY(value_open(looking->reader.view, &looking->reader.ref, &reader, err));
    code = value_copy(&reader, 0, BYTES, copy, err);
    if (code == OK)
        code = value_run(&reader, BYTES - 1, 1, &run, NULL, err);
    if (code == OK)
        code = value_crc32c(&reader, crc, err);
    if (code == OK)
        code = stored_usage(reader.view, &reader.ref, &usage, err);
    value_reader_drop(&reader);
    return code;
}

static void
a_reader_that_runs_out_of_memory_says_so(void **state)
{
    struct fixture *f = *state;
    const uint8_t element[4] = {1, 2, 3, 4};
    uint8_t *copy = malloc(BYTES);
    struct looking looking;
    uint64_t nth = 1;
    uint32_t crc = 0;

    (void)build_fill(f, 1, BYTES, element, 4);
    patch_owner(f, 1, 0, "patch", 5);
    look_at(f, 1, &looking);
    for (; nth < ATTEMPTS_MAX; nth++) {
        enum err_code code;

        (void)mem_fail_at(nth, 0);
        code = try_reading(&looking, copy, &crc, &f->err);
        if (passed_all(nth, code, mem_fail_at(0, 0)))
            break;
        FAILS(code, ERR_NO_MEMORY, &f->err);
    }
    assert_in_range(nth, 4, ATTEMPTS_MAX - 1);
    assert_int_equal(crc, crc32c(0, copy, BYTES));
    look_away(&looking);
    free(copy);
}

static void
a_check_that_runs_out_of_memory_says_so(void **state)
{
    struct fixture *f = *state;
    struct store_verify_owner owner = {bytes_of_text("o"), owner_visit};
    struct store_verify_report report;
    uint8_t *bytes = make_bytes(BYTES, 1);
    uint64_t nth = 1;

    (void)build(f, 1, bytes_of(bytes, BYTES), STORE_CLASS_BULK, BYTES);
    copy_owner(f, 1, 2);
    patch_owner(f, 2, 0, "fork", 4);
    for (; nth < ATTEMPTS_MAX; nth++) {
        enum err_code code;

        (void)mem_fail_at(nth, 0);
        code = store_verify(f->store, &owner, 1, true, &report, &f->err);
        if (passed_all(nth, code, mem_fail_at(0, 0)))
            break;
        FAILS(code, ERR_NO_MEMORY, &f->err);
    }
    assert_in_range(nth, 3, ATTEMPTS_MAX - 1);
    assert_int_equal(report.findings, 0);
    assert_int_equal(report.chunks, 5);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_build_that_runs_out_of_memory_leaves_nothing),
        STORE_TEST(a_change_in_place_that_runs_out_of_memory_changes_nothing),
        STORE_TEST(a_fork_that_runs_out_of_memory_changes_nothing),
        STORE_TEST(a_release_that_runs_out_of_memory_frees_nothing),
        STORE_TEST(a_reader_that_runs_out_of_memory_says_so),
        STORE_TEST(a_check_that_runs_out_of_memory_says_so),
    };

    return cmocka_run_group_tests_name("value_faults", tests, NULL, NULL);
}
