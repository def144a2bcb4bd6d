/* Devices of a partitioned variable's parts: kept beside its record, and what goes with it. */
#include "service/placement/partition_devices.h"
#include "service/placement/task_usage.h"
#include "service/state.h"
#include "tests/unit/service/draft_fixture.h"

static const char *const spread[] = {"/job:ps/task:0", "/job:ps/task:1", ""};

struct placing {
    const char *name;
    const char *const *each;
    const char *device;
};

/* Gives a variable of the model other devices. */
static enum err_code
place_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct placing *p = context;
    struct variable_record record;
    struct model_record model;

    TRY(service_find_model(store_txn_view(txn), MODEL, &model, err));
    TRY(service_find_variable(store_txn_view(txn), model.id, p->name, &record, err));
    TRY(value_release(txn, &record.part_devices, err));
    TRY(partition_devices_write(txn, p->each, record.partition.count, p->device,
                                &record.part_devices, err));
    snprintf(record.device, sizeof record.device, "%s", p->device);
    return record_put_variable(txn, model.id, p->name, &record, err);
}

static enum err_code
try_place(struct domain *d, struct placing placing)
{
    return service_commit(d->service, place_unit, &placing, NULL, NULL, NULL, &d->f->err);
}

static void
create_in_parts(struct domain *d, const char *name, uint64_t parts)
{
    struct variable_spec spec = spec_named(name);
    struct shape shape = exprs_shape(2, parts, 2);

    spec.dtype = DTYPE_FLOAT32;
    spec.shape = &shape;
    spec.partition = partition_spec_default(PARTITION_SLICING);
    spec.partition.slicing = exprs_shape(2, parts, 1);
    WORKS(try_create(d, spec, NULL), &d->f->err);
}

/* Drop them. */
static enum err_code
try_read(struct domain *d, const char *name, struct variable_record *record,
         struct partition_devices *out)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    struct model_record model;

    TRY(store_snapshot_open(d->f->store, &snapshot, &d->f->err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, MODEL, &model, &d->f->err));
    TRY(service_find_variable(view, model.id, name, record, &d->f->err));
    return partition_devices_read(view, record, out, &d->f->err);
}

static void
parts_must_be(struct domain *d, const char *name, const char *const *each, uint32_t count)
{
    AUTO(partition_devices) devices = {.count = 0};
    struct variable_record record;

    WORKS(try_read(d, name, &record, &devices), &d->f->err);
    assert_int_equal(record.partition.count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_string_equal(partition_devices_at(&devices, &record, i), each[i]);
}

static void
parts_are_where_the_variable_is_until_they_are_placed(void **state)
{
    static const char *const none[] = {"", "", ""};
    static const char *const together[] = {"/job:ps/task:1", "/job:ps/task:1", "/job:ps/task:1"};
    struct domain *d = *state;

    create_in_parts(d, "w", 3);
    parts_must_be(d, "w", none, 3);
    WORKS(try_place(d, (struct placing){"w", spread, "/job:ps"}), &d->f->err);
    domain_reopen(d);
    parts_must_be(d, "w", spread, 3);
    WORKS(try_place(d, (struct placing){"w", together, "/job:ps/task:1"}), &d->f->err);
    parts_must_be(d, "w", together, 3);
    assert_int_equal(info_of_variable(d, "w").record.part_devices.kind, VALUE_NONE);
    create_in_parts(d, "one", 1);
    parts_must_be(d, "one", none, 1);
}

/* As many as there may be, each as long as it may be: more than a record holds. */
static void
the_most_parts_have_the_longest_devices(void **state)
{
    struct domain *d = *state;
    char *texts = calloc(PARTITION_PARTS_MAX, RECORD_DEVICE_BYTES_MAX + 1);
    const char **each = calloc(PARTITION_PARTS_MAX, sizeof *each);

    assert_true(texts != NULL && each != NULL);
    for (int i = 0; i < PARTITION_PARTS_MAX; i++) {
        char *text = texts + (size_t)i * (RECORD_DEVICE_BYTES_MAX + 1);

        memset(text, 'd', RECORD_DEVICE_BYTES_MAX);
        text[i % RECORD_DEVICE_BYTES_MAX] = 'x';
        each[i] = text;
    }
    create_in_parts(d, "w", PARTITION_PARTS_MAX);
    WORKS(try_place(d, (struct placing){"w", each, ""}), &d->f->err);
    domain_reopen(d);
    parts_must_be(d, "w", each, PARTITION_PARTS_MAX);
    delete_variable(d, "w");
    assert_int_equal(chunks(d), 0);
    free(each);
    free(texts);
}

static void
devices_of_parts_go_with_the_variable_and_with_the_model(void **state)
{
    struct domain *d = *state;
    uint64_t before = records(d);

    create_in_parts(d, "w", 3);
    WORKS(try_place(d, (struct placing){"w", spread, "/job:ps"}), &d->f->err);
    delete_variable(d, "w");
    create_in_parts(d, "w", 3);
    WORKS(try_place(d, (struct placing){"w", spread, "/job:ps"}), &d->f->err);
    delete_model(d);
    assert_in_range(records(d), 0, before);
}

/* --- what does not fit ------------------------------------------------------------------------ */

struct damage {
    struct bytes texts;
    bool none; /* of no parts at all */
};

static enum err_code
damage_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct damage *damage = context;
    struct variable_record record;
    struct model_record model;

    TRY(service_find_model(store_txn_view(txn), MODEL, &model, err));
    TRY(service_find_variable(store_txn_view(txn), model.id, "w", &record, err));
    TRY(value_release(txn, &record.part_devices, err));
    record.part_devices = (struct value_ref){.kind = VALUE_NONE};
    if (!damage->none)
        TRY(value_write(txn, damage->texts, STORE_CLASS_ROWS, &record.part_devices, err));
    return record_put_variable(txn, model.id, "w", &record, err);
}

static void
damage_of_them_is_told_and_hurts_nothing(void **state)
{
    static const float values[6];
    char longer[RECORD_DEVICE_BYTES_MAX + 1 + 3] = {0};
    struct domain *d = *state;
    struct damage bad[] = {
        {.texts = bytes_of("", 0)},        {.texts = bytes_of("a\0b\0", 4)},
        {.texts = bytes_of("a\0b\0c", 5)}, {.texts = bytes_of("a\0b\0c\0d\0", 8)},
        {.texts = bytes_of("abc", 3)},     {.texts = bytes_of(longer, sizeof longer)},
    };
    struct damage mended = {.none = true};
    struct variable_info *info = calloc(1, sizeof *info);

    assert_non_null(info);
    memset(longer, 'd', RECORD_DEVICE_BYTES_MAX + 1);
    create_in_parts(d, "w", 3);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        AUTO(partition_devices) devices = {.count = 0};
        struct variable_record record;

        WORKS(service_commit(d->service, damage_unit, &bad[i], NULL, NULL, NULL, &d->f->err),
              &d->f->err);
        FAILS(try_read(d, "w", &record, &devices), ERR_DATA_LOSS, &d->f->err);
        FAILS(try_update_literal(d, "w", VARIABLE_ASSIGN, DTYPE_FLOAT32, exprs_shape(2, 3, 2),
                                 values),
              ERR_DATA_LOSS, &d->f->err);
        WORKS(variable_get(d->service, MODEL, "w", info, &d->f->err), &d->f->err);
        assert_true(info->part_devices.damaged);
        variable_info_drop(info);
        assert_int_equal(findings(d), 1);
    }
    WORKS(service_commit(d->service, damage_unit, &mended, NULL, NULL, NULL, &d->f->err),
          &d->f->err);
    free(info);
}

static void
what_has_damaged_ones_is_counted_and_can_be_deleted(void **state)
{
    struct domain *d = *state;
    struct damage bad = {.texts = bytes_of("abc", 3)};
    AUTO(task_usages) usages = {.count = 0};
    uint64_t before = records(d);

    create_in_parts(d, "w", 3);
    WORKS(service_commit(d->service, damage_unit, &bad, NULL, NULL, NULL, &d->f->err), &d->f->err);
    WORKS(task_usages_read(d->service, UINT64_MAX, &usages, &d->f->err), &d->f->err);
    assert_int_equal(usages.tasks[0].variables, 1);
    delete_variable(d, "w");
    delete_model(d);
    assert_in_range(records(d), 0, before);
}

/* --- state of partitioned variables ------------------------------------------------------------
 */

static enum err_code
make_slot(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable *w = NULL, *slot = NULL;
    struct draft_variable_spec spec = {.name = "w/Momentum", .type = {.dtype = DTYPE_FLOAT32}};

    (void)context;
    TRY(draft_find(draft, "w", &w, err));
    spec.type.shape = w->form.type.shape;
    spec.like = w;
    return draft_make_variable(draft, &spec, &slot, err);
}

static void
what_is_kept_for_a_variable_has_its_parts_where_its_parts_are(void **state)
{
    struct domain *d = *state;

    for (int ahead = 0; ahead < 2; ahead++) {
        create_in_parts(d, "w", 3);
        WORKS(try_place(d, (struct placing){"w", spread, "/job:ps"}), &d->f->err);
        WORKS(try_draft(d, ahead, make_slot, NULL), &d->f->err);
        parts_must_be(d, "w/Momentum", spread, 3);
        assert_string_equal(info_of_variable(d, "w/Momentum").record.device, "/job:ps");
        delete_variable(d, "w");
        delete_variable(d, "w/Momentum");
    }
}

static void
w_moves(struct domain *d)
{
    static const char *const elsewhere[] = {"/job:ps/task:0", "/job:ps/task:1", "/job:ps/task:2"};

    WORKS(try_place(d, (struct placing){"w", elsewhere, "/job:ps"}), &d->f->err);
}

static void
w_moves_as_a_whole(struct domain *d)
{
    static const char *const together[] = {"/job:ps", "/job:ps", "/job:ps"};

    WORKS(try_place(d, (struct placing){"w", together, "/job:ps"}), &d->f->err);
}

static void
one_that_moves_meanwhile_is_not_what_it_was(void **state)
{
    void (*const between[])(struct domain *) = {w_moves, w_moves_as_a_whole};
    struct domain *d = *state;

    create_in_parts(d, "w", 3);
    for (size_t i = 0; i < 2; i++) {
        struct drafting w = {.d = d, .make = make_slot, .between = between[i]};

        WORKS(try_place(d, (struct placing){"w", spread, "/job:ps"}), &d->f->err);
        REFUSES(drafting_ahead(&w), ERR_CONFLICT, "'w' changed meanwhile", &d->f->err);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(parts_are_where_the_variable_is_until_they_are_placed),
        DOMAIN_TEST(the_most_parts_have_the_longest_devices),
        DOMAIN_TEST(devices_of_parts_go_with_the_variable_and_with_the_model),
        DOMAIN_TEST(damage_of_them_is_told_and_hurts_nothing),
        DOMAIN_TEST(what_has_damaged_ones_is_counted_and_can_be_deleted),
        DOMAIN_TEST(what_is_kept_for_a_variable_has_its_parts_where_its_parts_are),
        DOMAIN_TEST(one_that_moves_meanwhile_is_not_what_it_was),
    };

    return cmocka_run_group_tests_name("partition_devices", tests, NULL, NULL);
}
