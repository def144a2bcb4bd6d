/* A recipe:
 *   u8 version, u8 profile, u32 count, u64 key and u64 counter of each random op in the order of
 * the nodes, the expression's record (expr_record.c) to the end A recipe is followed anew for every
 * range: some microseconds beside the hundreds a chunk takes. */
#include "service/expr/recipe.h"

#include <inttypes.h>

#include "service/expr/compute.h"
#include "service/expr/evaluation.h"
#include "store/base/scope.h"

enum { RECIPE_VERSION = 1, DRAW_BYTES = 16, RECIPE_NODES_MAX = 64 };

static const struct expr_limits limits = {.nodes_max = RECIPE_NODES_MAX,
                                          .depth_max = EXPR_DEPTH_MAX,
                                          .literal_bytes_max = VALUE_RECIPE_BYTES_MAX};

/* Nothing whole in memory. */
static const struct evaluator_options options = {.bytes_max = 0, .operations_max = 0};

static bool
is_draw(const struct expr *node)
{
    return node->kind == EXPR_OP && node->op->random;
}

/* --- in ------------------------------------------------------------------------------------ */

static enum err_code
refuse_name(void *context, const char *name, bool initialized, struct err *err)
{
    (void)context;
    (void)initialized;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "a virtual value cannot read a variable, this one reads '%s'", name);
}

static bool
keeps_something(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->tree->node_count; i++)
        if (plan_is_kept(plan, plan->tree->nodes[i]))
            return true;
    return false;
}

static enum err_code
check_ranges(const struct expr_tree *tree, struct err *err)
{
    const struct evaluator_options all = {.bytes_max = UINT64_MAX, .operations_max = UINT64_MAX};
    struct plan plan;
    bool keeps;

    TRY(plan_make(tree, &all, &plan, err));
    keeps = keeps_something(&plan);
    plan_drop(&plan);
    if (!keeps)
        return OK;
    return err_set(
        err, ERR_INVALID_ARGUMENT,
        "a virtual value is made element by element, this one has an op that needs whole "
        "tensors");
}

enum err_code
recipe_check(const struct expr_tree *tree, struct err *err)
{
    AUTO(buf) recipe;

    buf_init(&recipe, VALUE_RECIPE_BYTES_MAX + 1);
    if (tree->root->type.dtype == DTYPE_STRING)
        return err_set(err, ERR_INVALID_ARGUMENT, "a value of dtype string cannot be virtual");
    TRY(expr_each_variable(tree, refuse_name, NULL, err));
    TRY(check_ranges(tree, err));
    if (tree->node_count <= RECIPE_NODES_MAX && recipe_encode(tree, &recipe, NULL) == OK &&
        recipe.size <= VALUE_RECIPE_BYTES_MAX)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "the expression of a virtual value takes at most %d bytes and %d nodes",
                   VALUE_RECIPE_BYTES_MAX, RECIPE_NODES_MAX);
}

enum err_code
recipe_encode(const struct expr_tree *tree, struct buf *out, struct err *err)
{
    enum random_profile profile = RANDOM_PROFILE_R1_LINUX;
    uint32_t draws = 0;

    for (uint32_t i = 0; i < tree->node_count; i++) {
        if (tree->nodes[i]->depth == 0 || !is_draw(tree->nodes[i]))
            continue;
        profile = tree->nodes[i]->profile;
        draws++;
    }
    TRY(buf_append_byte(out, RECIPE_VERSION, err));
    TRY(buf_append_byte(out, (uint8_t)profile, err));
    TRY(buf_append_u32(out, draws, err));
    for (uint32_t i = 0; i < tree->node_count; i++) {
        if (tree->nodes[i]->depth == 0 || !is_draw(tree->nodes[i]))
            continue;
        TRY(buf_append_u64(out, tree->nodes[i]->seeds.key, err));
        TRY(buf_append_u64(out, tree->nodes[i]->seeds.counter_high, err));
    }
    return expr_encode(tree, out, err);
}

/* --- out ----------------------------------------------------------------------------------- */

static enum err_code
damaged(struct err *err)
{
    return err_set(err, ERR_DATA_LOSS, "the recipe of a virtual value is damaged");
}

static enum err_code
decode(struct bytes recipe, struct expr_tree *tree, struct err *err)
{
    struct reader in = reader_of(recipe), draws;
    uint8_t version = reader_u8(&in), profile = reader_u8(&in);
    uint32_t count = reader_u32(&in), met = 0;

    if (in.failed || version != RECIPE_VERSION || profile >= RANDOM_PROFILE_COUNT ||
        count > in.left.size / DRAW_BYTES)
        return damaged(err);
    draws = reader_of(reader_take(&in, (size_t)count * DRAW_BYTES));
    TRY(expr_decode(in.left, &limits, tree, err));
    TRY(expr_infer(tree, NULL, DTYPE_UNSET, err));
    for (uint32_t i = 0; i < tree->node_count; i++) {
        struct expr *node = tree->nodes[i];

        if (!is_draw(node))
            continue;
        node->profile = (enum random_profile)profile;
        node->seeds.key = reader_u64(&draws);
        node->seeds.counter_high = reader_u64(&draws);
        met++;
    }
    return met == count ? OK : damaged(err);
}

/* Bytes of elements that the range has in part: its first, or its last. */
static enum err_code
make_part(struct evaluator *e, uint32_t element_size, uint64_t offset, uint64_t size, uint8_t *out,
          struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];

    TRY(evaluator_read(e, offset / element_size, 1, element, err));
    memcpy(out, element + offset % element_size, (size_t)size);
    return OK;
}

/* Whole elements, into memory that may not be aligned for them. */
static enum err_code
make_whole(struct evaluator *e, uint32_t element_size, uint64_t offset, uint64_t size, uint8_t *out,
           struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t tile[4 << 10];

    if ((uintptr_t)out % element_size == 0)
        return evaluator_read(e, offset / element_size, size / element_size, out, err);
    while (size > 0) {
        uint64_t part = size < sizeof tile ? size : sizeof tile;

        TRY(evaluator_read(e, offset / element_size, part / element_size, tile, err));
        memcpy(out, tile, (size_t)part);
        offset += part;
        out += part;
        size -= part;
    }
    return OK;
}

enum err_code
recipe_make(struct bytes recipe, uint64_t offset, uint64_t size, uint8_t *out, struct err *err)
{
    AUTO(expr_tree) tree = {0};
    AUTO_CALL(compute_evaluator_drop) struct evaluator *e = NULL;
    uint32_t element_size;
    uint64_t head, whole;

    if (size == 0)
        return OK;
    TRY(decode(recipe, &tree, err));
    element_size = dtype_size(tree.root->type.dtype);
    if (element_size == 0)
        return damaged(err);
    TRY(evaluator_open(&tree, NULL, &options, &e, err));
    head = (element_size - offset % element_size) % element_size;
    head = head < size ? head : size;
    if (head > 0)
        TRY(make_part(e, element_size, offset, head, out, err));
    whole = (size - head) / element_size * element_size;
    TRY(make_whole(e, element_size, offset + head, whole, out + head, err));
    size -= head + whole;
    if (size > 0)
        TRY(make_part(e, element_size, offset + head + whole, size, out + head + whole, err));
    return OK;
}
