/* What tensors a V2 checkpoint has: its index's entries checked against one another and against the
 * data files. */
#include <inttypes.h>
#include <stdlib.h>

#include "api/json/text.h"
#include "api/wire/tf_v2.h"
#include "service/name.h"
#include "store/base/scope.h"

enum { SLICE_KEY_BYTES_MAX = 64 << 10 };

struct finding {
    const struct api_wire_input *input;
    struct api_tf_v2_files files;
    const struct api_tf_v2_index *index;
    struct api_tf_v2_tensor *tensors;
    struct api_wire_catalog *catalog;
    uint64_t total; /* bytes of data, with what lies in several tensors counted so often */
    struct buf key; /* of a slice */
};

static void
finding_drop(struct finding *finding)
{
    buf_drop(&finding->key);
}

enum err_code
api_tf_v2_about(struct bytes name, enum err_code code, struct err *err)
{
    char shown[API_SHOWN_BYTES_MAX + 1];

    if (code == OK || err == NULL)
        return code;
    api_text_shown(name, shown);
    err_prefix(err, "tensor '%s'", shown);
    err_about(err, "tensor", shown);
    return code;
}

static void *
take_memory(const struct finding *finding, size_t count, size_t size, struct err *err)
{
    return arena_array(finding->input->arena, count, size, err);
}

#define NO_MEMORY(err) ((err) != NULL ? (err)->code : ERR_NO_MEMORY)

static enum err_code
refuse(struct finding *finding, struct bytes name, const char *reason, struct err *err)
{
    const char *copy = arena_text(finding->input->arena, bytes_of_text(reason), err);

    if (copy == NULL)
        return NO_MEMORY(err);
    finding->catalog->refused[finding->catalog->refused_count++] =
        (struct api_wire_refused){.name = name, .reason = copy};
    return OK;
}

/* --- one run of bytes --- */

static enum err_code
open_piece(struct finding *finding, const struct api_tf_v2_entry *entry, enum dtype dtype,
           uint64_t elements, struct api_tf_v2_piece *out, struct err *err)
{
    const struct api_file *file = NULL;
    uint64_t limit = finding->input->limits->bytes_max;

    if (entry->offset < 0 || entry->size < 0 || entry->shard < 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it has %" PRId64 " bytes at %" PRId64 " of data file %" PRId64, entry->size,
                       entry->offset, entry->shard);
    TRY(api_tf_v2_shard(&finding->files, (uint32_t)entry->shard, &file, err));
    *out = (struct api_tf_v2_piece){.dtype = dtype,
                                    .big_endian = finding->index->big_endian,
                                    .crc = entry->crc,
                                    .elements = elements};
    TRY(api_file_part(file, (uint64_t)entry->offset, (uint64_t)entry->size, &out->file, err));
    /* Any number of tensors may name the same bytes, which are read for each. */
    finding->total += (uint64_t)entry->size;
    if (finding->total > limit)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the tensors up to it take %" PRIu64 " bytes, the limit is %" PRIu64
                       " (import_max_bytes)",
                       finding->total, limit);
    return api_tf_v2_piece_open(out, err);
}

/* --- partitioned tensors --- */

static enum err_code
find_slice(struct finding *finding, struct bytes name, const struct api_tf_slice *slice,
           struct api_tf_v2_entry *out, struct err *err)
{
    const struct api_tf_v2_record *record;

    finding->key.size = 0;
    TRY(api_slice_key(name, slice->extents, slice->rank, &finding->key, err));
    record = api_tf_v2_index_find(finding->index, buf_bytes(&finding->key));
    if (record == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "a slice that it lists has no record");
    return api_tf_v2_entry_read(record->value, out, err);
}

/* A slice's own record says what the list and the whole say. */
static enum err_code
check_slice(const struct api_tf_v2_entry *entry, uint64_t dtype, const struct shape *part,
            struct err *err)
{
    const char *reason = NULL;
    char a[SHAPE_TEXT_BYTES_MAX], b[SHAPE_TEXT_BYTES_MAX];

    if (entry->slices > 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "a slice of it lists slices");
    if (entry->dtype != dtype)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a slice of it has dtype %" PRIu64 ", the whole has %" PRIu64, entry->dtype,
                       dtype);
    TRY(api_tf_shape_check(&entry->shape, &reason, err));
    if (entry->shape.rank != part->rank || !shape_equal(&entry->shape.shape, part))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a slice of it has shape %s in its record, not %s",
                       shape_text(&entry->shape.shape, a), shape_text(part, b));
    return OK;
}

static enum err_code
add_slice(struct finding *finding, struct bytes *left, uint64_t dtype,
          struct api_tf_v2_tensor *tensor, struct api_tf_slice_found *found, struct err *err)
{
    struct api_tf_v2_piece *piece = &tensor->pieces[tensor->count];
    const struct tensor_type *type = &tensor->listed.type;
    struct api_tf_v2_entry entry;
    struct api_tf_slice slice;
    struct shape part;
    uint64_t first[SHAPE_RANK_MAX];

    TRY(api_tf_v2_entry_slice(left, &slice, err));
    TRY(api_tf_slice_check(&slice, &type->shape, first, &part, err));
    TRY(find_slice(finding, tensor->listed.name, &slice, &entry, err));
    TRY(check_slice(&entry, dtype, &part, err));
    TRY(open_piece(finding, &entry, type->dtype, shape_count(&part), piece, err));
    TRY(api_tf_parts_add(tensor->parts, finding->input->arena, first, &part, err));
    *found = (struct api_tf_slice_found){
        .first = tensor->parts->parts[tensor->count].first,
        .dims = tensor->parts->parts[tensor->count].dims,
        .shard = (uint32_t)entry.shard,
    };
    tensor->listed.size += piece->size;
    tensor->stored += (uint64_t)entry.size;
    if (tensor->count == 0 || entry.shard < tensor->listed.shard ||
        (entry.shard == tensor->listed.shard && (uint64_t)entry.offset < tensor->offset)) {
        tensor->listed.shard = (uint32_t)entry.shard;
        tensor->offset = (uint64_t)entry.offset;
    }
    tensor->count++;
    return OK;
}

/* More slices than there are records, or elements, are no partition whatever they are. */
static enum err_code
add_partitioned(struct finding *finding, const struct api_tf_v2_record *record,
                const struct api_tf_v2_entry *entry, struct api_tf_v2_tensor *tensor,
                struct err *err)
{
    const struct shape *shape = &tensor->listed.type.shape;
    struct api_tf_slice_found *found = take_memory(finding, entry->slices, sizeof *found, err);
    uint64_t elements = shape_count(shape);
    struct bytes left = record->value;

    if (entry->slices > finding->index->count || (elements > 0 && entry->slices > elements))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "its %zu slices overlap: it has %" PRIu64 " elements, and the index %zu "
                       "records",
                       entry->slices, elements, finding->index->count);
    tensor->slices = found;
    tensor->pieces = take_memory(finding, entry->slices, sizeof *tensor->pieces, err);
    tensor->parts = take_memory(finding, 1, sizeof *tensor->parts, err);
    if (found == NULL || tensor->pieces == NULL || tensor->parts == NULL)
        return NO_MEMORY(err);
    TRY(api_tf_parts_begin(tensor->parts, finding->input->arena, shape, entry->slices, err));
    for (size_t i = 0; i < entry->slices; i++)
        TRY(add_slice(finding, &left, entry->dtype, tensor, &found[i], err));
    TRY(api_tf_slices_cover(record->key, shape, entry->slices, tensor->parts->covered, err));
    TRY(api_tf_slices_partition(found, entry->slices, shape, finding->input->arena,
                                &tensor->listed.partition, &tensor->listed.part_shards, err));
    return api_tf_parts_start(tensor->parts, err);
}

/* --- tensors --- */

static enum err_code
add_whole(struct finding *finding, const struct api_tf_v2_entry *entry,
          struct api_tf_v2_tensor *tensor, struct err *err)
{
    struct tensor_type *type = &tensor->listed.type;

    tensor->pieces = take_memory(finding, 1, sizeof *tensor->pieces, err);
    if (tensor->pieces == NULL)
        return NO_MEMORY(err);
    TRY(open_piece(finding, entry, type->dtype, shape_count(&type->shape), tensor->pieces, err));
    tensor->count = 1;
    tensor->listed.size = tensor->pieces->size;
    tensor->listed.shard = (uint32_t)entry->shard;
    tensor->offset = (uint64_t)entry->offset;
    tensor->stored = (uint64_t)entry->size;
    return OK;
}

static enum err_code
add_tensor(struct finding *finding, const struct api_tf_v2_record *record, struct err *err)
{
    struct api_tf_v2_tensor *tensor = &finding->tensors[finding->catalog->count];
    struct api_tf_v2_entry entry;
    struct err why = ERR_INIT;
    enum dtype dtype = DTYPE_UNSET;

    TRY(api_tf_v2_entry_read(record->value, &entry, err));
    TRY(api_tf_judge(record->key, entry.dtype, &entry.shape, &dtype, &why, err));
    if (why.code != OK)
        return refuse(finding, record->key, why.text, err);
    *tensor = (struct api_tf_v2_tensor){.listed = {
                                            .name = record->key,
                                            .type = {.dtype = dtype, .shape = entry.shape.shape},
                                        }};
    if (entry.slices > 0)
        TRY(add_partitioned(finding, record, &entry, tensor, err));
    else
        TRY(add_whole(finding, &entry, tensor, err));
    finding->catalog->count++;
    return OK;
}

static bool
is_tensor(const struct api_tf_v2_record *record)
{
    return record->key.size > 0 && record->key.data[0] != 0;
}

/* Where two begin at the same place, one of them has no bytes there: it comes first. (No strings at
 * all have a checksum there.) */
static int
by_place(const void *a, const void *b)
{
    const struct api_tf_v2_tensor *x = a, *y = b;

    if (x->listed.shard != y->listed.shard)
        return x->listed.shard < y->listed.shard ? -1 : 1;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->stored != y->stored)
        return x->stored < y->stored ? -1 : 1;
    return bytes_compare(x->listed.name, y->listed.name);
}

struct placed {
    uint32_t shard;
    const struct api_tf_v2_piece *piece;
    const struct api_tf_v2_tensor *tensor;
};

static int
by_piece(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    if (x->piece->file.begin != y->piece->file.begin)
        return x->piece->file.begin < y->piece->file.begin ? -1 : 1;
    if (x->piece->file.size != y->piece->file.size)
        return x->piece->file.size < y->piece->file.size ? -1 : 1;
    return (x->tensor > y->tensor) - (x->tensor < y->tensor);
}

/* Of tensors whose slices lie in several files no first place tells the order. Savers have them by
 * name in each: *out, when that is so here. They were found by name. */
static enum err_code
lie_by_name(struct finding *finding, bool *out, struct err *err)
{
    size_t count = 0, next = 0;
    bool apart = false;
    struct placed *placed;

    for (size_t i = 0; i < finding->catalog->count; i++) {
        count += finding->tensors[i].count;
        apart |= finding->tensors[i].listed.part_shards.size > 0;
    }
    *out = apart;
    if (!apart)
        return OK;
    placed = take_memory(finding, count, sizeof *placed, err);
    if (placed == NULL)
        return NO_MEMORY(err);
    for (size_t i = 0; i < finding->catalog->count; i++) {
        const struct api_tf_v2_tensor *tensor = &finding->tensors[i];

        for (size_t j = 0; j < tensor->count; j++)
            placed[next++] = (struct placed){
                .shard = tensor->slices != NULL ? tensor->slices[j].shard : tensor->listed.shard,
                .piece = &tensor->pieces[j],
                .tensor = tensor,
            };
    }
    qsort(placed, count, sizeof *placed, by_piece);
    for (size_t i = 1; i < count; i++)
        if (placed[i].shard == placed[i - 1].shard && placed[i].tensor < placed[i - 1].tensor)
            *out = false;
    return OK;
}

static enum err_code
list_tensors(struct finding *finding, struct err *err)
{
    struct api_wire_catalog *catalog = finding->catalog;
    bool by_name = false;

    TRY(lie_by_name(finding, &by_name, err));
    if (catalog->count > 0 && !by_name)
        qsort(finding->tensors, catalog->count, sizeof *finding->tensors, by_place);
    catalog->tensors = take_memory(finding, catalog->count, sizeof *catalog->tensors, err);
    if (catalog->tensors == NULL)
        return NO_MEMORY(err);
    for (size_t i = 0; i < catalog->count; i++)
        catalog->tensors[i] = finding->tensors[i].listed;
    catalog->shards = finding->files.shards;
    return OK;
}

enum err_code
api_tf_v2_tensors_find(const struct api_wire_input *input, const struct api_tf_v2_files *files,
                       const struct api_tf_v2_index *index, struct api_tf_v2_tensor **out,
                       struct api_wire_catalog *catalog, struct err *err)
{
    AUTO(finding)
    finding = {.input = input, .files = *files, .index = index, .catalog = catalog};
    size_t count = 0;

    buf_init(&finding.key, SLICE_KEY_BYTES_MAX);
    for (size_t i = 0; i < index->count; i++)
        count += is_tensor(&index->records[i]);
    finding.tensors = take_memory(&finding, count, sizeof *finding.tensors, err);
    catalog->refused = take_memory(&finding, count, sizeof *catalog->refused, err);
    if (finding.tensors == NULL || catalog->refused == NULL)
        return NO_MEMORY(err);
    for (size_t i = 0; i < index->count; i++)
        if (is_tensor(&index->records[i]))
            TRY(api_tf_v2_about(index->records[i].key,
                                add_tensor(&finding, &index->records[i], err), err));
    *out = finding.tensors;
    return list_tensors(&finding, err);
}
