/* Expressions on a device whose memory is its own: node by node, each whole. What has been read by
 * all who read it is given up at once; the root's result stays there, to be read by ranges. */
#include "service/device/engine.h"
#include "service/expr/evaluation.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "store/store.h"

/* Whether anything is computed, and the device has all that is. */
bool
evaluator_is_apart(const struct evaluation *evaluation)
{
    const struct device *device = evaluation->options.device;
    const struct plan *plan = &evaluation->plan;
    const struct expr *root = plan_see_through(plan->tree->root);

    if (!device_is_apart(device) || device->kind->engine->has_op == NULL || root->kind != EXPR_OP ||
        plan->nodes[root->index].constant)
        return false;
    for (uint32_t i = 0; i <= root->index; i++) {
        const struct expr *node = plan->tree->nodes[i];

        if (plan->nodes[i].readers > 0 && (node->type.dtype == DTYPE_STRING ||
                                           (node->kind == EXPR_OP && !plan->nodes[i].constant &&
                                            !device->kind->engine->has_op(node))))
            return false;
    }
    return true;
}

/* Results of nodes, by index. */
struct there {
    struct evaluation *evaluation;
    const struct device *device;
    struct device_memory *results; /* owned */
    uint32_t *last;                /* the node that reads each last; owned */
    const void **args;             /* of the node under way; owned */
    uint8_t *room;                 /* STORE_BULK_BYTES on the host; owned */
};

static void
there_drop(struct there *there)
{
    const struct expr *root = there->evaluation->plan.tree->root;

    for (uint32_t i = 0; there->results != NULL && i <= root->index; i++)
        device_memory_drop(&there->results[i]);
    mem_free(there->results);
    mem_free(there->last);
    mem_free(there->args);
    mem_free(there->room);
}

static bool
is_computed(const struct there *there, const struct expr *node)
{
    return node->kind == EXPR_OP && !there->evaluation->plan.nodes[node->index].constant;
}

static enum err_code
prepare(struct there *there, struct err *err)
{
    struct plan *plan = &there->evaluation->plan;
    const struct expr *root = plan_see_through(plan->tree->root);
    uint32_t count = plan->tree->node_count;

    there->results = mem_zeroed(count, sizeof *there->results, err);
    there->last = mem_zeroed(count, sizeof *there->last, err);
    there->args = mem_zeroed(plan->edge_count + 1, sizeof *there->args, err);
    there->room = mem_aligned(STORE_BULK_BYTES, err);
    if (there->results == NULL || there->last == NULL || there->args == NULL || there->room == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i <= root->index; i++) {
        const struct expr *node = plan->tree->nodes[i];

        plan->nodes[i].kind = PLAN_DIRECT; /* nothing is kept on the host */
        if (plan->nodes[i].readers == 0 || !is_computed(there, node))
            continue;
        for (uint32_t k = 0; k < node->arg_count; k++)
            there->last[plan_see_through(node->args[k])->index] = i;
    }
    return OK;
}

/* Literals, values of variables, one element repeated: piece by piece. */
static enum err_code
bring(struct there *there, const struct expr *node, struct err *err)
{
    uint32_t size = dtype_size(node->type.dtype);
    uint64_t total = shape_count(&node->type.shape), most = STORE_BULK_BYTES / size, count;

    for (uint64_t first = 0; first < total; first += count) {
        count = total - first < most ? total - first : most;
        TRY(evaluator_run(there->evaluation->lanes[0], node, first, count, there->room, err));
        TRY(there->device->kind->engine->upload(there->device, there->results[node->index].at,
                                                first * size, there->room, count * size, err));
    }
    return OK;
}

static enum err_code
compute(struct there *there, const struct expr *node, struct err *err)
{
    for (uint32_t i = 0; i < node->arg_count; i++)
        there->args[i] = there->results[plan_see_through(node->args[i])->index].at;
    TRY(op_check_interrupt(there->evaluation->lanes[0], err));
    TRY(there->device->kind->engine->op(there->device, node, there->args,
                                        there->results[node->index].at, err));
    for (uint32_t i = 0; i < node->index; i++)
        if (there->last[i] == node->index)
            device_memory_drop(&there->results[i]);
    return OK;
}

enum err_code
evaluator_compute_apart(struct evaluation *evaluation, struct err *err)
{
    AUTO(there) there = {.evaluation = evaluation, .device = evaluation->options.device};
    const struct plan *plan = &evaluation->plan;
    const struct expr *root = plan_see_through(plan->tree->root);

    TRY(prepare(&there, err));
    for (uint32_t i = 0; i <= root->index; i++) {
        const struct expr *node = plan->tree->nodes[i];
        uint64_t size = tensor_type_bytes(&node->type);

        if (plan->nodes[i].readers == 0)
            continue;
        TRY(device_memory_open(there.device, size == 0 ? 1 : size, &there.results[i], err));
        if (is_computed(&there, node))
            TRY(compute(&there, node, err));
        else
            TRY(bring(&there, node, err));
    }
    evaluation->apart = there.results[root->index];
    there.results[root->index] = (struct device_memory){0};
    return OK;
}

enum err_code
evaluator_read_apart(const struct evaluation *evaluation, uint64_t first, uint64_t count, void *out,
                     struct err *err)
{
    const struct device_memory *from = &evaluation->apart;
    uint32_t size = dtype_size(evaluation->plan.tree->root->type.dtype);

    if (count == 0)
        return OK;
    return from->device->kind->engine->download(from->device, from->at, first * size, out,
                                                count * size, err);
}
