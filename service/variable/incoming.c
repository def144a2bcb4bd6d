#include "service/variable/incoming.h"

#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"

enum err_code
incoming_check_size(const char *name, const struct tensor_type *type, uint64_t size,
                    struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    TRY(shape_check(&type->shape, err));
    if (type->dtype == DTYPE_STRING || size == tensor_type_bytes(type))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "'%s' is %s and takes %" PRIu64 " bytes, the value has %" PRIu64, name,
                   tensor_type_text(type, text), tensor_type_bytes(type), size);
}

enum err_code
incoming_list_init(struct incoming_list *list, struct service *service, size_t count,
                   struct err *err)
{
    *list = (struct incoming_list){.service = service};
    list->items = mem_zeroed(count, sizeof *list->items, err);
    if (list->items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        list->items[i].class = STORE_CLASS_BULK;
    return OK;
}

enum err_code
incoming_list_expect(struct incoming_list *list, uint64_t total_bytes, struct err *err)
{
    list->in_memory = total_bytes <= SERVICE_COMMIT_BYTES_MAX;
    return store_reserve_check(list->service->store, total_bytes, err);
}

void
incoming_list_drop(struct incoming_list *list)
{
    for (size_t i = 0; list->items != NULL && i < list->count; i++) {
        mem_free(list->items[i].bytes);
        value_builder_drop(list->items[i].builder);
    }
    mem_free(list->items);
    store_stage_drop(list->stage);
    *list = (struct incoming_list){0};
}

enum err_code
incoming_check_bytes(const char *name, enum dtype dtype, struct bytes bytes, uint64_t offset,
                     struct err *err)
{
    return dtype == DTYPE_BOOL ? tensor_bools_check(name, bytes, offset, err) : OK;
}

static enum err_code
read_in_memory(struct incoming *item, const char *name, const struct tensor_type *type,
               const struct tensor_source *source, struct err *err)
{
    item->bytes = mem_aligned(item->size, err);
    if (item->bytes == NULL)
        return ERR_NO_MEMORY;
    TRY(source->read(source->context, item->bytes, item->size, err));
    if (type->dtype == DTYPE_STRING)
        return tensor_strings_check(bytes_of(item->bytes, item->size), shape_count(&type->shape),
                                    err);
    return incoming_check_bytes(name, type->dtype, bytes_of(item->bytes, item->size), 0, err);
}

static enum err_code
read_staged(struct incoming *item, const char *name, const struct tensor_type *type,
            const struct tensor_source *source, struct err *err)
{
    uint64_t left = item->size;

    while (left > 0) {
        uint8_t *room = NULL;
        size_t size = 0;

        TRY(value_builder_reserve(item->builder, &room, &size, err));
        if (size > left)
            size = left;
        TRY(source->read(source->context, room, size, err));
        TRY(incoming_check_bytes(name, type->dtype, bytes_of(room, size), item->size - left, err));
        TRY(value_builder_commit(item->builder, size, err));
        left -= size;
    }
    return OK;
}

enum err_code
incoming_list_read(struct incoming_list *list, const char *name, const struct tensor_type *type,
                   uint64_t size, const struct tensor_source *source, struct err *err)
{
    struct incoming *item = &list->items[list->count++];
    uint64_t limit = list->service->limits.expression_bytes_max;

    item->size = size;
    if (list->in_memory)
        return read_in_memory(item, name, type, source, err);
    if (list->stage == NULL)
        TRY(store_stage_open(list->service->store, &list->stage, err));
    TRY(value_builder_open(list->service->store, list->stage, size, item->class, &item->builder,
                           err));
    if (type->dtype != DTYPE_STRING)
        return read_staged(item, name, type, source, err);
    /* The lengths inside are checked against each other: string tensors are held whole. */
    if (size > limit)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the string tensor '%s' has %" PRIu64 " bytes, over the limit of %" PRIu64
                       " bytes (expression_max_bytes)",
                       name, size, limit);
    TRY(read_in_memory(item, name, type, source, err));
    TRY(value_builder_append(item->builder, item->bytes, size, err));
    mem_free(item->bytes);
    item->bytes = NULL;
    return OK;
}

enum err_code
incoming_list_publish(struct incoming_list *list, size_t i, struct store_txn *txn,
                      struct value_ref *out, struct err *err)
{
    struct incoming *item = &list->items[i];

    if (item->builder != NULL)
        return value_builder_publish(item->builder, txn, out, err);
    return value_write(txn, bytes_of(item->bytes, item->size), item->class, out, err);
}
