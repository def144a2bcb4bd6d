/* random_shuffle(value, seed): the rows along the first dimension in random order. Fisher-Yates
 * from the front: row i changes places with row i + word % (N - i), one word of the stream each, so
 * a run of N rows takes N - 1 words, in whole blocks of four. */
#include "service/expr/op_random.h"

struct random_shuffle_params {
    struct attr_seed seed;
    int64_t run;
};

enum { WORDS_AT_ONCE = 256, SWAP_BYTES = 512 };

static const struct attr_spec attrs[] = {
    ATTR_SEED(struct random_shuffle_params, seed, .help = "op seed"),
    OP_RANDOM_RUN(struct random_shuffle_params),
    ATTR_END,
};

static const char *const arg_names[] = {"value"};

/* Rows there are to be shuffled. */
static uint64_t
rows_of(const struct shape *shape)
{
    return shape->rank == 0 || shape_count(shape) == 0 ? 0 : shape->dims[0];
}

static uint64_t
blocks_of_run(uint64_t rows)
{
    return rows <= 1 ? 0 : (rows - 1) / 4 + ((rows - 1) % 4 != 0);
}

static enum err_code
random_shuffle_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct random_shuffle_params *params = node->params;

    (void)tree;
    TRY(op_check_dtype(node, node->args[0]->type.dtype, err));
    TRY(op_random_check_blocks(node, params->run,
                               blocks_of_run(rows_of(&node->args[0]->type.shape)), err));
    node->type = node->args[0]->type;
    return OK;
}

static void
swap_rows(uint8_t *a, uint8_t *b, uint64_t size)
{
    uint8_t held[SWAP_BYTES];

    if (a == b)
        return;
    for (uint64_t n; size > 0; a += n, b += n, size -= n) {
        n = size < SWAP_BYTES ? size : SWAP_BYTES;
        memcpy(held, a, n);
        memcpy(a, b, n);
        memcpy(b, held, n);
    }
}

static enum err_code
random_shuffle_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    const struct random_shuffle_params *params = node->params;
    const uint64_t count = shape_count(&node->type.shape), rows = rows_of(&node->type.shape);
    struct random_stream stream = {.seeds = node->seeds,
                                   .base_block = (uint64_t)params->run * blocks_of_run(rows)};
    uint32_t words[WORDS_AT_ONCE];
    uint64_t row_bytes;

    TRY(op_arg_read(e, node, 0, 0, count, out, err));
    if (rows <= 1)
        return OK;
    row_bytes = count / rows * dtype_size(node->type.dtype);
    for (uint64_t i = 0; i < rows - 1; i++) {
        const uint64_t left = rows - 1 - i;
        uint8_t *row = (uint8_t *)out + i * row_bytes;

        if (i % WORDS_AT_ONCE == 0)
            random_fill_words(&stream, i, left < WORDS_AT_ONCE ? left : WORDS_AT_ONCE, words);
        swap_rows(row, row + words[i % WORDS_AT_ONCE] % (rows - i) * row_bytes, row_bytes);
    }
    return OK;
}

static const struct op_graph_node graph_nodes[] = {
    {.name = "",
     .type = "RandomShuffle",
     .inputs = "$0",
     .result = OP_GRAPH_TYPE_RESULT,
     .seeded = true,
     .seed_ahead = OP_GRAPH_SEED_FIRST},
    {.name = NULL},
};

const struct op op_random_shuffle = {
    .name = "random_shuffle",
    .summary = "The argument's rows in random order.",
    .attrs = attrs,
    .params_size = sizeof(struct random_shuffle_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .access = OP_ACCESS_RUNS,
    .random = true,
    .graph_nodes = graph_nodes,
    .infer = random_shuffle_infer,
    .compute = random_shuffle_compute,
};
