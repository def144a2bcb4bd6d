/* What a model really takes: every chunk and record that its variables and checkpoints name, once.
 */
#include <stdlib.h>

#include "service/model.h"
#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

struct piece {
    uint64_t id, size;
};

struct pieces {
    struct piece *list; /* owned */
    size_t count, capacity;
    uint64_t inline_bytes;
};

static void
pieces_drop(struct pieces *pieces)
{
    mem_free(pieces->list);
}

static enum err_code
add_piece(void *context, uint64_t id, uint64_t size, struct err *err)
{
    struct pieces *pieces = context;

    if (pieces->count == pieces->capacity) {
        size_t capacity = pieces->capacity ? pieces->capacity * 2 : 64;
        struct piece *grown = mem_resize(pieces->list, capacity * sizeof *grown, err);

        if (grown == NULL)
            return ERR_NO_MEMORY;
        pieces->list = grown;
        pieces->capacity = capacity;
    }
    pieces->list[pieces->count++] = (struct piece){id, size};
    return OK;
}

static enum err_code
add_value(struct pieces *pieces, const struct store_view *view, const struct value_ref *ref,
          struct err *err)
{
    if (ref->kind == VALUE_INLINE)
        pieces->inline_bytes += ref->size;
    return ref->kind == VALUE_NONE ? OK : value_each_piece(view, ref, add_piece, pieces, err);
}

static enum err_code
add_variables(struct pieces *pieces, const struct store_view *view, uint64_t model_id,
              struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_variable(model_id, "");
    struct bytes key, value;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct variable_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_variable(value, &record, err));
        TRY(add_value(pieces, view, &record.value, err));
    }
}

static enum err_code
add_tensors(struct pieces *pieces, const struct store_view *view, uint64_t checkpoint_id,
            struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_tensor(checkpoint_id, bytes_of("", 0));
    struct bytes key, value;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct tensor_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_tensor(value, &record, err));
        TRY(add_value(pieces, view, &record.value, err));
    }
}

static enum err_code
add_checkpoints(struct pieces *pieces, const struct store_view *view, uint64_t model_id,
                struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_checkpoint(model_id, "");
    struct bytes key, value;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct checkpoint_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_checkpoint(value, &record, err));
        TRY(add_tensors(pieces, view, record.id, err));
    }
}

static int
compare_pieces(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

enum err_code
model_unique_bytes(struct service *service, const char *model, uint64_t *out, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(pieces) pieces = {0};
    const struct store_view *view;
    struct model_record record;

    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &record, err));
    TRY(add_variables(&pieces, view, record.id, err));
    TRY(add_checkpoints(&pieces, view, record.id, err));
    *out = pieces.inline_bytes;
    if (pieces.count > 0)
        qsort(pieces.list, pieces.count, sizeof *pieces.list, compare_pieces);
    for (size_t i = 0; i < pieces.count; i++) {
        if (i == 0 || pieces.list[i].id != pieces.list[i - 1].id)
            *out += pieces.list[i].size;
    }
    return OK;
}
