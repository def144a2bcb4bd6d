/* What the domain's tests share: a service over a store in a folder of its own, with one model "m",
 * and one-line creations, updates and looks. Closing it checks the whole store: whatever a test
 * did, nothing may be left that the records do not account for. */
#ifndef TESTS_UNIT_SERVICE_SERVICE_FIXTURE_H
#define TESTS_UNIT_SERVICE_SERVICE_FIXTURE_H

#include "service/expr/recipe.h"
#include "service/model.h"
#include "service/run/run.h"
#include "service/saving/checkpoint.h"
#include "service/service.h"
#include "service/variable/initialize.h"
#include "service/variable/variable.h"
#include "service/variable/variable_write.h"
#include "service/verify/verify.h"
#include "service/watch/change.h"
#include "store/base/alloc.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"
#include "tests/unit/service/service_inputs.h"
#include "tests/unit/service/service_runs.h"

#define MODEL "m"

struct domain {
    struct fixture *f; /* the store; err is here too */
    struct service *service;
    struct service_limits limits;
};

static inline void
model_make(struct domain *d, const char *name)
{
    struct model_spec spec = {0};
    struct model_info info;
    uint64_t revision;
    bool created = false;

    WORKS(model_create(d->service, name, &spec, NULL, &created, &info, &revision, &d->f->err),
          &d->f->err);
    assert_true(created);
}

/* The service again, with d->limits. */
static inline void
domain_restart(struct domain *d)
{
    service_close(d->service);
    d->service = NULL;
    WORKS(service_open(d->f->store, &d->limits, &d->service, &d->f->err), &d->f->err);
}

/* The store too: what was not written down is gone. */
static inline void
domain_reopen(struct domain *d)
{
    service_close(d->service);
    d->service = NULL;
    fixture_reopen(d->f);
    WORKS(service_open(d->f->store, &d->limits, &d->service, &d->f->err), &d->f->err);
}

/* From now on values may be kept as recipes. */
static inline void
domain_with_recipes(struct domain *d)
{
    d->f->config.recipe_make = recipe_make;
    domain_reopen(d);
}

static inline int
domain_open(void **state)
{
    struct domain *d = calloc(1, sizeof *d);
    void *base = NULL;

    if (d == NULL || fixture_open(&base) != 0)
        return -1;
    d->f = base;
    d->limits = service_limits_default();
    WORKS(service_open(d->f->store, &d->limits, &d->service, &d->f->err), &d->f->err);
    model_make(d, MODEL);
    *state = d;
    return 0;
}

/* An empty store of another size. */
static inline void
domain_renew(struct domain *d, uint64_t map_bytes)
{
    d->f->config.map_size_bytes = map_bytes;
    service_close(d->service);
    store_close(d->f->store);
    unit_temp_dir_remove(d->f->folder);
    d->f->folder = unit_temp_dir();
    d->f->config.directory = d->f->folder;
    d->f->store = NULL;
    WORKS(store_open(&d->f->config, &d->f->store, &d->f->err), &d->f->err);
    WORKS(service_open(d->f->store, &d->limits, &d->service, &d->f->err), &d->f->err);
    model_make(d, MODEL);
}

static inline uint64_t
findings(struct domain *d)
{
    struct store_verify_report report;

    WORKS(service_verify(d->service, true, &report, &d->f->err), &d->f->err);
    for (uint32_t i = 0; i < report.text_count; i++)
        print_error("verify: %s\n", report.texts[i]);
    return report.findings;
}

static inline int
domain_close(void **state)
{
    struct domain *d = *state;
    void *base = d->f;
    uint64_t found = findings(d);

    (void)stats_when_drained(d->f);
    service_close(d->service);
    free(d);
    return fixture_close(&base) != 0 || found != 0 ? -1 : 0;
}

#define DOMAIN_TEST(name) cmocka_unit_test_setup_teardown(name, domain_open, domain_close)

/* A call that must fail in one way, with a text that holds `words`. */
#define REFUSES(call, expected, words, e)                                                          \
    do {                                                                                           \
        enum err_code refuses_code_ = (call);                                                      \
        if (refuses_code_ != (expected) || strstr((e)->text, words) == NULL)                       \
            print_error("%s: '%s', not '%s'\n", #call, (e)->text, words);                          \
        assert_int_equal(refuses_code_, expected);                                                 \
        assert_non_null(strstr((e)->text, words));                                                 \
        err_clear(e);                                                                              \
    } while (0)

/* --- creating ------------------------------------------------------------------------------ */

/* Creates `spec` with this tree (NULL: none), which is dropped. */
static inline enum err_code
try_create(struct domain *d, struct variable_spec spec, struct expr_tree *tree)
{
    struct variable_info *info = calloc(1, sizeof *info);
    uint64_t revision;
    enum err_code code;

    assert_non_null(info);
    spec.initial_value = tree;
    code = variable_create(d->service, MODEL, &spec, 1, NULL, info, &revision, &d->f->err);
    if (code == OK)
        variable_info_drop(info);
    free(info);
    if (tree != NULL)
        expr_tree_drop(tree);
    return code;
}

static inline struct variable_spec
spec_named(const char *name)
{
    struct variable_spec spec = variable_spec_default();

    spec.name = name;
    return spec;
}

static inline void
create(struct domain *d, const char *name, struct expr_tree *tree)
{
    WORKS(try_create(d, spec_named(name), tree), &d->f->err);
}

/* A variable without initial value. */
static inline void
declare(struct domain *d, const char *name, enum dtype dtype, struct shape shape)
{
    struct variable_spec spec = spec_named(name);

    spec.dtype = dtype;
    spec.shape = &shape;
    WORKS(try_create(d, spec, NULL), &d->f->err);
}

/* Its initial value is written out. */
static inline void
create_literal(struct domain *d, const char *name, enum dtype dtype, struct shape shape,
               const void *data)
{
    struct expr_tree tree = tree_new();

    (void)exprs_literal(&tree, dtype, shape, data);
    create(d, name, &tree);
}

/* --- changing ------------------------------------------------------------------------------ */

/* The only change of a run, which tells nothing else that is wanted: its report is dropped. */
static inline struct variable_change
only_change(struct run_report *report)
{
    struct variable_change change;

    assert_int_equal(report->result_count, 1);
    assert_true(report->results[0].has_change);
    change = report->results[0].change;
    assert_int_equal(change.revision, report->revision);
    run_report_drop(report);
    return change;
}

/* Drops the tree. */
static inline enum err_code
try_update(struct domain *d, const char *name, enum variable_update verb, struct expr_tree *tree)
{
    struct run_report report;
    enum err_code code =
        variable_update(d->service, MODEL, name, verb, tree, true, NULL, &report, &d->f->err);

    expr_tree_drop(tree);
    if (code == OK)
        (void)only_change(&report);
    return code;
}

static inline enum err_code
try_update_literal(struct domain *d, const char *name, enum variable_update verb, enum dtype dtype,
                   struct shape shape, const void *data)
{
    struct expr_tree tree = tree_new();

    (void)exprs_literal(&tree, dtype, shape, data);
    return try_update(d, name, verb, &tree);
}

static inline void
assign(struct domain *d, const char *name, enum dtype dtype, struct shape shape, const void *data)
{
    WORKS(try_update_literal(d, name, VARIABLE_ASSIGN, dtype, shape, data), &d->f->err);
}

static inline enum err_code
try_initialize(struct domain *d, struct initialize_spec spec, struct initialize_report *report)
{
    struct run_report run;
    enum err_code code = model_initialize(d->service, MODEL, &spec, NULL, &run, &d->f->err);

    if (report != NULL)
        *report = (struct initialize_report){0};
    if (code != OK)
        return code;
    assert_int_equal(run.result_count, 1);
    if (report != NULL)
        *report = TAKE(run.results[0].initialized);
    run_report_drop(&run);
    return OK;
}

static inline void
initialize_all(struct domain *d)
{
    WORKS(try_initialize(d, (struct initialize_spec){0}, NULL), &d->f->err);
}

static inline void
delete_variable(struct domain *d, const char *name)
{
    uint64_t revision;

    WORKS(variable_delete(d->service, MODEL, name, NULL, &revision, &d->f->err), &d->f->err);
}

static inline void
delete_model(struct domain *d)
{
    uint64_t revision;

    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
}

static inline enum err_code
try_save(struct domain *d, struct checkpoint_save_spec spec, struct checkpoint_info *out)
{
    struct run_report report;
    enum err_code code = checkpoint_save(d->service, MODEL, &spec, NULL, &report, &d->f->err);

    if (out != NULL)
        *out = (struct checkpoint_info){.replaced = false};
    if (code != OK)
        return code;
    assert_int_equal(report.result_count, 1);
    assert_true(report.results[0].has_saved);
    if (out != NULL)
        *out = report.results[0].saved;
    run_report_drop(&report);
    return OK;
}

static inline struct checkpoint_info
save(struct domain *d, const char *name)
{
    struct checkpoint_save_spec spec = {.name = name};
    struct checkpoint_info info;

    WORKS(try_save(d, spec, &info), &d->f->err);
    return info;
}

/* --- looking ------------------------------------------------------------------------------- */

static inline void
set_must_hold(const struct tensor_set *set, size_t i, enum dtype dtype, struct shape shape,
              const void *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    assert_non_null(copy);
    assert_in_range(i + 1, 1, set->entry_count);
    assert_int_equal(set->entries[i].type.dtype, dtype);
    assert_true(shape_equal(&set->entries[i].type.shape, &shape));
    assert_int_equal(set->entries[i].size, size);
    tensor_set_copy(set, i, copy);
    if (size > 0)
        assert_int_equal(memcmp(copy, data, size), 0);
    if (set->entries[i].has_crc32c)
        assert_int_equal(set->entries[i].crc32c, crc32c(0, data, size));
    free(copy);
}

static inline void
must_be(struct domain *d, const char *name, enum dtype dtype, struct shape shape, const void *data,
        size_t size)
{
    struct tensor_set set = {0};

    WORKS(variable_read(d->service, MODEL, name, bytes_of(NULL, 0), DTYPE_UNSET, false, &set,
                        &d->f->err),
          &d->f->err);
    set_must_hold(&set, 0, dtype, shape, data, size);
    tensor_set_drop(&set);
}

/* Owns: free. */
static inline void *
value_of(struct domain *d, const char *name, size_t *size)
{
    struct tensor_set set = {0};
    uint8_t *copy;

    WORKS(variable_read(d->service, MODEL, name, bytes_of(NULL, 0), DTYPE_UNSET, false, &set,
                        &d->f->err),
          &d->f->err);
    *size = set.entries[0].size;
    copy = malloc(*size + 1);
    assert_non_null(copy);
    tensor_set_copy(&set, 0, copy);
    tensor_set_drop(&set);
    return copy;
}

static inline float
float_of(struct domain *d, const char *name)
{
    size_t size = 0;
    float *value = value_of(d, name, &size), first;

    assert_in_range(size, sizeof first, SIZE_MAX);
    memcpy(&first, value, sizeof first);
    free(value);
    return first;
}

/* Every element has this value. */
static inline void
must_be_filled(struct domain *d, const char *name, float value, size_t count)
{
    size_t size = 0;
    float *got = value_of(d, name, &size);

    assert_int_equal(size, count * sizeof *got);
    for (size_t i = 0; i < count; i++)
        if (got[i] != value)
            fail_msg("element %zu of %s is %g, not %g", i, name, (double)got[i], (double)value);
    free(got);
}

/* Only what is plain data: the tree is dropped. */
static inline struct variable_info
info_of_variable(struct domain *d, const char *name)
{
    struct variable_info info;

    WORKS(variable_get(d->service, MODEL, name, &info, &d->f->err), &d->f->err);
    variable_info_drop(&info);
    return info;
}

static inline bool
is_initialized(struct domain *d, const char *name)
{
    return info_of_variable(d, name).initialized;
}

static inline struct model_info
usage_of_model(struct domain *d)
{
    struct model_info info;

    WORKS(model_get(d->service, MODEL, &info, &d->f->err), &d->f->err);
    return info;
}

/* What is counted of it: texts have bytes past their ends that nobody has set. */
static inline void
usage_is(const struct model_info *now, const struct model_info *then)
{
    assert_int_equal(now->revision, then->revision);
    assert_int_equal(now->variables, then->variables);
    assert_int_equal(now->initialized, then->initialized);
    assert_int_equal(now->bytes, then->bytes);
    assert_int_equal(now->checkpoints, then->checkpoints);
    assert_int_equal(now->checkpoint_bytes, then->checkpoint_bytes);
}

/* Chunks there are once everything freed is deleted. */
static inline uint64_t
chunks(struct domain *d)
{
    struct store_stats stats = stats_when_drained(d->f);

    return stats.chunks[STORE_CLASS_ROWS] + stats.chunks[STORE_CLASS_BULK];
}

static inline enum err_code
count_commit(void *context, const struct change *change, bool *enough, struct err *err)
{
    uint64_t *last = context;

    (void)err;
    *enough = false;
    last[1] += last[0] != change->revision;
    last[0] = change->revision;
    return OK;
}

/* But for those that tell what was changed: one a commit, and where they begin. */
static inline uint64_t
records(struct domain *d)
{
    uint64_t commits[2] = {0};
    struct change_range range;

    WORKS(change_read(d->service, CHANGE_SINCE_OLDEST, count_commit, commits, &range, &d->f->err),
          &d->f->err);
    return stats_when_drained(d->f).records - commits[1] - 1;
}

#endif
