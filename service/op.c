/* The table of ops, and finding one in it by name. */
#include "service/op.h"

static const struct op *const ops[] = {
#define OP(name) &op_##name,
#include "service/ops/list.def"
#undef OP
};

enum {
    OP_COUNT = sizeof ops / sizeof ops[0],
    NEAREST_NAME_BYTES_MAX = 48, /* of either name; longer ones are near to nothing */
    NEAREST_EDITS_MAX = 3,
};

const struct op *
op_at(size_t index)
{
    return index < OP_COUNT ? ops[index] : NULL;
}

const struct op *
op_find(struct bytes name)
{
    for (size_t i = 0; i < OP_COUNT; i++)
        if (bytes_equal(bytes_of_text(ops[i]->name), name))
            return ops[i];
    return NULL;
}

uint32_t
op_arg_name_count(const struct op *op)
{
    return op->args_max <= OP_ARG_NAMES_MAX ? op->args_max : 1;
}

static uint8_t
least(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions and substitutions between two names (Levenshtein), row by row. */
static uint8_t
edits(struct bytes a, struct bytes b)
{
    uint8_t row[NEAREST_NAME_BYTES_MAX + 1];

    for (size_t k = 0; k <= b.size; k++)
        row[k] = (uint8_t)k;
    for (size_t i = 0; i < a.size; i++) {
        uint8_t diagonal = row[0];

        row[0] = (uint8_t)(i + 1);
        for (size_t k = 0; k < b.size; k++) {
            uint8_t substituted = (uint8_t)(diagonal + (a.data[i] != b.data[k]));

            diagonal = row[k + 1];
            row[k + 1] = least(substituted, (uint8_t)(least(row[k], diagonal) + 1));
        }
    }
    return row[b.size];
}

const char *
op_nearest(struct bytes name)
{
    const char *nearest = NULL;
    uint8_t fewest = NEAREST_EDITS_MAX + 1;

    if (name.size > NEAREST_NAME_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < OP_COUNT; i++) {
        struct bytes known = bytes_of_text(ops[i]->name);
        uint8_t distance = known.size > NEAREST_NAME_BYTES_MAX ? UINT8_MAX : edits(name, known);

        /* Half of a short name changed is another name. */
        if (distance < fewest && distance * 2u <= known.size) {
            fewest = distance;
            nearest = ops[i]->name;
        }
    }
    return nearest;
}
