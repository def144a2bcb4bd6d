/* Expressions of a run: where they read from, what seeds they draw, how much of a commit they take.
 */
#include "service/run/draft_parts.h"

#include "service/device/device.h"
#include "service/expr/compute.h"
#include "service/graph/graph_walk.h"
#include "service/variable/variable_info.h"
#include "store/base/scope.h"

/* --- as a source of expressions ------------------------------------------------------------ */

static enum err_code
source_type(void *context, const char *name, bool initialized, struct tensor_type *out,
            struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)initialized;
    TRY(draft_find(context, name, &variable, err));
    draft_rely(variable);
    if (variable->value == NULL && !variable->form.shape_known)
        return compute_uninitialized(name, err);
    *out = variable->form.type;
    return OK;
}

static enum err_code
source_read(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            void *out, struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)initialized;
    TRY(draft_find_initialized(context, name, &variable, err));
    return draft_read(context, variable, offset, size, out, err);
}

static enum err_code
source_lend(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            struct bytes *out, struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)initialized;
    TRY(draft_find_initialized(context, name, &variable, err));
    return draft_lend(context, variable, offset, size, out, err);
}

static enum err_code
source_size(void *context, const char *name, bool initialized, uint64_t *out, struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)initialized;
    TRY(draft_find_initialized(context, name, &variable, err));
    *out = variable->value->size;
    return OK;
}

struct expr_source
draft_source(struct draft *draft)
{
    return (struct expr_source){.context = draft,
                                .type = source_type,
                                .read = source_read,
                                .lend = source_lend,
                                .size = source_size};
}

/* --- what operations share ----------------------------------------------------------------- */

struct evaluator_options
draft_evaluator_options(const struct draft *draft, const struct draft_variable *variable)
{
    struct evaluator_options options = service_evaluator_options(draft->service);

    if (variable == NULL || variable->assigned == NULL)
        return options;
    options.device = variable->assigned;
    options.parallel = variable->assigned->threads;
    return options;
}

enum err_code
draft_work(struct draft *draft, uint64_t bytes, struct err *err)
{
    if (draft->ahead)
        return OK;
    if (__builtin_add_overflow(draft->commit_work_bytes, bytes, &draft->commit_work_bytes) ||
        draft->commit_work_bytes > SERVICE_COMMIT_WORK_BYTES_MAX)
        return err_set(err, ERR_DEFER, "too much work for a commit");
    return OK;
}

/* Every variable that is made adds nodes to the graph. */
enum err_code
draft_rely_on_names(struct draft *draft, struct err *err)
{
    struct usage_record usage;

    if (draft->graph_relied_on)
        return OK;
    TRY(record_get_usage(draft->view, draft->model.id, &usage, err));
    draft->graph_position = usage.graph_nodes;
    draft->graph_relied_on = true;
    return OK;
}

enum err_code
draft_size_of(struct draft *draft, const struct expr_tree *tree, const struct expr_source *source,
              struct buf *strings, uint64_t *size, struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(draft->service);
    enum err_code code;

    if (!draft->ahead && strings->size_max > SERVICE_COMMIT_BYTES_MAX)
        strings->size_max = SERVICE_COMMIT_BYTES_MAX;
    code = compute_size(tree, source, &options, strings, size, err);
    if (code != ERR_PAYLOAD_TOO_LARGE || draft->ahead)
        return code;
    err_clear(err);
    return err_set(err, ERR_DEFER, "too many strings for a commit");
}

/* An update whose op seeds are places in the graph takes its nodes' places there: its expression's
 * and the Assign (AssignAdd …) op. */
static enum err_code
take_places(struct draft *draft, const struct expr_tree *tree, uint64_t *position, struct err *err)
{
    uint64_t nodes = 0;

    TRY(draft_rely_on_names(draft, err));
    *position = draft->graph_position + draft->graph_nodes;
    TRY(graph_count(tree, &nodes, err));
    draft->graph_nodes += nodes + 1;
    return OK;
}

enum err_code
draft_draw(struct draft *draft, const char *name, struct expr_tree *tree, struct err *err)
{
    uint64_t position = 0;

    if (draft->model.seed_mode == MODEL_SEED_MODE_TF && graph_wants_seed(tree))
        TRY(take_places(draft, tree, &position, err));
    return graph_draw(&draft->model, position, name, tree, err);
}

enum err_code
draft_set_draws(struct draft *draft, struct draft_variable *variable, const struct expr_tree *tree,
                struct err *err)
{
    AUTO(buf) draws;
    uint8_t *copy;

    buf_init(&draws, STORE_RECORD_BYTES_MAX);
    TRY(variable_draws_encode(tree, &draws, err));
    variable->initialized_here = true;
    variable->draws = (struct bytes){0};
    if (draws.size == 0)
        return OK;
    copy = arena_alloc(&draft->arena, draws.size, err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, draws.data, draws.size);
    variable->draws = bytes_of(copy, draws.size);
    return OK;
}
