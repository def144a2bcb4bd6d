/* What the tests of runs share: operations written down one after the other, and the run of them.
 * Trees are owned by the script and dropped with it. */
#ifndef TESTS_UNIT_SERVICE_RUN_FIXTURE_H
#define TESTS_UNIT_SERVICE_RUN_FIXTURE_H

#include "service/run/run.h"
#include "service/run/verb.h"
#include "tests/unit/service/service_fixture.h"

enum { SCRIPT_OPS_MAX = 1200, SCRIPT_FETCHES_MAX = 8 };

struct script {
    struct domain *d;
    struct run_spec spec;
    struct run_op ops[SCRIPT_OPS_MAX];
    struct run_fetch fetches[SCRIPT_FETCHES_MAX];
    struct run_requirement requirements[4];
    struct expr_tree trees[2 * SCRIPT_OPS_MAX + SCRIPT_FETCHES_MAX];
    size_t tree_count;
    struct run_report report; /* of the last run */
    bool reported;
};

static inline struct script *
script_new(struct domain *d)
{
    struct script *s = calloc(1, sizeof *s);

    assert_non_null(s);
    s->d = d;
    s->spec = run_spec_default();
    s->spec.ops = s->ops;
    s->spec.fetches = s->fetches;
    s->spec.requirements = s->requirements;
    s->spec.numbered = true;
    return s;
}

static inline void
script_drop(struct script *s)
{
    for (size_t i = 0; i < s->tree_count; i++)
        expr_tree_drop(&s->trees[i]);
    if (s->reported)
        run_report_drop(&s->report);
    free(s);
}

static inline struct expr_tree *
script_tree(struct script *s, struct expr_tree tree)
{
    s->trees[s->tree_count] = tree;
    return &s->trees[s->tree_count++];
}

/* --- operations ---------------------------------------------------------------------------- */

static inline struct run_op *
then(struct script *s, const struct verb *verb, const char *variable)
{
    struct run_op *op = &s->ops[s->spec.op_count++];

    assert_in_range(s->spec.op_count, 1, SCRIPT_OPS_MAX);
    *op = (struct run_op){.verb = verb, .variable = variable, .validate_shape = true};
    return op;
}

/* assign, assign_add, assign_sub of an expression. */
static inline struct run_op *
then_update(struct script *s, const struct verb *verb, const char *variable, struct expr_tree value)
{
    struct run_op *op = then(s, verb, variable);

    op->value = script_tree(s, value);
    return op;
}

static inline void
then_count(struct script *s, const char *variable, int64_t limit)
{
    then(s, &verb_count_up_to, variable)->limit = limit;
}

static inline void
then_save(struct script *s, const struct checkpoint_save_spec *save)
{
    then(s, &verb_save, NULL)->save = save;
}

static inline void
then_initialize(struct script *s, const struct initialize_spec *initialize)
{
    then(s, &verb_initialize, NULL)->initialize = initialize;
}

/* scatter_add of one value to whole rows. */
static inline void
then_scatter(struct script *s, const char *variable, const int32_t *rows, int count, float value)
{
    struct run_op *op = then(s, &verb_scatter_add, variable);
    struct expr_tree indices = tree_new(), updates = tree_new();

    (void)exprs_literal(&indices, DTYPE_INT32, exprs_shape(1, count), rows);
    (void)exprs_float32(&updates, exprs_shape(0), &value);
    op->indices = script_tree(s, indices);
    op->value = script_tree(s, updates);
}

static inline void
then_fetch(struct script *s, const char *name, struct expr_tree value)
{
    struct run_fetch *fetch = &s->fetches[s->spec.fetch_count++];

    assert_in_range(s->spec.fetch_count, 1, SCRIPT_FETCHES_MAX);
    *fetch = (struct run_fetch){.name = name, .value = script_tree(s, value)};
}

static inline struct run_requirement *
require_of(struct script *s, const char *variable)
{
    struct run_requirement *need = &s->requirements[s->spec.requirement_count++];

    *need = (struct run_requirement){.variable = variable};
    return need;
}

/* --- trees --------------------------------------------------------------------------------- */

static inline struct expr_tree
variable_tree(const char *name)
{
    struct expr_tree tree = tree_new();

    (void)exprs_variable(&tree, name, false);
    return tree;
}

static inline struct expr_tree
float_tree(double value)
{
    struct expr_tree tree = tree_new();

    (void)exprs_weak_float(&tree, value);
    return tree;
}

/* name * factor */
static inline struct expr_tree
scaled_tree(const char *name, double factor)
{
    struct expr_tree tree = tree_new();

    (void)exprs_op(&tree, "multiply", 2, exprs_variable(&tree, name, false),
                   exprs_weak_float(&tree, factor));
    return tree;
}

/* --- running ------------------------------------------------------------------------------- */

static inline enum err_code
script_try(struct script *s, const struct write_options *options)
{
    if (s->reported)
        run_report_drop(&s->report);
    s->reported = true;
    return run_execute(s->d->service, MODEL, &s->spec, options, &s->report, &s->d->f->err);
}

static inline void
script_works(struct script *s)
{
    WORKS(script_try(s, NULL), &s->d->f->err);
    assert_int_equal(s->report.result_count, s->spec.op_count);
    assert_int_equal(s->report.fetch_count, s->spec.fetch_count);
    for (size_t i = 0; i < s->spec.op_count; i++) {
        assert_ptr_equal(s->report.results[i].verb, s->ops[i].verb);
        assert_null(s->report.results[i].variable); /* nothing of the draft is left in it */
        assert_null(s->report.results[i].save);
    }
}

/* The run fails in this way at this operation (-1: none of them), and nothing is changed. */
#define SCRIPT_REFUSES(s, options, expected, operation, words)                                     \
    do {                                                                                           \
        uint64_t script_revision_ = service_revision((s)->d->service);                             \
        enum err_code script_code_ = script_try(s, options);                                       \
        const struct err *script_err_ = &(s)->d->f->err;                                           \
        if (script_code_ != (expected) || strstr(script_err_->text, words) == NULL)                \
            print_error("'%s', not '%s'\n", script_err_->text, words);                             \
        assert_int_equal(script_code_, expected);                                                  \
        assert_non_null(strstr(script_err_->text, words));                                         \
        assert_int_equal(script_err_->failed_operation, operation);                                \
        assert_null((s)->report.results);                                                          \
        assert_int_equal(service_revision((s)->d->service), script_revision_);                     \
        err_clear(&(s)->d->f->err);                                                                \
    } while (0)

/* --- variables ----------------------------------------------------------------------------- */

/* A float32 vector that holds this in every element. */
static inline void
make_filled(struct domain *d, const char *name, float value, int count)
{
    struct expr_tree tree = filled(value, count);

    create(d, name, &tree);
    WORKS(try_initialize(
              d, (struct initialize_spec){.names = (const char *const[]){name}, .name_count = 1},
              NULL),
          &d->f->err);
}

static inline void
make_int(struct domain *d, const char *name, int64_t value)
{
    create_literal(d, name, DTYPE_INT64, scalar(), &value);
    WORKS(try_initialize(
              d, (struct initialize_spec){.names = (const char *const[]){name}, .name_count = 1},
              NULL),
          &d->f->err);
}

static inline void
saved_must_be_filled(struct domain *d, const char *checkpoint, const char *tensor, float value,
                     size_t count)
{
    struct tensor_set set = {0};
    float *got = malloc(count * sizeof *got + 1);

    assert_non_null(got);
    WORKS(checkpoint_read(d->service, MODEL, checkpoint, tensor, bytes_of(NULL, 0), DTYPE_UNSET,
                          false, &set, &d->f->err),
          &d->f->err);
    assert_int_equal(set.entries[0].size, count * sizeof *got);
    tensor_set_copy(&set, 0, got);
    for (size_t i = 0; i < count; i++)
        assert_true(got[i] == value);
    tensor_set_drop(&set);
    free(got);
}

#endif
