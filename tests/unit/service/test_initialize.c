/* Initialization: what runs, in which order, against which state; what it refuses. */
#include "tests/unit/service/service_fixture.h"

/* v = {"initialized_value": of} + add */
static void
create_after(struct domain *d, const char *name, const char *of, int add)
{
    struct expr_tree tree = tree_new();
    struct expr *value = exprs_variable(&tree, of, true), *number = exprs_weak_int(&tree, add);

    (void)exprs_op(&tree, "add", 2, value, number);
    create(d, name, &tree);
}

static void
create_int(struct domain *d, const char *name, int32_t value)
{
    create_literal(d, name, DTYPE_INT32, scalar(), &value);
}

static void
must_be_int(struct domain *d, const char *name, int32_t value)
{
    must_be(d, name, DTYPE_INT32, scalar(), &value, sizeof value);
}

static enum err_code
run_named(struct domain *d, const char *const *names, size_t count,
          struct initialize_report *report)
{
    return try_initialize(d, (struct initialize_spec){.names = names, .name_count = count}, report);
}

/* "a b | c": initialized in this order, then skipped. */
static void
must_report(struct initialize_report *report, const char *expected)
{
    char text[600] = "";

    for (size_t i = 0; i < report->initialized_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", report->initialized[i]);
    snprintf(text + strlen(text), sizeof text - strlen(text), "|");
    for (size_t i = 0; i < report->skipped_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %s", report->skipped[i]);
    assert_string_equal(text, expected);
    initialize_report_drop(report);
}

static void
all_of_the_default_collection_are_initialized_at_once(void **state)
{
    struct domain *d = *state;
    const char *const local[] = {"local_variables"};
    struct variable_spec spec = spec_named("local");
    struct expr_tree tree = tree_new();
    struct initialize_report report;
    uint64_t revision;

    create_int(d, "b", 2);
    create_int(d, "a", 1);
    (void)exprs_weak_int(&tree, 3);
    spec.collections = local;
    spec.collection_count = 1;
    WORKS(try_create(d, spec, &tree), &d->f->err);
    revision = service_revision(d->service);
    WORKS(try_initialize(d, (struct initialize_spec){0}, &report), &d->f->err);
    assert_int_equal(report.revision, revision + 1);
    must_report(&report, "a b |");
    assert_int_equal(service_revision(d->service), revision + 1);
    assert_int_equal(info_of_variable(d, "a").record.revision, revision + 1);
    assert_false(is_initialized(d, "local"));
    WORKS(try_initialize(d, (struct initialize_spec){.collection = "local_variables"}, &report),
          &d->f->err);
    must_report(&report, "local |");
    must_be_int(d, "local", 3);
    WORKS(try_initialize(d, (struct initialize_spec){.collection = "absent"}, &report), &d->f->err);
    must_report(&report, "|");
}

static void
some_are_chosen_by_name_prefix_or_state(void **state)
{
    struct domain *d = *state;
    const char *const names[] = {"x/b", "x/a", "x/b"};
    struct initialize_spec spec = {.prefix = "x/"};
    struct initialize_report report;
    const int32_t other = 9;

    create_int(d, "x/a", 1);
    create_int(d, "x/b", 2);
    create_int(d, "y", 3);
    WORKS(run_named(d, names, 3, &report), &d->f->err);
    must_report(&report, "x/a x/b |");
    assign(d, "x/a", DTYPE_INT32, scalar(), &other);
    WORKS(try_initialize(d, (struct initialize_spec){.only_uninitialized = true}, &report),
          &d->f->err);
    must_report(&report, "y | x/a x/b");
    must_be_int(d, "x/a", 9);
    WORKS(try_initialize(d, spec, &report), &d->f->err);
    must_report(&report, "x/a x/b |");
    must_be_int(d, "x/a", 1); /* a second run resets */
    WORKS(run_named(d, names, 0, &report), &d->f->err);
    must_report(&report, "|");
    spec.prefix = "z";
    WORKS(try_initialize(d, spec, &report), &d->f->err);
    must_report(&report, "|");
    FAILS(run_named(d, (const char *const[]){"y", "absent"}, 2, &report), ERR_NOT_FOUND,
          &d->f->err);
    FAILS(run_named(d, (const char *const[]){"y", ".."}, 2, &report), ERR_INVALID_ARGUMENT,
          &d->f->err);
}

static void
initialized_value_is_the_new_one_inside_the_run(void **state)
{
    struct domain *d = *state;
    const int32_t other = 100;
    const char *const twice[] = {"twice"}, *const both[] = {"twice", "w"};
    struct initialize_report report;

    create_int(d, "w", 1);
    create_after(d, "twice", "w", 10);
    create_after(d, "a_third", "twice", 10); /* before both in name order */
    WORKS(try_initialize(d, (struct initialize_spec){0}, &report), &d->f->err);
    must_report(&report, "w twice a_third |");
    must_be_int(d, "a_third", 21);
    assign(d, "w", DTYPE_INT32, scalar(), &other);
    WORKS(run_named(d, twice, 1, &report), &d->f->err);
    must_report(&report, "twice |");
    must_be_int(d, "twice", 110); /* w is not in the run: its current value */
    WORKS(run_named(d, both, 2, &report), &d->f->err);
    must_report(&report, "w twice |");
    must_be_int(d, "twice", 11);
    must_be_int(d, "w", 1);
}

static void
what_is_needed_and_has_no_value_joins_the_run(void **state)
{
    struct domain *d = *state;
    const char *const last[] = {"c"};
    struct initialize_report report;
    const int32_t other = 50;

    create_int(d, "a", 1);
    create_after(d, "b", "a", 1);
    create_after(d, "c", "b", 1);
    create_int(d, "unrelated", 7);
    WORKS(run_named(d, last, 1, &report), &d->f->err);
    must_report(&report, "a b c |");
    must_be_int(d, "c", 3);
    assert_false(is_initialized(d, "unrelated"));
    delete_variable(d, "a");
    create_int(d, "a", 1);
    assign(d, "b", DTYPE_INT32, scalar(), &other);
    WORKS(run_named(d, last, 1, &report), &d->f->err);
    must_report(&report, "c |"); /* b has a value, so a is not needed */
    must_be_int(d, "c", 51);
    assert_false(is_initialized(d, "a"));
    WORKS(try_initialize(d, (struct initialize_spec){.only_uninitialized = true}, &report),
          &d->f->err);
    must_report(&report, "a unrelated | b c");
}

/* Plain reads see the state before the run, whatever the order. */
static void
variables_are_read_as_they_were_before_the_run(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    const int32_t five = 5, six = 6;

    create_int(d, "x", 1);
    create_int(d, "z", 2);
    (void)exprs_op(&tree, "add", 2, exprs_variable(&tree, "x", false),
                   exprs_variable(&tree, "z", false));
    create(d, "y", &tree);
    REFUSES(try_initialize(d, (struct initialize_spec){0}, NULL), ERR_FAILED_PRECONDITION,
            "variable 'x' is not initialized", &d->f->err);
    assert_int_equal(usage_of_model(d).initialized, 0);
    assign(d, "x", DTYPE_INT32, scalar(), &five);
    assign(d, "z", DTYPE_INT32, scalar(), &six);
    initialize_all(d);
    must_be_int(d, "y", 11);
    must_be_int(d, "x", 1);
    must_be_int(d, "z", 2);
    /* A variable may even grow out of itself. */
    create_int(d, "counter", 0);
    initialize_all(d);
    delete_variable(d, "y");
    delete_variable(d, "z");
    tree = tree_new();
    (void)exprs_op(&tree, "add", 2, exprs_variable(&tree, "counter", false),
                   exprs_weak_int(&tree, 1));
    create(d, "z", &tree);
    initialize_all(d);
    must_be_int(d, "z", 1);
}

static void
a_cycle_is_named(void **state)
{
    struct domain *d = *state;
    const char *const names[] = {"c"};
    const int32_t other = 5;

    create_int(d, "a", 1);
    create_after(d, "b", "a", 1);
    create_after(d, "c", "b", 1);
    delete_variable(d, "a");
    create_after(d, "a", "c", 1);
    REFUSES(try_initialize(d, (struct initialize_spec){0}, NULL), ERR_INVALID_ARGUMENT,
            "a -> c -> b -> a", &d->f->err);
    REFUSES(run_named(d, names, 1, NULL), ERR_INVALID_ARGUMENT, "c -> b -> a -> c", &d->f->err);
    assert_int_equal(usage_of_model(d).initialized, 0);
    /* A value anywhere in it breaks it, when that variable is not in the run. */
    assign(d, "a", DTYPE_INT32, scalar(), &other);
    WORKS(run_named(d, names, 1, NULL), &d->f->err);
    must_be_int(d, "c", 7);
    FAILS(try_initialize(d, (struct initialize_spec){0}, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
}

static void
variables_without_initial_value_are_skipped_or_refused(void **state)
{
    struct domain *d = *state;
    const char *const names[] = {"bare"}, *const reader[] = {"reader"};
    struct initialize_report report;
    const int32_t five = 5;

    declare(d, "bare", DTYPE_INT32, scalar());
    create_int(d, "a", 1);
    WORKS(try_initialize(d, (struct initialize_spec){0}, &report), &d->f->err);
    must_report(&report, "a | bare");
    REFUSES(run_named(d, names, 1, NULL), ERR_FAILED_PRECONDITION, "'bare' was created without",
            &d->f->err);
    create_after(d, "reader", "bare", 1);
    REFUSES(run_named(d, reader, 1, NULL), ERR_FAILED_PRECONDITION, "'bare' was created without",
            &d->f->err);
    assign(d, "bare", DTYPE_INT32, scalar(), &five);
    WORKS(try_initialize(d, (struct initialize_spec){0}, &report), &d->f->err);
    must_report(&report, "a reader | bare");
    must_be_int(d, "reader", 6);
    must_be_int(d, "bare", 5);
}

static void
what_an_initial_value_became_must_still_fit(void **state)
{
    static const int32_t three[] = {1, 2, 3};
    struct domain *d = *state;

    create_int(d, "a", 1);
    create_after(d, "b", "a", 1);
    delete_variable(d, "a");
    create_literal(d, "a", DTYPE_INT32, exprs_shape(1, 3), three);
    REFUSES(try_initialize(d, (struct initialize_spec){0}, NULL), ERR_INVALID_ARGUMENT,
            "shape [] expected, the value has [3]", &d->f->err);
    delete_variable(d, "a");
    REFUSES(try_initialize(d, (struct initialize_spec){0}, NULL), ERR_NOT_FOUND,
            "there is no variable 'a'", &d->f->err);
    assert_false(is_initialized(d, "b"));
}

static void
long_chains_run_and_too_deep_ones_are_refused(void **state)
{
    enum { COUNT = 300 };
    struct domain *d = *state;
    char name[16], before[16];
    const char *const last[] = {"v299"};

    create_int(d, "v000", 0);
    for (int i = 1; i < COUNT; i++) {
        snprintf(before, sizeof before, "v%03d", i - 1);
        snprintf(name, sizeof name, "v%03d", i);
        create_after(d, name, before, 1);
    }
    REFUSES(run_named(d, last, 1, NULL), ERR_INVALID_ARGUMENT, "more than 256 deep", &d->f->err);
    initialize_all(d); /* in name order each is there before it is needed */
    must_be_int(d, "v299", 299);
    d->limits.variables_per_request_max = 10;
    domain_restart(d);
    REFUSES(try_initialize(d, (struct initialize_spec){0}, NULL), ERR_INVALID_ARGUMENT,
            "more than 10 variables", &d->f->err);
}

static void
conditions_hold_for_the_variables_named(void **state)
{
    struct domain *d = *state;
    const char *const names[] = {"a"};
    struct initialize_spec spec = {.names = names, .name_count = 1};
    uint64_t revision = 1;
    struct write_options match = {.if_match = true, .revisions = &revision, .revision_count = 1};
    struct run_report report;

    create_int(d, "a", 1);
    FAILS(model_initialize(d->service, MODEL, &spec, &match, &report, &d->f->err),
          ERR_PRECONDITION_FAILED, &d->f->err);
    revision = info_of_variable(d, "a").record.revision;
    WORKS(model_initialize(d->service, MODEL, &spec, &match, &report, &d->f->err), &d->f->err);
    must_report(&report.results[0].initialized, "a |");
    run_report_drop(&report);
    FAILS(model_initialize(d->service, "absent", &spec, NULL, &report, &d->f->err), ERR_NOT_FOUND,
          &d->f->err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(all_of_the_default_collection_are_initialized_at_once),
        DOMAIN_TEST(some_are_chosen_by_name_prefix_or_state),
        DOMAIN_TEST(initialized_value_is_the_new_one_inside_the_run),
        DOMAIN_TEST(what_is_needed_and_has_no_value_joins_the_run),
        DOMAIN_TEST(variables_are_read_as_they_were_before_the_run),
        DOMAIN_TEST(a_cycle_is_named),
        DOMAIN_TEST(variables_without_initial_value_are_skipped_or_refused),
        DOMAIN_TEST(what_an_initial_value_became_must_still_fit),
        DOMAIN_TEST(long_chains_run_and_too_deep_ones_are_refused),
        DOMAIN_TEST(conditions_hold_for_the_variables_named),
    };

    return cmocka_run_group_tests_name("initialize", tests, NULL, NULL);
}
