/* Changing, sharing, forking, releasing; constant fills. What a chunk costs is counted in the
 * engine. */
#include "tests/unit/store/value_fixture.h"

enum { MANY_BYTES = 3 * 262080 + 100 }; /* three bulk chunks and a rows chunk */

static void
a_value_with_one_reference_is_changed_in_place(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(MANY_BYTES, 1);
    struct value_ref before = build(f, 1, bytes_of(bytes, MANY_BYTES), STORE_CLASS_BULK, 99999);
    struct looking looking;

    memset(bytes + 262070, 7, 20); /* over the edge of two chunks */
    patch_owner(f, 1, 262070, bytes + 262070, 20);
    look_at(f, 1, &looking);
    assert_int_equal(looking.reader.ref.id, before.id);
    look_away(&looking);
    owner_must_hold(f, 1, bytes_of(bytes, MANY_BYTES));
    assert_int_equal(verify_must_find_nothing(f).chunks, 4);
    chunks_must_become(f, 4);
    free(bytes);
}

static void
a_shared_value_is_forked_and_shares_what_was_not_touched(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(MANY_BYTES, 2), *changed = make_bytes(MANY_BYTES, 2);
    struct stored_usage usage;

    (void)build(f, 1, bytes_of(bytes, MANY_BYTES), STORE_CLASS_BULK, MANY_BYTES);
    copy_owner(f, 1, 2);
    assert_int_equal(usage_of(f, 1).references, 2);
    memset(changed + 300000, 9, 1000);
    patch_owner(f, 2, 300000, changed + 300000, 1000);
    owner_must_hold(f, 1, bytes_of(bytes, MANY_BYTES));
    owner_must_hold(f, 2, bytes_of(changed, MANY_BYTES));
    usage = usage_of(f, 2);
    assert_int_equal(usage.unique_bytes, 262080);
    assert_int_equal(usage.shared_bytes, 2 * 262080 + 100);
    assert_int_equal(usage.references, 1);
    assert_int_equal(verify_must_find_nothing(f).chunks, 5);

    drop_owner(f, 1); /* frees only what the fork has replaced */
    owner_must_hold(f, 2, bytes_of(changed, MANY_BYTES));
    assert_int_equal(usage_of(f, 2).shared_bytes, 0);
    assert_int_equal(verify_must_find_nothing(f).chunks, 4);
    chunks_must_become(f, 4);
    drop_owner(f, 2);
    assert_int_equal(verify_must_find_nothing(f).values, 0);
    chunks_must_become(f, 0);
    free(bytes);
    free(changed);
}

static void
a_chunk_a_fork_still_has_outlives_a_change_in_place(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(MANY_BYTES, 3), *changed = make_bytes(MANY_BYTES, 3);

    (void)build(f, 1, bytes_of(bytes, MANY_BYTES), STORE_CLASS_BULK, MANY_BYTES);
    copy_owner(f, 1, 2);
    changed[5]++;
    patch_owner(f, 2, 5, changed + 5,
                1); /* fork: chunks 1 to 3 are shared, each list has one owner */
    changed[300000]++;
    patch_owner(f, 2, 300000, changed + 300000, 1); /* in place: chunk 1 of the other must stay */
    owner_must_hold(f, 1, bytes_of(bytes, MANY_BYTES));
    owner_must_hold(f, 2, bytes_of(changed, MANY_BYTES));
    assert_int_equal(verify_must_find_nothing(f).chunks, 6);
    changed[300001]++;
    patch_owner(f, 2, 300001, changed + 300001, 1); /* now chunk 1 is its own and goes */
    bytes[0]++;
    patch_owner(f, 1, 0, bytes, 1);
    owner_must_hold(f, 1, bytes_of(bytes, MANY_BYTES));
    owner_must_hold(f, 2, bytes_of(changed, MANY_BYTES));
    assert_int_equal(verify_must_find_nothing(f).chunks, 6);
    chunks_must_become(f, 6);
    free(bytes);
    free(changed);
}

/* Five forks that all have the first chunk anew lie between the two that share it. */
static void
a_chunk_that_only_the_farthest_of_the_family_has_too_stays(void **state)
{
    enum { FORKS = 5, FIRST = 1, LAST = FIRST + FORKS + 1, LATER = LAST + 1 };
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(MANY_BYTES, 4), *changed = make_bytes(MANY_BYTES, 4);

    (void)build(f, FIRST, bytes_of(bytes, MANY_BYTES), STORE_CLASS_BULK, MANY_BYTES);
    for (uint8_t name = FIRST + 1; name < LAST; name++) {
        copy_owner(f, FIRST, name);
        patch_owner(f, name, 0, "another", 7);
    }
    changed[300000]++;
    copy_owner(f, FIRST, LAST);
    patch_owner(f, LAST, 300000, changed + 300000, 1);
    patch_owner(f, LAST, 0, "another", 7); /* in place: the first one's chunk, farthest back */
    owner_must_hold(f, FIRST, bytes_of(bytes, MANY_BYTES));
    verify_must_find_nothing(f);
    copy_owner(f, FIRST, LATER);
    patch_owner(f, LATER, 300000, changed + 300000, 1);
    drop_owner(f, FIRST); /* the latest one's chunk, farthest on */
    owner_must_hold(f, LATER, bytes_of(changed, MANY_BYTES));
    assert_int_equal(verify_must_find_nothing(f).chunks, 4 + FORKS + 3);
    for (uint8_t name = FIRST + 1; name <= LATER; name++)
        drop_owner(f, name);
    assert_int_equal(verify_must_find_nothing(f).values, 0);
    chunks_must_become(f, 0);
    free(bytes);
    free(changed);
}

static void
small_values_are_changed_and_forked_too(void **state)
{
    struct fixture *f = *state;
    const size_t sizes[] = {1, 1000, 5000, 16256};

    for (uint8_t i = 0; i < 4; i++) {
        uint8_t *bytes = make_bytes(sizes[i], i), *changed = make_bytes(sizes[i], i);
        uint8_t a = (uint8_t)(2 * i), b = (uint8_t)(2 * i + 1);

        (void)build(f, a, bytes_of(bytes, sizes[i]), STORE_CLASS_BULK, 4096);
        copy_owner(f, a, b);
        changed[sizes[i] - 1]++;
        patch_owner(f, b, sizes[i] - 1, changed + sizes[i] - 1, 1);
        owner_must_hold(f, a, bytes_of(bytes, sizes[i]));
        owner_must_hold(f, b, bytes_of(changed, sizes[i]));
        bytes[0] = (uint8_t)(bytes[0] + 3);
        patch_owner(f, a, 0, bytes, 1);
        owner_must_hold(f, a, bytes_of(bytes, sizes[i]));
        owner_must_hold(f, b, bytes_of(changed, sizes[i]));
        verify_must_find_nothing(f);
        drop_owner(f, a);
        owner_must_hold(f, b, bytes_of(changed, sizes[i]));
        free(bytes);
        free(changed);
    }
    assert_int_equal(verify_must_find_nothing(f).chunks, 0);
}

static void
a_constant_fill_of_any_size_has_its_bytes_and_no_chunks(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {0, 16, 1024, 1040, 16256, 16272, 262080, 262096, 1000000};
    static const size_t elements[] = {1, 2, 4, 8, 16};

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t e = 0; e < 5; e++) {
            uint8_t *bytes = make_bytes(sizes[s] + 16, e);
            size_t size = sizes[s];

            for (size_t i = elements[e]; i < size; i++)
                bytes[i] = bytes[i - elements[e]];
            (void)build_fill(f, (uint8_t)(s * 8 + e), size, bytes, elements[e]);
            owner_must_hold(f, (uint8_t)(s * 8 + e), bytes_of(bytes, size));
            free(bytes);
        }
    }
    assert_int_equal(verify_must_find_nothing(f).chunks, 0);
    chunks_must_become(f, 0);
}

static void
elements_that_do_not_divide_are_refused(void **state)
{
    struct fixture *f = *state;
    struct value_builder *builder = NULL;
    const uint8_t element[32] = {1};

    WORKS(value_builder_open(f->store, NULL, 100, STORE_CLASS_BULK, &builder, &f->err), &f->err);
    FAILS(value_builder_fill(builder, element, 0, &f->err), ERR_INVALID_ARGUMENT, &f->err);
    FAILS(value_builder_fill(builder, element, 3, &f->err), ERR_INVALID_ARGUMENT, &f->err);
    FAILS(value_builder_fill(builder, element, 8, &f->err), ERR_INVALID_ARGUMENT, &f->err);
    FAILS(value_builder_fill(builder, element, 32, &f->err), ERR_INVALID_ARGUMENT, &f->err);
    WORKS(value_builder_append(builder, element, 1, &f->err), &f->err);
    FAILS(value_builder_fill(builder, element, 4, &f->err), ERR_INTERNAL, &f->err);
    value_builder_drop(builder);
}

/* Expects `size` bytes of `byte` at `offset`. */
static void
must_be_all(struct value_reader *reader, uint64_t offset, uint64_t size, uint8_t byte)
{
    struct err err = ERR_INIT;
    struct bytes run;
    bool pattern;

    for (uint64_t end = offset + size; offset < end; offset += run.size) {
        WORKS(value_run(reader, offset, end - offset, &run, &pattern, &err), &err);
        for (size_t i = 0; i < run.size; i++)
            if (run.data[i] != byte)
                fail_msg("byte %zu of the run at %llu is %d", i, (unsigned long long)offset,
                         run.data[i]);
    }
}

static void
a_long_list_over_a_fill_costs_only_the_chunks_that_were_touched(void **state)
{
    struct fixture *f = *state;
    const uint64_t size = 400 << 20, places[] = {0, 200 << 20, (400 << 20) - 1}; /* 1601 chunks */
    struct looking looking;
    const uint8_t zero = 0, one = 1;
    uint32_t expected, crc;
    uint8_t *zeros = calloc(1, 1 << 20);

    (void)build_fill(f, 1, size, &zero, 1);
    copy_owner(f, 1, 2);
    assert_int_equal(verify_must_find_nothing(f).chunks, 0);
    for (size_t i = 0; i < 3; i++)
        patch_owner(f, 1, places[i], &one, 1);
    assert_int_equal(verify_must_find_nothing(f).chunks, 3);
    chunks_must_become(f, 3);
    assert_int_equal(usage_of(f, 2).unique_bytes, 0);

    look_at(f, 1, &looking);
    must_be_all(&looking.reader, 1, 300000, 0);
    must_be_all(&looking.reader, (200 << 20) - 1000, 1000, 0);
    for (size_t i = 0; i < 3; i++)
        must_be_all(&looking.reader, places[i], 1, 1);
    WORKS(value_crc32c(&looking.reader, &crc, &f->err), &f->err);
    look_away(&looking);
    expected = 0;
    for (uint64_t at = 0; at < size; at += 1 << 20) {
        zeros[0] = at == places[0] || at == places[1];
        zeros[(1 << 20) - 1] = at + (1 << 20) == size;
        expected = crc32c(expected, zeros, 1 << 20);
    }
    assert_int_equal(crc, expected);

    copy_owner(f, 1, 3);
    patch_owner(f, 3, places[1] + 1, &one, 1);
    assert_int_equal(usage_of(f, 3).unique_bytes, 262080);
    drop_owner(f, 1);
    drop_owner(f, 2);
    assert_int_equal(verify_must_find_nothing(f).chunks, 3);
    chunks_must_become(f, 3);
    drop_owner(f, 3);
    chunks_must_become(f, 0);
    free(zeros);
}

static void
a_list_of_more_than_a_segment_is_changed_in_any_of_them(void **state)
{
    struct fixture *f = *state;
    const size_t size = 2100 * 16320 + 5; /* three segments of rows chunks */
    uint8_t *bytes = make_bytes(size, 8), *changed;
    const size_t places[] = {0, 999 * 16320 + 16319, 1000 * 16320, 1500 * 16320 + 1, size - 1};

    (void)build(f, 1, bytes_of(bytes, size), STORE_CLASS_ROWS, 1 << 20);
    copy_owner(f, 1, 2);
    changed = make_bytes(size, 8);
    for (size_t i = 0; i < 5; i++) {
        changed[places[i]]++;
        patch_owner(f, 2, places[i], changed + places[i], 1);
    }
    owner_must_hold(f, 1, bytes_of(bytes, size));
    owner_must_hold(f, 2, bytes_of(changed, size));
    assert_int_equal(verify_must_find_nothing(f).chunks, 2101 + 5);
    drop_owner(f, 1);
    owner_must_hold(f, 2, bytes_of(changed, size));
    assert_int_equal(verify_must_find_nothing(f).chunks, 2101);
    drop_owner(f, 2);
    chunks_must_become(f, 0);
    free(bytes);
    free(changed);
}

static enum err_code
patch_without_changing(struct store_txn *txn, void *context, struct err *err)
{
    struct value_patch *patch = NULL;
    struct value_ref ref, same;
    uint8_t *room;
    size_t part;

    (void)context;
    TRY(owner_get(store_txn_view(txn), 1, &ref, err));
    TRY(value_patch_open(txn, &ref, &patch, err)); /* closed without touching anything */
    assert_int_equal(value_patch_close(patch, &same, err), OK);
    assert_int_equal(same.id, ref.id);
    value_patch_drop(patch);
    TRY(value_patch_open(txn, &ref, &patch, err)); /* dropped with touched chunks */
    assert_int_equal(value_patch_bytes(patch, 16320, 1, true, &room, &part, err), OK);
    *room = (uint8_t)(*room + 1);
    assert_int_equal(value_patch_bytes(patch, ref.size, 1, true, &room, &part, err),
                     ERR_OUT_OF_RANGE);
    err_clear(err);
    assert_int_equal(value_patch_bytes(patch, 0, 0, true, &room, &part, err), ERR_OUT_OF_RANGE);
    err_clear(err);
    value_patch_drop(patch);
    return OK;
}

static void
a_patch_that_is_dropped_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(50000, 1);
    uint64_t revision;

    (void)build(f, 1, bytes_of(bytes, 50000), STORE_CLASS_ROWS, 50000);
    WORKS(store_update(f->store, patch_without_changing, NULL, NULL, &revision, &f->err), &f->err);
    owner_must_hold(f, 1, bytes_of(bytes, 50000));
    assert_int_equal(verify_must_find_nothing(f).chunks, 4);
    chunks_must_become(f, 4);
    free(bytes);
}

static enum err_code
patch_then_share(struct store_txn *txn, void *context, struct err *err)
{
    struct value_patch *patch = NULL;
    struct value_ref ref, changed;
    uint8_t *room;
    size_t part;

    (void)context;
    TRY(owner_get(store_txn_view(txn), 1, &ref, err));
    TRY(value_patch_open(txn, &ref, &patch, err));
    TRY(value_patch_bytes(patch, 0, 1, false, &room, &part, err));
    room[0] = 1;
    TRY(value_share(txn, &ref, err)); /* a save in the middle of a change */
    TRY(owner_put(txn, 2, &ref, err));
    TRY(value_patch_close(patch, &changed, err));
    value_patch_drop(patch);
    return owner_put(txn, 1, &changed, err);
}

static void
a_value_shared_while_it_is_changed_is_forked(void **state)
{
    struct fixture *f = *state;
    const size_t sizes[] = {2000, 50000};

    for (size_t i = 0; i < 2; i++) {
        uint8_t *bytes = make_bytes(sizes[i], 1);
        uint64_t revision;

        bytes[0] = 0;
        (void)build(f, 1, bytes_of(bytes, sizes[i]), STORE_CLASS_ROWS, 50000);
        WORKS(store_update(f->store, patch_then_share, NULL, NULL, &revision, &f->err), &f->err);
        owner_must_hold(f, 2, bytes_of(bytes, sizes[i]));
        bytes[0] = 1;
        owner_must_hold(f, 1, bytes_of(bytes, sizes[i]));
        verify_must_find_nothing(f);
        drop_owner(f, 1);
        drop_owner(f, 2);
        free(bytes);
    }
    chunks_must_become(f, 0);
}

static void
an_open_reader_keeps_its_bytes_over_a_change_in_place(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(MANY_BYTES, 1);
    struct looking before, after;

    (void)build(f, 1, bytes_of(bytes, MANY_BYTES), STORE_CLASS_BULK, MANY_BYTES);
    look_at(f, 1, &before);
    patch_owner(f, 1, 262080, "odd", 3);
    look_at(f, 1, &after);
    assert_int_equal(before.reader.ref.id, after.reader.ref.id);
    reader_must_hold(&before.reader, bytes_of(bytes, MANY_BYTES));
    look_away(&before);
    memcpy(bytes + 262080, "odd", 3);
    reader_must_hold(&after.reader, bytes_of(bytes, MANY_BYTES));
    look_away(&after);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_value_with_one_reference_is_changed_in_place),
        STORE_TEST(a_shared_value_is_forked_and_shares_what_was_not_touched),
        STORE_TEST(a_chunk_a_fork_still_has_outlives_a_change_in_place),
        STORE_TEST(a_chunk_that_only_the_farthest_of_the_family_has_too_stays),
        STORE_TEST(small_values_are_changed_and_forked_too),
        STORE_TEST(a_constant_fill_of_any_size_has_its_bytes_and_no_chunks),
        STORE_TEST(elements_that_do_not_divide_are_refused),
        STORE_TEST(a_long_list_over_a_fill_costs_only_the_chunks_that_were_touched),
        STORE_TEST(a_list_of_more_than_a_segment_is_changed_in_any_of_them),
        STORE_TEST(a_patch_that_is_dropped_changes_nothing),
        STORE_TEST(a_value_shared_while_it_is_changed_is_forked),
        STORE_TEST(an_open_reader_keeps_its_bytes_over_a_change_in_place),
    };

    return cmocka_run_group_tests_name("value_patch", tests, NULL, NULL);
}
