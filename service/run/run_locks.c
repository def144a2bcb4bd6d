#include "service/run/run_locks.h"

#include "service/state.h"
#include "service/training/accumulator.h"
#include "service/training/average_apply.h"
#include "service/training/optimizer_apply.h"

static const uint32_t everything = UINT32_MAX;

uint32_t
run_locks(const char *model, const struct run_spec *spec)
{
    uint32_t set = 0;

    for (size_t i = 0; i < spec->op_count; i++) {
        const struct run_op *op = &spec->ops[i];

        if (op->variable != NULL)
            set |= service_update_lock_bit(model, op->variable);
        if (op->accumulator != NULL)
            set |= service_update_lock_bit(model, op->accumulator->name);
        if (op->gradients != NULL)
            set |= optimizer_gradients_locks(op->gradients, model);
        if (op->averages != NULL) /* one lock for all its shadows */
            set |= service_update_lock_bit(model, op->averages->averages);
    }
    return spec->dry_run ? 0 : set;
}

/* --- what is changed ----------------------------------------------------------------------- */

/* Powers go by the name of their optimizer. */
static uint32_t
changed_beside(const char *model, const struct optimizer_gradients *gradients)
{
    uint32_t set = service_update_lock_bit(model, gradients->optimizer);

    if (gradients->global_step != NULL)
        set |= service_update_lock_bit(model, gradients->global_step);
    return set;
}

static uint32_t
initialized(const char *model, const struct initialize_spec *spec)
{
    uint32_t set = 0;

    if (spec->names == NULL)
        return everything;
    for (size_t i = 0; i < spec->name_count; i++)
        set |= service_update_lock_bit(model, spec->names[i]);
    return set;
}

uint32_t
run_changes(const char *model, const struct run_spec *spec)
{
    uint32_t set = run_locks(model, spec);

    for (size_t i = 0; i < spec->op_count; i++) {
        const struct run_op *op = &spec->ops[i];

        if (op->gradients != NULL)
            set |= changed_beside(model, op->gradients);
        if (op->initialize != NULL)
            set |= initialized(model, op->initialize);
    }
    return spec->dry_run ? 0 : set;
}

/* --- what is read -------------------------------------------------------------------------- */

struct reads {
    const char *model;
    uint32_t set;
};

/* expr_visit */
static enum err_code
add_name(void *context, const char *name, bool initialized_value, struct err *err)
{
    struct reads *reads = context;

    (void)initialized_value;
    (void)err;
    reads->set |= service_update_lock_bit(reads->model, name);
    return OK;
}

/* What cannot be walked is everything. */
static void
add_tree(struct reads *reads, const struct expr_tree *tree)
{
    struct err err = ERR_INIT;

    if (tree != NULL && expr_each_variable(tree, add_name, reads, &err) != OK)
        reads->set = everything;
}

static void
add_gradients(struct reads *reads, const struct optimizer_gradients *gradients)
{
    for (size_t i = 0; i < gradients->count; i++) {
        add_tree(reads, gradients->gradients[i].dense);
        add_tree(reads, gradients->gradients[i].indices);
        add_tree(reads, gradients->gradients[i].values);
    }
}

static void
add_op(struct reads *reads, const struct run_op *op)
{
    add_tree(reads, op->value);
    add_tree(reads, op->indices);
    add_tree(reads, op->decay);
    if (op->gradients != NULL)
        add_gradients(reads, op->gradients);
    if (op->averages != NULL || op->initialize != NULL || op->save != NULL)
        reads->set = everything;
}

uint32_t
run_relies_on(const char *model, const struct run_spec *spec)
{
    struct reads reads = {.model = model, .set = run_changes(model, spec)};

    for (size_t i = 0; i < spec->requirement_count; i++)
        reads.set |= service_update_lock_bit(model, spec->requirements[i].variable);
    for (size_t i = 0; i < spec->op_count; i++)
        add_op(&reads, &spec->ops[i]);
    for (size_t i = 0; i < spec->fetch_count; i++)
        add_tree(&reads, spec->fetches[i].value);
    return spec->dry_run ? 0 : reads.set;
}
