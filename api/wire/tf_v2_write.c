/* V2 checkpoints, written byte for byte as TensorFlow writes the same tensors: each data file holds
 * the tensors of its shard, one directly after the other in the order of the checkpoint. Numbers
 * are lent from where they lie, and their checksums are those that the store knows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/file/crc_mask.h"
#include "api/file/proto.h"
#include "api/file/sstable_write.h"
#include "api/wire/tf_names.h"
#include "api/wire/tf_state.h"
#include "api/wire/tf_v2.h"
#include "api/wire/tf_v2_strings.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum { INDEX_BYTES_MAX = 256 << 20, ENTRY_BYTES_MAX = 4096, NAME_ROOM_BYTES = NAME_BYTES_MAX + 32 };

struct item {
    size_t index; /* in the set */
    size_t position;
    struct bytes name;
    uint32_t shard, crc; /* crc: not masked */
    uint64_t offset, size;
    uint64_t made_at; /* strings: in the scratch */
};

struct writing {
    const struct api_wire_export *what;
    struct api_layout *out;
    struct item *items;
    size_t count;
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
by_name(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return bytes_compare(x->name, y->name);
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

/* What has to be made is made here, all of it before anything of it is mapped. */
static enum err_code
prepare(struct writing *w, struct err *err)
{
    const struct tensor_set *set = w->what->set;

    for (size_t i = 0; i < w->count; i++) {
        struct item *item = &w->items[i];
        const struct tensor_set_entry *entry;

        *item = (struct item){.index = w->what->order[i], .position = i};
        entry = &set->entries[item->index];
        item->name = bytes_of_text(entry->name);
        item->shard = entry->shard < w->shards ? entry->shard : 0;
        item->size = entry->size;
        item->made_at = scratch_size(w->what->scratch);
        if (entry->type.dtype == DTYPE_STRING)
            TRY(api_tf_v2_strings_write(set, item->index, w->what->scratch, &item->size, &item->crc,
                                        err));
        else
            item->crc = entry->has_crc32c ? entry->crc32c : sum_spans(set, entry);
    }
    if (w->count > 0)
        qsort(w->items, w->count, sizeof *w->items, by_place);
    return OK;
}

static enum err_code
lend(struct writing *w, const struct item *item, struct err *err)
{
    struct bytes made;

    if (w->what->set->entries[item->index].type.dtype != DTYPE_STRING)
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

static enum err_code
encode_entry(const struct item *item, const struct tensor_type *type, struct buf *out,
             struct err *err)
{
    AUTO(buf) shape = {0};

    buf_init(&shape, ENTRY_BYTES_MAX);
    TRY(api_tf_shape_append(&shape, &type->shape, err));
    TRY(api_proto_put_number(out, API_TF_V2_ENTRY_DTYPE, api_tf_dtype_number(type->dtype), err));
    TRY(api_proto_put_bytes(out, API_TF_V2_ENTRY_SHAPE, buf_bytes(&shape), err));
    TRY(api_proto_put_number(out, API_TF_V2_ENTRY_SHARD, item->shard, err));
    TRY(api_proto_put_number(out, API_TF_V2_ENTRY_OFFSET, item->offset, err));
    TRY(api_proto_put_number(out, API_TF_V2_ENTRY_SIZE, item->size, err));
    return api_proto_put_fixed32(out, API_TF_V2_ENTRY_CRC, api_crc_mask(item->crc), err);
}

static enum err_code
encode_index(struct writing *w, struct buf *out, struct err *err)
{
    AUTO(api_sstable_writer) table = {.offset = 0};
    AUTO(buf) value = {0};

    buf_init(&value, ENTRY_BYTES_MAX);
    api_sstable_writer_init(&table, api_sstable_to_buf(out));
    TRY(encode_header(w->shards, &value, err));
    TRY(api_sstable_add(&table, bytes_of("", 0), buf_bytes(&value), err));
    if (w->count > 0)
        qsort(w->items, w->count, sizeof *w->items, by_name);
    for (size_t i = 0; i < w->count; i++) {
        const struct item *item = &w->items[i];

        value.size = 0;
        TRY(encode_entry(item, &w->what->set->entries[item->index].type, &value, err));
        TRY(api_sstable_add(&table, item->name, buf_bytes(&value), err));
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
    struct writing w = {
        .what = what, .out = out, .count = what->set->entry_count, .shards = what->shards};

    w.items = arena_array(out->arena, w.count, sizeof *w.items, err);
    if (w.items == NULL)
        return err != NULL ? err->code : ERR_NO_MEMORY;
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
