/* The table of ops, and finding one in it by name. */
#include "service/expr/op.h"

#include "service/name.h"

static const struct op *const ops[] = {
#define OP(name) &op_##name,
#include "service/ops/list.def"
#undef OP
};

enum { OP_COUNT = sizeof ops / sizeof ops[0] };

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

static const char *
name_at(const void *context, size_t index)
{
    (void)context;
    return index < OP_COUNT ? ops[index]->name : NULL;
}

const char *
op_nearest(struct bytes name)
{
    return name_nearest(name, name_at, NULL);
}
