/* Looking at the tensors of a checkpoint one by one, at no more of them than is wanted. */
#include <stdio.h>

#include "service/saving/checkpoint.h"
#include "service/state.h"
#include "store/base/scope.h"

/* --- values -------------------------------------------------------------------------------- */

struct element_copy {
    struct value_reader *reader;
    size_t element_size;
    struct buf *out;
};

static enum err_code
copy_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
         struct err *err)
{
    struct element_copy *copy = context;
    size_t size = (size_t)count * copy->element_size;
    uint8_t *room = NULL;

    (void)result_first;
    TRY(buf_reserve(copy->out, size, &room, err));
    TRY(value_copy(copy->reader, source_first * copy->element_size, size, room, err));
    buf_commit(copy->out, size);
    return OK;
}

/* Strings have no places of their own: whoever wants one goes past those before it. */
struct string_walk {
    const struct checkpoint_look *look;
    struct value_reader *reader;
    struct buf *out;
    uint64_t index, offset; /* of the next string */
    struct bytes run;       /* bytes at hand, from `run_offset` on */
    uint64_t run_offset;
};

/* Lengths between two questions whether the service goes on. */
enum { STRINGS_AT_A_TIME = 1 << 16 };

static enum err_code
next_length(struct string_walk *walk, uint32_t *out, struct err *err)
{
    uint64_t size = walk->reader->ref.size;
    uint64_t at = walk->offset - walk->run_offset;

    if (walk->index % STRINGS_AT_A_TIME == 0)
        TRY(service_check_interrupt(walk->look->service, err));
    if (size - walk->offset < sizeof *out)
        return err_set(err, ERR_DATA_LOSS, "the strings of tensor '%.*s' end too early",
                       (int)walk->look->name.size, (const char *)walk->look->name.data);
    if (at + sizeof *out > walk->run.size) {
        TRY(value_run(walk->reader, walk->offset, size - walk->offset, &walk->run, NULL, err));
        walk->run_offset = walk->offset;
        at = 0;
    }
    if (walk->run.size >= sizeof *out) {
        memcpy(out, walk->run.data + at, sizeof *out);
        return OK;
    }
    walk->run.size = 0;
    return value_copy(walk->reader, walk->offset, sizeof *out, out, err);
}

/* Goes past a string; `keep`: with its bytes into the buffer. */
static enum err_code
pass_string(struct string_walk *walk, bool keep, struct err *err)
{
    uint32_t length = 0;
    uint64_t size, left;
    uint8_t *room = NULL;

    TRY(next_length(walk, &length, err));
    size = sizeof length + (uint64_t)length;
    left = walk->reader->ref.size - walk->offset;
    if (size > left)
        return err_set(err, ERR_DATA_LOSS, "a string of tensor '%.*s' is longer than what is left",
                       (int)walk->look->name.size, (const char *)walk->look->name.data);
    if (keep) {
        TRY(buf_reserve(walk->out, (size_t)size, &room, err));
        TRY(value_copy(walk->reader, walk->offset, size, room, err));
        buf_commit(walk->out, (size_t)size);
    }
    walk->offset += size;
    walk->index++;
    return OK;
}

static enum err_code
copy_strings(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
             struct err *err)
{
    struct string_walk *walk = context;

    (void)result_first;
    while (walk->index < source_first)
        TRY(pass_string(walk, false, err));
    while (walk->index < source_first + count)
        TRY(pass_string(walk, true, err));
    return OK;
}

enum err_code
checkpoint_look_read(const struct checkpoint_look *look, const struct tensor_corners *corners,
                     struct buf *out, struct err *err)
{
    AUTO(value_reader) reader = {0};
    struct element_copy copy = {&reader, dtype_size(look->type.dtype), out};
    struct string_walk walk = {.look = look, .reader = &reader, .out = out};

    TRY(value_open(look->view, look->value, &reader, err));
    if (look->type.dtype == DTYPE_STRING)
        return tensor_corners_each_run(corners, copy_strings, &walk, err);
    return tensor_corners_each_run(corners, copy_run, &copy, err);
}

/* --- tensors ------------------------------------------------------------------------------- */

struct tensor_walk {
    struct service *service;
    const struct store_view *view;
    uint64_t checkpoint_id;
    const char *checkpoint;
    checkpoint_look_visit *visit;
    void *context;
};

static enum err_code
visit_tensor(const struct tensor_walk *walk, struct bytes name, const struct tensor_record *record,
             struct err *err)
{
    const struct checkpoint_look look = {.name = name,
                                         .type = record->type,
                                         .service = walk->service,
                                         .view = walk->view,
                                         .value = &record->value};

    return walk->visit(walk->context, &look, err);
}

static enum err_code
visit_one(const struct tensor_walk *walk, const char *tensor, struct err *err)
{
    struct tensor_record record;
    bool found = false;

    TRY(record_get_tensor(walk->view, walk->checkpoint_id, bytes_of_text(tensor), &found, &record,
                          err));
    if (found)
        return visit_tensor(walk, bytes_of_text(tensor), &record, err);
    err_about(err, "tensor", tensor);
    return err_set(err, ERR_NOT_FOUND, "Key %s not found in checkpoint '%s'", tensor,
                   walk->checkpoint);
}

static enum err_code
visit_all(const struct tensor_walk *walk, struct err *err)
{
    struct record_key prefix = record_key_tensor(walk->checkpoint_id, bytes_of("", 0));
    AUTO_CURSOR cursor = NULL;
    struct tensor_record record;
    struct bytes key, value;
    bool found = true;

    TRY(store_cursor_open(walk->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        TRY(service_check_interrupt(walk->service, err));
        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_tensor(value, &record, err));
        TRY(visit_tensor(walk, record_key_name(key), &record, err));
    }
}

enum err_code
checkpoint_look(struct service *service, const char *model, const char *name, const char *tensor,
                struct checkpoint_info *out, checkpoint_look_visit *visit, void *context,
                struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct tensor_walk walk = {
        .service = service, .checkpoint = name, .visit = visit, .context = context};
    struct model_record model_record;

    TRY(name_check("checkpoint", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    walk.view = store_snapshot_view(snapshot);
    TRY(service_find_model(walk.view, model, &model_record, err));
    TRY(service_open_checkpoint(walk.view, model_record.id, name, &out->record, err));
    snprintf(out->name, sizeof out->name, "%s", name);
    walk.checkpoint_id = out->record.id;
    return tensor != NULL ? visit_one(&walk, tensor, err) : visit_all(&walk, err);
}
