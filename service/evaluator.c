/* Evaluation by tiles: any range of an expression's result from ranges of its arguments.
 *
 * An op asks for a tile of an argument and gets a pointer to where the elements already are (a
 * literal, one repeated element) or to a tile computed for it. Tiles form a stack that an op leaves
 * as it found it, so no more are alive than nodes between root and leaf with their siblings. An
 * argument smaller than the result is broadcast run by run from a window of its own, which holds a
 * small argument (a scalar, a bias) whole: it is then computed once per evaluator, not once per
 * run. */
#include "service/expr.h"

#include <inttypes.h>

#include "service/broadcast.h"
#include "service/op_helpers.h"
#include "store/base/alloc.h"
#include "store/base/check.h"

/* The part of a broadcast argument that was computed last. */
struct window {
    struct broadcast plan;
    uint8_t *data;
    uint64_t first, count, capacity; /* elements */
    uint64_t total;                  /* of the argument */
};

struct node_state {
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];
    bool constant; /* the whole result is `element` */
    struct window *window;
};

struct evaluator {
    const struct expr_tree *tree;
    const struct expr_source *source;
    struct arena arena; /* states and windows */
    struct node_state *states;
    void **tiles;
    uint32_t tiles_used, tiles_made; /* tiles_made <= node_count */
};

enum { TILE_BYTES = OP_TILE_ELEMENTS * OP_ELEMENT_BYTES_MAX };

/* Past ops that only rename or reshape. */
static const struct expr *
see_through(const struct expr *node)
{
    while (node->kind == EXPR_OP && node->op->passthrough)
        node = node->args[0];
    return node;
}

/* --- one repeated element ------------------------------------------------------------------ */

bool
op_node_constant(const struct expr *node, void *element)
{
    node = see_through(node);
    if (node->type.dtype == DTYPE_STRING)
        return false;
    if (node->kind == EXPR_LITERAL && shape_count(&node->type.shape) == 1) {
        memcpy(element, node->settled.data, dtype_size(node->type.dtype));
        return true;
    }
    return node->kind == EXPR_OP && node->op->constant != NULL && node->op->constant(node, element);
}

bool
expr_constant_fill(const struct expr_tree *tree, void *element)
{
    return op_node_constant(tree->root, element);
}

/* --- tiles --------------------------------------------------------------------------------- */

static void *
tile_take(struct evaluator *e, struct err *err)
{
    if (e->tiles_used == e->tiles_made) {
        CHECK(e->tiles_made < e->tree->node_count);
        e->tiles[e->tiles_made] = mem_aligned(TILE_BYTES, err);
        if (e->tiles[e->tiles_made] == NULL)
            return NULL;
        e->tiles_made++;
    }
    return e->tiles[e->tiles_used++];
}

/* --- nodes --------------------------------------------------------------------------------- */

static enum err_code
read_name(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
          struct err *err)
{
    uint32_t size = dtype_size(node->type.dtype);

    return e->source->read(e->source->context, node->variable, node->kind == EXPR_INITIALIZED_VALUE,
                           first * size, count * size, out, err);
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

/* count: up to a tile for an op, any number else. */
static enum err_code
eval_node(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
          struct err *err)
{
    uint32_t size = dtype_size(node->type.dtype);

    if (e->states[node->index].constant) {
        kernel_fill(size, e->states[node->index].element, out, count);
        return OK;
    }
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

enum err_code
op_arg(struct evaluator *e, const struct expr *node, uint32_t index, uint64_t first, uint64_t count,
       void *scratch, struct kernel_operand *out, struct err *err)
{
    const struct expr *arg = see_through(node->args[index]);
    const struct node_state *state = &e->states[arg->index];

    if (state->constant) {
        *out = (struct kernel_operand){.data = state->element, .step = 0};
        return OK;
    }
    if (arg->kind == EXPR_LITERAL) {
        *out = (struct kernel_operand){
            .data = arg->settled.data + first * dtype_size(arg->type.dtype), .step = 1};
        return OK;
    }
    if (scratch == NULL)
        scratch = tile_take(e, err);
    if (scratch == NULL)
        return ERR_NO_MEMORY;
    *out = (struct kernel_operand){.data = scratch, .step = 1};
    return eval_node(e, arg, first, count, scratch, err);
}

enum err_code
op_arg_into(struct evaluator *e, const struct expr *node, uint32_t index, uint64_t first,
            uint64_t count, void *out, struct err *err)
{
    return eval_node(e, see_through(node->args[index]), first, count, out, err);
}

/* --- broadcasting -------------------------------------------------------------------------- */

/* The window of a broadcast argument; made when first wanted. */
static struct window *
window_of(struct evaluator *e, const struct expr *arg, const struct shape *from,
          const struct shape *to, struct err *err)
{
    struct node_state *state = &e->states[arg->index];
    struct window *window = state->window;

    if (window != NULL)
        return window;
    window = arena_alloc(&e->arena, sizeof *window, err);
    if (window == NULL)
        return NULL;
    op_broadcast_init(&window->plan, from, to);
    window->total = shape_count(from);
    window->capacity = window->total < OP_TILE_ELEMENTS ? window->total : OP_TILE_ELEMENTS;
    if (arg->kind != EXPR_LITERAL) {
        window->data =
            arena_array(&e->arena, (size_t)window->capacity, dtype_size(arg->type.dtype), err);
        if (window->data == NULL)
            return NULL;
    }
    state->window = window;
    return window;
}

/* Elements [first, first + count) of the argument; valid until the next call for it. */
static enum err_code
window_read(struct evaluator *e, const struct expr *arg, struct window *window, uint64_t first,
            uint64_t count, const uint8_t **out, struct err *err)
{
    uint32_t size = dtype_size(arg->type.dtype);
    bool held = first >= window->first && first + count <= window->first + window->count;

    if (arg->kind == EXPR_LITERAL) {
        *out = arg->settled.data + first * size;
        return OK;
    }
    if (!held) {
        uint64_t from = window->capacity == window->total ? 0 : first;
        uint64_t left = window->total - from;

        window->count = 0; /* should the read fail half-way */
        left = left < window->capacity ? left : window->capacity;
        TRY(eval_node(e, arg, from, left, window->data, err));
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
    struct broadcast_walk walk;
    const uint8_t *from = NULL;
    uint8_t *to = scratch;

    op_broadcast_start(&window->plan, first, &walk);
    for (uint64_t done = 0; done < count;) {
        struct broadcast_run run = op_broadcast_next(&walk, count - done);

        TRY(window_read(e, arg, window, run.source, run.step == 0 ? 1 : run.count, &from, err));
        if (run.count == count) {
            *out = (struct kernel_operand){.data = from, .step = run.step};
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
    const struct expr *arg = see_through(node->args[index]);
    const struct shape *from = &node->args[index]->type.shape;
    struct window *window = NULL;

    /* As many elements: broadcasting has at most put dimensions of 1 in front. */
    if (e->states[arg->index].constant || shape_count(from) == shape_count(&node->type.shape))
        return op_arg(e, node, index, first, count, scratch, out, err);
    window = window_of(e, arg, from, &node->type.shape, err);
    if (window == NULL)
        return ERR_NO_MEMORY;
    return gather(e, arg, window, first, count, scratch, out, err);
}

/* --- the evaluator ------------------------------------------------------------------------- */

static enum err_code
prepare(struct evaluator *e, struct err *err)
{
    uint32_t count = e->tree->node_count;

    arena_init(&e->arena, (size_t)count * (TILE_BYTES + sizeof(struct window) +
                                           sizeof(struct node_state) + sizeof(void *)) +
                              OP_ELEMENT_BYTES_MAX);
    e->states = arena_array(&e->arena, count, sizeof *e->states, err);
    if (e->states == NULL)
        return ERR_NO_MEMORY;
    e->tiles = arena_array(&e->arena, count, sizeof(void *), err);
    if (e->tiles == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        if (e->tree->nodes[i]->depth != 0)
            e->states[i].constant = op_node_constant(e->tree->nodes[i], e->states[i].element);
    return OK;
}

enum err_code
evaluator_open(const struct expr_tree *tree, const struct expr_source *source,
               struct evaluator **out, struct err *err)
{
    struct evaluator *e = mem_zeroed(1, sizeof *e, err);
    enum err_code code = OK;

    if (e == NULL)
        return ERR_NO_MEMORY;
    *e = (struct evaluator){.tree = tree, .source = source};
    code = prepare(e, err);
    if (code != OK) {
        evaluator_drop(e);
        return code;
    }
    *out = e;
    return OK;
}

void
evaluator_drop(struct evaluator *e)
{
    if (e == NULL)
        return;
    for (uint32_t i = 0; i < e->tiles_made; i++)
        mem_free(e->tiles[i]);
    arena_drop(&e->arena);
    mem_free(e);
}

enum err_code
evaluator_read(struct evaluator *e, uint64_t first, uint64_t count, void *out, struct err *err)
{
    const struct expr *root = see_through(e->tree->root);
    uint64_t total = shape_count(&root->type.shape);
    uint32_t size = dtype_size(root->type.dtype);
    uint8_t *to = out;

    if (root->type.dtype == DTYPE_STRING)
        return err_set(err, ERR_INVALID_ARGUMENT, "a value of dtype string is read whole only");
    if (first > total || count > total - first)
        return err_set(err, ERR_OUT_OF_RANGE,
                       "elements %" PRIu64 " to %" PRIu64 " of a result of %" PRIu64, first,
                       first + count, total);
    if (count > 0 && (root->kind != EXPR_OP || e->states[root->index].constant))
        return eval_node(e, root, first, count, to, err);
    while (count > 0) {
        uint64_t tile = count < OP_TILE_ELEMENTS ? count : OP_TILE_ELEMENTS;

        TRY(eval_node(e, root, first, tile, to, err));
        to += tile * size;
        first += tile;
        count -= tile;
    }
    return OK;
}

static enum err_code
read_strings(struct evaluator *e, const struct expr *node, struct buf *out, struct err *err)
{
    bool initialized = node->kind == EXPR_INITIALIZED_VALUE;
    uint64_t size = 0;
    uint8_t *to = NULL;

    if (e->source->size == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "strings of variable '%s' cannot be read here",
                       node->variable);
    TRY(e->source->size(e->source->context, node->variable, initialized, &size, err));
    if (size > SIZE_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "variable '%s' has %" PRIu64 " bytes",
                       node->variable, size);
    TRY(buf_reserve(out, (size_t)size, &to, err));
    TRY(e->source->read(e->source->context, node->variable, initialized, 0, size, to, err));
    buf_commit(out, (size_t)size);
    return OK;
}

enum err_code
evaluator_strings(struct evaluator *e, struct buf *out, struct err *err)
{
    const struct expr *root = see_through(e->tree->root);

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
