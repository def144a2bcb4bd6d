/* Where initial values read from: initialized_value means what the run is about to write. */
#include "service/variable/initialize_plan.h"

/* The step whose new value is meant; NULL: the current value. */
static struct initialize_step *
new_value(struct initialize_plan *plan, const char *name, bool initialized)
{
    struct initialize_step *step = initialized ? initialize_plan_find(plan, name) : NULL;

    return step != NULL && step->in_run ? step : NULL;
}

static enum err_code
source_type(void *context, const char *name, bool initialized, struct tensor_type *out,
            struct err *err)
{
    struct initialize_plan *plan = context;
    struct initialize_step *step = new_value(plan, name, initialized);
    struct expr_source current = draft_source(plan->draft);

    if (step == NULL)
        return current.type(current.context, name, initialized, out, err);
    *out = step->tree.root->type; /* inferred: dependencies come first */
    return OK;
}

static enum err_code
source_read(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            void *out, struct err *err)
{
    struct initialize_plan *plan = context;
    struct initialize_step *step = new_value(plan, name, initialized);
    struct expr_source current = draft_source(plan->draft);

    if (step == NULL)
        return current.read(current.context, name, initialized, offset, size, out, err);
    return draft_write_read(step->writer, offset, size, out, err);
}

static enum err_code
source_lend(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            struct bytes *out, struct err *err)
{
    struct initialize_plan *plan = context;
    struct expr_source current = draft_source(plan->draft);

    *out = (struct bytes){0}; /* what is being written is not lent */
    if (new_value(plan, name, initialized) == NULL)
        return current.lend(current.context, name, initialized, offset, size, out, err);
    return OK;
}

static enum err_code
source_size(void *context, const char *name, bool initialized, uint64_t *out, struct err *err)
{
    struct initialize_plan *plan = context;
    struct initialize_step *step = new_value(plan, name, initialized);
    struct expr_source current = draft_source(plan->draft);

    if (step == NULL)
        return current.size(current.context, name, initialized, out, err);
    *out = step->strings.size; /* only asked of strings, which are kept whole */
    return OK;
}

struct expr_source
initialize_plan_source(struct initialize_plan *plan)
{
    return (struct expr_source){.context = plan,
                                .type = source_type,
                                .read = source_read,
                                .lend = source_lend,
                                .size = source_size};
}
