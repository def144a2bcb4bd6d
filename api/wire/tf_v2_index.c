/* The index of a V2 checkpoint: its records, and what they say. */
#include <inttypes.h>

#include "api/file/proto.h"
#include "api/file/sstable_read.h"
#include "api/wire/tf_v2.h"
#include "service/name.h"

/* Of a slice: its name, each byte of which may take two, and two numbers for each dimension. */
enum { KEY_BYTES_KEPT = 16 + 2 * NAME_TENSOR_BYTES_MAX + SHAPE_RANK_MAX * 2 * 10 };

/* --- records --- */

struct collecting {
    const struct api_wire_input *input;
    struct api_tf_v2_index *index;
    uint32_t tensors;
};

static enum err_code
check_count(struct collecting *c, struct bytes key, struct err *err)
{
    uint32_t limit = c->input->limits->tensors_max;

    if (key.size == 0 || key.data[0] == 0 || ++c->tensors <= limit)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "it has more than %" PRIu32 " tensors, the limit (variables_per_request_max)",
                   limit);
}

/* A long key is a few bytes in the index, for it shares what it begins with: of one that is too
 * long for a name that can be kept, and for its slices, so much is left that this can be seen. */
static enum err_code
collect(void *context, const struct api_sstable_entry *entry, struct err *err)
{
    struct collecting *c = context;
    size_t size = (size_t)entry->value.size;
    struct api_tf_v2_record *records;
    struct bytes key = entry->key;
    uint8_t *copy;

    if (key.size > KEY_BYTES_KEPT)
        key.size = KEY_BYTES_KEPT;
    TRY(check_count(c, key, err));
    records = arena_grown(c->input->arena, c->index->records, c->index->count, &c->index->capacity,
                          sizeof *records, err);
    if (records == NULL)
        return err != NULL ? err->code : ERR_NO_MEMORY;
    c->index->records = records;
    copy = arena_alloc(c->input->arena, key.size + size, err);
    if (copy == NULL)
        return err != NULL ? err->code : ERR_NO_MEMORY;
    if (key.size > 0)
        memcpy(copy, key.data, key.size);
    if (entry->bytes.data == NULL)
        TRY(api_file_read(&entry->value, 0, copy + key.size, size, err));
    else if (size > 0)
        memcpy(copy + key.size, entry->bytes.data, size);
    records[c->index->count++] = (struct api_tf_v2_record){
        .key = bytes_of(copy, key.size), .value = bytes_of(copy + key.size, size)};
    return OK;
}

const struct api_tf_v2_record *
api_tf_v2_index_find(const struct api_tf_v2_index *index, struct bytes key)
{
    size_t low = 0, high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = bytes_compare(index->records[middle].key, key);

        if (order == 0)
            return &index->records[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- the header --- */

static enum err_code
read_header(struct bytes value, struct api_tf_v2_index *index, struct err *err)
{
    struct api_tf_version version = {.producer = 0};
    struct api_proto_field field;
    int32_t shards = 0, endianness = 0;

    do {
        TRY(api_proto_next(&value, &field, err));
        if (field.tag == API_PROTO_TAG(API_TF_V2_HEADER_SHARDS, API_PROTO_VARINT))
            shards = (int32_t)field.value;
        else if (field.tag == API_PROTO_TAG(API_TF_V2_HEADER_ENDIANNESS, API_PROTO_VARINT))
            endianness = (int32_t)field.value;
        else if (field.tag == API_PROTO_TAG(API_TF_V2_HEADER_VERSION, API_PROTO_BYTES))
            TRY(api_tf_version_read(field.bytes, &version, err));
    } while (field.tag != 0);
    TRY(api_tf_version_check(&version, err));
    if (shards < 1 || shards > API_TF_V2_SHARDS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it says that there are %" PRId32 " data files; from 1 to %d are possible",
                       shards, API_TF_V2_SHARDS_MAX);
    if (endianness != 0 && endianness != 1)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "its byte order is %" PRId32 "; there are 0 (little) and 1 (big)",
                       endianness);
    index->shards = (uint32_t)shards;
    index->big_endian = endianness == 1;
    return OK;
}

enum err_code
api_tf_v2_index_read(const struct api_wire_input *input, const struct api_file *file,
                     struct api_tf_v2_index *out, struct err *err)
{
    struct api_sstable table = {.file = *file,
                                .scratch = input->scratch,
                                .block_bytes_max = input->limits->memory_bytes_max,
                                .unpacked_bytes_max = input->limits->memory_bytes_max};
    struct collecting collecting = {.input = input, .index = out};

    *out = (struct api_tf_v2_index){.count = 0};
    TRY(api_sstable_read(&table, collect, &collecting, err));
    if (out->count == 0 || out->records[0].key.size > 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it is a table without the header of a checkpoint's index");
    return read_header(out->records[0].value, out, err);
}

/* --- entries --- */

enum err_code
api_tf_v2_entry_read(struct bytes value, struct api_tf_v2_entry *out, struct err *err)
{
    struct api_proto_field field;

    *out = (struct api_tf_v2_entry){.dtype = 0};
    do {
        TRY(api_proto_next(&value, &field, err));
        switch (field.tag) {
        case API_PROTO_TAG(API_TF_V2_ENTRY_DTYPE, API_PROTO_VARINT):
            out->dtype = (uint32_t)field.value;
            break;
        case API_PROTO_TAG(API_TF_V2_ENTRY_SHAPE, API_PROTO_BYTES):
            TRY(api_tf_shape_read(field.bytes, &out->shape, err));
            break;
        case API_PROTO_TAG(API_TF_V2_ENTRY_SHARD, API_PROTO_VARINT):
            out->shard = (int32_t)field.value;
            break;
        case API_PROTO_TAG(API_TF_V2_ENTRY_OFFSET, API_PROTO_VARINT):
            out->offset = (int64_t)field.value;
            break;
        case API_PROTO_TAG(API_TF_V2_ENTRY_SIZE, API_PROTO_VARINT):
            out->size = (int64_t)field.value;
            break;
        case API_PROTO_TAG(API_TF_V2_ENTRY_CRC, API_PROTO_FIXED32):
            out->crc = (uint32_t)field.value;
            break;
        case API_PROTO_TAG(API_TF_V2_ENTRY_SLICES, API_PROTO_BYTES):
            out->slices++;
            break;
        default: /* of a newer TensorFlow */
            break;
        }
    } while (field.tag != 0);
    return OK;
}

enum err_code
api_tf_v2_entry_slice(struct bytes *left, struct api_tf_slice *out, struct err *err)
{
    struct api_proto_field field;

    *out = (struct api_tf_slice){.rank = 0};
    do
        TRY(api_proto_next(left, &field, err));
    while (field.tag != API_PROTO_TAG(API_TF_V2_ENTRY_SLICES, API_PROTO_BYTES));
    return api_tf_slice_read(field.bytes, out, err);
}
