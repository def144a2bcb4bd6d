/* The evaluator: computes what is kept, then reads ranges of the root, on several threads where
 * there is enough to do. Parts are cut the same way whatever the number of threads, and no element
 * depends on the part it is computed in. */
#include "service/expr/evaluation.h"

#include <inttypes.h>

#include "service/parallel.h"
#include "store/base/alloc.h"
#include "store/base/check.h"

enum {
    PART_ELEMENTS = 4 * OP_TILE_ELEMENTS, /* what one thread computes at a time */
    KEPT_BYTES_MIN = 64,                  /* and their alignment */
};

/* --- lanes --------------------------------------------------------------------------------- */

static void
lane_drop(struct evaluator *e)
{
    if (e == NULL)
        return;
    for (uint32_t i = 0; i < e->tiles_made; i++)
        mem_free(e->tiles[i]);
    arena_drop(&e->arena);
    mem_free(e);
}

static enum err_code
lane_prepare(struct evaluator *e, struct err *err)
{
    size_t nodes = e->evaluation->plan.tree->node_count, edges = e->evaluation->plan.edge_count;

    arena_init(&e->arena, nodes * (TILE_BYTES + sizeof *e->caches + OP_ELEMENT_BYTES_MAX) +
                              edges * (TILE_BYTES + sizeof(struct window) + 2 * sizeof(void *) +
                                       2 * OP_ELEMENT_BYTES_MAX) +
                              3 * OP_ELEMENT_BYTES_MAX);
    e->caches = arena_array(&e->arena, nodes, sizeof *e->caches, err);
    if (e->caches == NULL)
        return ERR_NO_MEMORY;
    e->windows = arena_array(&e->arena, edges, sizeof(struct window *), err);
    if (e->windows == NULL)
        return ERR_NO_MEMORY;
    e->tiles = arena_array(&e->arena, edges, sizeof(void *), err);
    return e->tiles == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
lane_open(struct evaluation *evaluation, uint32_t lane, struct err *err)
{
    struct evaluator *e;
    enum err_code code;

    if (evaluation->lanes[lane] != NULL)
        return OK;
    e = mem_zeroed(1, sizeof *e, err);
    if (e == NULL)
        return ERR_NO_MEMORY;
    e->evaluation = evaluation;
    code = lane_prepare(e, err);
    if (code != OK) {
        lane_drop(e);
        return code;
    }
    evaluation->lanes[lane] = e;
    return OK;
}

/* --- ranges -------------------------------------------------------------------------------- */

/* A range of a node, cut into parts. */
struct range {
    struct evaluation *evaluation;
    const struct expr *node;
    uint64_t first, count;
    uint8_t *out;
};

static enum err_code
run_part(void *context, uint32_t lane, uint64_t part, struct err *err)
{
    const struct range *range = context;
    uint64_t done = part * PART_ELEMENTS, left = range->count - done;
    uint8_t *out = range->out + done * dtype_size(range->node->type.dtype);

    TRY(lane_open(range->evaluation, lane, err));
    return evaluator_run(range->evaluation->lanes[lane], range->node, range->first + done,
                         left < PART_ELEMENTS ? left : PART_ELEMENTS, out, err);
}

/* Where the work is: an op that is evaluated. The rest is copying. */
static enum err_code
read_range(struct evaluation *evaluation, const struct expr *node, uint64_t first, uint64_t count,
           void *out, struct err *err)
{
    struct range range = {
        .evaluation = evaluation, .node = node, .first = first, .count = count, .out = out};
    uint64_t parts = (count + PART_ELEMENTS - 1) / PART_ELEMENTS;

    if (parts < 2 || node->kind != EXPR_OP || plan_is_kept(&evaluation->plan, node))
        return evaluator_run(evaluation->lanes[0], node, first, count, out, err);
    return parallel_do(evaluation->options.parallel, parts, run_part, &range, err);
}

/* --- what is kept -------------------------------------------------------------------------- */

static void
free_kept(struct evaluation *evaluation, uint32_t index)
{
    mem_free(evaluation->kept[index]);
    evaluation->kept[index] = NULL;
}

/* Into memory before it counts as kept: until then readers would find nothing. */
static enum err_code
compute_kept(struct evaluation *evaluation, const struct expr *node, uint8_t *out, struct err *err)
{
    struct plan_node *at = &evaluation->plan.nodes[node->index];
    uint64_t count = shape_count(&node->type.shape);
    enum err_code code;

    if (node->kind == EXPR_OP && node->op->compute != NULL && !at->constant)
        return node->op->compute(evaluation->lanes[0], node, out, err);
    at->kind = PLAN_DIRECT;
    code = read_range(evaluation, node, 0, count, out, err);
    at->kind = PLAN_KEPT;
    return code;
}

static enum err_code
keep(struct evaluation *evaluation, const struct expr *node, struct err *err)
{
    uint64_t bytes = tensor_type_bytes(&node->type);
    uint8_t *out = mem_aligned(bytes < KEPT_BYTES_MIN ? KEPT_BYTES_MIN : (size_t)bytes, err);
    enum err_code code;

    if (out == NULL)
        return ERR_NO_MEMORY;
    code = compute_kept(evaluation, node, out, err);
    if (code != OK) {
        mem_free(out);
        return code;
    }
    evaluation->kept[node->index] = out;
    return OK;
}

/* And frees what nobody else reads. */
static enum err_code
keep_node(struct evaluation *evaluation, const struct expr *node, struct err *err)
{
    const struct plan *plan = &evaluation->plan;

    TRY(keep(evaluation, node, err));
    for (uint32_t i = 0; i < node->index; i++)
        if (plan->nodes[i].kind == PLAN_KEPT && plan->nodes[i].last == node->index)
            free_kept(evaluation, i);
    return OK;
}

/* In the order of the nodes: what a node reads stands before it. The root waits for its reader. */
static enum err_code
keep_all(struct evaluation *evaluation, struct err *err)
{
    const struct plan *plan = &evaluation->plan;
    const struct expr *root = plan_see_through(plan->tree->root);

    for (uint32_t i = 0; i < root->index; i++)
        if (plan->nodes[i].kind == PLAN_KEPT)
            TRY(keep_node(evaluation, plan->tree->nodes[i], err));
    return OK;
}

/* A kept root: straight into the reader's memory when all of it is read at once, which spares a
 * copy; else kept for this reading and the next ones. */
static enum err_code
read_kept_root(struct evaluation *evaluation, const struct expr *root, uint64_t first,
               uint64_t count, void *out, struct err *err)
{
    bool whole = count > 0 && count == shape_count(&root->type.shape);

    if (whole && evaluation->kept[root->index] == NULL && (uintptr_t)out % KEPT_BYTES_MIN == 0)
        return compute_kept(evaluation, root, out, err);
    if (evaluation->kept[root->index] == NULL)
        TRY(keep_node(evaluation, root, err));
    return evaluator_run(evaluation->lanes[0], root, first, count, out, err);
}

/* --- the evaluator ------------------------------------------------------------------------- */

static void
evaluation_drop(struct evaluation *evaluation)
{
    for (uint32_t i = 0; evaluation->lanes != NULL && i < evaluation->lane_count; i++)
        lane_drop(evaluation->lanes[i]);
    for (uint32_t i = 0; evaluation->kept != NULL && i < evaluation->plan.tree->node_count; i++)
        mem_free(evaluation->kept[i]);
    device_memory_drop(&evaluation->apart);
    mem_free(evaluation->kept);
    mem_free(evaluation->lanes);
    lock_drop(&evaluation->source_lock);
    plan_drop(&evaluation->plan);
    mem_free(evaluation);
}

static enum err_code
evaluation_prepare(struct evaluation *evaluation, const struct expr_tree *tree, struct err *err)
{
    TRY(plan_make(tree, &evaluation->options, &evaluation->plan, err));
    evaluation->kept = mem_zeroed(tree->node_count, sizeof(uint8_t *), err);
    if (evaluation->kept == NULL)
        return ERR_NO_MEMORY;
    evaluation->lane_count = parallel_threads(evaluation->options.parallel);
    evaluation->lanes = mem_zeroed(evaluation->lane_count, sizeof(struct evaluator *), err);
    if (evaluation->lanes == NULL)
        return ERR_NO_MEMORY;
    TRY(lane_open(evaluation, 0, err));
    if (evaluator_is_apart(evaluation))
        return evaluator_compute_apart(evaluation, err);
    return keep_all(evaluation, err);
}

enum err_code
evaluator_open(const struct expr_tree *tree, const struct expr_source *source,
               const struct evaluator_options *options, struct evaluator **out, struct err *err)
{
    struct evaluation *evaluation = mem_zeroed(1, sizeof *evaluation, err);
    enum err_code code;

    if (evaluation == NULL)
        return ERR_NO_MEMORY;
    *evaluation = (struct evaluation){.source = source, .options = *options};
    lock_init(&evaluation->source_lock);
    code = evaluation_prepare(evaluation, tree, err);
    if (code != OK) {
        evaluation_drop(evaluation);
        return code;
    }
    *out = evaluation->lanes[0];
    return OK;
}

void
evaluator_drop(struct evaluator *e)
{
    if (e != NULL)
        evaluation_drop(e->evaluation);
}

enum err_code
evaluator_read(struct evaluator *e, uint64_t first, uint64_t count, void *out, struct err *err)
{
    const struct expr *root = plan_see_through(e->evaluation->plan.tree->root);
    uint64_t total = shape_count(&root->type.shape);

    if (root->type.dtype == DTYPE_STRING)
        return err_set(err, ERR_INVALID_ARGUMENT, "a value of dtype string is read whole only");
    if (first > total || count > total - first)
        return err_set(err, ERR_OUT_OF_RANGE,
                       "elements %" PRIu64 " to %" PRIu64 " of a result of %" PRIu64, first,
                       first + count, total);
    if (e->evaluation->apart.device != NULL)
        return evaluator_read_apart(e->evaluation, first, count, out, err);
    if (plan_is_kept(&e->evaluation->plan, root))
        return read_kept_root(e->evaluation, root, first, count, out, err);
    return read_range(e->evaluation, root, first, count, out, err);
}

static enum err_code
read_strings(struct evaluator *e, const struct expr *node, struct buf *out, struct err *err)
{
    bool initialized = node->kind == EXPR_INITIALIZED_VALUE;
    uint64_t size = 0;
    uint8_t *to = NULL;

    if (e->evaluation->source->size == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "strings of variable '%s' cannot be read here",
                       node->variable);
    TRY(e->evaluation->source->size(e->evaluation->source->context, node->variable, initialized,
                                    &size, err));
    if (size > SIZE_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "variable '%s' has %" PRIu64 " bytes",
                       node->variable, size);
    TRY(buf_reserve(out, (size_t)size, &to, err));
    TRY(e->evaluation->source->read(e->evaluation->source->context, node->variable, initialized, 0,
                                    size, to, err));
    buf_commit(out, (size_t)size);
    return OK;
}

enum err_code
evaluator_strings(struct evaluator *e, struct buf *out, struct err *err)
{
    const struct expr *root = plan_see_through(e->evaluation->plan.tree->root);

    if (root->type.dtype != DTYPE_STRING)
        return err_set(err, ERR_INVALID_ARGUMENT, "dtype %s is not string",
                       dtype_name(root->type.dtype));
    switch (root->kind) {
    case EXPR_OP:
        if (root->op->strings == NULL)
            return op_fail(root, ERR_INVALID_ARGUMENT, err, "string has no arithmetic");
        return root->op->strings(root, out, err);
    case EXPR_LITERAL:
        return buf_append(out, root->settled.data, (size_t)root->settled.size, err);
    case EXPR_VARIABLE:
    case EXPR_INITIALIZED_VALUE:
        return read_strings(e, root, out, err);
    }
    return err_set(err, ERR_INTERNAL, "an expression node of kind %d", (int)root->kind);
}
