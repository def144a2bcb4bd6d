/* V1 checkpoints, written byte for byte as TensorFlow's writer does: the metadata in the order in
 * which tensors were saved, the records by key, values where they lie. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/file/proto.h"
#include "api/file/varint.h"
#include "api/wire/tf_names.h"
#include "api/wire/tf_state.h"
#include "api/wire/tf_v1.h"
#include "api/wire/tf_v1_cut.h"
#include "api/wire/tf_v1_encode.h"
#include "store/base/scope.h"

enum {
    HEAD_BYTES_MAX = 1 << 20,
    MESSAGE_BYTES_MAX = 8 << 20, /* that of a tensor in many slices */
    FILE_NAME_BYTES_MAX = 512,
};

/* One slice. */
struct record {
    const struct tensor_set_entry *entry;
    const struct api_extent *extents;
    struct bytes key;
};

struct writing {
    const struct api_wire_export *what;
    struct arena *arena;
    uint32_t shards;
    struct api_tf_v1_cut *cuts; /* by place in the order */
    struct record *records;     /* of the file that is made */
    size_t record_count, record_capacity;
    struct buf metadata;
};

static void
writing_drop(struct writing *w)
{
    buf_drop(&w->metadata);
}

/* --- metadata and keys --------------------------------------------------------------------- */

static enum err_code
add_record(struct writing *w, const struct tensor_set_entry *entry,
           const struct api_extent *extents, struct err *err)
{
    struct record *records = arena_grown(w->arena, w->records, w->record_count, &w->record_capacity,
                                         sizeof *records, err);
    AUTO(buf) key = {0};
    const char *copy;

    if (records == NULL)
        return ERR_NO_MEMORY;
    w->records = records;
    buf_init(&key, HEAD_BYTES_MAX);
    TRY(api_slice_key(bytes_of_text(entry->name), extents, entry->type.shape.rank, &key, err));
    copy = arena_text(w->arena, buf_bytes(&key), err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    records[w->record_count++] = (struct record){entry, extents, bytes_of(copy, key.size)};
    return OK;
}

/* What the metadata of a shard says of a tensor; its slices there become records. */
static enum err_code
add_tensor(struct writing *w, const struct tensor_set_entry *entry, const struct api_tf_v1_cut *cut,
           uint32_t shard, struct err *err)
{
    const struct api_tf_v1_slices_of *slices = &cut->slices;
    size_t before = w->record_count;
    AUTO(buf) message = {0}, part = {0};

    buf_init(&message, MESSAGE_BYTES_MAX);
    buf_init(&part, HEAD_BYTES_MAX);
    TRY(api_proto_put_bytes(&message, API_TF_V1_TENSOR_NAME, slices->name, err));
    TRY(api_tf_shape_append(&part, &entry->type.shape, err));
    TRY(api_proto_put_bytes(&message, API_TF_V1_TENSOR_SHAPE, buf_bytes(&part), err));
    TRY(api_proto_put_number(&message, API_TF_V1_TENSOR_TYPE,
                             api_tf_dtype_number(entry->type.dtype), err));
    for (size_t i = 0; i < slices->count; i++) {
        const struct api_extent *extents = slices->extents + i * slices->rank;

        if (cut->shards[i] != shard)
            continue;
        part.size = 0;
        TRY(api_tf_slice_append(&part, extents, slices->rank, err));
        TRY(api_proto_put_bytes(&message, API_TF_V1_TENSOR_SLICE, buf_bytes(&part), err));
        TRY(add_record(w, entry, extents, err));
    }
    if (w->record_count == before)
        return OK;
    return api_proto_put_bytes(&w->metadata, API_TF_V1_META_TENSOR, buf_bytes(&message), err);
}

/* As it came, where the checkpoint tells that. */
static bool
is_without_versions(const struct api_wire_export *what)
{
    bool without = false;

    for (size_t i = 0; i < what->metadata_count; i++)
        if (bytes_equal(what->metadata[2 * i], bytes_of_text(API_TF_V1_PAIR_VERSIONS)))
            without = bytes_equal(what->metadata[2 * i + 1], bytes_of_text("none"));
    return without;
}

static enum err_code
gather(struct writing *w, uint32_t shard, struct err *err)
{
    const struct tensor_set *set = w->what->set;

    w->record_count = 0;
    w->metadata.size = 0;
    for (size_t i = 0; i < set->entry_count; i++)
        TRY(add_tensor(w, &set->entries[w->what->order[i]], &w->cuts[i], shard, err));
    return is_without_versions(w->what)
               ? OK
               : api_tf_version_put(&w->metadata, API_TF_V1_META_VERSIONS, err);
}

/* --- the table ----------------------------------------------------------------------------- */

/* What goes out, in order: bytes that are lent, and runs of the scratch, which is mapped once it
 * has all of them. */
struct run {
    struct bytes lent; /* data NULL: of the scratch */
    uint64_t begin, size;
};

struct runs {
    struct arena *arena;
    struct scratch *scratch;
    struct run *runs;
    size_t count, capacity;
};

static enum err_code
add_run(struct runs *runs, struct run run, struct err *err)
{
    struct run *grown =
        arena_grown(runs->arena, runs->runs, runs->count, &runs->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    runs->runs = grown;
    grown[runs->count++] = run;
    return OK;
}

static enum err_code
append(void *context, struct bytes bytes, struct err *err)
{
    struct runs *runs = context;
    struct run *last = runs->count > 0 ? &runs->runs[runs->count - 1] : NULL;
    uint64_t begin = scratch_size(runs->scratch);

    TRY(scratch_append(runs->scratch, bytes.data, bytes.size, err));
    if (last == NULL || last->lent.data != NULL)
        return add_run(runs, (struct run){.begin = begin, .size = bytes.size}, err);
    last->size += bytes.size;
    return OK;
}

static enum err_code
lend(void *context, struct bytes bytes, struct err *err)
{
    return add_run(context, (struct run){.lent = bytes}, err);
}

static int
by_key(const void *a, const void *b)
{
    return bytes_compare(((const struct record *)a)->key, ((const struct record *)b)->key);
}

static enum err_code
write_metadata(struct writing *w, struct api_sstable_writer *out, struct err *err)
{
    uint8_t head[2 * API_VARINT_BYTES_MAX];
    size_t used = api_varint_put(API_PROTO_TAG(API_TF_V1_SAVED_META, API_PROTO_BYTES), head);

    used += api_varint_put(w->metadata.size, head + used);
    TRY(api_sstable_begin(out, bytes_of("", 0), used + w->metadata.size, err));
    TRY(api_sstable_append(out, bytes_of(head, used), err));
    return api_sstable_append(out, buf_bytes(&w->metadata), err);
}

/* TensorFlow reads no message that is longer. */
static enum err_code
check_size(const struct record *record, uint64_t size, struct err *err)
{
    if (size <= INT32_MAX)
        return OK;
    err_about(err, "tensor", record->entry->name);
    return err_set(err, ERR_NOT_ACCEPTABLE,
                   "tensor '%s': its record in a V1 file would have %" PRIu64
                   " bytes, the limit of the format is %d",
                   record->entry->name, size, INT32_MAX);
}

/* SavedTensorSlices { data { name, slice, data { values } } } */
static enum err_code
write_record(const struct writing *w, const struct record *record,
             struct api_tf_v1_strings_place *place, struct api_sstable_writer *out, struct err *err)
{
    AUTO(arena) arena = {0};
    AUTO(buf) head = {0}, slice = {0};
    AUTO(buf) whole = {0};
    struct api_tf_v1_message message;
    struct api_tf_parts part;
    uint64_t size;

    arena_init(&arena, HEAD_BYTES_MAX);
    buf_init(&head, HEAD_BYTES_MAX);
    buf_init(&slice, HEAD_BYTES_MAX);
    buf_init(&whole, HEAD_BYTES_MAX);
    TRY(api_tf_v1_part(record->entry, record->extents, &arena, &part, err));
    TRY(api_tf_v1_message_measure(w->what->set, record->entry, &part, place, &message, err));
    TRY(api_tf_slice_append(&slice, record->extents, record->entry->type.shape.rank, err));
    TRY(api_proto_put_bytes(&head, API_TF_V1_SLICE_NAME, bytes_of_text(record->entry->name), err));
    TRY(api_proto_put_bytes(&head, API_TF_V1_SLICE_SLICE, buf_bytes(&slice), err));
    TRY(api_proto_put_head(&head, API_TF_V1_SLICE_DATA, message.size, err));
    size = head.size + message.size;
    TRY(check_size(record, size + API_PROTO_HEAD_BYTES_MAX, err));
    TRY(api_proto_put_head(&whole, API_TF_V1_SAVED_DATA, size, err));
    TRY(buf_append(&whole, head.data, head.size, err));
    TRY(api_sstable_begin(out, record->key, whole.size + message.size, err));
    TRY(api_sstable_append(out, buf_bytes(&whole), err));
    return api_tf_v1_message_write(&message, out, err);
}

static enum err_code
write_table(struct writing *w, struct runs *runs, struct err *err)
{
    AUTO(api_sstable_writer) writer = {.offset = 0};
    struct api_tf_v1_strings_place place = {.entry = NULL};
    const struct api_sstable_sink sink = {.context = runs, .append = append, .lend = lend};

    if (w->record_count > 0)
        qsort(w->records, w->record_count, sizeof *w->records, by_key);
    api_sstable_writer_init(&writer, sink);
    TRY(write_metadata(w, &writer, err));
    for (size_t i = 0; i < w->record_count; i++)
        TRY(write_record(w, &w->records[i], &place, &writer, err));
    return api_sstable_finish(&writer, err);
}

/* --- files --------------------------------------------------------------------------------- */

static enum err_code
lay_out(const struct runs *runs, const char *name, struct api_layout *out, struct err *err)
{
    TRY(api_layout_file(out, name, err));
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *run = &runs->runs[i];
        struct bytes bytes = run->lent;

        if (bytes.data == NULL)
            TRY(scratch_map(runs->scratch, run->begin, run->size, &bytes, err));
        TRY(api_layout_lend(out, bytes, err));
    }
    return OK;
}

enum err_code
api_tf_v1_write(const struct api_wire_export *what, struct api_layout *out, struct err *err)
{
    AUTO(writing) w = {.what = what, .arena = out->arena, .shards = what->shards};
    struct runs *runs = arena_array(out->arena, w.shards, sizeof *runs, err);
    char name[FILE_NAME_BYTES_MAX];

    if (runs == NULL)
        return ERR_NO_MEMORY;
    buf_init(&w.metadata, API_TF_V1_METADATA_BYTES_MAX);
    TRY(api_tf_v1_cut(what, w.arena, &w.cuts, err));
    for (uint32_t shard = 0; shard < w.shards; shard++) {
        runs[shard] = (struct runs){.arena = out->arena, .scratch = what->scratch};
        TRY(gather(&w, shard, err));
        TRY(write_table(&w, &runs[shard], err));
    }
    for (uint32_t shard = 0; shard < w.shards; shard++) {
        snprintf(name, sizeof name, w.shards == 1 ? "%s.ckpt" : "%s-" API_TF_SHARD_FORMAT,
                 what->name, shard, w.shards);
        TRY(lay_out(&runs[shard], name, out, err));
    }
    if (w.shards == 1)
        return OK;
    /* TensorFlow speaks of the files together by a pattern. */
    snprintf(name, sizeof name, "%s-%s-of-%05" PRIu32, what->name, "?????", w.shards);
    return api_tf_state_lay_out(out, name, err);
}
