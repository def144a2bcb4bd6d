/* Expressions as records: what a variable's initial value is kept as.
 *
 *   u32 magic, u32 version, u32 node count
 *   per node, arguments before the ops that take them, the root last:
 *     u8 kind, id (empty: none), u32 argument count, u32 index of each argument
 *     op: name, attributes (expr_attr.h) | literal: expr_attr.h | variable: name
 *   u32 CRC-32C of all before
 *
 * A record holds what was written, not what inference made of it. The checksum makes damage visible
 * that would otherwise read as another number; every index and size is checked all the same. */
#include "service/expr/expr.h"

#include <stdio.h>

#include "service/expr/expr_attr.h"
#include "service/name.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum {
    RECORD_MAGIC = 0x45584b54, /* "TKXE" */
    RECORD_VERSION = 2,
    NODE_BYTES_MIN = 9,
    CRC_BYTES = 4,
    NAME_BYTES_SHOWN_MAX = 64,
};

#define NOT_NUMBERED UINT32_MAX

/* --- encode -------------------------------------------------------------------------------- */

/* numbers[index]: the node's place in the record, or NOT_NUMBERED when the root does not reach it.
 */
static uint32_t
number_nodes(const struct expr_tree *tree, uint32_t *numbers)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < tree->node_count; i++)
        numbers[i] = NOT_NUMBERED;
    numbers[tree->root->index] = 0;
    for (uint32_t i = tree->node_count; i-- > 0;) {
        const struct expr *node = tree->nodes[i];

        for (uint32_t k = 0; numbers[i] != NOT_NUMBERED && k < node->arg_count; k++)
            numbers[node->args[k]->index] = 0;
    }
    for (uint32_t i = 0; i < tree->node_count; i++)
        if (numbers[i] != NOT_NUMBERED)
            numbers[i] = count++;
    return count;
}

/* How messages call an op. */
enum { OWNER_BYTES_MAX = 80 };

static struct expr_attrs
attrs_of(const struct expr *node, char owner[static OWNER_BYTES_MAX])
{
    snprintf(owner, OWNER_BYTES_MAX, "op '%s'", node->op->name);
    return (struct expr_attrs){
        .owner = owner, .specs = node->op->attrs, .params = node->params, .given = node->given};
}

static enum err_code
encode_node(const struct expr *node, const uint32_t *numbers, struct buf *out, struct err *err)
{
    char owner[OWNER_BYTES_MAX];
    struct expr_attrs attrs;

    TRY(buf_append_byte(out, (uint8_t)node->kind, err));
    TRY(buf_append_bytes(out, bytes_of_text(node->id == NULL ? "" : node->id), err));
    TRY(buf_append_u32(out, node->arg_count, err));
    for (uint32_t i = 0; i < node->arg_count; i++)
        TRY(buf_append_u32(out, numbers[node->args[i]->index], err));
    switch (node->kind) {
    case EXPR_OP:
        TRY(buf_append_bytes(out, bytes_of_text(node->op->name), err));
        attrs = attrs_of(node, owner);
        return expr_attrs_encode(&attrs, out, err);
    case EXPR_LITERAL:
        return expr_literal_encode(&node->literal, node->weak, out, err);
    case EXPR_VARIABLE:
    case EXPR_INITIALIZED_VALUE:
        return buf_append_bytes(out, bytes_of_text(node->variable), err);
    }
    return err_set(err, ERR_INTERNAL, "an expression node of kind %d", (int)node->kind);
}

enum err_code
expr_encode(const struct expr_tree *tree, struct buf *out, struct err *err)
{
    AUTO_CALL(mem_free_scope)
    uint32_t *numbers = mem_zeroed(tree->node_count, sizeof *numbers, err);
    size_t start = out->size;

    CHECK(tree->root != NULL);
    if (numbers == NULL)
        return ERR_NO_MEMORY;
    TRY(buf_append_u32(out, RECORD_MAGIC, err));
    TRY(buf_append_u32(out, RECORD_VERSION, err));
    TRY(buf_append_u32(out, number_nodes(tree, numbers), err));
    for (uint32_t i = 0; i < tree->node_count; i++)
        if (numbers[i] != NOT_NUMBERED)
            TRY(encode_node(tree->nodes[i], numbers, out, err));
    return buf_append_u32(out, crc32c(0, out->data + start, out->size - start), err);
}

/* --- decode -------------------------------------------------------------------------------- */

struct decoder {
    struct reader in;
    const struct expr_limits *limits;
    struct expr_tree *tree;
};

static enum err_code
damaged(struct err *err, const char *what)
{
    return err_set(err, ERR_DATA_LOSS, "the record of an expression is damaged: %s", what);
}

static enum err_code
decode_args(struct decoder *d, struct expr *node, struct err *err)
{
    struct expr **args = node->args;

    for (uint32_t i = 0; i < node->arg_count; i++) {
        uint32_t from = reader_u32(&d->in);

        if (d->in.failed || from >= node->index)
            return damaged(err, "an argument");
        args[i] = d->tree->nodes[from];
    }
    TRY(expr_tree_args(d->limits, node, args, err));
    for (uint32_t i = 0; i < node->arg_count; i++)
        if (args[i]->uses > 1 && args[i]->id == NULL)
            return damaged(err, "an argument that is another's too");
    return OK;
}

static enum err_code
decode_id(struct decoder *d, const char **out, struct err *err)
{
    struct bytes id = reader_bytes(&d->in);

    *out = NULL;
    if (d->in.failed || id.size > EXPR_ID_BYTES_MAX || memchr(id.data, '\0', id.size) != NULL)
        return damaged(err, "an id");
    if (id.size == 0)
        return OK;
    *out = arena_text(&d->tree->arena, id, err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
decode_name(struct decoder *d, struct expr *node, struct err *err)
{
    struct bytes name = reader_bytes(&d->in);

    if (d->in.failed || name.size == 0 || name.size > NAME_BYTES_MAX ||
        memchr(name.data, '\0', name.size) != NULL)
        return damaged(err, "a variable's name");
    node->variable = arena_text(&d->tree->arena, name, err);
    return node->variable == NULL ? ERR_NO_MEMORY : OK;
}

/* The op's name stands after the arguments, but the node needs it to be made. */
static enum err_code
peek_op(const struct decoder *d, uint32_t arg_count, const struct op **out, struct err *err)
{
    struct reader ahead = d->in;
    struct bytes name;

    (void)reader_take(&ahead, (size_t)arg_count * sizeof(uint32_t));
    name = reader_bytes(&ahead);
    if (ahead.failed)
        return damaged(err, "an op");
    *out = op_find(name);
    if (*out == NULL)
        return err_set(err, ERR_DATA_LOSS, "the record of an expression names an op '%.*s'",
                       name.size < NAME_BYTES_SHOWN_MAX ? (int)name.size : NAME_BYTES_SHOWN_MAX,
                       (const char *)name.data);
    return OK;
}

static enum err_code
decode_node(struct decoder *d, struct err *err)
{
    uint8_t kind = reader_u8(&d->in);
    const char *id = NULL;
    const struct op *op = NULL;
    struct expr *node = NULL;
    char owner[OWNER_BYTES_MAX];
    struct expr_attrs attrs;
    uint32_t arg_count;

    TRY(decode_id(d, &id, err));
    arg_count = reader_u32(&d->in);
    if (d->in.failed || kind > EXPR_INITIALIZED_VALUE || (kind != EXPR_OP && arg_count > 0))
        return damaged(err, "a node");
    if (kind == EXPR_OP)
        TRY(peek_op(d, arg_count, &op, err));
    TRY(expr_tree_node(d->tree, d->limits, (enum expr_kind)kind, op, arg_count, &node, err));
    node->id = id;
    TRY(decode_args(d, node, err));
    switch (node->kind) {
    case EXPR_OP:
        (void)reader_bytes(&d->in);
        attrs = attrs_of(node, owner);
        return expr_attrs_decode(&d->in, d->limits, d->tree, &attrs, err);
    case EXPR_LITERAL:
        return expr_literal_decode(&d->in, d->limits, d->tree, &node->literal, &node->weak, err);
    case EXPR_VARIABLE:
    case EXPR_INITIALIZED_VALUE:
        break;
    }
    return decode_name(d, node, err);
}

/* Every node but the last is an argument. */
static enum err_code
check_whole(const struct decoder *d, uint32_t count, struct err *err)
{
    for (uint32_t i = 0; i + 1 < count; i++)
        if (d->tree->nodes[i]->uses == 0)
            return damaged(err, "a node nothing uses");
    return reader_ended_well(&d->in) ? OK : damaged(err, "bytes at its end");
}

static enum err_code
decode_nodes(struct decoder *d, struct err *err)
{
    uint32_t count = reader_u32(&d->in);

    if (d->in.failed || count == 0 || count > d->in.left.size / NODE_BYTES_MIN)
        return damaged(err, "the number of nodes");
    if (count > d->limits->nodes_max)
        return err_set(err, ERR_INVALID_ARGUMENT, "the expression has more than %u nodes",
                       d->limits->nodes_max);
    for (uint32_t i = 0; i < count; i++)
        TRY(decode_node(d, err));
    d->tree->root = d->tree->nodes[count - 1];
    return check_whole(d, count, err);
}

/* Magic, version, checksum; the reader is then at the node count. */
static enum err_code
check_frame(struct bytes record, struct reader *in, struct err *err)
{
    struct reader crc;

    if (record.size < CRC_BYTES)
        return damaged(err, "its size");
    crc = reader_of(bytes_of(record.data + record.size - CRC_BYTES, CRC_BYTES));
    record.size -= CRC_BYTES;
    if (reader_u32(&crc) != crc32c(0, record.data, record.size))
        return damaged(err, "its checksum");
    *in = reader_of(record);
    if (reader_u32(in) != RECORD_MAGIC)
        return damaged(err, "its first bytes");
    if (reader_u32(in) != RECORD_VERSION)
        return err_set(err, ERR_DATA_LOSS, "the record of an expression is of a later version");
    return OK;
}

enum err_code
expr_decode(struct bytes record, const struct expr_limits *limits, struct expr_tree *out,
            struct err *err)
{
    AUTO(expr_tree) tree = {0};
    struct decoder d = {.limits = limits, .tree = &tree};

    TRY(expr_tree_init(&tree, err));
    TRY(check_frame(record, &d.in, err));
    TRY(decode_nodes(&d, err));
    *out = TAKE(tree);
    return OK;
}
