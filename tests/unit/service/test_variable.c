/* Variables: what creation decides, refuses and leaves; names made unique; deletion. */
#include "tests/unit/service/service_fixture.h"

static enum err_code
create_many(struct domain *d, const struct variable_spec *specs, size_t count,
            const struct write_options *options, struct variable_info *infos)
{
    uint64_t revision;

    return variable_create(d->service, MODEL, specs, count, options, infos, &revision, &d->f->err);
}

static struct variable_spec
spec_of(const char *name, enum dtype dtype, const struct shape *shape)
{
    struct variable_spec spec = spec_named(name);

    spec.dtype = dtype;
    spec.shape = shape;
    return spec;
}

static void
a_created_variable_is_what_was_asked_for(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct variable_spec spec = spec_named("layer/w");
    struct device_scope scope = {.resets = false};
    struct variable_info info;

    (void)exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(2, 3, 5));
    assert_int_equal(device_spec_parse("/cpu:0", &scope.spec, &d->f->err), OK);
    spec.scopes = (struct variable_scopes){.around = &scope, .count = 1};
    WORKS(try_create(d, spec, &tree), &d->f->err);
    info = info_of_variable(d, "layer/w");
    assert_string_equal(info.name, "layer/w");
    assert_int_equal(info.record.type.dtype, DTYPE_FLOAT32);
    assert_int_equal(info.size, 15);
    assert_int_equal(info.bytes, 60);
    assert_false(info.initialized);
    assert_true(info.record.trainable && info.record.validate_shape);
    assert_int_equal(info.record.version, 0);
    assert_int_equal(info.record.revision, service_revision(d->service));
    assert_int_equal(info.record.created_revision, info.record.revision);
    assert_string_equal(info.record.device, "/device:CPU:0");
    assert_string_equal(variable_info_assigned(&info, info.record.device)->name,
                        "/job:localhost/replica:0/task:0/cpu:0");
    assert_null(variable_info_assigned(&info, "/device:GPU:0"));
    assert_true(record_texts_hold(&info.record.collections, bytes_of_text("variables")));
    assert_true(record_texts_hold(&info.record.collections, bytes_of_text("trainable_variables")));
    assert_int_equal(usage_of_model(d).variables, 1);
    assert_int_equal(usage_of_model(d).initialized, 0);
}

static void
several_are_created_together_or_not_at_all(void **state)
{
    struct domain *d = *state;
    struct shape shape = exprs_shape(1, 2);
    struct variable_spec specs[4] = {
        spec_of("a", DTYPE_FLOAT32, &shape),
        spec_of("b", DTYPE_INT8, &shape),
        spec_of("a/../c", DTYPE_INT8, &shape),
        spec_of("d", DTYPE_INT8, &shape),
    };
    struct variable_info *infos = calloc(4, sizeof *infos);
    struct expr_tree twice = tree_new();
    uint64_t revision = service_revision(d->service), before = records(d);

    FAILS(create_many(d, specs, 4, NULL, infos), ERR_INVALID_ARGUMENT, &(struct err){0});
    assert_int_equal(d->f->err.failed_operation, 2);
    assert_string_equal(d->f->err.about, "a/../c");
    err_clear(&d->f->err);
    assert_int_equal(records(d), before);
    assert_int_equal(service_revision(d->service), revision);
    specs[2].name = "a";
    REFUSES(create_many(d, specs, 4, NULL, infos), ERR_ALREADY_EXISTS, "'a' exists already",
            &d->f->err);
    /* One may read what another of the same request declares. */
    (void)exprs_op(&twice, "add", 2, exprs_variable(&twice, "a", true),
                   exprs_variable(&twice, "a", true));
    specs[2] = spec_named("twice");
    specs[2].initial_value = &twice;
    WORKS(create_many(d, specs, 4, NULL, infos), &d->f->err);
    assert_int_equal(service_revision(d->service), revision + 1);
    assert_int_equal(infos[2].record.type.shape.dims[0], 2);
    for (size_t i = 0; i < 4; i++)
        variable_info_drop(&infos[i]);
    expr_tree_drop(&twice);
    free(infos);
}

static void
names_are_made_unique_as_tensorflow_does(void **state)
{
    static const char *const expected[] = {"w", "w_2", "w_3", "Variable", "Variable_1", "w_1_1"};
    struct domain *d = *state;
    struct shape shape = scalar();
    struct variable_spec specs[6];
    struct variable_info *infos = calloc(6, sizeof *infos);

    for (size_t i = 0; i < 6; i++) {
        specs[i] = spec_of(i < 3 ? "w" : i < 5 ? NULL : "w_1", DTYPE_INT32, &shape);
        specs[i].uniquify = i < 3 || i == 5;
    }
    declare(d, "w_1", DTYPE_BOOL, scalar());
    WORKS(create_many(d, specs, 6, NULL, infos), &d->f->err);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(infos[i].name, expected[i]);
    /* A number is not given again, so a name once seen stays what it was. */
    delete_variable(d, "w");
    delete_variable(d, "w_3");
    WORKS(create_many(d, specs, 1, NULL, infos), &d->f->err);
    assert_string_equal(infos[0].name, "w_4");
    FAILS(try_create(d, spec_of("w_4", DTYPE_INT32, &shape), NULL), ERR_ALREADY_EXISTS, &d->f->err);
    free(infos);
}

static void
a_unique_name_that_would_be_too_long_is_refused(void **state)
{
    struct domain *d = *state;
    char name[NAME_BYTES_MAX + 1];
    struct shape shape = scalar();
    struct variable_spec spec = spec_of(name, DTYPE_INT32, &shape);

    memset(name, 'n', NAME_BYTES_MAX);
    name[NAME_BYTES_MAX] = '\0';
    spec.uniquify = true;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    REFUSES(try_create(d, spec, NULL), ERR_INVALID_ARGUMENT, "over 255 bytes", &d->f->err);
    assert_int_equal(usage_of_model(d).variables, 1);
}

static void
dtype_and_shape_must_agree_with_the_initial_value(void **state)
{
    struct domain *d = *state;
    static const float data[] = {1, 2, 3};
    struct shape wrong = exprs_shape(2, 3, 1), right = exprs_shape(1, 3);
    struct variable_spec spec = spec_of("v", DTYPE_INT32, NULL);
    struct expr_tree tree = tree_new();

    (void)exprs_float32(&tree, exprs_shape(1, 3), data);
    REFUSES(try_create(d, spec, &tree), ERR_INVALID_ARGUMENT, "declared int32", &d->f->err);
    tree = tree_new();
    (void)exprs_float32(&tree, exprs_shape(1, 3), data);
    spec = spec_of("v", DTYPE_FLOAT32, &wrong);
    REFUSES(try_create(d, spec, &tree), ERR_INVALID_ARGUMENT,
            "declared with shape [3,1], its initial value has [3]", &d->f->err);
    tree = tree_new();
    (void)exprs_weak_int(&tree, 7);
    spec = spec_of("v", DTYPE_FLOAT64, NULL);
    WORKS(try_create(d, spec, &tree), &d->f->err);
    assert_int_equal(info_of_variable(d, "v").record.type.dtype, DTYPE_FLOAT64);
    tree = tree_new();
    (void)exprs_float32(&tree, exprs_shape(1, 3), data);
    WORKS(try_create(d, spec_of("u", DTYPE_FLOAT32, &right), &tree), &d->f->err);
}

static void
without_initial_value_dtype_and_shape_are_needed(void **state)
{
    struct domain *d = *state;
    struct shape shape = exprs_shape(1, 3), absurd = {.rank = 2};
    struct variable_spec spec = spec_of("v", DTYPE_UNSET, &shape);

    REFUSES(try_create(d, spec, NULL), ERR_INVALID_ARGUMENT, "initial_value must be specified",
            &d->f->err);
    spec = spec_of("v", DTYPE_FLOAT32, NULL);
    FAILS(try_create(d, spec, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
    absurd.dims[0] = UINT64_MAX;
    absurd.dims[1] = 2;
    FAILS(try_create(d, spec_of("v", DTYPE_FLOAT32, &absurd), NULL), ERR_INVALID_ARGUMENT,
          &d->f->err);
    spec.validate_shape = false;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    assert_false(info_of_variable(d, "v").record.shape_known);
    assert_int_equal(info_of_variable(d, "v").size, 0);
}

static void
without_validate_shape_the_shape_is_open_until_assigned(void **state)
{
    struct domain *d = *state;
    static const float data[] = {1, 2, 3, 4, 5, 6};
    struct variable_spec spec = spec_named("v");
    struct expr_tree tree = tree_new(), reader = tree_new();
    struct tensor_type type;
    uint64_t revision;

    (void)exprs_float32(&tree, exprs_shape(1, 6), data);
    spec.validate_shape = false;
    WORKS(try_create(d, spec, &tree), &d->f->err);
    WORKS(variable_type(d->service, MODEL, "v", &type, &revision, &d->f->err), &d->f->err);
    assert_int_equal(type.shape.rank, 0);
    assert_int_equal(type.dtype, DTYPE_FLOAT32);
    (void)exprs_variable(&reader, "v", true);
    FAILS(try_create(d, spec_named("reader"), &reader), ERR_FAILED_PRECONDITION, &d->f->err);
    assign(d, "v", DTYPE_FLOAT32, exprs_shape(2, 2, 3), data);
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(2, 2, 3), data, sizeof data);
    assign(d, "v", DTYPE_FLOAT32, exprs_shape(1, 2), data);
    assert_int_equal(info_of_variable(d, "v").size, 2);
    initialize_all(d);
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(1, 6), data, sizeof data);
    assert_int_equal(usage_of_model(d).bytes, sizeof data);
}

static void
collections_are_the_default_ones_or_those_given(void **state)
{
    struct domain *d = *state;
    const char *const local[] = {"local_variables", "x", "x"}, *huge[1];
    char *text = calloc(1, 5000);
    struct shape shape = scalar();
    struct variable_spec spec = spec_of("a", DTYPE_INT32, &shape);
    struct record_texts kept;
    uint32_t offset = 0, count = 0;
    struct bytes each;

    spec.trainable = false;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    assert_int_equal(info_of_variable(d, "a").record.collections.size, 4 + strlen("variables"));
    spec = spec_of("b", DTYPE_INT32, &shape);
    spec.collections = local;
    spec.collection_count = 3;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    kept = info_of_variable(d, "b").record.collections;
    while (record_texts_next(&kept, &offset, &each))
        count++;
    assert_int_equal(count, 4); /* both x, and trainable_variables */
    assert_false(record_texts_hold(&kept, bytes_of_text("variables")));
    spec.name = "c";
    spec.collection_count = 0;
    spec.trainable = false;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    assert_int_equal(info_of_variable(d, "c").record.collections.size, 0);
    memset(text, 't', 2045);
    huge[0] = text;
    spec.name = "d";
    spec.collections = huge;
    spec.collection_count = 1;
    REFUSES(try_create(d, spec, NULL), ERR_INVALID_ARGUMENT, "collections take more than 2048",
            &d->f->err);
    memset(text, 't', 4999);
    FAILS(try_create(d, spec, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
    free(text);
}

static void
no_elements_count_as_initialized(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct initialize_report report;

    declare(d, "empty", DTYPE_FLOAT32, exprs_shape(2, 0, 4));
    declare(d, "texts", DTYPE_STRING, exprs_shape(1, 0));
    (void)exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(2, 7, 0));
    create(d, "zeros", &tree);
    assert_true(is_initialized(d, "empty") && is_initialized(d, "texts"));
    must_be(d, "zeros", DTYPE_FLOAT32, exprs_shape(2, 7, 0), NULL, 0);
    assert_int_equal(usage_of_model(d).initialized, 3);
    (void)save(d, "c");
    WORKS(try_initialize(d, (struct initialize_spec){.only_uninitialized = true}, &report),
          &d->f->err);
    assert_int_equal(report.initialized_count, 0);
    assert_int_equal(report.skipped_count, 3);
    initialize_report_drop(&report);
    initialize_all(d);
    delete_variable(d, "empty");
    assert_int_equal(usage_of_model(d).initialized, 2);
}

static void
names_that_an_initial_value_reads_must_be_there(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct variable_spec specs[2] = {spec_named("first"), spec_named("second")};
    struct variable_info *infos = calloc(2, sizeof *infos);

    (void)exprs_variable(&tree, "absent", false);
    REFUSES(try_create(d, spec_named("v"), &tree), ERR_NOT_FOUND, "'absent'", &d->f->err);
    tree = tree_new();
    (void)exprs_variable(&tree, "a/../b", true);
    FAILS(try_create(d, spec_named("v"), &tree), ERR_INVALID_ARGUMENT, &d->f->err);
    /* Only what comes earlier in a request is there. */
    tree = tree_new();
    (void)exprs_variable(&tree, "second", true);
    specs[0].initial_value = &tree;
    specs[1].dtype = DTYPE_INT32;
    FAILS(create_many(d, specs, 2, NULL, infos), ERR_NOT_FOUND, &(struct err){0});
    assert_int_equal(d->f->err.failed_operation, 0);
    err_clear(&d->f->err);
    expr_tree_drop(&tree);
    free(infos);
    assert_int_equal(usage_of_model(d).variables, 0);
}

static void
conditions_of_creation_and_deletion_are_kept(void **state)
{
    struct domain *d = *state;
    struct write_options fresh = {.if_none_match = true}, match = {.if_match = true};
    struct shape shape = scalar();
    struct variable_spec spec = spec_of("v", DTYPE_INT32, &shape);
    struct variable_info *info = calloc(1, sizeof *info);
    uint64_t revision = 0;

    WORKS(create_many(d, &spec, 1, &fresh, info), &d->f->err);
    REFUSES(create_many(d, &spec, 1, &fresh, info), ERR_PRECONDITION_FAILED, "'v' exists",
            &d->f->err);
    match.revisions = &revision;
    match.revision_count = 1;
    FAILS(variable_delete(d->service, MODEL, "v", &match, &revision, &d->f->err),
          ERR_PRECONDITION_FAILED, &d->f->err);
    revision = info->record.revision;
    WORKS(variable_delete(d->service, MODEL, "v", &match, &revision, &d->f->err), &d->f->err);
    FAILS(variable_delete(d->service, MODEL, "v", NULL, &revision, &d->f->err), ERR_NOT_FOUND,
          &d->f->err);
    FAILS(variable_delete(d->service, "absent", "v", NULL, &revision, &d->f->err), ERR_NOT_FOUND,
          &d->f->err);
    FAILS(variable_delete(d->service, MODEL, "", NULL, &revision, &d->f->err), ERR_INVALID_ARGUMENT,
          &d->f->err);
    free(info);
}

/* Larger than a commit may carry: it is staged. */
static void
a_big_written_out_initial_value_is_kept_and_freed(void **state)
{
    enum { COUNT = 800001 };
    struct domain *d = *state;
    uint8_t *data = some_bytes(COUNT * 4, 3);
    struct variable_info info;

    create_literal(d, "big", DTYPE_FLOAT32, exprs_shape(1, COUNT), data);
    assert_false(is_initialized(d, "big"));
    domain_reopen(d);
    WORKS(variable_get(d->service, MODEL, "big", &info, &d->f->err), &d->f->err);
    assert_int_equal(info.initial_value.root->literal.size, COUNT * 4);
    assert_int_equal(memcmp(info.initial_value.root->literal.data, data, COUNT * 4), 0);
    variable_info_drop(&info);
    initialize_all(d);
    must_be(d, "big", DTYPE_FLOAT32, exprs_shape(1, COUNT), data, COUNT * 4);
    delete_variable(d, "big");
    assert_int_equal(chunks(d), 0);
    free(data);
}

static void
declaring_a_huge_variable_costs_two_records(void **state)
{
    struct domain *d = *state;
    struct shape shape = {.rank = 2, .dims = {1000000, 1000000}};
    uint64_t before = records(d);

    declare(d, "huge", DTYPE_FLOAT32, shape);
    assert_int_equal(records(d), before + 2); /* its own and its place in the graph */
    assert_int_equal(chunks(d), 0);
    assert_true(info_of_variable(d, "huge").bytes == 4000000000000u);
    assert_int_equal(usage_of_model(d).bytes, 0);
}

static void
too_many_at_once_are_refused(void **state)
{
    struct domain *d = *state;
    struct shape shape = scalar();
    struct variable_spec specs[3];
    struct variable_info *infos = calloc(3, sizeof *infos);

    for (size_t i = 0; i < 3; i++)
        specs[i] = spec_of(NULL, DTYPE_INT32, &shape);
    d->limits.variables_per_request_max = 2;
    domain_restart(d);
    REFUSES(create_many(d, specs, 3, NULL, infos), ERR_INVALID_ARGUMENT, "the limit is 2",
            &d->f->err);
    WORKS(create_many(d, specs, 2, NULL, infos), &d->f->err);
    WORKS(create_many(d, specs, 0, NULL, infos), &d->f->err);
    free(infos);
}

static void
a_creation_that_runs_out_of_memory_leaves_nothing(void **state)
{
    enum { COUNT = 9000 };
    struct domain *d = *state;
    uint8_t *data = some_bytes(COUNT * 4, 3);
    uint64_t before = records(d), nth = 1;
    enum err_code code = ERR_NO_MEMORY;

    for (; nth < 2000 && code != OK; nth++) {
        struct expr_tree trees[2] = {tree_new(), tree_new()};
        struct variable_spec specs[2] = {spec_named("w"), spec_named("w")};
        struct variable_info *infos = calloc(2, sizeof *infos);

        (void)exprs_float32(&trees[0], exprs_shape(1, COUNT), (float *)(void *)data);
        (void)exprs_op(&trees[1], "add", 2, exprs_variable(&trees[1], "w", true),
                       exprs_weak_int(&trees[1], 1));
        specs[0].initial_value = &trees[0];
        specs[1].initial_value = &trees[1];
        specs[1].uniquify = true;
        (void)mem_fail_at(nth, 0);
        code = create_many(d, specs, 2, NULL, infos);
        (void)mem_fail_at(0, 0);
        for (size_t i = 0; i < 2; i++) {
            if (code == OK)
                variable_info_drop(&infos[i]);
            expr_tree_drop(&trees[i]);
        }
        free(infos);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_int_equal(records(d), before);
        assert_int_equal(chunks(d), 0);
    }
    assert_int_equal(code, OK);
    assert_in_range(nth, 5, 1999);
    assert_int_equal(usage_of_model(d).variables, 2);
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_created_variable_is_what_was_asked_for),
        DOMAIN_TEST(several_are_created_together_or_not_at_all),
        DOMAIN_TEST(names_are_made_unique_as_tensorflow_does),
        DOMAIN_TEST(a_unique_name_that_would_be_too_long_is_refused),
        DOMAIN_TEST(dtype_and_shape_must_agree_with_the_initial_value),
        DOMAIN_TEST(without_initial_value_dtype_and_shape_are_needed),
        DOMAIN_TEST(without_validate_shape_the_shape_is_open_until_assigned),
        DOMAIN_TEST(collections_are_the_default_ones_or_those_given),
        DOMAIN_TEST(no_elements_count_as_initialized),
        DOMAIN_TEST(names_that_an_initial_value_reads_must_be_there),
        DOMAIN_TEST(conditions_of_creation_and_deletion_are_kept),
        DOMAIN_TEST(a_big_written_out_initial_value_is_kept_and_freed),
        DOMAIN_TEST(declaring_a_huge_variable_costs_two_records),
        DOMAIN_TEST(too_many_at_once_are_refused),
        DOMAIN_TEST(a_creation_that_runs_out_of_memory_leaves_nothing),
    };

    return cmocka_run_group_tests_name("variable", tests, NULL, NULL);
}
