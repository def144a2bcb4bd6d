/* The plan of an evaluation: what is computed where, and whether it fits.
 *
 * Nodes are looked at from the root down (readers have higher indexes than what they read), so that
 * all readers of a node are known when it is its turn. Nodes that are read element beside element
 * with the node that reads them form a group with it: within a group every tile asked for is the
 * same. A shared node all of whose readers are of one group is cached by the tile; one that is read
 * in several orders is kept whole. Without that, sharing within sharing would compute the lowest
 * node a number of times that doubles with every level. */
#include <inttypes.h>

#include "service/expr/evaluation.h"
#include "store/base/alloc.h"

#define PLAN_NO_GROUP (UINT32_MAX - 1)
#define PLAN_UNSEEN   (UINT32_MAX - 2)

const struct expr *
plan_see_through(const struct expr *node)
{
    while (node->kind == EXPR_OP && node->op->passthrough)
        node = node->args[0];
    return node;
}

bool
op_node_constant(const struct expr *node, void *element)
{
    node = plan_see_through(node);
    if (node->type.dtype == DTYPE_STRING)
        return false;
    if (node->kind == EXPR_LITERAL && shape_count(&node->type.shape) == 1) {
        memcpy(element, node->settled.data, dtype_size(node->type.dtype));
        return true;
    }
    if (node->constant)
        memcpy(element, node->element, dtype_size(node->type.dtype));
    return node->constant;
}

bool
expr_constant_fill(const struct expr_tree *tree, void *element)
{
    return op_node_constant(tree->root, element);
}

bool
plan_is_kept(const struct plan *plan, const struct expr *node)
{
    return plan->nodes[node->index].kind == PLAN_KEPT;
}

/* --- readers ------------------------------------------------------------------------------- */

static enum op_access
access_of(const struct op *op, uint32_t arg)
{
    if (arg < 32 && (op->whole_args >> arg & 1) != 0)
        return OP_ACCESS_WHOLE;
    return op->access;
}

/* The group an argument of `node` belongs to by this reading of it. */
static uint32_t
group_below(const struct plan *plan, const struct expr *node, uint32_t arg,
            const struct expr *target)
{
    const struct plan_node *reader = &plan->nodes[node->index];
    bool beside = access_of(node->op, arg) == OP_ACCESS_ELEMENTWISE && node->op->eval != NULL &&
                  shape_count(&node->args[arg]->type.shape) == shape_count(&node->type.shape);

    if (!beside)
        return target->index;
    return reader->kind == PLAN_KEPT ? node->index : reader->group;
}

static void
note_reader(struct plan *plan, const struct expr *node, uint32_t arg)
{
    const struct expr *target = plan_see_through(node->args[arg]);
    const struct plan_node *reader = &plan->nodes[node->index];
    struct plan_node *read = &plan->nodes[target->index];
    uint32_t group = group_below(plan, node, arg, target);
    uint32_t last = reader->kind == PLAN_KEPT ? node->index : reader->last;

    read->readers++;
    if (access_of(node->op, arg) == OP_ACCESS_WHOLE)
        read->must_keep = true;
    /* Read twice in ways of their own is read in different orders too. */
    if (read->group == PLAN_UNSEEN)
        read->group = group;
    else if (read->group != group || group == target->index)
        read->group = PLAN_NO_GROUP;
    if (read->readers == 1 || last > read->last)
        read->last = last;
}

/* --- deciding ------------------------------------------------------------------------------ */

/* Its elements are there, or made from nothing but their place. */
static bool
is_leaf(const struct expr *node)
{
    return node->kind != EXPR_OP || node->arg_count == 0;
}

static enum plan_kind
kind_of(const struct expr *node, const struct plan_node *at)
{
    if (node->kind == EXPR_LITERAL || node->type.dtype == DTYPE_STRING)
        return PLAN_DIRECT;
    if (at->must_keep) /* one repeated element too: whoever wants it whole looks for it there */
        return PLAN_KEPT;
    if (at->constant)
        return PLAN_DIRECT;
    if (node->kind == EXPR_OP && node->op->compute != NULL)
        return PLAN_KEPT;
    if (at->readers < 2)
        return PLAN_DIRECT;
    if (at->group != PLAN_NO_GROUP)
        return PLAN_CACHED;
    return is_leaf(node) ? PLAN_DIRECT : PLAN_KEPT;
}

static void
decide(struct plan *plan, const struct expr *node)
{
    struct plan_node *at = &plan->nodes[node->index];

    at->constant = op_node_constant(node, at->element);
    at->kind = kind_of(node, at);
    if (at->group == PLAN_NO_GROUP)
        at->group = node->index; /* direct all the same: each range of it for itself */
    if (node->kind != EXPR_OP || at->constant)
        return;
    for (uint32_t i = 0; i < node->arg_count; i++)
        note_reader(plan, node, i);
}

static void
decide_all(struct plan *plan)
{
    const struct expr *root = plan_see_through(plan->tree->root);

    for (uint32_t i = 0; i <= root->index; i++) {
        plan->nodes[i].group = PLAN_UNSEEN;
        plan->nodes[i].window_first = plan->edge_count;
        plan->edge_count += plan->tree->nodes[i]->arg_count;
    }
    plan->nodes[root->index].group = root->index;
    plan->nodes[root->index].last = PLAN_ROOT;
    plan->nodes[root->index].readers = 1;
    for (uint32_t i = root->index + 1; i-- > 0;)
        if (plan->nodes[i].readers > 0)
            decide(plan, plan->tree->nodes[i]);
}

/* --- limits -------------------------------------------------------------------------------- */

static uint64_t
add(uint64_t a, uint64_t b)
{
    return __builtin_add_overflow(a, b, &a) ? UINT64_MAX : a;
}

/* What dies with node `index`: it was the last to read it. */
static uint64_t
freed_after(const struct plan *plan, uint32_t index)
{
    uint64_t freed = 0;

    for (uint32_t i = 0; i < index; i++)
        if (plan->nodes[i].kind == PLAN_KEPT && plan->nodes[i].last == index)
            freed += tensor_type_bytes(&plan->tree->nodes[i]->type);
    return freed;
}

/* The most memory at a time, walking through the kept nodes in the order they are computed. */
static uint64_t
peak_bytes(const struct plan *plan)
{
    uint64_t held = 0, peak = 0;

    for (uint32_t i = 0; i < plan->tree->node_count; i++) {
        const struct expr *node = plan->tree->nodes[i];
        uint64_t with_scratch;

        if (plan->nodes[i].kind != PLAN_KEPT)
            continue;
        held = add(held, tensor_type_bytes(&node->type));
        with_scratch = held;
        if (node->kind == EXPR_OP && node->op->scratch_bytes != NULL)
            with_scratch = add(held, node->op->scratch_bytes(node));
        peak = with_scratch > peak ? with_scratch : peak;
        if (held != UINT64_MAX)
            held -= freed_after(plan, i);
    }
    return peak;
}

static uint64_t
operations(const struct plan *plan)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < plan->tree->node_count; i++) {
        const struct expr *node = plan->tree->nodes[i];

        if (plan->nodes[i].kind == PLAN_KEPT && node->kind == EXPR_OP &&
            node->op->operations != NULL)
            sum = add(sum, node->op->operations(node));
    }
    return sum;
}

static enum err_code
check_limits(const struct plan *plan, const struct evaluator_options *options, struct err *err)
{
    uint64_t bytes = peak_bytes(plan), count = operations(plan);

    if (bytes > options->bytes_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the expression needs %" PRIu64 " bytes of memory at once, the limit is "
                       "%" PRIu64 " (expression_max_bytes): element by element it would need none",
                       bytes, options->bytes_max);
    if (count > options->operations_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the expression takes about %" PRIu64 " multiplications, the limit is "
                       "%" PRIu64 " (expression_operations_max)",
                       count, options->operations_max);
    return OK;
}

enum err_code
plan_make(const struct expr_tree *tree, const struct evaluator_options *options, struct plan *out,
          struct err *err)
{
    enum err_code code;

    *out = (struct plan){.tree = tree};
    out->nodes = mem_zeroed(tree->node_count, sizeof *out->nodes, err);
    if (out->nodes == NULL)
        return ERR_NO_MEMORY;
    decide_all(out);
    code = check_limits(out, options, err);
    if (code != OK)
        plan_drop(out);
    return code;
}

void
plan_drop(struct plan *plan)
{
    mem_free(plan->nodes);
    *plan = (struct plan){0};
}

enum err_code
evaluator_check(const struct expr_tree *tree, const struct evaluator_options *options,
                struct err *err)
{
    struct plan plan;

    TRY(plan_make(tree, options, &plan, err));
    plan_drop(&plan);
    return OK;
}
