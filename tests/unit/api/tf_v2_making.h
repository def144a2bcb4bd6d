/* V2 checkpoints made record by record, right ones and wrong ones. */
#ifndef TESTS_UNIT_API_TF_V2_MAKING_H
#define TESTS_UNIT_API_TF_V2_MAKING_H

#include "api/file/crc_mask.h"
#include "api/file/proto.h"
#include "api/file/sstable_write.h"
#include "api/file/varint.h"
#include "api/wire/npy.h"
#include "api/wire/tf_v2.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"
#include "tests/unit/api/wire_files.h"

enum { MAKING_SHARDS_MAX = 4, MAKING_RECORDS_MAX = 40000, MAKING_BYTES_MAX = 64 << 20 };

#define MAKES(call) files_check((call), &(struct err){.text = #call})

struct making {
    struct buf data[MAKING_SHARDS_MAX];
    uint32_t shards;
    bool big_endian;
    struct arena arena;
    struct making_record {
        struct bytes key, value;
    } records[MAKING_RECORDS_MAX];
    size_t count;
};

static inline struct making *
making_begin(uint32_t shards, bool big_endian)
{
    struct making *m = calloc(1, sizeof *m);

    files_check(m == NULL ? ERR_NO_MEMORY : OK, &(struct err){.text = "no memory"});
    m->shards = shards;
    m->big_endian = big_endian;
    arena_init(&m->arena, 256 << 20);
    for (uint32_t i = 0; i < MAKING_SHARDS_MAX; i++)
        buf_init(&m->data[i], MAKING_BYTES_MAX);
    return m;
}

static inline void
making_end(struct making *m)
{
    for (uint32_t i = 0; i < MAKING_SHARDS_MAX; i++)
        buf_drop(&m->data[i]);
    arena_drop(&m->arena);
    free(m);
}

static inline struct bytes
making_copy(struct making *m, struct bytes bytes)
{
    uint8_t *copy = arena_alloc(&m->arena, bytes.size, NULL);

    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}

static inline void
making_record(struct making *m, struct bytes key, struct bytes value)
{
    m->records[m->count++] =
        (struct making_record){.key = making_copy(m, key), .value = making_copy(m, value)};
}

/* The header; 0 for what is usual. */
static inline void
making_header(struct making *m, uint64_t shards, uint64_t endianness)
{
    AUTO(buf) value = {0};

    buf_init(&value, 1000);
    MAKES(api_proto_put_number(&value, 1, shards, NULL));
    MAKES(api_proto_put_number(&value, 2, endianness, NULL));
    MAKES(api_tf_version_put(&value, 3, NULL));
    making_record(m, bytes_of("", 0), buf_bytes(&value));
}

/* An entry as it stands in the index. */
struct making_entry {
    uint64_t dtype;
    struct shape shape;
    uint64_t shard, offset, size;
    uint32_t crc; /* masked */
};

static inline void
making_entry_encode(const struct making_entry *entry, struct buf *out)
{
    AUTO(buf) shape = {0};

    buf_init(&shape, 1000);
    MAKES(api_tf_shape_append(&shape, &entry->shape, NULL));
    MAKES(api_proto_put_number(out, 1, entry->dtype, NULL));
    MAKES(api_proto_put_bytes(out, 2, buf_bytes(&shape), NULL));
    MAKES(api_proto_put_number(out, 3, entry->shard, NULL));
    MAKES(api_proto_put_number(out, 4, entry->offset, NULL));
    MAKES(api_proto_put_number(out, 5, entry->size, NULL));
    MAKES(api_proto_put_fixed32(out, 6, entry->crc, NULL));
}

static inline void
making_add(struct making *m, struct bytes key, const struct making_entry *entry)
{
    AUTO(buf) value = {0};

    buf_init(&value, 1000);
    making_entry_encode(entry, &value);
    making_record(m, key, buf_bytes(&value));
}

/* --- data ---------------------------------------------------------------------------------- */

static inline uint32_t
making_order(const struct making *m, uint32_t value)
{
    return m->big_endian ? __builtin_bswap32(value) : value;
}

/* Strings as values keep them, written as data files have them. */
static inline uint32_t
making_strings(struct making *m, struct bytes value, struct buf *out)
{
    uint32_t crc = 0, sum;

    for (struct reader in = reader_of(value); in.left.size > 0;) {
        uint32_t length = (uint32_t)reader_bytes(&in).size, ordered = making_order(m, length);

        MAKES(api_varint_append(out, length, NULL));
        crc = crc32c(crc, &ordered, sizeof ordered);
    }
    sum = making_order(m, api_crc_mask(crc));
    MAKES(buf_append_u32(out, sum, NULL));
    crc = crc32c(crc, &sum, sizeof sum);
    for (struct reader in = reader_of(value); in.left.size > 0;) {
        struct bytes string = reader_bytes(&in);

        MAKES(buf_append(out, string.data, string.size, NULL));
        crc = crc32c(crc, string.data, string.size);
    }
    return crc;
}

/* Puts a value at the end of a shard and returns the entry for it. */
static inline struct making_entry
making_put(struct making *m, const struct tensor_type *type, struct bytes value, uint32_t shard)
{
    struct buf *out = &m->data[shard];
    struct making_entry entry = {.dtype = api_tf_dtype_number(type->dtype),
                                 .shape = type->shape,
                                 .shard = shard,
                                 .offset = out->size};
    uint8_t *room;

    if (type->dtype == DTYPE_STRING) {
        entry.crc = api_crc_mask(making_strings(m, value, out));
    } else {
        MAKES(buf_reserve(out, value.size, &room, NULL));
        if (value.size > 0)
            memcpy(room, value.data, value.size);
        if (m->big_endian)
            api_wire_swap(type->dtype, room, value.size);
        entry.crc = api_crc_mask(crc32c(0, room, value.size));
        buf_commit(out, value.size);
    }
    entry.size = out->size - entry.offset;
    return entry;
}

/* The record of a partitioned tensor; extents: those of all slices, one after the other. */
static inline void
making_partitioned(struct making *m, struct bytes name, const struct tensor_type *type,
                   const struct api_extent *extents, size_t slices)
{
    struct making_entry entry = {.dtype = api_tf_dtype_number(type->dtype), .shape = type->shape};
    AUTO(buf) value = {0};

    buf_init(&value, MAKING_BYTES_MAX);
    making_entry_encode(&entry, &value);
    for (size_t i = 0; i < slices; i++) {
        AUTO(buf) slice = {0};

        buf_init(&slice, 10000);
        MAKES(api_tf_slice_append(&slice, extents + i * type->shape.rank, type->shape.rank, NULL));
        MAKES(api_proto_put_bytes(&value, 7, buf_bytes(&slice), NULL));
    }
    making_record(m, name, buf_bytes(&value));
}

static inline void
making_slice(struct making *m, struct bytes name, const struct api_extent *extents,
             const struct making_entry *entry)
{
    AUTO(buf) key = {0};

    buf_init(&key, 10000);
    MAKES(api_slice_key(name, extents, entry->shape.rank, &key, NULL));
    making_add(m, buf_bytes(&key), entry);
}

/* --- files --------------------------------------------------------------------------------- */

static inline int
making_compare(const void *a, const void *b)
{
    const struct making_record *x = a, *y = b;

    return bytes_compare(x->key, y->key);
}

static inline void
making_index(struct making *m, struct buf *out)
{
    AUTO(api_sstable_writer) table = {.offset = 0};

    qsort(m->records, m->count, sizeof m->records[0], making_compare);
    api_sstable_writer_init(&table, api_sstable_to_buf(out));
    for (size_t i = 0; i < m->count; i++)
        MAKES(api_sstable_add(&table, m->records[i].key, m->records[i].value, NULL));
    MAKES(api_sstable_finish(&table, NULL));
}

/* Index and data files under this prefix; `of` is the number in the data files' names. */
static inline void
making_files_of(struct making *m, struct wire_files *w, const char *prefix, uint32_t of)
{
    AUTO(buf) index = {0};
    char name[256];

    buf_init(&index, MAKING_BYTES_MAX);
    making_index(m, &index);
    snprintf(name, sizeof name, "%s.index", prefix);
    wire_files_add(w, name, buf_bytes(&index));
    for (uint32_t i = 0; i < of && i < MAKING_SHARDS_MAX; i++) {
        snprintf(name, sizeof name, "%s.data-%05u-of-%05u", prefix, i, of);
        wire_files_add(w, name, buf_bytes(&m->data[i]));
    }
}

static inline void
making_files(struct making *m, struct wire_files *w, const char *prefix)
{
    making_header(m, m->shards, m->big_endian);
    making_files_of(m, w, prefix, m->shards);
}

#endif
