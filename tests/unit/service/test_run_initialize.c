/* Initializations among the operations of a run, and random numbers: as if each operation were a
 * request of its own. */
#include "tests/unit/service/run_fixture.h"

enum { SMALL = 3, LARGE = 500001 };

static const int counts[] = {SMALL, LARGE};

static void
create_scaled(struct domain *d, const char *name, const char *of, bool initialized, double factor)
{
    struct expr_tree tree = tree_new();

    (void)exprs_op(&tree, "multiply", 2, exprs_variable(&tree, of, initialized),
                   exprs_weak_float(&tree, factor));
    create(d, name, &tree);
}

static struct expr_tree
drawn_tree(int count)
{
    struct expr_tree tree = tree_new();

    (void)exprs_set_shape(exprs_op(&tree, "random_uniform", 0), "shape", exprs_shape(1, count));
    return tree;
}

/* --- what an initialization reads ---------------------------------------------------------- */

/* "w" is x's value once initialized: x's own when x is not initialized again. */
static void
an_initialization_reads_what_the_run_has_assigned(void **state)
{
    const char *const derived[] = {"twice"}, *const both[] = {"x", "twice"};
    const struct initialize_spec one = {.names = derived, .name_count = 1},
                                 two = {.names = both, .name_count = 2};
    struct domain *d = *state;

    for (size_t i = 0; i < 2; i++) {
        struct script *s = script_new(d);
        size_t count = (size_t)counts[i];

        make_filled(d, "x", 1.0f, counts[i]);
        create_scaled(d, "twice", "x", true, 2);
        then_update(s, &verb_assign, "x", filled(7.0f, counts[i]));
        then_initialize(s, &one);
        script_works(s);
        must_be_filled(d, "twice", 14.0f, count);
        assert_int_equal(s->report.results[1].initialized.initialized_count, 1);
        assert_int_equal(s->report.results[1].initialized.revision, s->report.revision);
        s->ops[1].initialize = &two; /* x too: its new value is its initial value */
        script_works(s);
        must_be_filled(d, "twice", 2.0f, count);
        must_be_filled(d, "x", 1.0f, count);
        assert_string_equal(s->report.results[1].initialized.initialized[0], "x");
        assert_string_equal(s->report.results[1].initialized.initialized[1], "twice");
        script_drop(s);
        delete_model(d);
        model_make(d, MODEL);
    }
}

/* {"variable": x} is x before the initialization, which is what the run has made of it. */
static void
a_plain_variable_is_read_as_it_was_before(void **state)
{
    const struct initialize_spec all = {.names = NULL};
    struct domain *d = *state;

    for (size_t i = 0; i < 2; i++) {
        struct script *s = script_new(d);

        make_filled(d, "x", 1.0f, counts[i]);
        create_scaled(d, "twice", "x", false, 2);
        then_update(s, &verb_assign, "x", filled(7.0f, counts[i]));
        then_initialize(s, &all);
        then_update(s, &verb_assign_add, "x", variable_tree("twice"));
        script_works(s);
        must_be_filled(d, "twice", 14.0f, (size_t)counts[i]);
        must_be_filled(d, "x", 15.0f, (size_t)counts[i]);
        assert_int_equal(info_of_variable(d, "x").record.version, 4);
        script_drop(s);
        delete_model(d);
        model_make(d, MODEL);
    }
}

static void
what_the_run_has_assigned_is_initialized(void **state)
{
    const struct initialize_spec rest = {.only_uninitialized = true};
    struct domain *d = *state;
    struct expr_tree tree = filled(1.0f, SMALL);
    struct script *s = script_new(d);

    create(d, "x", &tree);
    tree = filled(2.0f, SMALL);
    create(d, "y", &tree);
    declare(d, "z", DTYPE_FLOAT32, exprs_shape(1, SMALL));
    then_update(s, &verb_assign, "x", filled(7.0f, SMALL));
    then_initialize(s, &rest);
    then_initialize(s, &rest); /* nothing is left to do */
    script_works(s);
    must_be_filled(d, "x", 7.0f, SMALL);
    must_be_filled(d, "y", 2.0f, SMALL);
    assert_false(is_initialized(d, "z"));
    assert_int_equal(s->report.results[1].initialized.initialized_count, 1);
    assert_string_equal(s->report.results[1].initialized.initialized[0], "y");
    assert_int_equal(s->report.results[2].initialized.initialized_count, 0);
    assert_int_equal(s->report.results[2].initialized.skipped_count, 3);
    script_drop(s);
}

static void
an_initialization_that_fails_leaves_the_operations_before_it_undone(void **state)
{
    const char *const names[] = {"x", "open"};
    const struct initialize_spec both = {.names = names, .name_count = 2};
    struct domain *d = *state;
    struct script *s = script_new(d);

    make_filled(d, "x", 1.0f, SMALL);
    declare(d, "open", DTYPE_FLOAT32, exprs_shape(1, SMALL));
    then_update(s, &verb_assign, "x", filled(7.0f, SMALL));
    then_initialize(s, &both);
    SCRIPT_REFUSES(s, NULL, ERR_FAILED_PRECONDITION, 1, "'open'");
    must_be_filled(d, "x", 1.0f, SMALL);
    script_drop(s);
}

/* --- seeds --------------------------------------------------------------------------------- */

static struct variable_draw
draw_of(struct domain *d, const char *name)
{
    struct variable_info info;
    struct variable_draw draw;

    WORKS(variable_get(d->service, MODEL, name, &info, &d->f->err), &d->f->err);
    assert_int_equal(info.draw_count, 1);
    draw = info.draws[0];
    variable_info_drop(&info);
    return draw;
}

/* The seeds are those of the last initialization, whatever was assigned after it. */
static void
the_seeds_of_an_initialization_stay_when_more_follows(void **state)
{
    const struct initialize_spec all = {.names = NULL};
    struct domain *d = *state;

    for (size_t i = 0; i < 2; i++) {
        struct script *s = script_new(d);
        struct expr_tree tree = drawn_tree(counts[i]);
        struct variable_draw first, second;
        const struct initialize_report *report;

        create(d, "r", &tree);
        initialize_all(d);
        first = draw_of(d, "r"); /* entropy: another each time */
        then_update(s, &verb_assign, "r", filled(1.0f, counts[i]));
        then_initialize(s, &all);
        then_update(s, &verb_assign, "r", filled(2.0f, counts[i]));
        script_works(s);
        second = draw_of(d, "r");
        report = &s->report.results[1].initialized;
        assert_true(first.seed != second.seed || first.seed2 != second.seed2);
        assert_int_equal(report->draw_ends[0], 1);
        assert_true(report->draws[0].seed == second.seed && report->draws[0].seed2 == second.seed2);
        s->spec.op_count = 1;
        script_works(s);
        first = draw_of(d, "r");
        assert_true(first.seed == second.seed && first.seed2 == second.seed2);
        script_drop(s);
        delete_variable(d, "r");
    }
}

static void
make_counted_model(struct domain *d)
{
    struct model_spec spec = {
        .has_seed = true, .seed = 42, .has_seed_mode = true, .seed_mode = MODEL_SEED_MODE_TF};
    struct model_info info;
    uint64_t revision;
    bool created = false;

    delete_model(d);
    WORKS(model_create(d->service, MODEL, &spec, NULL, &created, &info, &revision, &d->f->err),
          &d->f->err);
}

enum { DRAWS = 3 };

static const char *const drawn[DRAWS] = {"p", "q", "p"};
static const struct verb *const drawing[DRAWS] = {&verb_assign, &verb_assign, &verb_assign_add};

/* What p and q hold after updates that draw, each a request of its own or all one run. */
static void
draw_apart(struct domain *d, int count)
{
    for (size_t i = 0; i < DRAWS; i++) {
        struct script *s = script_new(d);

        then_update(s, drawing[i], drawn[i], drawn_tree(count));
        script_works(s);
        script_drop(s);
    }
}

static void
draw_together(struct domain *d, int count)
{
    struct script *s = script_new(d);

    for (size_t i = 0; i < DRAWS; i++)
        then_update(s, drawing[i], drawn[i], drawn_tree(count));
    script_works(s);
    script_drop(s);
}

static void
updates_that_draw_take_their_places_in_order(void **state)
{
    struct domain *d = *state;

    for (size_t i = 0; i < 2; i++) {
        uint8_t *values[2][2];
        size_t size = 0;

        for (int together = 0; together < 2; together++) {
            make_counted_model(d);
            declare(d, "p", DTYPE_FLOAT32, exprs_shape(1, counts[i]));
            declare(d, "q", DTYPE_FLOAT32, exprs_shape(1, counts[i]));
            if (together)
                draw_together(d, counts[i]);
            else
                draw_apart(d, counts[i]);
            values[together][0] = value_of(d, "p", &size);
            values[together][1] = value_of(d, "q", &size);
            make_filled(d, "after", 0.0f, 1); /* its place tells how many were taken */
            values[together][0][0] ^= (uint8_t)info_of_variable(d, "after").record.graph_position;
        }
        assert_memory_equal(values[0][0], values[1][0], size);
        assert_memory_equal(values[0][1], values[1][1], size);
        assert_memory_not_equal(values[0][0], values[0][1], size);
        for (int k = 0; k < 4; k++)
            free(values[k / 2][k % 2]);
    }
}

/* What a fetch draws is nobody's: it takes no place that is kept. */
static void
a_fetch_that_draws_leaves_the_graph_as_it_was(void **state)
{
    struct domain *d = *state;
    struct script *s = script_new(d);
    uint64_t revision;
    float first[2];

    make_counted_model(d);
    declare(d, "p", DTYPE_FLOAT32, exprs_shape(1, SMALL));
    revision = service_revision(d->service);
    then_fetch(s, "draw", drawn_tree(SMALL));
    for (int i = 0; i < 2; i++) {
        script_works(s);
        memcpy(&first[i], s->report.fetches[0].data, 4);
    }
    assert_true(first[0] == first[1]);
    assert_int_equal(service_revision(d->service), revision);
    script_drop(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(an_initialization_reads_what_the_run_has_assigned),
        DOMAIN_TEST(a_plain_variable_is_read_as_it_was_before),
        DOMAIN_TEST(what_the_run_has_assigned_is_initialized),
        DOMAIN_TEST(an_initialization_that_fails_leaves_the_operations_before_it_undone),
        DOMAIN_TEST(the_seeds_of_an_initialization_stay_when_more_follows),
        DOMAIN_TEST(updates_that_draw_take_their_places_in_order),
        DOMAIN_TEST(a_fetch_that_draws_leaves_the_graph_as_it_was),
    };

    return cmocka_run_group_tests_name("run_initialize", tests, NULL, NULL);
}
