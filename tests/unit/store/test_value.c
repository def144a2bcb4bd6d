/* Values as they are built and read: every kind, every edge of size. */
#include "tests/unit/store/value_fixture.h"

#include "store/value_list.h"

static const size_t edges[] = {
    0,      1,      15,     1023,   1024,       1025,      16255,          16256,
    16257,  16319,  16320,  16321,  65536,      8 * 16320, 8 * 16320 + 1,  262079,
    262080, 262081, 262096, 300007, 2 * 262080, 524161,    3 * 262080 - 1, 1048576,
};
enum { EDGE_COUNT = sizeof edges / sizeof edges[0] };

static enum value_kind
kind_of_size(size_t size)
{
    return size <= 1024 ? VALUE_INLINE : size <= 16256 ? VALUE_RECORD : VALUE_CHUNKS;
}

static void
built_values_of_every_size_are_read_back(void **state)
{
    struct fixture *f = *state;
    static const enum store_class classes[] = {STORE_CLASS_BULK, STORE_CLASS_ROWS};

    for (size_t i = 0; i < EDGE_COUNT; i++) {
        for (size_t c = 0; c < 2; c++) {
            uint8_t *bytes = make_bytes(edges[i], i + 7 * c);
            uint8_t name = (uint8_t)(2 * i + c);
            struct value_ref ref =
                build(f, name, bytes_of(bytes, edges[i]), classes[c], c == 0 ? 1u << 20 : 10007);

            assert_int_equal(ref.kind, kind_of_size(edges[i]));
            assert_int_equal(ref.size, edges[i]);
            owner_must_hold(f, name, bytes_of(bytes, edges[i]));
            free(bytes);
        }
    }
    assert_int_equal(verify_must_find_nothing(f).findings, 0);
    fixture_reopen(f);
    for (size_t i = 0; i < EDGE_COUNT; i++) {
        uint8_t *bytes = make_bytes(edges[i], i);

        owner_must_hold(f, (uint8_t)(2 * i), bytes_of(bytes, edges[i]));
        drop_owner(f, (uint8_t)(2 * i));
        drop_owner(f, (uint8_t)(2 * i + 1));
        free(bytes);
    }
    assert_int_equal(verify_must_find_nothing(f).values, 0);
    chunks_must_become(f, 0);
}

struct write_call {
    struct bytes bytes;
    enum store_class class;
    uint8_t name;
    struct value_ref ref;
};

static enum err_code
write_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct write_call *call = context;
    struct value_reader reader;
    uint8_t *copy;

    TRY(value_write(txn, call->bytes, call->class, &call->ref, err));
    TRY(value_open(store_txn_view(txn), &call->ref, &reader, err)); /* seen by its own unit */
    copy = malloc(call->bytes.size + 1);
    assert_non_null(copy);
    assert_int_equal(value_copy(&reader, 0, call->bytes.size, copy, err), OK);
    assert_int_equal(memcmp(copy, call->bytes.data, call->bytes.size), 0);
    free(copy);
    value_reader_drop(&reader);
    return owner_put(txn, call->name, &call->ref, err);
}

static void
values_written_inside_a_unit_are_read_back(void **state)
{
    struct fixture *f = *state;
    uint64_t revision;

    for (size_t i = 0; i < EDGE_COUNT; i++) {
        uint8_t *bytes = make_bytes(edges[i], i);
        struct write_call call = {.bytes = bytes_of(bytes, edges[i]),
                                  .class = i % 2 ? STORE_CLASS_BULK : STORE_CLASS_ROWS,
                                  .name = (uint8_t)i};

        WORKS(store_update(f->store, write_unit, &call, NULL, &revision, &f->err), &f->err);
        assert_int_equal(call.ref.kind, kind_of_size(edges[i]));
        owner_must_hold(f, call.name, call.bytes);
        free(bytes);
    }
    verify_must_find_nothing(f);
}

static void
more_than_a_unit_takes_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(VALUE_WRITE_BYTES_MAX + 1, 1);
    struct write_call call = {.bytes = bytes_of(bytes, VALUE_WRITE_BYTES_MAX + 1)};
    uint64_t revision;

    FAILS(store_update(f->store, write_unit, &call, NULL, &revision, &f->err), ERR_INTERNAL,
          &f->err);
    free(bytes);
}

static void
a_producer_writes_straight_into_reserved_room(void **state)
{
    struct fixture *f = *state;
    const size_t size = 600001;
    uint8_t *bytes = make_bytes(size, 5), *part_copy = malloc(size), *room;
    struct value_builder *builder = NULL;
    struct store_stage *stage = NULL;
    uint64_t seed = 9;
    size_t got;

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    WORKS(value_builder_open(f->store, stage, size, STORE_CLASS_BULK, &builder, &f->err), &f->err);
    for (size_t at = 0; at < size; at += got) {
        WORKS(value_builder_reserve(builder, &room, &got, &f->err), &f->err);
        assert_true(got > 0 && got <= STORE_BULK_BYTES);
        if (got > 5000)
            got = random_next(&seed) % 5000;
        memcpy(room, bytes + at, got);
        WORKS(value_builder_commit(builder, got, &f->err), &f->err);
        WORKS(value_builder_read(builder, at / 2, at + got - at / 2, part_copy, &f->err), &f->err);
        assert_int_equal(memcmp(part_copy, bytes + at / 2, at + got - at / 2), 0);
    }
    FAILS(value_builder_reserve(builder, &room, &got, &f->err), ERR_INVALID_ARGUMENT, &f->err);
    FAILS(value_builder_append(builder, "x", 1, &f->err), ERR_INVALID_ARGUMENT, &f->err);
    FAILS(value_builder_commit(builder, 1, &f->err), ERR_INTERNAL, &f->err);
    FAILS(value_builder_read(builder, size, 1, part_copy, &f->err), ERR_OUT_OF_RANGE, &f->err);
    (void)publish(f, builder, stage, 1);
    value_builder_drop(builder);
    owner_must_hold(f, 1, bytes_of(bytes, size));
    free(bytes);
    free(part_copy);
}

static void
an_unfinished_value_cannot_be_published(void **state)
{
    struct fixture *f = *state;
    struct publish_call call = {.name = 1};
    uint64_t revision;

    WORKS(value_builder_open(f->store, NULL, 3, STORE_CLASS_BULK, &call.builder, &f->err), &f->err);
    WORKS(value_builder_append(call.builder, "ab", 2, &f->err), &f->err);
    FAILS(store_update(f->store, publish_unit, &call, NULL, &revision, &f->err), ERR_INTERNAL,
          &f->err);
    WORKS(value_builder_append(call.builder, "c", 1, &f->err), &f->err);
    WORKS(store_update(f->store, publish_unit, &call, NULL, &revision, &f->err), &f->err);
    value_builder_drop(call.builder);
    owner_must_hold(f, 1, bytes_of_text("abc"));
}

static enum err_code
publish_then_fail(struct store_txn *txn, void *context, struct err *err)
{
    TRY(publish_unit(txn, context, err));
    return err_set(err, ERR_ABORTED, "changed my mind");
}

static void
publishing_again_after_a_failed_unit_gives_the_same_value(void **state)
{
    struct fixture *f = *state;
    const size_t sizes[] = {10, 5000, 70000};

    for (uint8_t i = 0; i < 3; i++) {
        uint8_t *bytes = make_bytes(sizes[i], i);
        struct publish_call call = {.name = i};
        struct store_stage *stage = NULL;
        struct store_update_options options;
        uint64_t revision;

        WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
        options = (struct store_update_options){.stage = stage};
        WORKS(
            value_builder_open(f->store, stage, sizes[i], STORE_CLASS_BULK, &call.builder, &f->err),
            &f->err);
        WORKS(value_builder_append(call.builder, bytes, sizes[i], &f->err), &f->err);
        FAILS(store_update(f->store, publish_then_fail, &call, &options, &revision, &f->err),
              ERR_ABORTED, &f->err);
        WORKS(store_update(f->store, publish_unit, &call, &options, &revision, &f->err), &f->err);
        assert_true(call.runs >= 2);
        value_builder_drop(call.builder);
        owner_must_hold(f, i, bytes_of(bytes, sizes[i]));
        free(bytes);
    }
    verify_must_find_nothing(f);
}

static enum err_code
publish_two(struct store_txn *txn, void *context, struct err *err)
{
    struct publish_call *calls = context;

    TRY(publish_unit(txn, &calls[0], err));
    return publish_unit(txn, &calls[1], err);
}

static void
two_builders_share_a_stage(void **state)
{
    struct fixture *f = *state;
    const size_t size = 300000;
    uint8_t *bytes = make_bytes(size, 3);
    struct value_builder *a = NULL, *b = NULL;
    struct store_stage *stage = NULL;
    struct store_update_options options;
    struct publish_call calls[2];
    uint64_t revision;

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    options = (struct store_update_options){.stage = stage};
    WORKS(value_builder_open(f->store, stage, size, STORE_CLASS_BULK, &a, &f->err), &f->err);
    WORKS(value_builder_open(f->store, stage, size, STORE_CLASS_ROWS, &b, &f->err), &f->err);
    for (size_t at = 0; at < size; at += 1000) {
        WORKS(value_builder_append(a, bytes + at, 1000, &f->err), &f->err);
        WORKS(value_builder_append(b, bytes + at, 1000, &f->err), &f->err);
    }
    calls[0] = (struct publish_call){.builder = a, .name = 1};
    calls[1] = (struct publish_call){.builder = b, .name = 2};
    WORKS(store_update(f->store, publish_two, calls, &options, &revision, &f->err), &f->err);
    value_builder_drop(a);
    value_builder_drop(b);
    owner_must_hold(f, 1, bytes_of(bytes, size));
    owner_must_hold(f, 2, bytes_of(bytes, size));
    verify_must_find_nothing(f);
    free(bytes);
}

static void
a_ref_survives_encoding_and_damage_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct value_ref ref = {.kind = VALUE_CHUNKS, .size = 20000, .id = 7}, back;
    struct reader in;
    struct buf record;

    buf_init(&record, 4096);
    WORKS(value_ref_encode(&ref, &record, &f->err), &f->err);
    for (size_t cut = 0; cut < record.size; cut++) {
        in = reader_of(bytes_of(record.data, cut));
        value_ref_decode(&in, &back);
        assert_true(in.failed);
        assert_int_equal(back.kind, VALUE_NONE);
    }
    in = reader_of(buf_bytes(&record));
    value_ref_decode(&in, &back);
    assert_true(reader_ended_well(&in));
    assert_int_equal(back.kind, VALUE_CHUNKS);
    assert_int_equal(back.size, 20000);
    assert_int_equal(back.id, 7);
    record.data[0] = 4; /* no such kind */
    in = reader_of(buf_bytes(&record));
    value_ref_decode(&in, &back);
    assert_true(in.failed);
    record.data[0] = VALUE_RECORD; /* 20000 bytes are no record */
    in = reader_of(buf_bytes(&record));
    value_ref_decode(&in, &back);
    assert_true(in.failed);
    buf_drop(&record);
}

static void
there_is_nothing_to_read_in_no_value(void **state)
{
    struct fixture *f = *state;
    struct store_snapshot *snapshot = NULL;
    struct value_ref none = {0}, strange = {.kind = VALUE_CHUNKS, .size = 20000, .id = 12345};
    struct value_reader reader;
    struct looking looking;
    struct bytes run;
    uint8_t byte;

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    FAILS(value_open(store_snapshot_view(snapshot), &none, &reader, &f->err),
          ERR_FAILED_PRECONDITION, &f->err);
    FAILS(value_open(store_snapshot_view(snapshot), &strange, &reader, &f->err), ERR_DATA_LOSS,
          &f->err);
    store_snapshot_drop(snapshot);
    (void)build(f, 1, bytes_of("abc", 3), STORE_CLASS_BULK, 3);
    look_at(f, 1, &looking);
    FAILS(value_run(&looking.reader, 3, 1, &run, NULL, &f->err), ERR_OUT_OF_RANGE, &f->err);
    FAILS(value_copy(&looking.reader, 3, 1, &byte, &f->err), ERR_OUT_OF_RANGE, &f->err);
    FAILS(value_copy(&looking.reader, 1, UINT64_MAX, &byte, &f->err), ERR_OUT_OF_RANGE, &f->err);
    WORKS(value_copy(&looking.reader, 3, 0, &byte, &f->err), &f->err);
    look_away(&looking);
}

static void
parts_of_a_value_are_copied_from_anywhere(void **state)
{
    struct fixture *f = *state;
    const size_t size = 2 * 262080 + 40001;
    uint8_t *bytes = make_bytes(size, 4), *copy = malloc(size);
    struct looking looking;
    uint64_t seed = 3;

    (void)build(f, 1, bytes_of(bytes, size), STORE_CLASS_BULK, size);
    look_at(f, 1, &looking);
    for (int i = 0; i < 300; i++) {
        size_t at = random_next(&seed) % size, part = random_next(&seed) % (size - at);
        struct bytes run;
        bool pattern = true;

        WORKS(value_copy(&looking.reader, at, part, copy, &f->err), &f->err);
        assert_int_equal(memcmp(copy, bytes + at, part), 0);
        WORKS(value_run(&looking.reader, at, part + 1, &run, &pattern, &f->err), &f->err);
        assert_true(run.size > 0 && run.size <= part + 1);
        assert_false(pattern);
        assert_int_equal(memcmp(run.data, bytes + at, run.size), 0);
    }
    look_away(&looking);
    free(bytes);
    free(copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(built_values_of_every_size_are_read_back),
        STORE_TEST(values_written_inside_a_unit_are_read_back),
        STORE_TEST(more_than_a_unit_takes_is_refused),
        STORE_TEST(a_producer_writes_straight_into_reserved_room),
        STORE_TEST(an_unfinished_value_cannot_be_published),
        STORE_TEST(publishing_again_after_a_failed_unit_gives_the_same_value),
        STORE_TEST(two_builders_share_a_stage),
        STORE_TEST(a_ref_survives_encoding_and_damage_is_noticed),
        STORE_TEST(there_is_nothing_to_read_in_no_value),
        STORE_TEST(parts_of_a_value_are_copied_from_anywhere),
    };

    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
