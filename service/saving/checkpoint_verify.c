/* One look at the lists finds damaged records, lists and heads of chunks, and notes where the
 * payloads lie; they are read when the snapshot is gone, on all threads. */
#include "service/saving/checkpoint_verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum { BATCH_CHUNKS = 512 };

/* A chunk to read. */
struct verify_chunk {
    struct bytes bytes; /* under the lease */
    uint64_t id;
    uint32_t crc32c, tensor;
};

/* A tensor, or what goes with them. */
struct verify_tensor {
    struct bytes name; /* in the arena */
    bool damaged;
};

struct verification_work {
    struct service *service;
    struct checkpoint_verification *out;
    struct store_snapshot *snapshot;
    struct store_lease *lease;
    struct verify_chunk *chunks; /* owned */
    size_t chunk_count, chunk_capacity;
    struct verify_tensor *tensors; /* owned */
    size_t tensor_count, tensor_capacity;
    const struct verify_chunk *batch;
    bool wrong[BATCH_CHUNKS]; /* by chunk of the batch */
};

void
checkpoint_verification_drop(struct checkpoint_verification *verification)
{
    arena_drop(&verification->arena);
}

static void
verification_work_drop(struct verification_work *work)
{
    store_snapshot_drop(work->snapshot);
    store_lease_drop(work->lease);
    mem_free(work->chunks);
    mem_free(work->tensors);
}

/* Of a tensor the first thing that is wrong is told. */
static enum err_code
add_mismatch(struct verification_work *work, size_t tensor, const char *reason, struct err *err)
{
    struct checkpoint_verification *out = work->out;
    struct checkpoint_mismatch *mismatch;

    if (work->tensors[tensor].damaged)
        return OK;
    work->tensors[tensor].damaged = true;
    if (out->mismatch_count++ >= CHECKPOINT_MISMATCHES_MAX)
        return OK;
    mismatch = &out->mismatches[out->mismatch_count - 1];
    mismatch->tensor = work->tensors[tensor].name;
    mismatch->reason = arena_text(&out->arena, bytes_of_text(reason), err);
    return mismatch->reason == NULL ? ERR_NO_MEMORY : OK;
}

/* --- the lists ----------------------------------------------------------------------------- */

static enum err_code
add_tensor(struct verification_work *work, struct bytes name, struct err *err)
{
    struct verify_tensor tensor = {.damaged = false};
    struct verify_tensor *tensors;
    const char *text;

    if (work->tensor_count == UINT32_MAX)
        return err_set(err, ERR_NO_MEMORY, "there are too many tensors to verify at once");
    tensors =
        mem_grown(work->tensors, work->tensor_count, &work->tensor_capacity, sizeof *tensors, err);
    if (tensors == NULL)
        return ERR_NO_MEMORY;
    work->tensors = tensors;
    if (name.data != NULL) {
        text = arena_text(&work->out->arena, name, err);
        if (text == NULL)
            return ERR_NO_MEMORY;
        tensor.name = bytes_of(text, name.size);
    }
    work->tensors[work->tensor_count++] = tensor;
    return OK;
}

static enum err_code
add_chunk(struct verification_work *work, struct value_reader *reader,
          const struct value_piece *piece, struct err *err)
{
    struct verify_chunk chunk = {
        .id = piece->chunk, .crc32c = piece->crc32c, .tensor = (uint32_t)(work->tensor_count - 1)};
    struct verify_chunk *chunks;

    TRY(value_run(reader, piece->offset, piece->size, &chunk.bytes, NULL, err));
    chunks = mem_grown(work->chunks, work->chunk_count, &work->chunk_capacity, sizeof *chunks, err);
    if (chunks == NULL)
        return ERR_NO_MEMORY;
    work->chunks = chunks;
    work->chunks[work->chunk_count++] = chunk;
    return OK;
}

/* ERR_DATA_LOSS is what the value is damaged by. */
static enum err_code
look_at_value(struct verification_work *work, const struct value_ref *ref, struct err *err)
{
    AUTO(value_reader) reader = {0};
    struct value_piece piece = {.size = 0};

    if (ref->kind == VALUE_NONE)
        return OK;
    TRY(value_open(store_snapshot_view(work->snapshot), ref, &reader, err));
    if (ref->kind != VALUE_CHUNKS)
        return OK;
    TRY(store_lease_add(work->lease, work->snapshot, reader.family, err));
    for (uint64_t offset = 0; offset < ref->size; offset += piece.size) {
        TRY(value_piece_at(&reader, offset, &piece, err));
        if (piece.chunk != 0)
            TRY(add_chunk(work, &reader, &piece, err));
    }
    return OK;
}

/* What was found of the thing added last. */
static enum err_code
absorb(struct verification_work *work, enum err_code code, struct err *found, struct err *err)
{
    if (code == ERR_DATA_LOSS)
        return add_mismatch(work, work->tensor_count - 1, found->text, err);
    if (code != OK && err != NULL)
        *err = *found;
    return code;
}

static enum err_code
look_at_tensor(struct verification_work *work, struct bytes record, struct err *err)
{
    struct tensor_record tensor;

    TRY(record_decode_tensor(record, &tensor, err));
    work->out->bytes += tensor.value.size;
    return look_at_value(work, &tensor.value, err);
}

static enum err_code
look_at_all(struct verification_work *work, const struct checkpoint_record *checkpoint,
            struct err *err)
{
    const struct record_key prefix = record_key_tensor(checkpoint->id, bytes_of("", 0));
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    bool found = true;

    TRY(store_cursor_open(store_snapshot_view(work->snapshot), record_key_bytes(&prefix),
                          bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct err own = ERR_INIT;
        enum err_code code = store_cursor_next(cursor, &found, &key, &record, &own);

        if (code == OK && !found)
            break;
        TRY(service_check_interrupt(work->service, err));
        if (code == OK || code == ERR_DATA_LOSS)
            TRY(add_tensor(work, record_key_name(key), err));
        if (code == OK)
            code = look_at_tensor(work, record, &own);
        TRY(absorb(work, code, &own, err));
    }
    work->out->tensors = work->tensor_count;
    return OK;
}

static enum err_code
look_at_metadata(struct verification_work *work, const struct checkpoint_record *checkpoint,
                 struct err *err)
{
    struct err own = ERR_INIT;

    if (checkpoint->metadata.kind == VALUE_NONE)
        return OK;
    TRY(add_tensor(work, bytes_of(NULL, 0), err));
    return absorb(work, look_at_value(work, &checkpoint->metadata, &own), &own, err);
}

/* One that a record is missing of is not whole, whatever the others hold. */
static enum err_code
check_count(struct verification_work *work, const struct checkpoint_record *checkpoint,
            struct err *err)
{
    char reason[128];

    if (work->out->tensors == checkpoint->tensors)
        return OK;
    snprintf(reason, sizeof reason,
             "the checkpoint has %" PRIu64 " tensors, its record says %" PRIu64, work->out->tensors,
             checkpoint->tensors);
    TRY(add_tensor(work, bytes_of(NULL, 0), err));
    return add_mismatch(work, work->tensor_count - 1, reason, err);
}

/* --- the payloads -------------------------------------------------------------------------- */

static enum err_code
check_chunk(void *context, uint32_t lane, uint64_t number, struct err *err)
{
    struct verification_work *work = context;
    const struct verify_chunk *chunk = &work->batch[number];

    (void)lane;
    (void)err;
    work->wrong[number] = crc32c(0, chunk->bytes.data, chunk->bytes.size) != chunk->crc32c;
    return OK;
}

static enum err_code
check_payloads(struct verification_work *work, struct err *err)
{
    char reason[96];

    for (size_t done = 0, n = 0; done < work->chunk_count; done += n) {
        n = work->chunk_count - done < BATCH_CHUNKS ? work->chunk_count - done : BATCH_CHUNKS;
        work->batch = work->chunks + done;
        TRY(service_check_interrupt(work->service, err));
        TRY(parallel_do(work->service->parallel, n, check_chunk, work, err));
        for (size_t i = 0; i < n; i++) {
            work->out->checked_bytes += work->batch[i].bytes.size;
            if (!work->wrong[i])
                continue;
            snprintf(reason, sizeof reason,
                     "chunk %016" PRIx64 " is damaged: its payload's checksum is wrong",
                     work->batch[i].id);
            TRY(add_mismatch(work, work->batch[i].tensor, reason, err));
        }
    }
    return OK;
}

enum err_code
checkpoint_verify(struct service *service, const char *model, const char *name,
                  struct checkpoint_verification *out, struct err *err)
{
    AUTO(verification_work) work = {.service = service, .out = out};
    struct checkpoint_record checkpoint;
    struct model_record record;

    TRY(name_check("checkpoint", name, err));
    arena_init(&out->arena, SIZE_MAX / 2);
    TRY(store_snapshot_open(service->store, &work.snapshot, err));
    TRY(store_lease_open(service->store, &work.lease, err));
    TRY(service_find_model(store_snapshot_view(work.snapshot), model, &record, err));
    TRY(service_find_checkpoint(store_snapshot_view(work.snapshot), record.id, name, &checkpoint,
                                err));
    out->revision = checkpoint.revision;
    TRY(look_at_all(&work, &checkpoint, err));
    TRY(look_at_metadata(&work, &checkpoint, err));
    TRY(check_count(&work, &checkpoint, err));
    store_snapshot_drop(TAKE(work.snapshot));
    return check_payloads(&work, err);
}
