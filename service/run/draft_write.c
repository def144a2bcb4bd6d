/* Whole values of a draft: made in memory or staged, then given to a variable or kept loose. */
#include "service/run/draft_parts.h"

#include <inttypes.h>

#include "service/expr/compute.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

static enum err_code
writer_memory(struct draft_writer *w, uint64_t size, struct err *err)
{
    struct draft *draft = w->draft;

    if (!draft->ahead) {
        draft->commit_bytes += size;
        if (size > SERVICE_COMMIT_BYTES_MAX || draft->commit_bytes > SERVICE_COMMIT_BYTES_MAX)
            return err_set(err, ERR_DEFER, "too many bytes for a commit");
    }
    w->value = draft_value_make(draft, DRAFT_MEMORY, size, w->class, err);
    if (w->value == NULL)
        return ERR_NO_MEMORY;
    w->value->bytes = mem_aligned((size_t)size, err);
    return w->value->bytes == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
writer_builder(struct draft_writer *w, uint64_t size, struct store_stage *stage, struct err *err)
{
    struct draft *draft = w->draft;

    w->value = draft_value_make(draft, DRAFT_BUILT, size, w->class, err);
    if (w->value == NULL)
        return ERR_NO_MEMORY;
    return value_builder_open(draft->service->store, stage, size, w->class, &w->value->builder,
                              err);
}

/* What the bytes go to is chosen when the first of them come: a fill needs no room for them. */
static enum err_code
writer_begin(struct draft_writer *w, uint64_t size, struct err *err)
{
    struct draft *draft = w->draft;

    if (w->value != NULL)
        return OK;
    if (!draft->ahead || size <= VALUE_RECORD_BYTES_MAX)
        return writer_memory(w, size, err);
    TRY(service_check_room(draft->service, w->name, size, size, err));
    TRY(draft_stage(draft, err));
    return writer_builder(w, size, draft->stage, err);
}

enum err_code
draft_write_loose(struct draft *draft, const char *name, uint64_t size, enum store_class class,
                  struct draft_writer **out, struct err *err)
{
    struct draft_writer *w;

    *out = NULL;
    TRY(service_check_room(draft->service, name, size, 0, err));
    w = mem_zeroed(1, sizeof *w, err);
    if (w == NULL)
        return ERR_NO_MEMORY;
    w->draft = draft;
    w->name = name;
    w->class = class;
    w->size = size;
    *out = w;
    return OK;
}

enum err_code
draft_write_open(struct draft *draft, struct draft_variable *variable, uint64_t size,
                 struct draft_writer **out, struct err *err)
{
    TRY(draft_check_device(draft, variable, err));
    TRY(draft_write_loose(draft, variable->name, size, draft_class_of(variable), out, err));
    (*out)->variable = variable;
    return OK;
}

enum err_code
draft_write_reserve(struct draft_writer *w, uint8_t **out, size_t *size, struct err *err)
{
    TRY(writer_begin(w, w->size, err));
    if (w->value->kind == DRAFT_BUILT)
        return value_builder_reserve(w->value->builder, out, size, err);
    if (w->filled == w->size)
        return err_set(err, ERR_INTERNAL, "a drafted value has all its bytes");
    *out = w->value->bytes + w->filled;
    *size = (size_t)(w->size - w->filled);
    return OK;
}

enum err_code
draft_write_commit(struct draft_writer *w, size_t size, struct err *err)
{
    CHECK(size <= w->size - w->filled);
    if (w->value->kind == DRAFT_BUILT)
        TRY(value_builder_commit(w->value->builder, size, err));
    w->filled += size;
    return OK;
}

enum err_code
draft_write_append(struct draft_writer *w, const void *bytes, size_t size, struct err *err)
{
    const uint8_t *from = bytes;

    while (size > 0) {
        uint8_t *room = NULL;
        size_t part = 0;

        TRY(draft_write_reserve(w, &room, &part, err));
        if (part > size)
            part = size;
        memcpy(room, from, part);
        TRY(draft_write_commit(w, part, err));
        from += part;
        size -= part;
    }
    return OK;
}

enum err_code
draft_write_over(struct draft_writer *w, struct draft_variable *from,
                 const struct tensor_type *type, draft_make_tile *make, void *context,
                 struct err *err)
{
    uint64_t left = shape_count(&type->shape), first = 0;
    uint32_t element_size = dtype_size(type->dtype);
    AUTO_CALL(mem_free_scope) uint8_t *copy = mem_aligned(STORE_BULK_BYTES, err);

    if (copy == NULL)
        return ERR_NO_MEMORY;
    while (left > 0) {
        const void *old = NULL;
        uint8_t *room = NULL;
        size_t size = 0;
        uint64_t count;

        TRY(draft_write_reserve(w, &room, &size, err));
        if (size > STORE_BULK_BYTES)
            size = STORE_BULK_BYTES;
        count = size / element_size < left ? size / element_size : left;
        TRY(draft_view_bytes(w->draft, from, first * element_size, count * element_size, copy, &old,
                             err));
        TRY(make(context, first, count, old, room, err));
        TRY(draft_write_commit(w, count * element_size, err));
        first += count;
        left -= count;
    }
    return OK;
}

enum err_code
draft_write_fill(struct draft_writer *w, const void *element, size_t element_size, struct err *err)
{
    CHECK(w->value == NULL);
    TRY(writer_builder(w, w->size, NULL, err));
    TRY(value_builder_fill(w->value->builder, element, element_size, err));
    w->filled = w->size;
    return OK;
}

enum err_code
draft_write_recipe(struct draft_writer *w, struct bytes recipe, struct err *err)
{
    CHECK(w->value == NULL);
    TRY(writer_builder(w, w->size, NULL, err));
    TRY(value_builder_recipe(w->value->builder, recipe, err));
    w->filled = w->size;
    return OK;
}

enum err_code
draft_write_expr(struct draft_writer *w, const struct expr_tree *tree,
                 const struct expr_source *source, struct err *err)
{
    const struct evaluator_options options = draft_evaluator_options(w->draft, w->variable);
    AUTO_CALL(compute_evaluator_drop) struct evaluator *evaluator = NULL;
    uint64_t count = shape_count(&tree->root->type.shape), first = 0;
    uint32_t element_size = dtype_size(tree->root->type.dtype);
    _Alignas(16) uint8_t element[16];

    if (count > 0 && expr_constant_fill(tree, element))
        return draft_write_fill(w, element, element_size, err);
    TRY(draft_work(w->draft, compute_work_bytes(tree), err));
    if (count > 0)
        TRY(writer_begin(w, w->size, err)); /* refused before anything is computed */
    TRY(evaluator_open(tree, source, &options, &evaluator, err));
    while (first < count) {
        uint8_t *room = NULL;
        size_t size = 0;
        uint64_t fits;

        TRY(draft_write_reserve(w, &room, &size, err));
        fits = size / element_size;
        if (fits > count - first)
            fits = count - first;
        TRY(evaluator_read(evaluator, first, fits, room, err));
        TRY(draft_write_commit(w, fits * element_size, err));
        first += fits;
    }
    return OK;
}

enum err_code
draft_write_read(struct draft_writer *w, uint64_t offset, uint64_t size, void *out, struct err *err)
{
    if (size == 0)
        return OK;
    CHECK(w->value != NULL);
    return draft_value_read(w->draft, w->value, offset, size, out, err);
}

/* All bytes are there, or there are none. */
static enum err_code
writer_end(struct draft_writer *w, struct err *err)
{
    TRY(writer_begin(w, w->size, err));
    if (w->filled == w->size)
        return OK;
    return err_set(err, ERR_INTERNAL,
                   "only %" PRIu64 " of the %" PRIu64 " bytes of '%s' were written", w->filled,
                   w->size, w->name);
}

enum err_code
draft_write_close(struct draft_writer *w, const struct shape *shape, struct err *err)
{
    struct draft_variable *variable = w->variable;
    enum err_code code = writer_end(w, err);

    if (code == OK) {
        draft_value_release(variable->value);
        variable->value = TAKE(w->value);
        variable->form.type.shape = *shape;
        variable->form.shape_known = true;
        variable->changes++;
    }
    draft_write_drop(w);
    return code;
}

enum err_code
draft_write_keep(struct draft_writer *w, struct draft_value **out, struct err *err)
{
    enum err_code code = writer_end(w, err);

    if (code == OK)
        *out = TAKE(w->value);
    draft_write_drop(w);
    return code;
}

/* The value stays in the draft's list: what is staged of it is given up with the draft, or by the
 * unit that publishes it. */
void
draft_write_drop(struct draft_writer *w)
{
    if (w == NULL)
        return;
    draft_value_release(w->value);
    mem_free(w);
}

void
draft_writer_scope_drop(struct draft_writer **w)
{
    draft_write_drop(*w);
}
