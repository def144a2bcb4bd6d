/* The values that initialization makes: seeds, strings, sizes from nothing to more than there is;
 * and what happens when others write meanwhile or memory runs out. */
#include <pthread.h>

#include "tests/unit/service/service_fixture.h"

enum { BIG = 300001 };

static void
remake_model(struct domain *d, bool has_seed, int64_t seed)
{
    struct model_spec spec = {.has_seed = has_seed, .seed = seed};
    struct model_info info;
    uint64_t revision;
    bool created;

    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    WORKS(model_create(d->service, MODEL, &spec, NULL, &created, &info, &revision, &d->f->err),
          &d->f->err);
}

static void
create_random(struct domain *d, const char *name, int count, bool has_seed, int64_t seed)
{
    struct expr_tree tree = tree_new();
    struct expr *node =
        exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", exprs_shape(1, count));

    if (has_seed)
        exprs_set_seed(node, "seed", seed);
    create(d, name, &tree);
}

static bool
same_value(struct domain *d, const char *name, const void *expected, size_t size)
{
    size_t got_size = 0;
    void *got = value_of(d, name, &got_size);
    bool same = got_size == size && memcmp(got, expected, size) == 0;

    free(got);
    return same;
}

static void
the_same_seeds_give_the_same_bits(void **state)
{
    struct domain *d = *state;
    size_t size = 0;
    void *first;

    remake_model(d, true, 42);
    create_random(d, "v", BIG, true, 7);
    initialize_all(d);
    first = value_of(d, "v", &size);
    initialize_all(d);
    assert_true(same_value(d, "v", first, size));
    remake_model(d, true, 42);
    create_random(d, "other", BIG, true, 8);
    create_random(d, "v", BIG, true, 7);
    initialize_all(d);
    assert_true(same_value(d, "v", first, size));
    assert_false(same_value(d, "other", first, size));
    free(first);
}

/* A model seed alone: each variable has a stream of its own, whatever else there is. */
static void
with_a_model_seed_variables_do_not_disturb_each_other(void **state)
{
    struct domain *d = *state;
    size_t size = 0;
    void *first;

    remake_model(d, true, 42);
    create_random(d, "v", 1000, false, 0);
    initialize_all(d);
    first = value_of(d, "v", &size);
    remake_model(d, true, 42);
    create_random(d, "a", 1000, false, 0);
    create_random(d, "v", 1000, false, 0);
    initialize_all(d);
    assert_true(same_value(d, "v", first, size));
    assert_false(same_value(d, "a", first, size));
    free(first);
}

static void
without_seeds_every_run_differs_and_can_be_repeated(void **state)
{
    struct domain *d = *state;
    struct variable_info info;
    size_t size = 0;
    void *first;

    create_random(d, "v", 1000, false, 0);
    initialize_all(d);
    first = value_of(d, "v", &size);
    initialize_all(d);
    assert_false(same_value(d, "v", first, size));
    free(first);
    first = value_of(d, "v", &size);
    info = info_of_variable(d, "v");
    assert_int_equal(info.draw_count, 1);
    assert_string_equal(info.draws[0].path, "");
    remake_model(d, true, (int64_t)info.draws[0].seed);
    create_random(d, "v", 1000, true, (int64_t)info.draws[0].seed2);
    initialize_all(d);
    assert_true(same_value(d, "v", first, size));
    free(first);
}

/* More random ops, deeper, than the record keeps: the run must not fail for its report. */
static void
draws_are_recorded_as_far_as_they_fit(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct expr *sum = exprs_weak_int(&tree, 0);
    struct variable_info info;

    for (int level = 0; level < 30; level++) {
        struct expr *a = exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", scalar());
        struct expr *b = exprs_set_shape(exprs_op(&tree, "random_uniform", 0), "shape", scalar());
        struct expr *c = exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", scalar());

        sum = exprs_op(&tree, "add", 2, sum,
                       exprs_op(&tree, "add", 2, a, exprs_op(&tree, "multiply", 2, b, c)));
        tree.root = sum;
    }
    WORKS(try_create(d, spec_named("v"), &tree), &d->f->err);
    initialize_all(d);
    info = info_of_variable(d, "v");
    assert_int_equal(info.draw_count, VARIABLE_DRAWS_MAX);
    for (size_t i = 0; i < info.draw_count; i++)
        assert_in_range(strlen(info.draws[i].path), 1, VARIABLE_DRAW_PATH_BYTES - 1);
    /* Settings that became smaller do not lock out what is there. */
    d->limits.expression_nodes_max = 1;
    d->limits.expression_depth_max = 1;
    d->limits.literal_bytes_max = 1;
    domain_restart(d);
    initialize_all(d);
    assert_int_equal(info_of_variable(d, "v").draw_count, VARIABLE_DRAWS_MAX);
}

static void
strings_are_initialized_and_read_by_others(void **state)
{
    static const char *const texts[] = {"a", "", "zwölf", NULL};
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    uint8_t bytes[64];
    size_t size = strings_of(bytes, texts);

    (void)exprs_strings(&tree, exprs_shape(1, 3), bytes, size);
    create(d, "s", &tree);
    tree = tree_new();
    (void)exprs_variable(&tree, "s", true);
    create(d, "a_copy", &tree);
    initialize_all(d);
    must_be(d, "a_copy", DTYPE_STRING, exprs_shape(1, 3), bytes, size);
    assert_int_equal(usage_of_model(d).bytes, 2 * size);
}

static void
big_values_are_built_from_each_other(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    float *base, *derived;
    size_t size = 0;

    create_random(d, "z_base", BIG, true, 1);
    (void)exprs_op(&tree, "multiply", 2, exprs_variable(&tree, "z_base", true),
                   exprs_weak_float(&tree, 2.0));
    create(d, "derived", &tree);
    initialize_all(d);
    base = value_of(d, "z_base", &size);
    derived = value_of(d, "derived", &size);
    for (size_t i = 0; i < BIG; i++)
        assert_true(derived[i] == 2.0f * base[i]);
    free(base);
    free(derived);
}

static void
four_gigabytes_of_zeros_cost_no_chunk(void **state)
{
    struct domain *d = *state;
    struct shape shape = {.rank = 2, .dims = {(uint64_t)1 << 15, (uint64_t)1 << 15}};
    struct expr_tree tree = tree_new();
    struct tensor_set set = {0};
    static const float zeros[3] = {0};

    (void)exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", shape);
    create(d, "v", &tree);
    initialize_all(d);
    assert_int_equal(chunks(d), 0);
    assert_true(usage_of_model(d).bytes == (uint64_t)1 << 32);
    WORKS(variable_read(d->service, MODEL, "v", bytes_of_text("-1,-3:"), DTYPE_UNSET, false, &set,
                        &d->f->err),
          &d->f->err);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(1, 3), zeros, sizeof zeros);
    tensor_set_drop(&set);
    (void)save(d, "c");
    assert_int_equal(chunks(d), 0);
}

static void
what_does_not_fit_is_refused_before_anything_is_computed(void **state)
{
    struct domain *d = *state;
    struct shape shape = {.rank = 2, .dims = {1000000, 1000000}};
    struct expr_tree tree = tree_new();

    create_random(d, "a_small", 10, false, 0);
    (void)exprs_set_shape(exprs_op(&tree, "random_uniform", 0), "shape", shape);
    create(d, "huge", &tree);
    REFUSES(try_initialize(d, (struct initialize_spec){0}, NULL), ERR_FULL, "tensor_max_bytes",
            &d->f->err);
    d->limits.tensor_bytes_max = UINT64_MAX;
    domain_restart(d);
    FAILS(try_initialize(d, (struct initialize_spec){0}, NULL), ERR_FULL, &d->f->err);
    assert_int_equal(chunks(d), 0);
    assert_int_equal(usage_of_model(d).initialized, 0);
}

struct writer {
    struct domain *d;
    int rounds, done;
};

static void *
keep_assigning(void *context)
{
    struct writer *w = context;

    for (int i = 0; i < w->rounds; i++) {
        struct expr_tree tree = filled((float)i, 1);
        struct run_report report;
        struct err err = ERR_INIT;

        w->done += variable_update(w->d->service, MODEL, "x", VARIABLE_ASSIGN, &tree, true, NULL,
                                   &report, &err) == OK;
        run_report_drop(&report);
        expr_tree_drop(&tree);
    }
    return NULL;
}

static void
a_run_beside_writers_is_of_one_state_or_gives_up(void **state)
{
    enum { ROUNDS = 150 };
    struct domain *d = *state;
    struct writer writer = {.d = d, .rounds = ROUNDS};
    const char *const names[] = {"y", "z"};
    struct initialize_spec spec = {.names = names, .name_count = 2};
    struct expr_tree tree = filled(0.0f, 1);
    int done = 0, aborted = 0;
    pthread_t thread;

    create(d, "x", &tree);
    initialize_all(d);
    for (size_t i = 0; i < 2; i++) {
        struct expr *zeros, *x;

        tree = tree_new();
        zeros = exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(1, BIG));
        x = exprs_variable(&tree, "x", false);
        (void)exprs_op(&tree, "add", 2, zeros, x);
        create(d, names[i], &tree);
    }
    assert_int_equal(pthread_create(&thread, NULL, keep_assigning, &writer), 0);
    for (int i = 0; i < 4; i++) {
        struct run_report report;
        struct err err = ERR_INIT;
        enum err_code code = model_initialize(d->service, MODEL, &spec, NULL, &report, &err);

        done += code == OK;
        aborted += code == ERR_ABORTED;
        run_report_drop(&report);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(writer.done, ROUNDS);
    assert_int_equal(done + aborted, 4);
    WORKS(try_initialize(d, spec, NULL), &d->f->err);
    must_be_filled(d, "y", (float)(ROUNDS - 1), BIG);
    must_be_filled(d, "z", (float)(ROUNDS - 1), BIG);
}

static void
a_run_that_runs_out_of_memory_changes_nothing(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = filled(3.0f, BIG);
    uint64_t nth = 1, before;
    enum err_code code = ERR_NO_MEMORY;

    create_random(d, "w", BIG, false, 0);
    create(d, "filled", &tree);
    tree = tree_new();
    (void)exprs_op(&tree, "add", 2, exprs_variable(&tree, "w", true),
                   exprs_variable(&tree, "filled", true));
    create(d, "a_sum", &tree);
    before = records(d);
    for (; nth < 2000 && code != OK; nth += 1 + nth / 40) {
        (void)mem_fail_at(nth, 0);
        code = try_initialize(d, (struct initialize_spec){0}, NULL);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_int_equal(records(d), before);
        assert_int_equal(chunks(d), 0);
        assert_int_equal(usage_of_model(d).initialized, 0);
    }
    assert_int_equal(code, OK);
    assert_in_range(nth, 20, 1999);
    assert_int_equal(usage_of_model(d).initialized, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(the_same_seeds_give_the_same_bits),
        DOMAIN_TEST(with_a_model_seed_variables_do_not_disturb_each_other),
        DOMAIN_TEST(without_seeds_every_run_differs_and_can_be_repeated),
        DOMAIN_TEST(draws_are_recorded_as_far_as_they_fit),
        DOMAIN_TEST(strings_are_initialized_and_read_by_others),
        DOMAIN_TEST(big_values_are_built_from_each_other),
        DOMAIN_TEST(four_gigabytes_of_zeros_cost_no_chunk),
        DOMAIN_TEST(what_does_not_fit_is_refused_before_anything_is_computed),
        DOMAIN_TEST(a_run_beside_writers_is_of_one_state_or_gives_up),
        DOMAIN_TEST(a_run_that_runs_out_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests_name("initialize_values", tests, NULL, NULL);
}
