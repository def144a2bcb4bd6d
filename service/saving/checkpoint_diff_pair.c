/* One tensor of both sides: what is shared, what is known to differ, and what must be read. */
#include "service/saving/checkpoint_diff_parts.h"

#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"

/* The two values of a tensor, opened. Owned: diff_readers_drop. */
struct diff_readers {
    struct value_reader a, b;
};

static void
diff_readers_drop(struct diff_readers *readers)
{
    value_reader_drop(&readers->a);
    value_reader_drop(&readers->b);
}

/* How the pieces of two values stand to each other. */
struct sharing {
    uint64_t unshared_bytes;
    uint64_t made_bytes;        /* by recipes, on either side, of what is not shared */
    uint64_t made_shared_bytes; /* and of what is */
    bool proven;                /* by checksums: they differ */
};

/* The longest run from `offset` that is one piece on either side. */
struct stretch {
    uint64_t size;
    bool shared, proven;
    bool a_made, b_made; /* by a recipe */
};

static enum err_code
stretch_at(struct diff_readers *readers, uint64_t offset, struct stretch *out, struct err *err)
{
    struct value_piece a, b;
    uint64_t a_end, b_end;

    TRY(value_piece_at(&readers->a, offset, &a, err));
    TRY(value_piece_at(&readers->b, offset, &b, err));
    a_end = a.offset + a.size;
    b_end = b.offset + b.size;
    out->size = (a_end < b_end ? a_end : b_end) - offset;
    if (a.is_gap && b.is_gap)
        out->shared = value_gaps_equal(&readers->a, &readers->b);
    else
        out->shared = a.chunk != 0 && a.chunk == b.chunk;
    out->a_made = a.is_gap && readers->a.has_recipe;
    out->b_made = b.is_gap && readers->b.has_recipe;
    out->proven = a.chunk != 0 && b.chunk != 0 && a.offset == b.offset && a.size == b.size &&
                  a.crc32c != b.crc32c;
    return OK;
}

static enum err_code
look_at_sharing(struct diff_readers *readers, struct sharing *out, struct err *err)
{
    struct stretch stretch = {.size = 0};

    *out = (struct sharing){.unshared_bytes = 0};
    for (uint64_t offset = 0; offset < readers->a.ref.size; offset += stretch.size) {
        TRY(stretch_at(readers, offset, &stretch, err));
        if (stretch.shared) {
            out->made_shared_bytes += stretch.a_made ? stretch.size : 0;
            continue;
        }
        out->unshared_bytes += stretch.size;
        out->made_bytes +=
            (stretch.a_made ? stretch.size : 0) + (stretch.b_made ? stretch.size : 0);
        out->proven |= stretch.proven;
    }
    return OK;
}

/* Whether so much more may be made for this request. */
static bool
may_make(const struct checkpoint_diff_work *work, uint64_t bytes)
{
    const uint64_t limit = work->service->limits.expression_bytes_max;

    return bytes <= limit && work->made_bytes <= limit - bytes;
}

static enum err_code
check_made(const struct checkpoint_diff_work *work, const struct checkpoint_tensor_diff *tensor,
           uint64_t bytes, struct err *err)
{
    if (may_make(work, bytes))
        return OK;
    err_about(err, "tensor", (const char *)tensor->name.data);
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "tensor '%.*s' is virtual: %" PRIu64 " bytes of it would have to be made beside "
                   "%" PRIu64 ", over the limit of %" PRIu64
                   " bytes (expression_max_bytes): compare others, or with measures=none",
                   (int)tensor->name.size, (const char *)tensor->name.data, bytes, work->made_bytes,
                   work->service->limits.expression_bytes_max);
}

/* --- noting -------------------------------------------------------------------------------- */

static enum err_code
keep_head(struct checkpoint_diff_work *work, const struct value_reader *reader,
          const struct value_head **out, struct err *err)
{
    struct value_head *head;

    *out = NULL;
    if (reader->ref.kind != VALUE_CHUNKS || !value_head_has_gaps(reader->head))
        return OK;
    head = arena_alloc(&work->arena, sizeof *head, err);
    if (head == NULL)
        return ERR_NO_MEMORY;
    *head = *reader->head;
    *out = head;
    return OK;
}

static enum err_code
keep_alive(struct checkpoint_diff_work *work, const struct value_reader *reader, struct err *err)
{
    if (reader->ref.kind != VALUE_CHUNKS)
        return OK;
    return store_lease_add(work->lease, work->snapshot, reader->family, err);
}

static enum err_code
add_pair(struct checkpoint_diff_work *work, size_t tensor, const struct diff_readers *readers,
         bool strings, struct err *err)
{
    struct diff_pair pair = {.tensor = tensor, .strings = strings, .run_first = work->runs.count};
    struct diff_pair *pairs;

    if (work->pair_count == UINT32_MAX)
        return err_set(err, ERR_NO_MEMORY, "there are too many tensors to compare at once");
    pairs = mem_grown(work->pairs, work->pair_count, &work->pair_capacity, sizeof *pairs, err);
    if (pairs == NULL)
        return ERR_NO_MEMORY;
    work->pairs = pairs;
    TRY(keep_alive(work, &readers->a, err));
    TRY(keep_alive(work, &readers->b, err));
    TRY(keep_head(work, &readers->a, &pair.a_head, err));
    TRY(keep_head(work, &readers->b, &pair.b_head, err));
    work->pairs[work->pair_count++] = pair;
    return OK;
}

/* Where the bytes lie; NULL for a gap. They are of one piece. */
static enum err_code
find_bytes(struct value_reader *reader, uint64_t offset, uint64_t size, const uint8_t **out,
           struct err *err)
{
    struct value_piece piece;
    struct bytes run;

    *out = NULL;
    TRY(value_piece_at(reader, offset, &piece, err));
    if (piece.is_gap)
        return OK;
    TRY(value_run(reader, offset, size, &run, NULL, err));
    *out = run.data;
    return OK;
}

static enum err_code
add_part(struct diff_parts *parts, const struct diff_part *part, struct err *err)
{
    struct diff_part *list =
        mem_grown(parts->list, parts->count, &parts->capacity, sizeof *list, err);

    if (list == NULL)
        return ERR_NO_MEMORY;
    parts->list = list;
    parts->list[parts->count++] = *part;
    return OK;
}

/* Stretch by stretch. `norms`: those that are shared, too. */
static enum err_code
add_parts(struct checkpoint_diff_work *work, struct diff_readers *readers, bool norms,
          struct err *err)
{
    struct stretch stretch = {.size = 0};

    for (uint64_t offset = 0; offset < readers->a.ref.size; offset += stretch.size) {
        struct diff_part part = {.offset = offset, .pair = (uint32_t)(work->pair_count - 1)};

        TRY(stretch_at(readers, offset, &stretch, err));
        if (stretch.shared && !norms)
            continue;
        part.size = (uint32_t)stretch.size; /* of a chunk at most */
        TRY(find_bytes(&readers->a, offset, stretch.size, &part.a, err));
        part.b = part.a;
        if (!stretch.shared)
            TRY(find_bytes(&readers->b, offset, stretch.size, &part.b, err));
        TRY(add_part(stretch.shared ? &work->shared : &work->parts, &part, err));
    }
    return OK;
}

static enum err_code
add_run(struct diff_runs *runs, const struct diff_run *run, struct err *err)
{
    struct diff_run *list = mem_grown(runs->list, runs->count, &runs->capacity, sizeof *list, err);

    if (list == NULL)
        return ERR_NO_MEMORY;
    runs->list = list;
    runs->list[runs->count++] = *run;
    return OK;
}

/* All of a value; *count: how many runs that were. What is in no chunk is copied. */
static enum err_code
add_runs(struct checkpoint_diff_work *work, struct value_reader *reader, size_t *count,
         struct err *err)
{
    struct diff_run run = {.size = 0};
    struct value_piece piece;
    uint8_t *copy;

    *count = work->runs.count;
    for (uint64_t offset = 0; offset < reader->ref.size; offset += run.size) {
        TRY(value_piece_at(reader, offset, &piece, err));
        run = (struct diff_run){.offset = offset, .size = piece.size};
        TRY(find_bytes(reader, offset, piece.size, &run.data, err));
        if (reader->ref.kind != VALUE_CHUNKS) {
            copy = arena_alloc(&work->arena, (size_t)run.size, err);
            if (copy == NULL)
                return ERR_NO_MEMORY;
            memcpy(copy, run.data, (size_t)run.size);
            run.data = copy;
        }
        TRY(add_run(&work->runs, &run, err));
    }
    *count = work->runs.count - *count;
    return OK;
}

/* --- kinds of values ----------------------------------------------------------------------- */

void
checkpoint_diff_elements(enum dtype dtype, enum checkpoint_measures measures, const uint8_t *a,
                         const uint8_t *b, uint64_t size, struct kernel_difference *out)
{
    *out = (struct kernel_difference){0};
    if (measures == CHECKPOINT_MEASURE_NONE)
        out->changed = memcmp(a, b, (size_t)size) != 0;
    else if (kernel_difference_known(dtype))
        kernel_difference(dtype, a, b, size / dtype_size(dtype), out);
    else
        out->changed = kernel_changed(dtype_size(dtype), a, b, size / dtype_size(dtype));
}

/* No list of chunks on one side at least. Few bytes: compared here and now. */
static enum err_code
compare_small(struct checkpoint_diff *diff, struct checkpoint_tensor_diff *tensor,
              struct diff_readers *readers, struct err *err)
{
    struct checkpoint_diff_work *work = diff->work;
    uint8_t *a = work->small, *b;

    if (a == NULL)
        a = work->small = mem_aligned(2 * (size_t)VALUE_RECORD_BYTES_MAX, err);
    if (a == NULL)
        return ERR_NO_MEMORY;
    b = a + VALUE_RECORD_BYTES_MAX;
    TRY(value_copy(&readers->a, 0, tensor->size, a, err));
    TRY(value_copy(&readers->b, 0, tensor->size, b, err));
    tensor->unshared_bytes = tensor->compared_bytes = tensor->size;
    if (memcmp(a, b, (size_t)tensor->size) == 0)
        return OK;
    tensor->status = CHECKPOINT_TENSOR_CHANGED;
    tensor->related = diff->measures == CHECKPOINT_MEASURE_ALL;
    checkpoint_diff_elements(tensor->type.dtype, diff->measures, a, b, tensor->size, &tensor->sums);
    return OK;
}

static bool
are_chunks(const struct diff_readers *readers)
{
    return readers->a.ref.kind == VALUE_CHUNKS && readers->b.ref.kind == VALUE_CHUNKS;
}

/* Elements have no fixed places: unless chunks say all, both sides are read from end to end. */
static enum err_code
compare_strings(struct checkpoint_diff *diff, size_t index, struct diff_readers *readers,
                struct err *err)
{
    struct checkpoint_diff_work *work = diff->work;
    struct checkpoint_tensor_diff *tensor = &diff->tensors[index];
    struct sharing sharing = {.unshared_bytes = tensor->size,
                              .proven = tensor->size != tensor->against_size};
    struct diff_pair *pair;

    if (!sharing.proven && are_chunks(readers))
        TRY(look_at_sharing(readers, &sharing, err));
    tensor->unshared_bytes = sharing.unshared_bytes;
    if (!sharing.proven && sharing.unshared_bytes == 0)
        return OK;
    if (sharing.proven)
        tensor->status = CHECKPOINT_TENSOR_CHANGED;
    if (sharing.proven && diff->measures == CHECKPOINT_MEASURE_NONE)
        return OK;
    TRY(add_pair(work, index, readers, true, err));
    pair = &work->pairs[work->pair_count - 1];
    TRY(add_runs(work, &readers->a, &pair->a_runs, err));
    return add_runs(work, &readers->b, &pair->b_runs, err);
}

static enum err_code
compare_chunks(struct checkpoint_diff *diff, size_t index, struct diff_readers *readers,
               struct err *err)
{
    struct checkpoint_tensor_diff *tensor = &diff->tensors[index];
    struct sharing sharing;

    TRY(look_at_sharing(readers, &sharing, err));
    tensor->unshared_bytes = sharing.unshared_bytes;
    if (sharing.unshared_bytes == 0)
        return OK;
    if (sharing.proven)
        tensor->status = CHECKPOINT_TENSOR_CHANGED;
    if (sharing.proven && diff->measures == CHECKPOINT_MEASURE_NONE)
        return OK;
    if (diff->measures != CHECKPOINT_MEASURE_NONE)
        TRY(check_made(diff->work, tensor, sharing.made_bytes, err));
    tensor->related = diff->measures == CHECKPOINT_MEASURE_ALL &&
                      kernel_difference_known(tensor->type.dtype) &&
                      may_make(diff->work, sharing.made_bytes + sharing.made_shared_bytes);
    diff->work->made_bytes +=
        sharing.made_bytes + (tensor->related ? sharing.made_shared_bytes : 0);
    TRY(add_pair(diff->work, index, readers, false, err));
    return add_parts(diff->work, readers, tensor->related, err);
}

enum err_code
checkpoint_diff_pair(struct checkpoint_diff *diff, size_t index, struct diff_values values,
                     struct err *err)
{
    const struct store_view *view = store_snapshot_view(diff->work->snapshot);
    struct checkpoint_tensor_diff *tensor = &diff->tensors[index];
    const bool one = values.a->kind == values.b->kind && values.a->kind != VALUE_INLINE &&
                     values.a->id == values.b->id;
    AUTO(diff_readers) readers = {.a = {.view = NULL}};

    tensor->alike = tensor_type_equal(&tensor->type, &tensor->against_type);
    if (!tensor->alike) {
        tensor->status = CHECKPOINT_TENSOR_CHANGED;
        tensor->unshared_bytes = one ? 0 : tensor->size;
        return OK;
    }
    if (one)
        return OK;
    TRY(value_open(view, values.a, &readers.a, err));
    TRY(value_open(view, values.b, &readers.b, err));
    if (tensor->type.dtype == DTYPE_STRING)
        return compare_strings(diff, index, &readers, err);
    if (tensor->size != tensor->against_size)
        return err_set(err, ERR_DATA_LOSS, "two values of one type have other lengths");
    if (are_chunks(&readers))
        return compare_chunks(diff, index, &readers, err);
    return compare_small(diff, tensor, &readers, err);
}
