/* Records of where things go: there and back, nothing written where nothing is said, damage
 * noticed.
 */
#include "service/record/record_parts.h"
#include "tests/unit/store/store_fixture.h"

/* A call of one of the put functions inside a unit. */
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

static void
keep(struct fixture *f, enum err_code (*writer)(struct store_txn *, const void *, struct err *),
     const void *record)
{
    struct writing writing = {writer, record};
    uint64_t revision;

    WORKS(store_update(f->store, write_unit, &writing, NULL, &revision, &f->err), &f->err);
}

static enum err_code
put_model(struct store_txn *txn, const void *record, struct err *err)
{
    return record_put_model(txn, "m", record, err);
}

static enum err_code
put_setter(struct store_txn *txn, const void *record, struct err *err)
{
    return record_put_setter(txn, 5, record, err);
}

static enum err_code
put_variable(struct store_txn *txn, const void *record, struct err *err)
{
    return record_put_variable(txn, 5, "v", record, err);
}

/* What lies under a key; owns: free. */
static uint8_t *
bytes_of_record(struct fixture *f, struct record_key key, size_t *size)
{
    struct store_snapshot *snapshot = NULL;
    struct bytes record;
    uint8_t *copy;

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(store_get(store_snapshot_view(snapshot), record_key_bytes(&key), &record, &f->err),
          &f->err);
    assert_non_null(record.data);
    copy = malloc(record.size);
    assert_non_null(copy);
    memcpy(copy, record.data, record.size);
    *size = record.size;
    store_snapshot_drop(snapshot);
    return copy;
}

static struct model_record
full_model(void)
{
    struct model_record r = {.id = 7, .created_ms = 1, .created_revision = 2};
    struct device_setter_args *args = &r.devices.placement;

    r.devices.allow_soft_placement = r.devices.has_placement = true;
    memset(r.devices.device, 'd', RECORD_DEVICE_BYTES_MAX);
    *args = (struct device_setter_args){.strategy = DEVICE_SETTER_GREEDY,
                                        .load = DEVICE_SETTER_OPS,
                                        .version = DEVICE_SETTER_1_15,
                                        .merge_devices = true,
                                        .has_ps_tasks = true,
                                        .ps_tasks = DEVICE_SETTER_TASKS_MAX,
                                        .has_cluster = true,
                                        .has_ps_ops = true};
    memset(args->ps_device, 'p', DEVICE_TEXT_BYTES_MAX);
    memset(args->worker_device, 'w', DEVICE_TEXT_BYTES_MAX);
    memset(args->cluster, 'c', DEVICE_SETTER_LIST_BYTES_MAX);
    memset(args->ps_ops, 'o', DEVICE_SETTER_LIST_BYTES_MAX);
    WORKS(record_texts_add(&r.labels, "labels", bytes_of("x", 1), NULL), &(struct err)ERR_INIT);
    return r;
}

static void
what_a_model_says_of_devices_comes_back(void **state)
{
    struct fixture *f = *state;
    struct model_record in = full_model(), out;
    char a[DEVICE_SETTER_LIST_BYTES_MAX + 1], b[DEVICE_SETTER_LIST_BYTES_MAX + 1];
    uint8_t *record;
    size_t size = 0;

    keep(f, put_model, &in);
    record = bytes_of_record(f, record_key_model("m"), &size);
    WORKS(record_decode_model(bytes_of(record, size), &out, &f->err), &f->err);
    assert_string_equal(out.devices.device, in.devices.device);
    assert_true(out.devices.allow_soft_placement && out.devices.has_placement);
    assert_null(device_setter_args_differ(&in.devices.placement, &out.devices.placement, a, b));
    assert_true(out.devices.placement.has_cluster && out.devices.placement.has_ps_ops);
    for (size_t cut = 1; cut < 40; cut++)
        FAILS(record_decode_model(bytes_of(record, size - cut), &out, &f->err), ERR_DATA_LOSS,
              &f->err);
    free(record);
}

static void
a_model_that_says_nothing_of_devices_is_recorded_as_before(void **state)
{
    struct fixture *f = *state;
    struct model_record in = {.id = 7, .has_seed = true, .seed = -1}, out;
    uint8_t *record;
    size_t size = 0;

    keep(f, put_model, &in);
    record = bytes_of_record(f, record_key_model("m"), &size);
    assert_int_equal(size, 1 + 8 + 1 + 8 + 1 + 1 + 8 + 8 + 4); /* its labels are the last field */
    memset(&out, 0xff, sizeof out);
    WORKS(record_decode_model(bytes_of(record, size), &out, &f->err), &f->err);
    assert_false(out.devices.allow_soft_placement || out.devices.has_placement);
    assert_string_equal(out.devices.device, "");
    free(record);
}

static void
what_was_drawn_comes_back(void **state)
{
    static struct device_setter_state in, out;
    struct fixture *f = *state;
    uint8_t *record;
    size_t size = 0;

    in.next = DEVICE_SETTER_TASKS_MAX - 1;
    in.load_count = DEVICE_SETTER_TASKS_MAX;
    for (uint32_t i = 0; i < in.load_count; i++)
        in.loads[i] = UINT64_MAX - i;
    keep(f, put_setter, &in);
    record = bytes_of_record(f, record_key_setter(5), &size);
    WORKS(record_decode_setter(bytes_of(record, size), &out, &f->err), &f->err);
    assert_memory_equal(&in, &out, sizeof in);
    FAILS(record_decode_setter(bytes_of(record, size - 1), &out, &f->err), ERR_DATA_LOSS, &f->err);
    record[5] = 0xff; /* more loads than there can be */
    record[6] = 0xff;
    FAILS(record_decode_setter(bytes_of(record, size), &out, &f->err), ERR_DATA_LOSS, &f->err);
    free(record);
}

static void
a_variable_tells_what_of_its_device_was_given_to_it(void **state)
{
    struct fixture *f = *state;
    struct variable_record in = {.id = 3, .shape_known = true}, out;
    uint8_t *record;
    size_t plain = 0, size = 0;

    snprintf(in.device, sizeof in.device, "%s", "/job:ps/task:1");
    keep(f, put_variable, &in);
    record = bytes_of_record(f, record_key_variable(5, "v"), &plain);
    memset(&out, 0xff, sizeof out);
    WORKS(record_decode_variable(bytes_of(record, plain), &out, &f->err), &f->err);
    assert_int_equal(out.placed, 0);
    free(record);
    in.placed = RECORD_PLACED_JOB | RECORD_PLACED_TASK;
    keep(f, put_variable, &in);
    record = bytes_of_record(f, record_key_variable(5, "v"), &size);
    assert_int_equal(size, plain + 1);
    WORKS(record_decode_variable(bytes_of(record, size), &out, &f->err), &f->err);
    assert_int_equal(out.placed, in.placed);
    assert_string_equal(out.device, in.device);
    free(record);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_model_says_of_devices_comes_back, fixture_open,
                                        fixture_close),
        cmocka_unit_test_setup_teardown(a_model_that_says_nothing_of_devices_is_recorded_as_before,
                                        fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(what_was_drawn_comes_back, fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(a_variable_tells_what_of_its_device_was_given_to_it,
                                        fixture_open, fixture_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
