/* V2 checkpoints, written byte for byte as TensorFlow writes the same tensors: each data file holds
 * the tensors of its shard, one directly after the other in the order of the checkpoint; of
 * partitioned ones each slice. Numbers are lent from where they lie, and their checksums are those
 * that the store knows, but for slices. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/file/crc_mask.h"
#include "api/file/proto.h"
#include "api/file/sstable_write.h"
#include "api/wire/tf_names.h"
#include "api/wire/tf_slices.h"
#include "api/wire/tf_state.h"
#include "api/wire/tf_v2.h"
#include "api/wire/tf_v2_strings.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum {
    INDEX_BYTES_MAX = 256 << 20,
    ENTRY_BYTES_MAX = 8 << 20, /* that of a tensor in slices lists them */
    KEY_BYTES_MAX = 64 << 10,
    NAME_ROOM_BYTES = NAME_BYTES_MAX + 32,
    LENT_BYTES_MIN = 4096, /* slices in shorter runs are put together in the scratch */
};

enum item_kind {
    ITEM_WHOLE,
    ITEM_SLICE,
    ITEM_LIST /* of the slices of a tensor: has no bytes */
};

struct item {
    enum item_kind kind;
    size_t index;   /* in the set */
    uint32_t slice; /* of its partition */
    size_t position;
    struct bytes key;
    uint32_t shard, crc; /* crc: not masked */
    uint64_t offset, size;
    bool made; /* its bytes are in the scratch, from made_at on */
    uint64_t made_at;
};

struct writing {
    const struct api_wire_export *what;
    struct api_layout *out;
    struct item *items;  /* those that have bytes come first */
    size_t count, lists; /* of which so many are lists */
    uint32_t shards;
};

/* --- data files --- */

static int
by_place(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

static int
by_key(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return bytes_compare(x->key, y->key);
}

static uint32_t
sum_spans(const struct tensor_set *set, const struct tensor_set_entry *entry)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < entry->span_count; i++)
        crc = crc32c(crc, set->spans[entry->span_first + i].data,
                     set->spans[entry->span_first + i].size);
    return crc;
}

static const struct tensor_set_entry *
entry_of(const struct writing *w, const struct item *item)
{
    return &w->what->set->entries[item->index];
}

static enum err_code
prepare_strings(struct writing *w, struct item *item, struct api_tf_v2_string_runs *runs,
                uint64_t count, struct err *err)
{
    item->made = true;
    item->made_at = scratch_size(w->what->scratch);
    return api_tf_v2_strings_write(runs, count, w->what->scratch, &item->size, &item->crc, err);
}

static enum err_code
prepare_whole(struct writing *w, struct item *item, struct err *err)
{
    const struct tensor_set_entry *entry = entry_of(w, item);
    struct api_tf_v2_string_runs strings;

    item->key = bytes_of_text(entry->name);
    item->shard = api_tf_slice_shard(entry, 0, w->shards);
    item->size = entry->size;
    if (entry->type.dtype != DTYPE_STRING) {
        item->crc = entry->has_crc32c ? entry->crc32c : sum_spans(w->what->set, entry);
        return OK;
    }
    strings = api_tf_v2_string_runs_of(w->what->set, item->index);
    return prepare_strings(w, item, &strings, shape_count(&entry->type.shape), err);
}

/* Of a slice: sums it, and copies what would be many short runs. */
struct summing {
    struct scratch *scratch; /* NULL: it is lent from where it lies */
    struct item *item;
};

static enum err_code
sum_run(void *context, struct bytes run, struct err *err)
{
    struct summing *summing = context;

    summing->item->crc = crc32c(summing->item->crc, run.data, run.size);
    summing->item->size += run.size;
    return summing->scratch == NULL ? OK
                                    : scratch_append(summing->scratch, run.data, run.size, err);
}

static enum err_code
prepare_slice(struct writing *w, struct item *item, struct api_tf_v2_string_runs *strings,
              struct err *err)
{
    const struct tensor_set_entry *entry = entry_of(w, item);
    struct api_tf_slice_runs runs = api_tf_slice_runs_of(entry, item->slice);
    struct api_extent extents[SHAPE_RANK_MAX];
    struct summing summing = {.item = item};
    AUTO(buf) key = {0};
    const char *copy;

    buf_init(&key, KEY_BYTES_MAX);
    api_tf_slice_extents(entry, item->slice, extents);
    TRY(api_slice_key(bytes_of_text(entry->name), extents, entry->type.shape.rank, &key, err));
    copy = arena_text(w->out->arena, buf_bytes(&key), err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    item->key = bytes_of(copy, key.size);
    item->shard = api_tf_slice_shard(entry, item->slice, w->shards);
    if (entry->type.dtype == DTYPE_STRING)
        return prepare_strings(w, item, strings, runs.length, err);
    item->made = runs.count > 1 && runs.length * dtype_size(entry->type.dtype) < LENT_BYTES_MIN;
    item->made_at = scratch_size(w->what->scratch);
    if (item->made)
        summing.scratch = w->what->scratch;
    return api_tf_slice_each(w->what->set, entry, item->slice, sum_run, &summing, err);
}

/* A slice that is all of its tensor is written as a whole. */
static uint32_t
slices_of(const struct tensor_set_entry *entry)
{
    uint32_t count = api_tf_slice_count(entry);

    return count > 1 ? count : 0;
}

static enum err_code
make_items(struct writing *w, struct err *err)
{
    const struct tensor_set *set = w->what->set;

    for (size_t i = 0; i < set->entry_count; i++) {
        uint32_t slices = slices_of(&set->entries[i]);

        w->count += slices > 0 ? slices : 1;
        w->lists += slices > 0;
    }
    w->items = arena_array(w->out->arena, w->count + w->lists, sizeof *w->items, err);
    return w->items == NULL ? ERR_NO_MEMORY : OK;
}

/* What has to be made is made here, all of it before anything of it is mapped. */
static enum err_code
prepare(struct writing *w, struct err *err)
{
    const struct tensor_set *set = w->what->set;
    size_t next = 0, list = w->count;

    for (size_t i = 0; i < set->entry_count; i++) {
        size_t index = w->what->order[i];
        struct api_tf_v2_string_runs strings = api_tf_v2_string_runs_of(set, index);
        uint32_t slices = slices_of(&set->entries[index]);
        struct item item = {.kind = ITEM_SLICE, .index = index};

        for (; item.slice < slices; item.slice++) {
            item.position = next;
            w->items[next] = item;
            TRY(prepare_slice(w, &w->items[next++], &strings, err));
        }
        item.kind = slices > 0 ? ITEM_LIST : ITEM_WHOLE;
        item.key = bytes_of_text(set->entries[index].name);
        item.position = next;
        w->items[slices > 0 ? list++ : next] = item;
        if (slices == 0)
            TRY(prepare_whole(w, &w->items[next++], err));
    }
    if (w->count > 0)
        qsort(w->items, w->count, sizeof *w->items, by_place);
    return OK;
}

static enum err_code
lend_run(void *context, struct bytes run, struct err *err)
{
    return api_layout_lend(context, run, err);
}

static enum err_code
lend(struct writing *w, const struct item *item, struct err *err)
{
    struct bytes made;

    if (!item->made && item->kind == ITEM_SLICE)
        return api_tf_slice_each(w->what->set, entry_of(w, item), item->slice, lend_run, w->out,
                                 err);
    if (!item->made)
        return api_layout_entry(w->out, w->what->set, item->index, err);
    TRY(scratch_map(w->what->scratch, item->made_at, item->size, &made, err));
    return api_layout_lend(w->out, made, err);
}

static enum err_code
begin_file(struct writing *w, uint32_t shard, struct err *err)
{
    char name[NAME_ROOM_BYTES];

    snprintf(name, sizeof name, "%s.data-" API_TF_SHARD_FORMAT, w->what->name, shard, w->shards);
    return api_layout_file(w->out, name, err);
}

/* A shard without tensors has no file, as none would be looked for; but one file there is. */
static enum err_code
write_data(struct writing *w, struct err *err)
{
    uint64_t offset = 0;

    if (w->count == 0)
        return begin_file(w, 0, err);
    for (size_t i = 0; i < w->count; i++) {
        struct item *item = &w->items[i];

        if (i == 0 || item->shard != w->items[i - 1].shard) {
            TRY(begin_file(w, item->shard, err));
            offset = 0;
        }
        item->offset = offset;
        TRY(lend(w, item, err));
        if (__builtin_add_overflow(offset, item->size, &offset) || offset > INT64_MAX)
            return err_set(err, ERR_PAYLOAD_TOO_LARGE, "over 2^63 bytes of tensors");
    }
    return OK;
}

/* --- the index --- */

static enum err_code
encode_header(uint32_t shards, struct buf *out, struct err *err)
{
    TRY(api_proto_put_number(out, API_TF_V2_HEADER_SHARDS, shards, err));
    return api_tf_version_put(out, API_TF_V2_HEADER_VERSION, err);
}

/* The slices of a tensor as merging lists them: shard after shard, as they were saved. */
static enum err_code
encode_list(const struct writing *w, const struct tensor_set_entry *entry, struct buf *out,
            struct err *err)
{
    uint32_t count = api_tf_slice_count(entry), listed = 0;
    AUTO(buf) slice = {0};

    buf_init(&slice, KEY_BYTES_MAX);
    for (uint32_t shard = 0, next; listed < count; shard = next) {
        next = UINT32_MAX;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t its = api_tf_slice_shard(entry, i, w->shards);
            struct api_extent extents[SHAPE_RANK_MAX];

            if (its > shard && its < next)
                next = its;
            if (its != shard)
                continue;
            api_tf_slice_extents(entry, i, extents);
            slice.size = 0;
            TRY(api_tf_slice_append(&slice, extents, entry->type.shape.rank, err));
            TRY(api_proto_put_bytes(out, API_TF_V2_ENTRY_SLICES, buf_bytes(&slice), err));
            listed++;
        }
    }
    return OK;
}

static enum err_code
encode_entry(const struct writing *w, const struct item *item, struct buf *out, struct err *err)
{
    const struct tensor_set_entry *entry = entry_of(w, item);
    struct shape shape =
        item->kind == ITEM_SLICE
            ? partition_part_of(&entry->partition, &entry->type.shape, item->slice).shape
            : entry->type.shape;
    AUTO(buf) message = {0};

    buf_init(&message, ENTRY_BYTES_MAX);
    TRY(api_tf_shape_append(&message, &shape, err));
    TRY(api_proto_put_number(out, API_TF_V2_ENTRY_DTYPE, api_tf_dtype_number(entry->type.dtype),
                             err));
    TRY(api_proto_put_bytes(out, API_TF_V2_ENTRY_SHAPE, buf_bytes(&message), err));
    if (item->kind == ITEM_LIST)
        return encode_list(w, entry, out, err);
    TRY(api_proto_put_number(out, API_TF_V2_ENTRY_SHARD, item->shard, err));
    TRY(api_proto_put_number(out, API_TF_V2_ENTRY_OFFSET, item->offset, err));
    TRY(api_proto_put_number(out, API_TF_V2_ENTRY_SIZE, item->size, err));
    return api_proto_put_fixed32(out, API_TF_V2_ENTRY_CRC, api_crc_mask(item->crc), err);
}

static enum err_code
encode_index(struct writing *w, struct buf *out, struct err *err)
{
    AUTO(api_sstable_writer) table = {.offset = 0};
    size_t count = w->count + w->lists;
    AUTO(buf) value = {0};

    buf_init(&value, ENTRY_BYTES_MAX);
    api_sstable_writer_init(&table, api_sstable_to_buf(out));
    TRY(encode_header(w->shards, &value, err));
    TRY(api_sstable_add(&table, bytes_of("", 0), buf_bytes(&value), err));
    if (count > 0)
        qsort(w->items, count, sizeof *w->items, by_key);
    for (size_t i = 0; i < count; i++) {
        value.size = 0;
        TRY(encode_entry(w, &w->items[i], &value, err));
        TRY(api_sstable_add(&table, w->items[i].key, buf_bytes(&value), err));
    }
    return api_sstable_finish(&table, err);
}

static enum err_code
write_index(struct writing *w, struct err *err)
{
    AUTO(buf) index = {0};
    char name[NAME_ROOM_BYTES];

    buf_init(&index, INDEX_BYTES_MAX);
    TRY(encode_index(w, &index, err));
    snprintf(name, sizeof name, "%s.index", w->what->name);
    TRY(api_layout_file(w->out, name, err));
    return api_layout_copy(w->out, buf_bytes(&index), err);
}

enum err_code
api_tf_v2_write(const struct api_wire_export *what, struct api_layout *out, struct err *err)
{
    struct writing w = {.what = what, .out = out, .shards = what->shards};

    TRY(make_items(&w, err));
    TRY(prepare(&w, err));
    TRY(write_data(&w, err));
    TRY(write_index(&w, err));
    return api_tf_state_lay_out(out, what->name, err);
}

const char *
api_tf_v2_unfit(struct bytes name, const struct tensor_type *type)
{
    (void)name; /* none that a checkpoint has is empty or begins with a zero byte */
    return api_tf_dtype_number(type->dtype) == 0 ? "TensorFlow has no such dtype" : NULL;
}
