/* Records of the domain: there and back at their extremes, damage noticed, keys that fit and sort.
 */
#include "service/record/record.h"
#include "tests/unit/store/store_fixture.h"

/* A call of one of the put functions inside a unit, and what then lies under its key. */
struct writing {
    enum err_code (*put)(struct store_txn *txn, const void *record, struct err *err);
    const void *record;
};

static enum err_code
write_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct writing *writing = context;

    return writing->put(txn, writing->record, err);
}

static enum err_code
put_model_record(struct store_txn *txn, const void *record, struct err *err)
{
    return record_put_model(txn, "m", record, err);
}

static enum err_code
put_variable_record(struct store_txn *txn, const void *record, struct err *err)
{
    return record_put_variable(txn, 5, "a/b", record, err);
}

static enum err_code
put_tensor_record(struct store_txn *txn, const void *record, struct err *err)
{
    return record_put_tensor(txn, 9, bytes_of_text("t"), record, err);
}

static enum err_code
put_checkpoint_record(struct store_txn *txn, const void *record, struct err *err)
{
    return record_put_checkpoint(txn, 5, "c", record, err);
}

static enum err_code
put_usage_record(struct store_txn *txn, const void *record, struct err *err)
{
    return record_put_usage(txn, 5, record, err);
}

static enum err_code
try_write(struct fixture *f,
          enum err_code (*writer)(struct store_txn *, const void *, struct err *),
          const void *record)
{
    struct writing writing = {writer, record};
    uint64_t revision;

    return store_update(f->store, write_unit, &writing, NULL, &revision, &f->err);
}

static void
fill_texts(struct record_texts *texts, size_t size)
{
    static const uint8_t filling[RECORD_LABELS_BYTES_MAX] = {'x', 0, 'y'};

    texts->size = 0;
    WORKS(record_texts_add(texts, "labels", bytes_of("", 0), NULL), &(struct err)ERR_INIT);
    WORKS(record_texts_add(texts, "labels", bytes_of(filling, size - 8), NULL),
          &(struct err)ERR_INIT);
    assert_int_equal(texts->size, size);
}

static struct variable_record
full_variable(void)
{
    struct variable_record r = {
        .id = UINT64_MAX,
        .type = {.dtype = DTYPE_COMPLEX128, .shape = {.rank = SHAPE_RANK_MAX}},
        .shape_known = true,
        .trainable = true,
        .row_updates = true,
        .partition = {.axis = 5, .count = 2},
        .created_ms = 1,
        .updated_ms = UINT64_MAX - 1,
        .created_revision = 3,
        .revision = 4,
        .version = 5,
        .serial = 6,
        .initial_value = {.kind = VALUE_CHUNKS, .size = 1 << 20, .id = 77},
        .initialized_with = {.kind = VALUE_RECORD, .size = 2000, .id = 78},
        .value = {.kind = VALUE_INLINE, .size = VALUE_INLINE_BYTES_MAX},
    };

    for (uint32_t i = 0; i < SHAPE_RANK_MAX; i++)
        r.type.shape.dims[i] = i < 6 ? 2 : 1; /* 64 elements of 16 bytes */
    memset(r.device, 'd', RECORD_DEVICE_BYTES_MAX);
    memset(r.caching_device, 'c', RECORD_DEVICE_BYTES_MAX);
    r.part_devices = r.value;
    memset(r.part_devices.bytes, 'p', sizeof r.part_devices.bytes);
    memset(r.value.bytes, 0xa5, sizeof r.value.bytes);
    fill_texts(&r.collections, sizeof r.collections.bytes);
    return r;
}

static void
the_largest_variable_fits_a_record_and_comes_back(void **state)
{
    struct fixture *f = *state;
    struct variable_record in = full_variable(), out;
    struct store_snapshot *snapshot = NULL;
    bool found = false;

    WORKS(try_write(f, put_variable_record, &in), &f->err);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(record_get_variable(store_snapshot_view(snapshot), 5, "a/b", &found, &out, &f->err),
          &f->err);
    assert_true(found);
    assert_true(out.id == in.id && out.updated_ms == in.updated_ms && out.serial == in.serial);
    assert_true(tensor_type_equal(&out.type, &in.type));
    assert_true(out.shape_known && out.trainable && out.row_updates && !out.validate_shape);
    assert_int_equal(out.partition.axis, 5);
    assert_int_equal(out.partition.count, 2);
    assert_string_equal(out.device, in.device);
    assert_string_equal(out.caching_device, in.caching_device);
    assert_int_equal(out.part_devices.size, VALUE_INLINE_BYTES_MAX);
    assert_memory_equal(out.part_devices.bytes, in.part_devices.bytes, VALUE_INLINE_BYTES_MAX);
    assert_int_equal(out.collections.size, in.collections.size);
    assert_memory_equal(out.collections.bytes, in.collections.bytes, in.collections.size);
    assert_int_equal(out.initial_value.id, 77);
    assert_int_equal(out.initialized_with.size, 2000);
    assert_memory_equal(out.value.bytes, in.value.bytes, VALUE_INLINE_BYTES_MAX);
    WORKS(record_get_variable(store_snapshot_view(snapshot), 5, "a", &found, &out, &f->err),
          &f->err);
    assert_false(found);
    WORKS(record_get_variable(store_snapshot_view(snapshot), 6, "a/b", &found, &out, &f->err),
          &f->err);
    assert_false(found);
    store_snapshot_drop(snapshot);
}

static void
a_value_that_does_not_fit_its_type_is_not_recorded(void **state)
{
    struct fixture *f = *state;
    struct variable_record variable = full_variable();
    struct tensor_record tensor = {.type = variable.type, .value = variable.value};

    variable.type.shape.dims[31] = 2;
    FAILS(try_write(f, put_variable_record, &variable), ERR_INTERNAL, &f->err);
    tensor.value.size--;
    FAILS(try_write(f, put_tensor_record, &tensor), ERR_INTERNAL, &f->err);
    tensor.type.dtype = DTYPE_STRING;
    WORKS(try_write(f, put_tensor_record, &tensor), &f->err);
}

static void
models_checkpoints_and_counters_come_back(void **state)
{
    struct fixture *f = *state;
    struct model_record model = {.id = 7,
                                 .has_seed = true,
                                 .seed = INT64_MIN,
                                 .profile = RANDOM_PROFILE_R1_NEW_GLIBC,
                                 .seed_mode = MODEL_SEED_MODE_TF,
                                 .created_ms = 8};
    struct checkpoint_record checkpoint = {.id = 9,
                                           .has_global_step = true,
                                           .pinned = true,
                                           .global_step = INT64_MIN,
                                           .changed_revision = 3,
                                           .bytes = 1,
                                           .shards = 4,
                                           .saver_id = 11};
    struct tensor_record tensor = {.type = {.dtype = DTYPE_BOOL}, .position = 5, .shard = 3};
    struct tensor_record tensor_out;
    struct usage_record usage = {1, 2, 3, UINT64_MAX, 5, 6, 7, {{true, 8}, {true, UINT64_MAX}}};
    struct usage_record usage_out;
    struct model_record model_out;
    struct checkpoint_record checkpoint_out;
    struct store_snapshot *snapshot = NULL;
    const struct store_view *view;
    bool found = false;

    fill_texts(&model.labels, sizeof model.labels.bytes);
    checkpoint.labels = model.labels;
    memset(checkpoint.saver, 's', NAME_BYTES_MAX);
    WORKS(try_write(f, put_tensor_record, &tensor), &f->err);
    WORKS(try_write(f, put_model_record, &model), &f->err);
    WORKS(try_write(f, put_checkpoint_record, &checkpoint), &f->err);
    WORKS(try_write(f, put_usage_record, &usage), &f->err);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    view = store_snapshot_view(snapshot);
    WORKS(record_get_model(view, "m", &found, &model_out, &f->err), &f->err);
    assert_true(found && model_out.has_seed && model_out.seed == INT64_MIN && model_out.id == 7);
    assert_int_equal(model_out.profile, RANDOM_PROFILE_R1_NEW_GLIBC);
    assert_int_equal(model_out.seed_mode, MODEL_SEED_MODE_TF);
    assert_memory_equal(model_out.labels.bytes, model.labels.bytes, model.labels.size);
    WORKS(record_get_checkpoint(view, 5, "c", &found, &checkpoint_out, &f->err), &f->err);
    assert_true(found && checkpoint_out.pinned && checkpoint_out.global_step == INT64_MIN);
    assert_true(checkpoint_out.changed_revision == 3 && checkpoint_out.shards == 4);
    assert_int_equal(checkpoint_out.saver_id, 11);
    assert_string_equal(checkpoint_out.saver, checkpoint.saver);
    assert_memory_equal(checkpoint_out.labels.bytes, model.labels.bytes, model.labels.size);
    WORKS(record_get_tensor(view, 9, bytes_of_text("t"), &found, &tensor_out, &f->err), &f->err);
    assert_true(found && tensor_out.position == 5 && tensor_out.shard == 3);
    WORKS(record_get_usage(view, 5, &usage_out, &f->err), &f->err);
    assert_memory_equal(&usage_out, &usage, offsetof(struct usage_record, quota));
    assert_true(usage_out.quota.bytes.set && usage_out.quota.bytes.most == 8);
    assert_true(usage_out.quota.variables.set && usage_out.quota.variables.most == UINT64_MAX);
    WORKS(record_get_usage(view, 6, &usage_out, &f->err), &f->err);
    assert_int_equal(usage_out.bytes, 0);
    assert_false(usage_out.quota.bytes.set || usage_out.quota.variables.set);
    store_snapshot_drop(snapshot);
}

/* The bytes of a record as they lie in the store. Owns: free. */
static uint8_t *
record_bytes(struct fixture *f, struct record_key key, size_t *size)
{
    struct store_snapshot *snapshot = NULL;
    struct bytes record;
    uint8_t *copy;

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(store_get(store_snapshot_view(snapshot), record_key_bytes(&key), &record, &f->err),
          &f->err);
    assert_non_null(record.data);
    copy = malloc(record.size + 1);
    assert_non_null(copy);
    memcpy(copy, record.data, record.size);
    *size = record.size;
    store_snapshot_drop(snapshot);
    return copy;
}

static void
a_cut_longer_or_newer_record_is_data_loss(void **state)
{
    struct fixture *f = *state;
    struct variable_record variable = full_variable(), out;
    struct tensor_record tensor_out;
    struct checkpoint_record checkpoint_out;
    struct model_record model_out;
    size_t size = 0;
    uint8_t *bytes;

    WORKS(try_write(f, put_variable_record, &variable), &f->err);
    bytes = record_bytes(f, record_key_variable(5, "a/b"), &size);
    for (size_t cut = 0; cut < size; cut += cut < 400 ? 1 : 97) {
        uint8_t *exact = malloc(cut + 1); /* so that a read past it is seen */

        memcpy(exact, bytes, cut);
        assert_int_equal(record_decode_variable(bytes_of(exact, cut), &out, NULL), ERR_DATA_LOSS);
        /* As another kind: whatever it says, it stays inside. */
        (void)!record_decode_tensor(bytes_of(exact, cut), &tensor_out, NULL);
        (void)!record_decode_checkpoint(bytes_of(exact, cut), &checkpoint_out, NULL);
        (void)!record_decode_model(bytes_of(exact, cut), &model_out, NULL);
        free(exact);
    }
    bytes[size] = 0;
    assert_int_equal(record_decode_variable(bytes_of(bytes, size + 1), &out, NULL), ERR_DATA_LOSS);
    bytes[0] = 200;
    assert_int_equal(record_decode_variable(bytes_of(bytes, size), &out, &f->err), ERR_DATA_LOSS);
    assert_non_null(strstr(f->err.text, "format 200"));
    err_clear(&f->err);
    free(bytes);
}

/* What stands behind the value of a tensor that was saved in parts: a record of before the parts is
 * one that ends there. */
static void
parts_of_a_tensor_come_back_and_one_of_before_was_whole(void **state)
{
    struct fixture *f = *state;
    static uint8_t shards[PARTITION_PARTS_MAX * PARTITION_SHARD_BYTES];
    struct tensor_record tensor = {
        .type = {.dtype = DTYPE_BOOL, .shape = {.rank = 2, .dims = {[0] = 3, [1] = 500000}}},
        .value = {.kind = VALUE_CHUNKS, .size = 1500000, .id = 5},
    };
    struct tensor_record out;
    size_t whole = 0, size = 0;
    uint8_t *bytes;

    WORKS(try_write(f, put_tensor_record, &tensor), &f->err);
    bytes = record_bytes(f, record_key_tensor(9, bytes_of_text("t")), &whole);
    WORKS(record_decode_tensor(bytes_of(bytes, whole), &out, &f->err), &f->err);
    assert_true(out.partition.count == 0 && out.part_shards.size == 0);
    free(bytes);

    for (uint32_t i = 0; i < PARTITION_PARTS_MAX; i++)
        partition_put_shard(shards, i, i * 24);
    tensor.partition = (struct partition){.axis = 1, .count = PARTITION_PARTS_MAX};
    tensor.part_shards = bytes_of(shards, sizeof shards);
    WORKS(try_write(f, put_tensor_record, &tensor), &f->err);
    bytes = record_bytes(f, record_key_tensor(9, bytes_of_text("t")), &size);
    WORKS(record_decode_tensor(bytes_of(bytes, size), &out, &f->err), &f->err);
    assert_true(out.partition.axis == 1 && out.partition.count == PARTITION_PARTS_MAX);
    assert_memory_equal(out.part_shards.data, shards, sizeof shards);
    WORKS(record_decode_tensor(bytes_of(bytes, whole), &out, &f->err), &f->err);
    for (size_t cut = whole + 1; cut < size; cut += 97)
        assert_int_equal(record_decode_tensor(bytes_of(bytes, cut), &out, NULL), ERR_DATA_LOSS);
    bytes[whole] = 0; /* axis 0, which has 3 elements */
    assert_int_equal(record_decode_tensor(bytes_of(bytes, size), &out, NULL), ERR_DATA_LOSS);
    free(bytes);
}

/* As stores had it before variables knew of a caching device or of devices of their parts; any text
 * was a device. */
#define ZERO3 "\0\0\0"
#define ZERO7 "\0\0\0\0\0\0\0"
static const char former_variable[] =
    "\003"                                     /* format */
    "\007" ZERO7                               /* id */
    "\002\002" ZERO3 "\003" ZERO7 "\002" ZERO7 /* float32, rank, dimensions */
    "\027"                                     /* known, validated, trainable, in parts */
    "\0" ZERO3 "\003" ZERO3                    /* axis, parts */
    "\013" ZERO7 "\014" ZERO7                  /* created, updated */
    "\001" ZERO7 "\002" ZERO7 "\004" ZERO7     /* revisions of both, version */
    "\007" ZERO7 "\011" ZERO7 "\001" ZERO7     /* serial, place and number in the graph */
    "\012" ZERO3 "my device!\015" ZERO3 "\011" ZERO3 "variables" /* collections */
    "\0\0\0";                                                    /* no values */
enum { FORMER_VARIABLE_BYTES = sizeof former_variable - 1 };

static enum err_code
put_former_variable(struct store_txn *txn, const void *record, struct err *err)
{
    const struct record_key key = record_key_variable(5, "a/b");

    (void)record;
    return store_put(txn, record_key_bytes(&key), bytes_of(former_variable, FORMER_VARIABLE_BYTES),
                     err);
}

static void
a_variable_of_an_earlier_version_means_the_same_and_is_kept_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct variable_record out;
    struct store_snapshot *snapshot = NULL;
    bool found = false;
    size_t size = 0;
    uint8_t *bytes;

    memset(&out, 0xff, sizeof out);
    WORKS(try_write(f, put_former_variable, NULL), &f->err);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(record_get_variable(store_snapshot_view(snapshot), 5, "a/b", &found, &out, &f->err),
          &f->err);
    store_snapshot_drop(snapshot);
    assert_true(found && out.id == 7 && out.type.dtype == DTYPE_FLOAT32 && out.version == 4);
    assert_int_equal(out.partition.count, 3);
    assert_string_equal(out.device, "my device!");
    assert_string_equal(out.caching_device, "");
    assert_int_equal(out.part_devices.kind, VALUE_NONE);
    assert_true(record_texts_hold(&out.collections, bytes_of_text("variables")));
    /* Nothing is said of it that an earlier version would not know. */
    WORKS(try_write(f, put_variable_record, &out), &f->err);
    bytes = record_bytes(f, record_key_variable(5, "a/b"), &size);
    assert_int_equal(size, FORMER_VARIABLE_BYTES);
    assert_memory_equal(bytes, former_variable, size);
    free(bytes);
}

static void
no_byte_of_a_record_can_hurt(void **state)
{
    struct fixture *f = *state;
    struct variable_record variable = full_variable(), out;
    size_t size = 0, damaged = 0;
    uint8_t *bytes;

    WORKS(try_write(f, put_variable_record, &variable), &f->err);
    bytes = record_bytes(f, record_key_variable(5, "a/b"), &size);
    for (size_t i = 1; i < size; i++) {
        uint8_t old = bytes[i];

        bytes[i] = 0xff;
        damaged += record_decode_variable(bytes_of(bytes, size), &out, NULL) != OK;
        bytes[i] = old;
    }
    /* Numbers and texts may be any; lengths, ranks and kinds may not. */
    assert_in_range(damaged, 20, size / 4);
    free(bytes);
}

static void
texts_know_their_room(void **state)
{
    struct record_texts texts = {.size = 0};
    struct err err = ERR_INIT;
    struct bytes text;
    uint32_t offset = 0;
    uint8_t room[RECORD_LABELS_BYTES_MAX] = {0};

    (void)state;
    assert_false(record_texts_next(&texts, &offset, &text));
    WORKS(record_texts_add(&texts, "labels", bytes_of(room, sizeof room - 8), &err), &err);
    assert_int_equal(record_texts_add(&texts, "labels", bytes_of("a", 1), &err),
                     ERR_INVALID_ARGUMENT);
    err_clear(&err);
    WORKS(record_texts_add(&texts, "labels", bytes_of("", 0), &err), &err);
    assert_int_equal(record_texts_add(&texts, "labels", bytes_of("", 0), &err),
                     ERR_INVALID_ARGUMENT);
    assert_true(record_texts_hold(&texts, bytes_of("", 0)));
    assert_false(record_texts_hold(&texts, bytes_of("a", 1)));
    assert_true(record_texts_next(&texts, &offset, &text));
    assert_int_equal(text.size, sizeof room - 8);
    assert_true(record_texts_next(&texts, &offset, &text));
    assert_false(record_texts_next(&texts, &offset, &text));
}

static void
keys_hold_the_longest_names_and_sort_as_lists_want_them(void **state)
{
    char longest[NAME_TENSOR_BYTES_MAX + 1];
    struct record_key a, b;

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[NAME_TENSOR_BYTES_MAX] = '\0';
    a = record_key_tensor(UINT64_MAX, bytes_of_text(longest));
    assert_string_equal((const char *)record_key_name(record_key_bytes(&a)).data, longest);
    a = record_key_order(1, 7);
    b = record_key_order(1, 8);
    assert_true(bytes_compare(record_key_bytes(&b), record_key_bytes(&a)) < 0);
    b = record_key_orders(1);
    assert_true(bytes_start_with(record_key_bytes(&a), record_key_bytes(&b)));
    a = record_key_variable(255, "b");
    b = record_key_variable(256, "a");
    assert_true(bytes_compare(record_key_bytes(&a), record_key_bytes(&b)) < 0);
    a = record_key_model("m");
    assert_int_equal(record_key_name(record_key_bytes(&a)).size, 1);
    a = record_key_variable(1, "");
    assert_int_equal(record_key_name(record_key_bytes(&a)).size, 0);
}

static enum err_code
put_old_model(struct store_txn *txn, void *context, struct err *err)
{
    const struct record_key key = record_key_model("m");

    (void)context;
    return store_put(txn, record_key_bytes(&key), bytes_of("\001 as it was", 12), err);
}

static void
records_of_another_version_are_told_at_once(void **state)
{
    struct fixture *f = *state;
    struct store_snapshot *snapshot = NULL;
    uint64_t revision;

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(record_check_format(store_snapshot_view(snapshot), &f->err), &f->err);
    store_snapshot_drop(snapshot);
    WORKS(store_update(f->store, put_old_model, NULL, NULL, &revision, &f->err), &f->err);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    assert_int_equal(record_check_format(store_snapshot_view(snapshot), &f->err), ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.text, "records have format 1"));
    err_clear(&f->err);
    store_snapshot_drop(snapshot);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_largest_variable_fits_a_record_and_comes_back),
        STORE_TEST(a_value_that_does_not_fit_its_type_is_not_recorded),
        STORE_TEST(models_checkpoints_and_counters_come_back),
        STORE_TEST(a_cut_longer_or_newer_record_is_data_loss),
        STORE_TEST(parts_of_a_tensor_come_back_and_one_of_before_was_whole),
        STORE_TEST(a_variable_of_an_earlier_version_means_the_same_and_is_kept_as_it_was),
        STORE_TEST(no_byte_of_a_record_can_hurt),
        cmocka_unit_test(texts_know_their_room),
        cmocka_unit_test(keys_hold_the_longest_names_and_sort_as_lists_want_them),
        STORE_TEST(records_of_another_version_are_told_at_once),
    };

    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
