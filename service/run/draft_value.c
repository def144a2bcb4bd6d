/* Values of a draft: their life, and reading them. */
#include "service/run/draft_parts.h"

#include <inttypes.h>

#include "service/expr/compute.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

struct draft_value *
draft_value_make(struct draft *draft, enum draft_kind kind, uint64_t size, enum store_class class,
                 struct err *err)
{
    struct draft_value *value = mem_zeroed(1, sizeof *value, err);

    if (value == NULL)
        return NULL;
    value->kind = kind;
    value->holders = 1;
    value->size = size;
    value->class = class;
    value->next = draft->values;
    draft->values = value;
    return value;
}

void
draft_value_free(struct draft_value *value)
{
    if (value->open)
        value_reader_drop(&value->reader);
    mem_free(value->bytes);
    value_builder_drop(value->builder);
    mem_free(value->blocks.slots);
    mem_free(value->staged);
    mem_free(value);
}

void
draft_value_release(struct draft_value *value)
{
    while (value != NULL && --value->holders == 0) {
        struct draft_value *base = value->base;

        mem_free(value->bytes);
        mem_free(value->blocks.slots);
        mem_free(value->staged);
        value->bytes = NULL;
        value->staged = NULL;
        value->blocks = (struct draft_blocks){0};
        value->base = NULL;
        value = base;
    }
}

/* --- reading ------------------------------------------------------------------------------- */

/* Readers are opened when first needed: most variables of a run are written without being read. */
enum err_code
draft_value_open(struct draft *draft, struct draft_value *value, struct err *err)
{
    struct variable_record record;

    if (value->open)
        return OK;
    TRY(service_find_variable(draft->view, draft->model.id, value->owner->name, &record, err));
    TRY(value_open(draft->view, &record.value, &value->reader, err));
    value->open = true;
    return OK;
}

struct draft_value *
draft_value_ground(struct draft_value *value)
{
    while (value->kind == DRAFT_EDITED)
        value = value->base;
    return value;
}

/* The block as the newest edits have left it; NULL: none has reached it. */
static const uint8_t *
find_edited(const struct draft_value *value, uint64_t index)
{
    const uint8_t *block = NULL;

    for (; value->kind == DRAFT_EDITED && block == NULL; value = value->base)
        block = draft_block_find(&value->blocks, index);
    return block;
}

/* Edits may lie over edits, as many as a run has operations: neither this nor what calls it goes
 * down by calling itself. Runs of bytes that nothing has edited are read at once. */
static enum err_code
read_edited(struct draft *draft, struct draft_value *value, uint64_t offset, uint64_t size,
            uint8_t *out, struct err *err)
{
    struct draft_value *ground = draft_value_ground(value);
    uint64_t end = offset + size, read = offset; /* what lies before `read` is there */

    for (uint64_t index = offset / DRAFT_BLOCK_BYTES; index * DRAFT_BLOCK_BYTES < end; index++) {
        const uint8_t *block = find_edited(value, index);
        uint64_t from = index * DRAFT_BLOCK_BYTES, to = from + DRAFT_BLOCK_BYTES;
        uint64_t first = from < offset ? offset : from, last = to > end ? end : to;

        if (block == NULL)
            continue;
        TRY(draft_value_read(draft, ground, read, first - read, out + (read - offset), err));
        memcpy(out + (first - offset), block + (first - from), (size_t)(last - first));
        read = last;
    }
    return draft_value_read(draft, ground, read, end - read, out + (read - offset), err);
}

enum err_code
draft_value_read(struct draft *draft, struct draft_value *value, uint64_t offset, uint64_t size,
                 void *out, struct err *err)
{
    if (size == 0)
        return OK;
    switch (value->kind) {
    case DRAFT_STORED:
        TRY(draft_value_open(draft, value, err));
        return value_copy(&value->reader, offset, size, out, err);
    case DRAFT_MEMORY:
        CHECK(offset <= value->size && size <= value->size - offset);
        memcpy(out, value->bytes + offset, (size_t)size);
        return OK;
    case DRAFT_BUILT:
        return value_builder_read(value->builder, offset, size, out, err);
    case DRAFT_EDITED:
        return read_edited(draft, value, offset, size, out, err);
    }
    return err_set(err, ERR_INTERNAL, "a drafted value of no kind");
}

/* Chunks and records lie where they are as long as the view does; what is made when read does not,
 * and what is staged may be written out while more is staged. */
static enum err_code
lend(struct draft *draft, struct draft_value *value, uint64_t offset, uint64_t size,
     struct bytes *out, struct err *err)
{
    struct bytes run = {0};

    *out = (struct bytes){0};
    if (size == 0)
        return OK;
    if (value->kind == DRAFT_MEMORY) {
        CHECK(offset <= value->size && size <= value->size - offset);
        *out = bytes_of(value->bytes + offset, (size_t)size);
        return OK;
    }
    if (value->kind != DRAFT_STORED)
        return OK;
    TRY(draft_value_open(draft, value, err));
    if (value->reader.has_recipe)
        return OK;
    TRY(value_run(&value->reader, offset, size, &run, NULL, err));
    if (run.size == size)
        *out = run;
    return OK;
}

void
draft_rely(struct draft_variable *variable)
{
    variable->relied_on |= variable->value == variable->before;
}

uint64_t
draft_size(const struct draft_variable *variable)
{
    return variable->value == NULL ? 0 : variable->value->size;
}

enum err_code
draft_read(struct draft *draft, struct draft_variable *variable, uint64_t offset, uint64_t size,
           void *out, struct err *err)
{
    draft_rely(variable);
    if (variable->value == NULL)
        return compute_uninitialized(variable->name, err);
    return draft_value_read(draft, variable->value, offset, size, out, err);
}

enum err_code
draft_lend(struct draft *draft, struct draft_variable *variable, uint64_t offset, uint64_t size,
           struct bytes *out, struct err *err)
{
    draft_rely(variable);
    if (variable->value == NULL)
        return compute_uninitialized(variable->name, err);
    return lend(draft, variable->value, offset, size, out, err);
}

enum err_code
draft_view_bytes(struct draft *draft, struct draft_variable *variable, uint64_t offset,
                 uint64_t size, uint8_t *copy, const void **out, struct err *err)
{
    struct bytes lent = {0};

    TRY(draft_lend(draft, variable, offset, size, &lent, err));
    *out = lent.data;
    if (lent.data != NULL && (uintptr_t)lent.data % 16 == 0)
        return OK;
    *out = copy;
    return draft_read(draft, variable, offset, size, copy, err);
}

enum err_code
draft_in_rows(struct draft *draft, struct draft_variable *variable, bool *out, struct err *err)
{
    struct draft_value *value = draft_value_ground(variable->value);

    *out = value->kind != DRAFT_STORED || value->size <= DRAFT_WHOLE_BYTES_MAX;
    if (*out)
        return OK;
    variable->relied_on = true;
    TRY(draft_value_open(draft, value, err));
    *out = value_reader_in_rows(&value->reader);
    return OK;
}

bool
draft_has_before(struct draft_variable *variable)
{
    variable->relied_on = true;
    return variable->before != NULL &&
           shape_equal(&variable->before_shape, &variable->form.type.shape);
}

enum err_code
draft_read_before(struct draft *draft, struct draft_variable *variable, uint64_t offset,
                  uint64_t size, void *out, struct err *err)
{
    CHECK(variable->before != NULL);
    variable->relied_on = true;
    return draft_value_read(draft, variable->before, offset, size, out, err);
}
