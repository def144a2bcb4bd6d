/* Variables in parts: what creation decides and refuses, what is recorded, and that a value goes in
 * and out whatever the slicing. */
#include "tests/unit/service/service_fixture.h"

static struct variable_spec
spec_sliced(const char *name, const struct shape *shape, struct shape slicing)
{
    struct variable_spec spec = spec_named(name);

    spec.dtype = DTYPE_FLOAT32;
    spec.shape = shape;
    spec.partition = partition_spec_default(PARTITION_SLICING);
    spec.partition.slicing = slicing;
    return spec;
}

static void
declare_sliced(struct domain *d, const char *name, struct shape shape, struct shape slicing)
{
    WORKS(try_create(d, spec_sliced(name, &shape, slicing), NULL), &d->f->err);
}

static void
partition_must_be(struct domain *d, const char *name, uint32_t axis, uint32_t count)
{
    struct variable_info info = info_of_variable(d, name);

    assert_int_equal(info.record.partition.axis, axis);
    assert_int_equal(info.record.partition.count, count);
}

static void
the_slicing_is_recorded_and_comes_back(void **state)
{
    struct domain *d = *state;

    declare_sliced(d, "w", exprs_shape(2, 20, 43), exprs_shape(2, 1, 4));
    declare_sliced(d, "one", exprs_shape(3, 2, 3, 1), exprs_shape(3, 1, 1, 1));
    declare_sliced(d, "many", exprs_shape(1, 5000), exprs_shape(1, PARTITION_PARTS_MAX));
    declare(d, "whole", DTYPE_FLOAT32, exprs_shape(1, 4));
    domain_reopen(d);
    partition_must_be(d, "w", 1, 4);
    partition_must_be(d, "one", 0, 1);
    partition_must_be(d, "many", 0, PARTITION_PARTS_MAX);
    partition_must_be(d, "whole", 0, 0);
}

/* What is decided is the variable's type, wherever it comes from. */
static void
a_partitioner_sees_the_initial_values_type(void **state)
{
    struct domain *d = *state;
    struct variable_spec spec = spec_named("w");
    struct expr_tree tree = tree_new();

    (void)exprs_set_dtype(
        exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(2, 6, 10)), "dtype",
        DTYPE_FLOAT64);
    spec.partition = partition_spec_default(PARTITION_VARIABLE_AXIS_SIZE);
    spec.partition.max_shard_bytes = 160; /* two rows of ten doubles */
    WORKS(try_create(d, spec, &tree), &d->f->err);
    partition_must_be(d, "w", 0, 3);
    initialize_all(d);
    assert_int_equal(info_of_variable(d, "w").record.value.size, 480);
}

/* partition/names, without scopes: the scope is part of the name that is made unique. */
static void
names_are_made_unique_as_those_of_other_variables(void **state)
{
    static const char *const expected[] = {"PartitionedVariable", "PartitionedVariable_1",
                                           "hi/PartitionedVariable", "hi/PartitionedVariable_1"};
    struct domain *d = *state;
    struct shape shape = exprs_shape(2, 2, 4);
    struct variable_spec plain = spec_named(NULL);
    char part[PARTITION_NAME_BYTES_MAX];

    for (int i = 0; i < 4; i++) {
        struct variable_spec spec =
            spec_sliced(i < 2 ? NULL : "hi/PartitionedVariable", &shape, exprs_shape(2, 1, 2));

        spec.uniquify = i >= 2;
        WORKS(try_create(d, spec, NULL), &d->f->err);
        partition_must_be(d, expected[i], 1, 2);
    }
    assert_string_equal(partition_part_name("hi/PartitionedVariable_1", 1, part),
                        "hi/PartitionedVariable_1/part_1");
    plain.dtype = DTYPE_FLOAT32;
    plain.shape = &shape;
    WORKS(try_create(d, plain, NULL), &d->f->err);
    partition_must_be(d, "Variable", 0, 0);
}

static void
what_cannot_be_divided_is_not_created(void **state)
{
    struct domain *d = *state;
    struct shape square = exprs_shape(2, 4, 4), single = scalar();
    struct variable_spec spec = spec_sliced("w", &square, exprs_shape(2, 2, 2));
    uint64_t revision = service_revision(d->service);
    struct expr_tree tree = tree_new();

    REFUSES(try_create(d, spec, NULL), ERR_INVALID_ARGUMENT,
            "Can only slice a variable along one dimension: shape: [4, 4], slicing: [2, 2]",
            &d->f->err);
    REFUSES(try_create(d, spec_sliced("w", &square, exprs_shape(2, 5, 1)), NULL),
            ERR_INVALID_ARGUMENT, "Cannot create 5 slices for size 4.", &d->f->err);
    REFUSES(try_create(d, spec_sliced("w", &single, scalar()), NULL), ERR_INVALID_ARGUMENT,
            "A partitioned Variable must have rank at least 1", &d->f->err);
    spec = spec_sliced("w", &square, exprs_shape(2, 2, 1));
    spec.validate_shape = false;
    REFUSES(try_create(d, spec, NULL), ERR_INVALID_ARGUMENT, "keeps its shape", &d->f->err);
    spec.shape = NULL;
    (void)exprs_weak_float(&tree, 1.0);
    REFUSES(try_create(d, spec, &tree), ERR_INVALID_ARGUMENT, "keeps its shape", &d->f->err);
    assert_int_equal(service_revision(d->service), revision);
    assert_int_equal(usage_of_model(d).variables, 0);
}

/* TensorFlow r1.0 has no assign for these; a whole or a part can be assigned here. */
static void
values_are_assigned_whole_or_by_part(void **state)
{
    static const float data[] = {1, 2, 3, 4, 5, 6}, part[] = {-5, -6},
                       both[] = {2, 4, 6, 8, -5, -6};
    struct domain *d = *state;
    struct variable_info info;
    struct partition_part second;
    struct memory_source memory = memory_of(part, sizeof part);
    struct tensor_source source = source_of(&memory);
    struct variable_assign_options how = {.keep_shape = true};
    struct tensor_type type = type_of(DTYPE_FLOAT32, exprs_shape(2, 1, 2));
    struct variable_change change;
    char slice[PARTITION_TEXT_BYTES_MAX];

    declare_sliced(d, "w", exprs_shape(2, 3, 2), exprs_shape(2, 2, 1));
    assign(d, "w", DTYPE_FLOAT32, exprs_shape(2, 3, 2), data);
    WORKS(
        try_update_literal(d, "w", VARIABLE_ASSIGN_ADD, DTYPE_FLOAT32, exprs_shape(2, 3, 2), data),
        &d->f->err);
    info = info_of_variable(d, "w");
    second = partition_part_of(&info.record.partition, &info.record.type.shape, 1);
    assert_true(shape_equal(&second.shape, &type.shape));
    how.slice = bytes_of_text(partition_part_slice(&second, slice));
    WORKS(variable_assign(d->service, MODEL, "w", &type, sizeof part, &source, &how, NULL, &change,
                          &d->f->err),
          &d->f->err);
    must_be(d, "w", DTYPE_FLOAT32, exprs_shape(2, 3, 2), both, sizeof both);
    partition_must_be(d, "w", 0, 2);
}

static void
the_shape_stays_even_without_validation(void **state)
{
    static const float data[] = {1, 2, 3};
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct run_report report;

    declare_sliced(d, "w", exprs_shape(1, 4), exprs_shape(1, 2));
    (void)exprs_float32(&tree, exprs_shape(1, 3), data);
    REFUSES(variable_update(d->service, MODEL, "w", VARIABLE_ASSIGN, &tree, false, NULL, &report,
                            &d->f->err),
            ERR_INVALID_ARGUMENT,
            "shape [4] expected, the value has [3] (a partitioned variable keeps its shape)",
            &d->f->err);
    expr_tree_drop(&tree);
    assert_false(is_initialized(d, "w"));
}

/* --- records ------------------------------------------------------------------------------- */

enum { PARTITION_AT = 1 + 8 + 1 + (4 + 8) + 1 }; /* format, id, dtype, a vector's shape, flags */

static void
replace_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void
a_recorded_partition_that_does_not_fit_is_data_loss(void **state)
{
    static const uint32_t bad[][2] = {{0, 0}, {0, 6}, {1, 1}, {0, UINT32_MAX}, {UINT32_MAX, 1}};
    struct domain *d = *state;
    struct store_snapshot *snapshot = NULL;
    struct model_record model;
    struct variable_record variable;
    struct record_key key;
    struct bytes record;
    uint8_t copy[STORE_RECORD_BYTES_MAX];
    size_t size;
    bool found = false;

    declare_sliced(d, "w", exprs_shape(1, 5), exprs_shape(1, 5));
    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(record_get_model(store_snapshot_view(snapshot), MODEL, &found, &model, &d->f->err),
          &d->f->err);
    key = record_key_variable(model.id, "w");
    WORKS(store_get(store_snapshot_view(snapshot), record_key_bytes(&key), &record, &d->f->err),
          &d->f->err);
    size = record.size;
    memcpy(copy, record.data, size);
    store_snapshot_drop(snapshot);
    WORKS(record_decode_variable(bytes_of(copy, size), &variable, &d->f->err), &d->f->err);
    assert_int_equal(variable.partition.count, 5);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        replace_u32(copy + PARTITION_AT, bad[i][0]);
        replace_u32(copy + PARTITION_AT + 4, bad[i][1]);
        REFUSES(record_decode_variable(bytes_of(copy, size), &variable, &d->f->err), ERR_DATA_LOSS,
                "damaged", &d->f->err);
    }
    replace_u32(copy + PARTITION_AT, 0);
    replace_u32(copy + PARTITION_AT + 4, 3);
    WORKS(record_decode_variable(bytes_of(copy, size), &variable, &d->f->err), &d->f->err);
    copy[PARTITION_AT - 1] &= (uint8_t)~1; /* a shape that is not known has no parts */
    FAILS(record_decode_variable(bytes_of(copy, size), &variable, &d->f->err), ERR_DATA_LOSS,
          &d->f->err);
}

static enum err_code
misfit_unit(struct store_txn *txn, void *context, struct err *err)
{
    return record_put_variable(txn, 1, "misfit", context, err);
}

static void
a_partition_that_does_not_fit_is_not_recorded(void **state)
{
    struct domain *d = *state;
    struct variable_record variable = {
        .type = type_of(DTYPE_INT8, exprs_shape(1, 2)),
        .shape_known = true,
        .partition = {.axis = 0, .count = 3},
    };
    struct store_update_options how = {0};
    uint64_t revision;

    REFUSES(store_update(d->f->store, misfit_unit, &variable, &how, &revision, &d->f->err),
            ERR_INTERNAL, "'misfit'", &d->f->err);
}

/* --- checkpoints --------------------------------------------------------------------------- */

/* slicing of rank 0: whole. */
static void
declare_any(struct domain *d, const char *name, struct shape shape, struct shape slicing)
{
    if (slicing.rank == 0)
        declare(d, name, DTYPE_FLOAT32, shape);
    else
        declare_sliced(d, name, shape, slicing);
}

static enum err_code
restore(struct domain *d, const char *checkpoint)
{
    struct checkpoint_restore_spec spec = {.name = checkpoint};
    struct restore_report report = {.revision = 0};
    enum err_code code = checkpoint_restore(d->service, MODEL, &spec, NULL, &report, &d->f->err);

    restore_report_drop(&report);
    return code;
}

/* A checkpoint holds one logical tensor. */
static void
a_checkpoint_is_restored_into_any_slicing(void **state)
{
    const struct shape shape = exprs_shape(2, 10, 3);
    const struct {
        const char *id;
        struct shape saved, restored;
    } cases[] = {
        {"partition/save[10, 1]-restore[2, 1]", exprs_shape(2, 10, 1), exprs_shape(2, 2, 1)},
        {"partition/save[10, 1]-restore[1, 3]", exprs_shape(2, 10, 1), exprs_shape(2, 1, 3)},
        {"partition/saveFull-restore[1, 3]", scalar(), exprs_shape(2, 1, 3)},
        {"whole again", exprs_shape(2, 10, 1), scalar()},
    };
    struct domain *d = *state;
    float data[30], zeros[30] = {0};
    char name[16];

    for (int i = 0; i < 30; i++)
        data[i] = (float)i;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("%s\n", cases[i].id);
        snprintf(name, sizeof name, "pv%zu", i);
        declare_any(d, "my_var", shape, cases[i].saved);
        assign(d, "my_var", DTYPE_FLOAT32, shape, data);
        (void)save(d, name);
        delete_variable(d, "my_var");
        declare_any(d, "my_var", shape, cases[i].restored);
        assign(d, "my_var", DTYPE_FLOAT32, shape, zeros);
        WORKS(restore(d, name), &d->f->err);
        must_be(d, "my_var", DTYPE_FLOAT32, shape, data, sizeof data);
        if (cases[i].restored.rank > 0)
            partition_must_be(d, "my_var", cases[i].restored.dims[0] == 1,
                              (uint32_t)shape_count(&cases[i].restored));
        delete_variable(d, "my_var");
    }
    declare_sliced(d, "my_var", exprs_shape(2, 3, 10), exprs_shape(2, 3, 1));
    REFUSES(restore(d, "pv0"), ERR_INVALID_ARGUMENT, "[3,10]", &d->f->err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(the_slicing_is_recorded_and_comes_back),
        DOMAIN_TEST(a_partitioner_sees_the_initial_values_type),
        DOMAIN_TEST(names_are_made_unique_as_those_of_other_variables),
        DOMAIN_TEST(what_cannot_be_divided_is_not_created),
        DOMAIN_TEST(values_are_assigned_whole_or_by_part),
        DOMAIN_TEST(the_shape_stays_even_without_validation),
        DOMAIN_TEST(a_recorded_partition_that_does_not_fit_is_data_loss),
        DOMAIN_TEST(a_partition_that_does_not_fit_is_not_recorded),
        DOMAIN_TEST(a_checkpoint_is_restored_into_any_slicing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
