/* Evaluation by tiles: how an op gets at elements of its arguments.
 *
 * An op asks for a tile of an argument and gets a pointer to where the elements already are (a
 * literal, a chunk of a variable, one repeated element, what is kept or cached) or to a tile
 * computed for it. Tiles form a stack that an op leaves as it found it, so no more are alive than
 * arguments on the way from root to leaf. An argument smaller than the result is broadcast run by
 * run from a window of its own, which holds a small argument (a scalar, a bias) whole: it is then
 * computed once per evaluator, not once per run. */
#include "service/expr/evaluation.h"

#include <stdatomic.h>

#include "store/base/alloc.h"
#include "store/base/check.h"

/* --- tiles --------------------------------------------------------------------------------- */

static void *
tile_take(struct evaluator *e, struct err *err)
{
    if (e->tiles_used == e->tiles_made) {
        CHECK(e->tiles_made < e->evaluation->plan.edge_count);
        e->tiles[e->tiles_made] = mem_aligned(TILE_BYTES, err);
        if (e->tiles[e->tiles_made] == NULL)
            return NULL;
        e->tiles_made++;
    }
    return e->tiles[e->tiles_used++];
}

static const struct plan_node *
plan_of(const struct evaluator *e, const struct expr *node)
{
    return &e->evaluation->plan.nodes[node->index];
}

/* --- nodes --------------------------------------------------------------------------------- */

static enum err_code
read_name(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
          struct err *err)
{
    struct evaluation *evaluation = e->evaluation;
    const struct expr_source *source = evaluation->source;
    uint32_t size = dtype_size(node->type.dtype);
    enum err_code code;

    lock_acquire(&evaluation->source_lock);
    code = source->read(source->context, node->variable, node->kind == EXPR_INITIALIZED_VALUE,
                        first * size, count * size, out, err);
    lock_release(&evaluation->source_lock);
    return code;
}

static bool
is_name(const struct expr *node)
{
    return node->kind == EXPR_VARIABLE || node->kind == EXPR_INITIALIZED_VALUE;
}

/* Elements of a name where they lie; *out NULL when they are to be read. */
static enum err_code
lend_name(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
          const uint8_t **out, struct err *err)
{
    struct evaluation *evaluation = e->evaluation;
    const struct expr_source *source = evaluation->source;
    uint32_t size = dtype_size(node->type.dtype);
    struct bytes lent = {0};
    enum err_code code;

    *out = NULL;
    if (source->lend == NULL)
        return OK;
    lock_acquire(&evaluation->source_lock);
    code = source->lend(source->context, node->variable, node->kind == EXPR_INITIALIZED_VALUE,
                        first * size, count * size, &lent, err);
    lock_release(&evaluation->source_lock);
    if (code == OK && (uintptr_t)lent.data % size == 0)
        *out = lent.data;
    return code;
}

static enum err_code
eval_op(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
        struct err *err)
{
    uint32_t mark = e->tiles_used;
    enum err_code code = node->op->eval(e, node, first, count, out, err);

    e->tiles_used = mark;
    return code;
}

/* Anew, whatever else is known of the node. */
static enum err_code
make_elements(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
              void *out, struct err *err)
{
    uint32_t size = dtype_size(node->type.dtype);

    switch (node->kind) {
    case EXPR_OP:
        return eval_op(e, node, first, count, out, err);
    case EXPR_LITERAL:
        memcpy(out, node->settled.data + first * size, (size_t)(count * size));
        return OK;
    case EXPR_VARIABLE:
    case EXPR_INITIALIZED_VALUE:
        return read_name(e, node, first, count, out, err);
    }
    return err_set(err, ERR_INTERNAL, "an expression node of kind %d", (int)node->kind);
}

static enum err_code
fill_cache(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
           struct err *err)
{
    struct tile_cache *cache = &e->caches[node->index];

    if (cache->data != NULL && cache->first == first && cache->count == count)
        return OK;
    if (cache->data == NULL)
        cache->data = arena_array(&e->arena, OP_TILE_ELEMENTS, dtype_size(node->type.dtype), err);
    if (cache->data == NULL)
        return ERR_NO_MEMORY;
    cache->count = 0; /* should it fail half-way */
    TRY(make_elements(e, node, first, count, cache->data, err));
    cache->first = first;
    cache->count = count;
    return OK;
}

enum err_code
evaluator_node(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
               void *out, struct err *err)
{
    const struct plan_node *plan = plan_of(e, node);
    uint32_t size = dtype_size(node->type.dtype);

    if (plan->constant) {
        kernel_fill(size, plan->element, out, count);
        return OK;
    }
    if (plan->kind == PLAN_KEPT) {
        memcpy(out, e->evaluation->kept[node->index] + first * size, (size_t)(count * size));
        return OK;
    }
    if (plan->kind == PLAN_CACHED) {
        TRY(fill_cache(e, node, first, count, err));
        memcpy(out, e->caches[node->index].data, (size_t)(count * size));
        return OK;
    }
    return make_elements(e, node, first, count, out, err);
}

/* Where the elements of a node already are; NULL when they must be computed. */
static const uint8_t *
elements_of(const struct evaluator *e, const struct expr *node)
{
    if (plan_is_kept(&e->evaluation->plan, node))
        return e->evaluation->kept[node->index];
    return node->kind == EXPR_LITERAL ? node->settled.data : NULL;
}

enum err_code
op_arg(struct evaluator *e, const struct expr *node, uint32_t index, uint64_t first, uint64_t count,
       void *scratch, struct kernel_operand *out, struct err *err)
{
    const struct expr *arg = plan_see_through(node->args[index]);
    const struct plan_node *plan = plan_of(e, arg);
    const uint8_t *elements = elements_of(e, arg), *lent = NULL;

    if (plan->constant) {
        *out = (struct kernel_operand){.data = plan->element, .step = 0};
        return OK;
    }
    if (elements != NULL) {
        *out = (struct kernel_operand){.data = elements + first * dtype_size(arg->type.dtype),
                                       .step = 1};
        return OK;
    }
    if (is_name(arg))
        TRY(lend_name(e, arg, first, count, &lent, err));
    if (lent != NULL) {
        *out = (struct kernel_operand){.data = lent, .step = 1};
        return OK;
    }
    if (plan->kind == PLAN_CACHED) {
        TRY(fill_cache(e, arg, first, count, err));
        *out = (struct kernel_operand){.data = e->caches[arg->index].data, .step = 1};
        return OK;
    }
    if (scratch == NULL)
        scratch = tile_take(e, err);
    if (scratch == NULL)
        return ERR_NO_MEMORY;
    *out = (struct kernel_operand){.data = scratch, .step = 1};
    return evaluator_node(e, arg, first, count, scratch, err);
}

enum err_code
op_arg_into(struct evaluator *e, const struct expr *node, uint32_t index, uint64_t first,
            uint64_t count, void *out, struct err *err)
{
    return evaluator_node(e, plan_see_through(node->args[index]), first, count, out, err);
}

enum err_code
op_check_interrupt(const struct evaluator *e, struct err *err)
{
    const _Atomic bool *interrupted = e->evaluation->options.interrupted;

    if (interrupted == NULL || !atomic_load_explicit(interrupted, memory_order_relaxed))
        return OK;
    return err_set(err, ERR_UNAVAILABLE, "the server is stopping; this was given up unfinished");
}

/* Many elements of a node: tile by tile where an op makes them. */
enum err_code
evaluator_run(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
              void *out, struct err *err)
{
    const struct plan_node *plan = plan_of(e, node);
    bool tiles = !plan->constant && (plan->kind == PLAN_CACHED ||
                                     (plan->kind == PLAN_DIRECT && node->kind == EXPR_OP));
    uint32_t size = dtype_size(node->type.dtype);
    uint8_t *to = out;

    TRY(op_check_interrupt(e, err));
    if (!tiles)
        return count == 0 ? OK : evaluator_node(e, node, first, count, out, err);
    while (count > 0) {
        uint64_t tile = count < OP_TILE_ELEMENTS ? count : OP_TILE_ELEMENTS;

        TRY(op_check_interrupt(e, err));
        TRY(evaluator_node(e, node, first, tile, to, err));
        to += tile * size;
        first += tile;
        count -= tile;
    }
    return OK;
}

enum err_code
op_arg_read(struct evaluator *e, const struct expr *node, uint32_t index, uint64_t first,
            uint64_t count, void *out, struct err *err)
{
    return evaluator_run(e, plan_see_through(node->args[index]), first, count, out, err);
}

const void *
op_arg_whole(struct evaluator *e, const struct expr *node, uint32_t index)
{
    const struct expr *arg = plan_see_through(node->args[index]);
    const uint8_t *elements = elements_of(e, arg);

    CHECK(elements != NULL);
    return elements;
}

/* --- broadcasting -------------------------------------------------------------------------- */

/* The window of a broadcast argument; made when first wanted. */
static struct window *
window_of(struct evaluator *e, const struct expr *node, uint32_t index, struct err *err)
{
    struct window **slot = &e->windows[plan_of(e, node)->window_first + index];
    const struct expr *arg = plan_see_through(node->args[index]);
    struct window *window = *slot;

    if (window != NULL)
        return window;
    window = arena_alloc(&e->arena, sizeof *window, err);
    if (window == NULL)
        return NULL;
    op_layout_broadcast(&window->layout, &node->args[index]->type.shape, &node->type.shape);
    window->total = shape_count(&arg->type.shape);
    window->capacity = window->total < OP_TILE_ELEMENTS ? window->total : OP_TILE_ELEMENTS;
    if (elements_of(e, arg) == NULL) {
        window->data =
            arena_array(&e->arena, (size_t)window->capacity, dtype_size(arg->type.dtype), err);
        if (window->data == NULL)
            return NULL;
    }
    *slot = window;
    return window;
}

/* Elements [first, first + count) of the argument; valid until the next call for it. */
static enum err_code
window_read(struct evaluator *e, const struct expr *arg, struct window *window, uint64_t first,
            uint64_t count, const uint8_t **out, struct err *err)
{
    uint32_t size = dtype_size(arg->type.dtype);
    bool held = first >= window->first && first + count <= window->first + window->count;

    if (elements_of(e, arg) != NULL) {
        *out = elements_of(e, arg) + first * size;
        return OK;
    }
    if (!held) {
        uint64_t from = window->capacity == window->total ? 0 : first;
        uint64_t left = window->total - from;

        window->count = 0; /* should the read fail half-way */
        left = left < window->capacity ? left : window->capacity;
        TRY(evaluator_node(e, arg, from, left, window->data, err));
        window->first = from;
        window->count = left;
    }
    *out = window->data + (first - window->first) * size;
    return OK;
}

static enum err_code
gather(struct evaluator *e, const struct expr *arg, struct window *window, uint64_t first,
       uint64_t count, void *scratch, struct kernel_operand *out, struct err *err)
{
    uint32_t size = dtype_size(arg->type.dtype);
    struct op_layout_walk walk;
    const uint8_t *from = NULL;
    uint8_t *to = scratch;

    op_layout_start(&window->layout, first, &walk);
    for (uint64_t done = 0; done < count;) {
        struct op_layout_run run = op_layout_next(&walk, count - done);

        TRY(window_read(e, arg, window, run.source, run.step == 0 ? 1 : run.count, &from, err));
        if (run.count == count) {
            *out = (struct kernel_operand){.data = from, .step = (uint32_t)run.step};
            return OK;
        }
        if (to == NULL)
            to = tile_take(e, err);
        if (to == NULL)
            return ERR_NO_MEMORY;
        if (run.step == 0)
            kernel_fill(size, from, to + done * size, run.count);
        else
            memcpy(to + done * size, from, (size_t)(run.count * size));
        done += run.count;
    }
    *out = (struct kernel_operand){.data = to, .step = 1};
    return OK;
}

enum err_code
op_arg_broadcast(struct evaluator *e, const struct expr *node, uint32_t index, uint64_t first,
                 uint64_t count, void *scratch, struct kernel_operand *out, struct err *err)
{
    const struct expr *arg = plan_see_through(node->args[index]);
    const struct shape *from = &node->args[index]->type.shape;
    struct window *window = NULL;

    /* As many elements: broadcasting has at most put dimensions of 1 in front. */
    if (plan_of(e, arg)->constant || shape_count(from) == shape_count(&node->type.shape))
        return op_arg(e, node, index, first, count, scratch, out, err);
    window = window_of(e, node, index, err);
    if (window == NULL)
        return ERR_NO_MEMORY;
    return gather(e, arg, window, first, count, scratch, out, err);
}
