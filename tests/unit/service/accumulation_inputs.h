/* Contributions to accumulations in a line each: optimizer "o" (gradient descent, rate 1), variable
 * "w". */
#ifndef TESTS_UNIT_SERVICE_ACCUMULATION_INPUTS_H
#define TESTS_UNIT_SERVICE_ACCUMULATION_INPUTS_H

#include "service/run/verb.h"
#include "service/training/accumulation.h"
#include "service/training/optimizer_apply.h"
#include "tests/unit/service/optimizer_inputs.h"

/* What is asked for and what came of it. */
struct contribution {
    struct optimizer_accumulate accumulate;
    struct optimizer_gradients gradients;
    struct optimizer_gradient gradient; /* of "w" */
    struct expr_tree trees[2];
    /* out */
    enum optimizer_contributed contributed;
    uint32_t accumulated;
    uint64_t revision, late_revision;
    double norm;
};

static inline struct contribution *
contribution_of(const char *key, int64_t replicas)
{
    struct contribution *c = calloc(1, sizeof *c);

    assert_non_null(c);
    c->accumulate = (struct optimizer_accumulate){.key = key, .replicas = replicas};
    c->gradient.variable = "w";
    c->gradients = (struct optimizer_gradients){
        .optimizer = "o", .gradients = &c->gradient, .count = 1, .accumulate = &c->accumulate};
    return c;
}

static inline struct contribution *
dense_of(const char *key, int64_t replicas, enum dtype dtype, struct shape shape, const void *data)
{
    struct contribution *c = contribution_of(key, replicas);

    c->trees[0] = tree_new();
    (void)exprs_literal(&c->trees[0], dtype, shape, data);
    c->gradient.dense = &c->trees[0];
    return c;
}

static inline struct contribution *
sparse_of(const char *key, int64_t replicas, const int64_t *indices, int count, int width,
          const float *values)
{
    struct contribution *c = contribution_of(key, replicas);

    c->trees[0] = tree_new();
    c->trees[1] = tree_new();
    (void)exprs_literal(&c->trees[0], DTYPE_INT64, exprs_shape(1, count), indices);
    (void)exprs_literal(&c->trees[1], DTYPE_FLOAT32, exprs_shape(2, count, width), values);
    c->gradient.indices = &c->trees[0];
    c->gradient.values = &c->trees[1];
    return c;
}

static inline void
contribution_free(struct contribution *c)
{
    expr_tree_drop(&c->trees[0]);
    expr_tree_drop(&c->trees[1]);
    free(c);
}

/* May be asked again. */
static inline enum err_code
ask(struct domain *d, struct contribution *c, struct err *err)
{
    struct run_op op = {.verb = &verb_apply_gradients, .gradients = &c->gradients};
    struct run_spec spec = run_spec_default();
    struct run_report report;
    enum err_code code;

    spec.ops = &op;
    spec.op_count = 1;
    code = run_execute(d->service, MODEL, &spec, NULL, &report, err);
    if (code != OK)
        return code;
    c->contributed = report.results[0].applied->contributed;
    c->accumulated = report.results[0].applied->accumulated;
    c->late_revision = report.results[0].applied->late_revision;
    c->norm = report.results[0].applied->gradient_norm;
    c->revision = report.revision;
    run_report_drop(&report);
    return OK;
}

/* Frees it. */
static inline enum err_code
try_contribute(struct domain *d, struct contribution *c)
{
    enum err_code code = ask(d, c, &d->f->err);

    contribution_free(c);
    return code;
}

static inline void
contributes(struct domain *d, struct contribution *c, enum optimizer_contributed what,
            uint32_t accumulated)
{
    WORKS(ask(d, c, &d->f->err), &d->f->err);
    assert_int_equal(c->contributed, what);
    assert_int_equal(c->accumulated, accumulated);
    contribution_free(c);
}

static inline void
make_descent(struct domain *d, const char *name)
{
    struct stated *s = state("gradient_descent");

    state_rate(s, 1);
    make_optimizer(d, name, s);
}

/* Optimizer and variable, which has this value. */
static inline void
furnish(struct domain *d, enum dtype dtype, struct shape shape, const void *data)
{
    make_descent(d, "o");
    declare(d, "w", dtype, shape);
    assign(d, "w", dtype, shape, data);
}

static inline struct accumulation_info
look_at(struct domain *d, const char *key)
{
    struct accumulation_info info = {.applied = false};

    WORKS(accumulation_get(d->service, MODEL, "o", key, &info, &d->f->err), &d->f->err);
    return info;
}

static inline uint32_t
count_at(struct domain *d, const char *key)
{
    struct accumulation_info info = look_at(d, key);
    uint32_t count = info.count;

    accumulation_info_drop(&info);
    return count;
}

static inline void
is_gone(struct domain *d, const char *key)
{
    struct accumulation_info info = {.applied = false};

    REFUSES(accumulation_get(d->service, MODEL, "o", key, &info, &d->f->err), ERR_NOT_FOUND, key,
            &d->f->err);
}

#endif
