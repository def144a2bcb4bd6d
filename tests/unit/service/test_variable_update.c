/* assign, assign_add and assign_sub of expressions: small ones inside the commit, big ones ahead
 * of it. */
#include "tests/unit/service/service_fixture.h"

enum { BIG = 500001 }; /* float32: about 2 MB, staged */

static enum err_code
update_filled(struct domain *d, const char *name, enum variable_update verb, float value, int count)
{
    struct expr_tree tree = filled(value, count);

    return try_update(d, name, verb, &tree);
}

static void
small_updates_change_value_version_and_revision(void **state)
{
    static const float a[] = {1, 2, 3}, b[] = {0.5f, -2, 1e30f}, sum[] = {1.5f, 0, 1e30f};
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct variable_change change;
    struct run_report report;

    declare(d, "v", DTYPE_FLOAT32, exprs_shape(1, 3));
    (void)exprs_float32(&tree, exprs_shape(1, 3), a);
    WORKS(variable_update(d->service, MODEL, "v", VARIABLE_ASSIGN, &tree, true, NULL, &report,
                          &d->f->err),
          &d->f->err);
    expr_tree_drop(&tree);
    change = only_change(&report);
    assert_string_equal(change.name, "v");
    assert_int_equal(change.version, 1);
    assert_int_equal(change.revision, service_revision(d->service));
    assert_int_equal(change.type.shape.dims[0], 3);
    assert_false(change.created);
    WORKS(try_update_literal(d, "v", VARIABLE_ASSIGN_ADD, DTYPE_FLOAT32, exprs_shape(1, 3), b),
          &d->f->err);
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(1, 3), sum, sizeof sum);
    WORKS(try_update_literal(d, "v", VARIABLE_ASSIGN_SUB, DTYPE_FLOAT32, exprs_shape(1, 3), sum),
          &d->f->err);
    assert_true(float_of(d, "v") == 0.0f);
    assert_int_equal(info_of_variable(d, "v").record.version, 3);
    assert_int_equal(usage_of_model(d).bytes, 12);
    assert_int_equal(usage_of_model(d).initialized, 1);
}

static void
big_updates_are_staged_and_exact(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1);
    float *old = (float *)(void *)data, *got;
    size_t size = 0;

    declare(d, "v", DTYPE_FLOAT32, exprs_shape(1, BIG));
    assign(d, "v", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    WORKS(update_filled(d, "v", VARIABLE_ASSIGN_ADD, 3.0f, BIG), &d->f->err);
    got = value_of(d, "v", &size);
    for (size_t i = 0; i < BIG; i++)
        assert_true(got[i] == old[i] + 3.0f);
    free(got);
    WORKS(update_filled(d, "v", VARIABLE_ASSIGN, -1.0f, BIG), &d->f->err);
    assert_int_equal(chunks(d), 0); /* a constant */
    WORKS(update_filled(d, "v", VARIABLE_ASSIGN_SUB, 4.0f, BIG), &d->f->err);
    must_be_filled(d, "v", -5.0f, BIG);
    assert_int_equal(info_of_variable(d, "v").record.version, 4);
    free(data);
}

static void
an_update_reads_other_variables_and_itself(void **state)
{
    static const int64_t one[] = {20}, two[] = {22}, sum[] = {62};
    struct domain *d = *state;
    struct expr_tree tree = tree_new();

    create_literal(d, "a", DTYPE_INT64, scalar(), one);
    create_literal(d, "b", DTYPE_INT64, scalar(), two);
    initialize_all(d);
    (void)exprs_op(&tree, "add", 2, exprs_variable(&tree, "a", false),
                   exprs_variable(&tree, "b", true));
    WORKS(try_update(d, "a", VARIABLE_ASSIGN_ADD, &tree), &d->f->err);
    must_be(d, "a", DTYPE_INT64, scalar(), sum, 8);
    declare(d, "c", DTYPE_INT64, scalar());
    tree = tree_new();
    (void)exprs_variable(&tree, "c", true);
    REFUSES(try_update(d, "a", VARIABLE_ASSIGN, &tree), ERR_FAILED_PRECONDITION, "'c'", &d->f->err);
    tree = tree_new();
    (void)exprs_variable(&tree, "absent", false);
    REFUSES(try_update(d, "a", VARIABLE_ASSIGN, &tree), ERR_NOT_FOUND, "'absent'", &d->f->err);
    must_be(d, "a", DTYPE_INT64, scalar(), sum, 8);
}

/* Not large, but too much to work through while others wait for the commit. */
static void
a_long_computation_of_a_small_value_is_done_ahead(void **state)
{
    enum { COUNT = 100000, TERMS = 30 };
    struct domain *d = *state;
    struct expr_tree tree = filled(0.0f, COUNT);
    struct expr *sum;

    create(d, "v", &tree);
    initialize_all(d);
    tree = tree_new();
    sum = exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(1, COUNT));
    for (int i = 1; i < TERMS; i++)
        sum = exprs_op(&tree, "add", 2, sum, exprs_weak_float(&tree, 1.0));
    tree.root = sum;
    WORKS(try_update(d, "v", VARIABLE_ASSIGN_ADD, &tree), &d->f->err);
    must_be_filled(d, "v", (float)TERMS, COUNT);
}

static void
what_does_not_fit_is_refused_and_changes_nothing(void **state)
{
    static const float data[] = {1, 2, 3, 4, 5, 6};
    static const uint8_t flags[] = {1, 0, 1};
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    uint64_t revision;

    create_literal(d, "v", DTYPE_FLOAT32, exprs_shape(2, 2, 3), data);
    create_literal(d, "flags", DTYPE_BOOL, exprs_shape(1, 3), flags);
    initialize_all(d);
    revision = service_revision(d->service);
    REFUSES(try_update_literal(d, "v", VARIABLE_ASSIGN, DTYPE_FLOAT32, exprs_shape(2, 3, 2), data),
            ERR_INVALID_ARGUMENT, "assign to 'v': shape [2,3] expected, the value has [3,2]",
            &d->f->err);
    REFUSES(try_update_literal(d, "v", VARIABLE_ASSIGN_ADD, DTYPE_FLOAT32, exprs_shape(1, 6), data),
            ERR_INVALID_ARGUMENT, "updates do not broadcast", &d->f->err);
    (void)exprs_weak_float(&tree, 1.0);
    FAILS(try_update(d, "v", VARIABLE_ASSIGN_SUB, &tree), ERR_INVALID_ARGUMENT, &d->f->err);
    REFUSES(try_update_literal(d, "v", VARIABLE_ASSIGN, DTYPE_FLOAT64, exprs_shape(2, 1, 1), data),
            ERR_INVALID_ARGUMENT, "dtype float32 expected, the value is float64", &d->f->err);
    REFUSES(
        try_update_literal(d, "flags", VARIABLE_ASSIGN_ADD, DTYPE_BOOL, exprs_shape(1, 3), flags),
        ERR_INVALID_ARGUMENT, "bool has no arithmetic", &d->f->err);
    FAILS(try_update_literal(d, "absent", VARIABLE_ASSIGN, DTYPE_BOOL, exprs_shape(1, 3), flags),
          ERR_NOT_FOUND, &d->f->err);
    FAILS(try_update_literal(d, "", VARIABLE_ASSIGN, DTYPE_BOOL, exprs_shape(1, 3), flags),
          ERR_INVALID_ARGUMENT, &d->f->err);
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(2, 2, 3), data, sizeof data);
    assert_int_equal(service_revision(d->service), revision);
}

static void
only_assign_may_be_the_first(void **state)
{
    static const int32_t data[] = {5};
    struct domain *d = *state;

    declare(d, "v", DTYPE_INT32, scalar());
    REFUSES(try_update_literal(d, "v", VARIABLE_ASSIGN_ADD, DTYPE_INT32, scalar(), data),
            ERR_FAILED_PRECONDITION, "Attempting to use uninitialized value v", &d->f->err);
    assign(d, "v", DTYPE_INT32, scalar(), data);
    WORKS(try_update_literal(d, "v", VARIABLE_ASSIGN_ADD, DTYPE_INT32, scalar(), data), &d->f->err);
}

static void
without_validation_assign_changes_the_shape_for_good(void **state)
{
    static const float data[] = {1, 2, 3, 4};
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct run_report report;

    create_literal(d, "v", DTYPE_FLOAT32, exprs_shape(1, 4), data);
    initialize_all(d);
    (void)exprs_float32(&tree, exprs_shape(2, 1, 2), data);
    WORKS(variable_update(d->service, MODEL, "v", VARIABLE_ASSIGN, &tree, false, NULL, &report,
                          &d->f->err),
          &d->f->err);
    expr_tree_drop(&tree);
    assert_int_equal(only_change(&report).type.shape.rank, 2);
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(2, 1, 2), data, 8);
    FAILS(try_update_literal(d, "v", VARIABLE_ASSIGN, DTYPE_FLOAT32, exprs_shape(1, 4), data),
          ERR_INVALID_ARGUMENT, &d->f->err);
    assert_int_equal(usage_of_model(d).bytes, 8);
}

static void
strings_of_any_size_are_assigned_whole(void **state)
{
    static const char *const texts[] = {"", "a\tb", "zwölf", NULL};
    struct domain *d = *state;
    uint8_t small[64], *big = calloc(1, 3000004);
    size_t small_size = strings_of(small, texts);
    uint32_t length = 3000000;
    struct expr_tree tree = tree_new();

    declare(d, "s", DTYPE_STRING, exprs_shape(1, 3));
    declare(d, "big", DTYPE_STRING, scalar());
    (void)exprs_strings(&tree, exprs_shape(1, 3), small, small_size);
    WORKS(try_update(d, "s", VARIABLE_ASSIGN, &tree), &d->f->err);
    must_be(d, "s", DTYPE_STRING, exprs_shape(1, 3), small, small_size);
    memcpy(big, &length, 4);
    memset(big + 4, 'x', length);
    for (int i = 0; i < 2; i++) {
        tree = tree_new();
        (void)exprs_strings(&tree, scalar(), big, 4 + (size_t)length);
        WORKS(try_update(d, "big", VARIABLE_ASSIGN, &tree), &d->f->err);
    }
    must_be(d, "big", DTYPE_STRING, scalar(), big, 4 + (size_t)length);
    /* One string variable's value into another. */
    declare(d, "copy", DTYPE_STRING, scalar());
    tree = tree_new();
    (void)exprs_variable(&tree, "big", false);
    WORKS(try_update(d, "copy", VARIABLE_ASSIGN, &tree), &d->f->err);
    must_be(d, "copy", DTYPE_STRING, scalar(), big, 4 + (size_t)length);
    tree = tree_new();
    (void)exprs_strings(&tree, exprs_shape(1, 3), small, small_size);
    FAILS(try_update(d, "s", VARIABLE_ASSIGN_ADD, &tree), ERR_INVALID_ARGUMENT, &d->f->err);
    d->limits.expression_bytes_max = 1000000;
    domain_restart(d);
    tree = tree_new();
    (void)exprs_variable(&tree, "big", false);
    FAILS(try_update(d, "copy", VARIABLE_ASSIGN, &tree), ERR_PAYLOAD_TOO_LARGE, &d->f->err);
    assert_int_equal(usage_of_model(d).bytes, small_size + 2 * (4 + (size_t)length));
    free(big);
}

static void
conditions_of_updates_are_kept(void **state)
{
    struct domain *d = *state;
    uint64_t revision = 1;
    struct write_options match = {.if_match = true, .revisions = &revision, .revision_count = 1};
    const int counts[] = {3, BIG};

    for (size_t i = 0; i < 2; i++) {
        struct expr_tree tree = filled(1.0f, counts[i]);
        struct run_report report;

        create(d, i == 0 ? "small" : "big", &tree);
        initialize_all(d);
        tree = filled(2.0f, counts[i]);
        revision = 1;
        FAILS(variable_update(d->service, MODEL, i == 0 ? "small" : "big", VARIABLE_ASSIGN_ADD,
                              &tree, true, &match, &report, &d->f->err),
              ERR_PRECONDITION_FAILED, &d->f->err);
        assert_null(report.results);
        revision = info_of_variable(d, i == 0 ? "small" : "big").record.revision;
        WORKS(variable_update(d->service, MODEL, i == 0 ? "small" : "big", VARIABLE_ASSIGN_ADD,
                              &tree, true, &match, &report, &d->f->err),
              &d->f->err);
        expr_tree_drop(&tree);
        (void)only_change(&report);
    }
}

static void
room_is_checked_before_anything_is_computed(void **state)
{
    struct domain *d = *state;
    struct shape shape = {.rank = 2, .dims = {1000000, 1000000}};
    struct expr_tree tree = tree_new();

    declare(d, "v", DTYPE_FLOAT32, shape);
    (void)exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", shape);
    REFUSES(try_update(d, "v", VARIABLE_ASSIGN, &tree), ERR_FULL, "tensor_max_bytes", &d->f->err);
    assert_int_equal(chunks(d), 0);
    d->limits.tensor_bytes_max = UINT64_MAX;
    domain_restart(d);
    tree = tree_new();
    (void)exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", shape);
    FAILS(try_update(d, "v", VARIABLE_ASSIGN, &tree), ERR_FULL, &d->f->err);
    tree = tree_new();
    (void)exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", shape);
    WORKS(try_update(d, "v", VARIABLE_ASSIGN, &tree), &d->f->err); /* costs nothing */
    assert_int_equal(chunks(d), 0);
}

/* --- memory ------------------------------------------------------------------------------------
 */

static void
fail_updates(struct domain *d, int size)
{
    struct expr_tree tree = filled(1.0f, size);
    uint64_t nth = 1, before;
    enum err_code code = ERR_NO_MEMORY;

    create(d, "v", &tree);
    initialize_all(d);
    WORKS(update_filled(d, "v", VARIABLE_ASSIGN_ADD, 1.0f, size), &d->f->err);
    before = chunks(d);
    for (; nth < 1000 && code != OK; nth++) {
        tree = filled(1.0f, size);
        (void)mem_fail_at(nth, 0);
        code = try_update(d, "v", VARIABLE_ASSIGN_ADD, &tree);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_true(float_of(d, "v") == 2.0f);
        assert_int_equal(chunks(d), before);
    }
    assert_in_range(nth, 5, 999);
    must_be_filled(d, "v", 3.0f, (size_t)size);
    assert_int_equal(chunks(d), before);
}

static void
a_small_update_that_runs_out_of_memory_changes_nothing(void **state)
{
    fail_updates(*state, 6000);
}

static void
a_staged_update_that_runs_out_of_memory_changes_nothing(void **state)
{
    fail_updates(*state, BIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(small_updates_change_value_version_and_revision),
        DOMAIN_TEST(big_updates_are_staged_and_exact),
        DOMAIN_TEST(an_update_reads_other_variables_and_itself),
        DOMAIN_TEST(a_long_computation_of_a_small_value_is_done_ahead),
        DOMAIN_TEST(what_does_not_fit_is_refused_and_changes_nothing),
        DOMAIN_TEST(only_assign_may_be_the_first),
        DOMAIN_TEST(without_validation_assign_changes_the_shape_for_good),
        DOMAIN_TEST(strings_of_any_size_are_assigned_whole),
        DOMAIN_TEST(conditions_of_updates_are_kept),
        DOMAIN_TEST(room_is_checked_before_anything_is_computed),
        DOMAIN_TEST(a_small_update_that_runs_out_of_memory_changes_nothing),
        DOMAIN_TEST(a_staged_update_that_runs_out_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests_name("variable_update", tests, NULL, NULL);
}
