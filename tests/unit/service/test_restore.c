/* Restoring: all, some, renamed, reshaped, made, from elsewhere; whole or not at all. */
#include "tests/unit/service/service_fixture.h"

enum { BIG = 300001 };

static enum err_code
restore(struct domain *d, struct checkpoint_restore_spec spec, struct restore_report *report)
{
    struct restore_report own = {.revision = 0};
    enum err_code code = checkpoint_restore(d->service, MODEL, &spec, NULL,
                                            report != NULL ? report : &own, &d->f->err);

    if (report == NULL)
        restore_report_drop(&own);
    return code;
}

/* a int32 5, b float32[2,3], w float32[BIG] 1.0, saved as "c" */
static const float b_data[] = {1, 2, 3, 4, 5, 6};

static void
make_saved(struct domain *d)
{
    static const int32_t a[] = {5};
    struct expr_tree tree = filled(1.0f, BIG);
    uint8_t *data = some_bytes(BIG * 4, 1);

    create_literal(d, "a", DTYPE_INT32, scalar(), a);
    create_literal(d, "b", DTYPE_FLOAT32, exprs_shape(2, 2, 3), b_data);
    create(d, "w", &tree);
    initialize_all(d);
    assign(d, "w", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    (void)save(d, "c");
    free(data);
}

static void
change_all(struct domain *d)
{
    static const int32_t six[] = {6};
    static const float zeros[6] = {0};
    struct expr_tree tree = filled(9.0f, BIG);

    assign(d, "a", DTYPE_INT32, scalar(), six);
    assign(d, "b", DTYPE_FLOAT32, exprs_shape(2, 2, 3), zeros);
    WORKS(try_update(d, "w", VARIABLE_ASSIGN, &tree), &d->f->err);
}

static void
must_be_restored(struct domain *d, bool a, bool b, bool w)
{
    static const float zeros[6] = {0};
    const int32_t expected = a ? 5 : 6;
    uint8_t *data = some_bytes(BIG * 4, 1);

    must_be(d, "a", DTYPE_INT32, scalar(), &expected, 4);
    must_be(d, "b", DTYPE_FLOAT32, exprs_shape(2, 2, 3), b ? b_data : zeros, sizeof zeros);
    if (w)
        must_be(d, "w", DTYPE_FLOAT32, exprs_shape(1, BIG), data, BIG * 4);
    else
        must_be_filled(d, "w", 9.0f, BIG);
    free(data);
}

static void
all_names_are_restored_without_copying(void **state)
{
    struct domain *d = *state;
    struct restore_report report;
    uint64_t before;

    make_saved(d);
    change_all(d);
    before = chunks(d);
    WORKS(restore(d, (struct checkpoint_restore_spec){.name = "c"}, &report), &d->f->err);
    assert_int_equal(report.restored.count, 3);
    assert_string_equal(report.restored.names[2].variable, "w");
    assert_int_equal(report.revision, service_revision(d->service));
    assert_int_equal(report.missing.count + report.unexpected.count + report.mismatched.count, 0);
    restore_report_drop(&report);
    must_be_restored(d, true, true, true);
    assert_int_equal(chunks(d), before);
    assert_int_equal(info_of_variable(d, "w").record.version, 4);
    assert_int_equal(info_of_variable(d, "w").record.revision, service_revision(d->service));
    /* Again, onto what it already is. */
    WORKS(restore(d, (struct checkpoint_restore_spec){.name = "c"}, NULL), &d->f->err);
    must_be_restored(d, true, true, true);
    /* And what is restored goes its own way. */
    change_all(d);
    must_be_restored(d, false, false, false);
    WORKS(restore(d, (struct checkpoint_restore_spec){.name = "c"}, NULL), &d->f->err);
}

static void
uninitialized_variables_are_restored_too(void **state)
{
    struct domain *d = *state;

    make_saved(d);
    delete_variable(d, "w");
    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, BIG));
    assert_int_equal(usage_of_model(d).initialized, 2);
    WORKS(restore(d, (struct checkpoint_restore_spec){.name = "c"}, NULL), &d->f->err);
    must_be_restored(d, true, true, true);
    assert_int_equal(usage_of_model(d).initialized, 3);
}

static void
a_subset_is_restored_and_the_rest_left(void **state)
{
    struct domain *d = *state;
    const struct checkpoint_pick picks[] = {{"a", "a"}, {"w", "w"}};

    make_saved(d);
    change_all(d);
    WORKS(restore(d, (struct checkpoint_restore_spec){.name = "c", .picks = picks, .pick_count = 2},
                  NULL),
          &d->f->err);
    must_be_restored(d, true, false, true);
    WORKS(restore(d, (struct checkpoint_restore_spec){.name = "c", .picks = picks}, NULL),
          &d->f->err);
}

static void
tensors_go_under_other_names(void **state)
{
    struct domain *d = *state;
    const struct checkpoint_pick picks[] = {{"b", "other"}}, map[] = {{"b", "other"}, {"", "x/"}};
    struct checkpoint_restore_spec spec = {.name = "c", .picks = picks, .pick_count = 1};
    struct restore_report report;

    make_saved(d);
    declare(d, "other", DTYPE_FLOAT32, exprs_shape(2, 2, 3));
    declare(d, "x/a", DTYPE_INT32, scalar());
    WORKS(restore(d, spec, NULL), &d->f->err);
    must_be(d, "other", DTYPE_FLOAT32, exprs_shape(2, 2, 3), b_data, sizeof b_data);
    spec = (struct checkpoint_restore_spec){
        .name = "c", .prefix_map = map, .prefix_map_count = 2, .on_extra = RESTORE_SKIP};
    WORKS(restore(d, spec, &report), &d->f->err);
    assert_int_equal(report.restored.count, 2);
    assert_string_equal(report.restored.names[0].variable, "x/a");
    assert_string_equal(report.unexpected.names[0].variable, "x/w");
    restore_report_drop(&report);
    assert_true(is_initialized(d, "x/a"));
}

static void
one_variable_is_restored_from_one_tensor(void **state)
{
    struct domain *d = *state;
    const struct checkpoint_pick picks[] = {{"b", "b"}, {"x", "b"}}, map[] = {{"z/", ""}};
    const struct checkpoint_pick same[] = {{"b", "b"}, {"b", "b"}};
    struct checkpoint_restore_spec spec = {.name = "two", .picks = picks, .pick_count = 2};
    struct checkpoint_save_spec both = {.name = "two", .picks = picks, .pick_count = 2};
    const struct checkpoint_pick saved[] = {{"b", "b"}, {"x", "b"}, {"z/b", "b"}};

    make_saved(d);
    both.picks = saved;
    both.pick_count = 3;
    WORKS(try_save(d, both, NULL), &d->f->err);
    change_all(d);
    REFUSES(restore(d, spec, NULL), ERR_INVALID_ARGUMENT,
            "The same saveable will be restored with two names: x", &d->f->err);
    spec.dry_run = true;
    FAILS(restore(d, spec, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
    spec.picks = same;
    REFUSES(restore(d, spec, NULL), ERR_INVALID_ARGUMENT,
            "At least two variables have the same name: b", &d->f->err);
    spec = (struct checkpoint_restore_spec){
        .name = "two", .prefix_map = map, .prefix_map_count = 1, .on_extra = RESTORE_SKIP};
    REFUSES(restore(d, spec, NULL), ERR_INVALID_ARGUMENT,
            "variable 'b' would be restored from two tensors, 'b' and 'z/b'", &d->f->err);
    must_be_restored(d, false, false, false);
}

static void
strictly_anything_amiss_stops_everything(void **state)
{
    struct domain *d = *state;
    const struct checkpoint_pick picks[] = {{"a", "a"}, {"zz", "b"}};
    struct checkpoint_restore_spec spec = {.name = "c"};
    struct restore_report report;
    uint64_t revision;

    make_saved(d);
    change_all(d);
    revision = service_revision(d->service);
    spec.picks = picks;
    spec.pick_count = 2;
    assert_int_equal(restore(d, spec, &report), ERR_NOT_FOUND);
    assert_non_null(strstr(d->f->err.text, "Key zz not found in checkpoint"));
    assert_int_equal(report.missing.count, 1); /* told although it failed */
    err_clear(&d->f->err);
    restore_report_drop(&report);
    delete_variable(d, "b");
    REFUSES(restore(d, (struct checkpoint_restore_spec){.name = "c"}, NULL), ERR_NOT_FOUND,
            "no variable 'b' to go to", &d->f->err);
    declare(d, "b", DTYPE_FLOAT64, exprs_shape(2, 2, 3));
    REFUSES(restore(d, (struct checkpoint_restore_spec){.name = "c"}, NULL), ERR_INVALID_ARGUMENT,
            "Expected dtype double does not equal restored dtype float: the variable is float64, "
            "the tensor float32",
            &d->f->err);
    delete_variable(d, "b");
    declare(d, "b", DTYPE_FLOAT32, exprs_shape(2, 3, 2));
    REFUSES(restore(d, (struct checkpoint_restore_spec){.name = "c"}, NULL), ERR_INVALID_ARGUMENT,
            "lhs shape= [3,2] rhs shape= [2,3]", &d->f->err);
    assert_false(is_initialized(d, "b"));
    assert_int_equal(service_revision(d->service), revision + 4);
    FAILS(restore(d, (struct checkpoint_restore_spec){.name = "absent"}, NULL), ERR_NOT_FOUND,
          &d->f->err);
    FAILS(restore(d, (struct checkpoint_restore_spec){.name = "c", .source_model = "absent"}, NULL),
          ERR_NOT_FOUND, &d->f->err);
    FAILS(restore(d, (struct checkpoint_restore_spec){.name = ""}, NULL), ERR_INVALID_ARGUMENT,
          &d->f->err);
}

static void
what_is_amiss_is_skipped_where_asked(void **state)
{
    struct domain *d = *state;
    const struct checkpoint_pick picks[] = {{"zz", "b"}, {"a", "a"}, {"w", "gone"}};
    struct checkpoint_restore_spec spec = {.name = "c",
                                           .picks = picks,
                                           .pick_count = 3,
                                           .on_missing = RESTORE_SKIP,
                                           .on_extra = RESTORE_SKIP};
    struct restore_report report;

    make_saved(d);
    change_all(d);
    WORKS(restore(d, spec, &report), &d->f->err);
    assert_int_equal(report.missing.count, 1);
    assert_int_equal(report.unexpected.count, 1);
    assert_int_equal(report.restored.count, 1);
    restore_report_drop(&report);
    must_be_restored(d, true, false, false);
    delete_variable(d, "b");
    declare(d, "b", DTYPE_FLOAT32, exprs_shape(1, 7));
    spec = (struct checkpoint_restore_spec){.name = "c", .on_mismatch = RESTORE_SKIP};
    WORKS(restore(d, spec, &report), &d->f->err);
    assert_int_equal(report.mismatched.count, 1);
    assert_string_equal(report.mismatched.names[0].variable, "b");
    assert_int_equal(report.mismatched.names[0].sides->variable.shape.dims[0], 7);
    assert_int_equal(report.mismatched.names[0].sides->tensor.shape.rank, 2);
    restore_report_drop(&report);
    assert_false(is_initialized(d, "b"));
}

static void
the_shape_follows_reshape_and_validation(void **state)
{
    struct domain *d = *state;
    struct checkpoint_restore_spec spec = {.name = "c", .reshape = true};
    struct shape shape = exprs_shape(1, 9);
    struct variable_spec open = spec_named("b");

    make_saved(d);
    delete_variable(d, "b");
    declare(d, "b", DTYPE_FLOAT32, exprs_shape(3, 3, 1, 2));
    WORKS(restore(d, spec, NULL), &d->f->err);
    must_be(d, "b", DTYPE_FLOAT32, exprs_shape(3, 3, 1, 2), b_data, sizeof b_data);
    delete_variable(d, "b");
    declare(d, "b", DTYPE_FLOAT32, exprs_shape(1, 7));
    REFUSES(restore(d, spec, NULL), ERR_INVALID_ARGUMENT,
            "Input to reshape is a tensor with 6 values, but the requested shape has 7",
            &d->f->err);
    delete_variable(d, "b");
    open.dtype = DTYPE_FLOAT32;
    open.shape = &shape;
    open.validate_shape = false;
    WORKS(try_create(d, open, NULL), &d->f->err);
    WORKS(restore(d, (struct checkpoint_restore_spec){.name = "c"}, NULL), &d->f->err);
    must_be(d, "b", DTYPE_FLOAT32, exprs_shape(2, 2, 3), b_data, sizeof b_data);
}

static void
missing_variables_are_made_where_asked(void **state)
{
    struct domain *d = *state;
    struct checkpoint_restore_spec spec = {.name = "c", .create = true};
    struct restore_report report;
    struct variable_info info;

    make_saved(d);
    delete_variable(d, "b");
    delete_variable(d, "w");
    WORKS(restore(d, spec, &report), &d->f->err);
    assert_int_equal(report.restored.count, 3);
    restore_report_drop(&report);
    must_be_restored(d, true, true, true);
    info = info_of_variable(d, "b");
    assert_true(info.record.trainable && info.record.validate_shape && !info.has_initial_value);
    assert_int_equal(info.record.version, 1);
    assert_int_equal(info.record.created_revision, service_revision(d->service));
    assert_int_equal(usage_of_model(d).variables, 3);
}

/* Names of imported tensors need not be names of variables. */
static void
tensors_that_no_variable_can_be_named_after(void **state)
{
    static const uint8_t data[] = {7};
    struct domain *d = *state;
    const struct checkpoint_import tensor = {
        .name = bytes_of_text("día:0"), .type = type_of(DTYPE_UINT8, scalar()), .size = 1};
    const struct checkpoint_pick pick[] = {{"día:0", "day"}};
    struct checkpoint_restore_spec spec = {.name = "i", .create = true};
    struct memory_source from = memory_of(data, 1);
    struct tensor_source source = source_of(&from);
    struct checkpoint_info info;
    struct restore_report report;
    uint64_t revision;

    WORKS(checkpoint_import(d->service, MODEL, "i", &tensor, 1, NULL, 0, &source, false, NULL,
                            &info, &revision, &d->f->err),
          &d->f->err);
    FAILS(restore(d, spec, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
    spec.on_extra = RESTORE_SKIP;
    WORKS(restore(d, spec, &report), &d->f->err);
    assert_int_equal(report.unexpected.count, 1);
    restore_report_drop(&report);
    spec.picks = pick;
    spec.pick_count = 1;
    WORKS(restore(d, spec, NULL), &d->f->err);
    must_be(d, "day", DTYPE_UINT8, scalar(), data, 1);
}

static void
a_dry_run_says_what_would_be(void **state)
{
    struct domain *d = *state;
    struct checkpoint_restore_spec spec = {.name = "c", .create = true, .dry_run = true};
    struct restore_report report;
    uint64_t revision;

    make_saved(d);
    change_all(d);
    delete_variable(d, "b");
    revision = service_revision(d->service);
    WORKS(restore(d, spec, &report), &d->f->err);
    assert_int_equal(report.restored.count, 3);
    assert_int_equal(report.revision, revision);
    restore_report_drop(&report);
    assert_int_equal(service_revision(d->service), revision);
    assert_int_equal(usage_of_model(d).variables, 2);
    spec.create = false;
    WORKS(restore(d, spec, &report), &d->f->err);
    assert_int_equal(report.unexpected.count, 1);
    assert_int_equal(report.restored.count, 2);
    assert_int_equal(report.refused.code, ERR_NOT_FOUND);
    assert_non_null(strstr(report.refused.text, "no variable 'b' to go to"));
    restore_report_drop(&report);
    spec.name = "absent";
    FAILS(restore(d, spec, NULL), ERR_NOT_FOUND, &d->f->err);
}

/* Of the prefixes that a name begins with the longest counts, in whatever order they are given. */
static void
the_longest_prefix_is_replaced(void **state)
{
    static const char *const saved[] = {"a", "a/b", "a/b/c", "a/bc", "b", "b!"};
    static const char *const restored[] = {"1a", "2b", "3c", "2bc", "1b", "4"};
    struct domain *d = *state;
    struct checkpoint_pick picks[6];
    const struct checkpoint_pick map[] = {{"a/b/", "3"}, {"b!", "4"}, {"", "1"},
                                          {"zz", "x"},   {"a/", "2"}, {"a0", "x"}};
    struct checkpoint_save_spec save_spec = {.name = "p", .picks = picks, .pick_count = 6};
    struct checkpoint_restore_spec spec = {
        .name = "p", .prefix_map = map, .prefix_map_count = 6, .create = true};
    struct restore_report report;

    make_saved(d);
    for (size_t i = 0; i < 6; i++)
        picks[i] = (struct checkpoint_pick){saved[i], "a"};
    WORKS(try_save(d, save_spec, NULL), &d->f->err);
    WORKS(restore(d, spec, &report), &d->f->err);
    assert_int_equal(report.restored.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(report.restored.names[i].tensor, saved[i]);
        assert_string_equal(report.restored.names[i].variable, restored[i]);
        assert_true(report.restored.names[i].created);
    }
    assert_int_equal(report.not_in_checkpoint.count, 3);
    assert_string_equal(report.not_in_checkpoint.names[0].variable, "a");
    assert_string_equal(report.not_in_checkpoint.names[2].variable, "w");
    restore_report_drop(&report);
}

/* Whatever one tensor does to a variable, another is judged by the state before. */
static void
what_would_be_made_twice_is_not_made(void **state)
{
    struct domain *d = *state;
    const struct checkpoint_pick map[] = {{"a", "n"}, {"b", "n"}};
    struct checkpoint_restore_spec spec = {.name = "c",
                                           .prefix_map = map,
                                           .prefix_map_count = 2,
                                           .create = true,
                                           .on_mismatch = RESTORE_SKIP};
    struct restore_report report;

    make_saved(d);
    REFUSES(restore(d, spec, NULL), ERR_INVALID_ARGUMENT, "from two tensors, 'a' and 'b'",
            &d->f->err);
    assert_int_equal(usage_of_model(d).variables, 3);
    spec.dry_run = true;
    WORKS(restore(d, spec, &report), &d->f->err);
    assert_int_equal(report.refused.code, ERR_INVALID_ARGUMENT);
    assert_int_equal(report.restored.count, 3);
    restore_report_drop(&report);
}

static void
another_model_s_checkpoint_is_restored_and_outlives_it(void **state)
{
    struct domain *d = *state;
    struct checkpoint_restore_spec spec = {.source_model = MODEL, .name = "c", .create = true};
    struct restore_report report;
    struct tensor_set set = {0};
    uint8_t *data = some_bytes(BIG * 4, 1);
    uint64_t revision;

    make_saved(d);
    model_make(d, "other");
    WORKS(checkpoint_restore(d->service, "other", &spec, NULL, &report, &d->f->err), &d->f->err);
    assert_int_equal(report.restored.count, 3);
    restore_report_drop(&report);
    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    WORKS(variable_read(d->service, "other", "w", bytes_of(NULL, 0), DTYPE_UNSET, false, &set,
                        &d->f->err),
          &d->f->err);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(1, BIG), data, BIG * 4);
    tensor_set_drop(&set);
    FAILS(checkpoint_restore(d->service, "other", &spec, NULL, &report, &d->f->err), ERR_NOT_FOUND,
          &d->f->err);
    model_make(d, MODEL);
    free(data);
}

static void
a_restore_that_runs_out_of_memory_changes_nothing(void **state)
{
    struct domain *d = *state;
    struct checkpoint_restore_spec spec = {.name = "c", .create = true};
    uint64_t nth = 1, before;
    enum err_code code = ERR_NO_MEMORY;

    make_saved(d);
    change_all(d);
    delete_variable(d, "b");
    before = records(d);
    for (; nth < 500 && code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = restore(d, spec, NULL);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_int_equal(records(d), before);
        must_be_filled(d, "w", 9.0f, BIG);
    }
    assert_in_range(nth, 8, 499);
    must_be_restored(d, true, true, true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(all_names_are_restored_without_copying),
        DOMAIN_TEST(uninitialized_variables_are_restored_too),
        DOMAIN_TEST(a_subset_is_restored_and_the_rest_left),
        DOMAIN_TEST(tensors_go_under_other_names),
        DOMAIN_TEST(one_variable_is_restored_from_one_tensor),
        DOMAIN_TEST(strictly_anything_amiss_stops_everything),
        DOMAIN_TEST(what_is_amiss_is_skipped_where_asked),
        DOMAIN_TEST(the_shape_follows_reshape_and_validation),
        DOMAIN_TEST(missing_variables_are_made_where_asked),
        DOMAIN_TEST(tensors_that_no_variable_can_be_named_after),
        DOMAIN_TEST(a_dry_run_says_what_would_be),
        DOMAIN_TEST(the_longest_prefix_is_replaced),
        DOMAIN_TEST(what_would_be_made_twice_is_not_made),
        DOMAIN_TEST(another_model_s_checkpoint_is_restored_and_outlives_it),
        DOMAIN_TEST(a_restore_that_runs_out_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests_name("restore", tests, NULL, NULL);
}
