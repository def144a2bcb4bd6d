/* Runs of one operation, for tests that are about what the operation does. *out: owned by the
 * caller, run_report_drop; empty on failure. */
#ifndef TESTS_UNIT_SERVICE_SERVICE_RUNS_H
#define TESTS_UNIT_SERVICE_SERVICE_RUNS_H

#include "service/run/run.h"
#include "service/run/verb.h"

enum variable_update { VARIABLE_ASSIGN, VARIABLE_ASSIGN_ADD, VARIABLE_ASSIGN_SUB };

static inline enum err_code
run_one(struct service *service, const char *model, const struct run_op *op,
        const struct write_options *options, struct run_report *out, struct err *err)
{
    struct run_spec spec = run_spec_default();

    spec.ops = op;
    spec.op_count = 1;
    spec.conditional_variable = op->variable;
    spec.conditional_save = op->save != NULL;
    spec.conditional_model = op->initialize != NULL && op->initialize->names == NULL;
    return run_execute(service, model, &spec, options, out, err);
}

static inline enum err_code
variable_update(struct service *service, const char *model, const char *name,
                enum variable_update verb, struct expr_tree *value, bool validate_shape,
                const struct write_options *options, struct run_report *out, struct err *err)
{
    static const struct verb *const verbs[] = {
        [VARIABLE_ASSIGN] = &verb_assign,
        [VARIABLE_ASSIGN_ADD] = &verb_assign_add,
        [VARIABLE_ASSIGN_SUB] = &verb_assign_sub,
    };
    struct run_op op = {
        .verb = verbs[verb], .variable = name, .value = value, .validate_shape = validate_shape};

    return run_one(service, model, &op, options, out, err);
}

static inline enum err_code
variable_count_up_to(struct service *service, const char *model, const char *name, int64_t limit,
                     const struct write_options *options, struct run_report *out, struct err *err)
{
    struct run_op op = {.verb = &verb_count_up_to, .variable = name, .limit = limit};

    return run_one(service, model, &op, options, out, err);
}

static inline enum err_code
model_initialize(struct service *service, const char *model, const struct initialize_spec *spec,
                 const struct write_options *options, struct run_report *out, struct err *err)
{
    struct run_op op = {.verb = &verb_initialize, .initialize = spec};

    return run_one(service, model, &op, options, out, err);
}

static inline enum err_code
checkpoint_save(struct service *service, const char *model, const struct checkpoint_save_spec *spec,
                const struct write_options *options, struct run_report *out, struct err *err)
{
    struct run_op op = {.verb = &verb_save, .save = spec};

    return run_one(service, model, &op, options, out, err);
}

#endif
