/* What a run does to variables on a device whose memory nobody else can touch, against the same on
 * the CPU: initial values, updates, rows and slices, averages, steps of every optimizer. All bits
 * that are kept are the same, and all of it was computed there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/device/device.h"
#include "service/run/verb.h"
#include "service/state.h"
#include "service/training/optimizer_apply.h"
#include "tests/support/random.h"
#include "tests/support/twin_device.h"
#include "tests/unit/service/optimizer_inputs.h"

enum { ROWS = 1500, WIDTH = 70, ELEMENTS = ROWS * WIDTH, LISTED = 40 };

static float numbers[ELEMENTS];

static const struct device *
only_device(struct domain *d)
{
    assert_int_equal(d->service->devices->count, 1);
    return &d->service->devices->devices[0];
}

/* From now on the service's device is of this kind. */
static void
compute_on(struct domain *d, const struct device_kind *kind)
{
    struct device *device = &d->service->devices->devices[0];

    device_close(device);
    device->kind = kind;
    assert_int_equal(device_open(device, 2, NULL), OK);
    d->service->parallel = device->threads;
}

static void
chance(uint32_t seed)
{
    random_state = seed;
    for (size_t i = 0; i < ELEMENTS; i++)
        numbers[i] = ((float)random_below(20001) - 10000) / 4096;
}

static void
run(struct domain *d, struct run_op op)
{
    struct run_report report;

    op.validate_shape = true;
    WORKS(run_one(d->service, MODEL, &op, NULL, &report, &d->f->err), &d->f->err);
    run_report_drop(&report);
}

static struct expr *
floats(struct expr_tree *tree, int rows, uint32_t seed)
{
    chance(seed);
    return exprs_float32(tree, exprs_shape(2, rows, WIDTH), numbers);
}

/* A variable "w" that no later step knows from where it came. */
static void
make_variables(struct domain *d)
{
    struct expr_tree tree = tree_new(), random = tree_new(), product = tree_new();
    struct expr *node;
    int64_t zero = 0;

    (void)floats(&tree, ROWS, 3);
    create(d, "w", &tree);
    node = exprs_set_shape(exprs_op(&random, "random_normal", 0), "shape",
                           exprs_shape(2, ROWS, WIDTH));
    (void)exprs_op(&random, "exp", 1, exprs_set_seed(node, "seed", 5));
    create(d, "r", &random);
    node = exprs_op(&product, "matmul", 2, exprs_variable(&product, "w", true),
                    exprs_variable(&product, "w", true));
    (void)exprs_set_bool(node, "transpose_a", true);
    (void)exprs_op(&product, "add", 2, node,
                   exprs_op(&product, "reduce_mean", 1, exprs_variable(&product, "w", true)));
    create(d, "p", &product);
    create_literal(d, "s", DTYPE_INT64, exprs_shape(0), &zero);
    initialize_all(d);
}

static void
update(struct domain *d)
{
    struct expr_tree doubled = tree_new(), rows = tree_new(), part = tree_new(), sub = tree_new();
    struct expr_tree indices = tree_new(), value = tree_new(), decay = tree_new();
    int32_t listed[LISTED];

    (void)exprs_op(&doubled, "multiply", 2, exprs_variable(&doubled, "r", false),
                   exprs_weak_float(&doubled, 1.25));
    run(d, (struct run_op){.verb = &verb_assign_add, .variable = "w", .value = &doubled});
    (void)exprs_op(&sub, "sqrt", 1, exprs_op(&sub, "abs", 1, exprs_variable(&sub, "w", false)));
    run(d, (struct run_op){.verb = &verb_assign_sub, .variable = "r", .value = &sub});
    for (int i = 0; i < LISTED; i++) /* some of them twice */
        listed[i] = (int32_t)random_below(ROWS / 40) * 40;
    (void)exprs_literal(&indices, DTYPE_INT32, exprs_shape(1, LISTED), listed);
    (void)floats(&rows, LISTED, 7);
    run(d, (struct run_op){
               .verb = &verb_scatter_add, .variable = "w", .indices = &indices, .value = &rows});
    (void)floats(&part, 2, 9);
    run(d, (struct run_op){
               .verb = &verb_assign_sub, .variable = "w", .value = &part, .slice = "11:13"});
    (void)exprs_op(&value, "square", 1, exprs_variable(&value, "w", false));
    (void)exprs_weak_float(&decay, 0.9);
    run(d, (struct run_op){.verb = &verb_assign_moving_average,
                           .variable = "r",
                           .value = &value,
                           .decay = &decay,
                           .zero_debias = true});
    expr_tree_drop(&doubled);
    expr_tree_drop(&sub);
    expr_tree_drop(&rows);
    expr_tree_drop(&indices);
    expr_tree_drop(&part);
    expr_tree_drop(&value);
    expr_tree_drop(&decay);
}

/* A step with a gradient for all, clipped, and one with rows. */
static void
take_steps(struct domain *d, const char *optimizer)
{
    struct expr_tree dense = tree_new(), indices = tree_new(), values = tree_new();
    struct optimizer_gradient gradient = {.variable = "w", .dense = &dense};
    struct optimizer_gradients gradients = {.optimizer = optimizer,
                                            .gradients = &gradient,
                                            .count = 1,
                                            .global_step = "s",
                                            .has_clip_norm = true,
                                            .clip_norm = 2};
    int64_t listed[LISTED];

    (void)exprs_op(&dense, "multiply", 2, exprs_variable(&dense, "r", false),
                   exprs_variable(&dense, "w", false));
    run(d, (struct run_op){.verb = &verb_apply_gradients, .gradients = &gradients});
    for (int i = 0; i < LISTED; i++)
        listed[i] = (int64_t)random_below(ROWS);
    (void)exprs_literal(&indices, DTYPE_INT64, exprs_shape(1, LISTED), listed);
    (void)floats(&values, LISTED, 13);
    gradient = (struct optimizer_gradient){.variable = "w", .indices = &indices, .values = &values};
    gradients.has_clip_norm = false;
    run(d, (struct run_op){.verb = &verb_apply_gradients, .gradients = &gradients});
    expr_tree_drop(&dense);
    expr_tree_drop(&indices);
    expr_tree_drop(&values);
}

static void
make_and_step(struct domain *d, const struct optimizer *o)
{
    struct stated *s = state(o->name);

    state_rate(s, 0.01);
    if (o->needs_global_step)
        s->spec.global_step = "s";
    for (const struct attr_spec *row = o->attrs; row->name != NULL; row++)
        if (row->required && row->kind == ATTR_KIND_F64)
            state_f64(s, row->name, 0.5);
    make_optimizer(d, o->name, s);
    take_steps(d, o->name);
}

/* What was uploaded and computed since `before`. */
static void
must_have_computed(const struct device *device, const struct twin_counts *before)
{
    struct twin_counts now = twin_device_counts(device);

    assert_true(now.kernels + now.ops > before->kernels + before->ops);
    assert_true(now.uploaded > before->uploaded && now.downloaded > before->downloaded);
    assert_int_equal(now.held, 0);
}

/* Every value of the model, one after the other. Owns: free. */
static uint8_t *
do_all(struct domain *d, const struct device_kind *kind, size_t *size)
{
    static const char *const names[] = {"w", "r", "p", "s"};
    const struct device *device = only_device(d);
    struct twin_counts before = {0};
    uint8_t *all = NULL;

    compute_on(d, kind);
    make_variables(d);
    update(d);
    for (size_t i = 0; optimizer_at(i) != NULL; i++) {
        if (kind == &twin_kind)
            before = twin_device_counts(device);
        make_and_step(d, optimizer_at(i));
        if (kind == &twin_kind)
            must_have_computed(device, &before);
    }
    *size = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t more = 0;
        uint8_t *value = value_of(d, names[i], &more);

        all = realloc(all, *size + more);
        assert_non_null(all);
        memcpy(all + *size, value, more);
        *size += more;
        free(value);
    }
    delete_model(d);
    model_make(d, MODEL);
    return all;
}

static void
a_model_is_trained_there_as_here(void **state)
{
    struct domain *d = *state;
    size_t here_size = 0, there_size = 0;
    uint8_t *here = do_all(d, device_kind_of("CPU"), &here_size);
    uint8_t *there = do_all(d, &twin_kind, &there_size);

    assert_int_equal(there_size, here_size);
    assert_int_equal(memcmp(there, here, here_size), 0);
    free(here);
    free(there);
}

/* Not even half of it is there. */
static void
what_the_device_has_no_memory_for_is_not_done(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new(), more = tree_new();
    struct run_op op = {
        .verb = &verb_assign_add, .variable = "w", .validate_shape = true, .value = &more};
    enum err_code code = ERR_NO_MEMORY;
    size_t size = 0;
    uint8_t *before, *after;

    compute_on(d, &twin_kind);
    (void)floats(&tree, ROWS, 3);
    create(d, "w", &tree);
    initialize_all(d);
    before = value_of(d, "w", &size);
    (void)exprs_op(&more, "multiply", 2, exprs_variable(&more, "w", false),
                   exprs_weak_float(&more, 0.5));
    for (uint64_t n = 0; code != OK; n++) {
        struct run_report report;

        twin_device_fail_after(only_device(d), n);
        code = run_one(d->service, MODEL, &op, NULL, &report, &d->f->err);
        assert_int_equal(twin_device_counts(only_device(d)).held, 0);
        if (code == OK) {
            run_report_drop(&report);
            assert_true(n > 3);
            break;
        }
        assert_int_equal(code, ERR_NO_MEMORY);
        err_clear(&d->f->err);
        after = value_of(d, "w", &size);
        assert_memory_equal(after, before, size);
        free(after);
    }
    free(before);
    expr_tree_drop(&more);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_model_is_trained_there_as_here),
        DOMAIN_TEST(what_the_device_has_no_memory_for_is_not_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
