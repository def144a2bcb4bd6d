/* The tables of a V1 checkpoint, gone through once: the records of the slices that their metadata
 * tells of. */
#include <inttypes.h>
#include <stdlib.h>

#include "api/file/proto_file.h"
#include "api/file/sstable_read.h"
#include "api/wire/tf_v1.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { RECORD_WINDOW_BYTES = 512 };

struct walk {
    const struct api_wire_input *input;
    struct api_tf_v1_catalog *found;
    uint32_t file;
    bool has_metadata;
    size_t slice_first;
    struct api_tf_v1_slice **expected; /* of this file, by key */
    size_t expected_count, next, strays;
};

static int
by_key(const void *a, const void *b)
{
    const struct api_tf_v1_slice *x = *(struct api_tf_v1_slice *const *)a;
    const struct api_tf_v1_slice *y = *(struct api_tf_v1_slice *const *)b;
    int order = x->name_key.data == y->name_key.data ? 0 : bytes_compare(x->name_key, y->name_key);

    return order != 0 ? order : bytes_compare(x->part_key, y->part_key);
}

/* No name's key is the beginning of another's. */
static int
compare_key(const struct api_tf_v1_slice *slice, struct bytes key)
{
    size_t size = key.size < slice->name_key.size ? key.size : slice->name_key.size;
    int order = bytes_compare(slice->name_key, bytes_of(key.data, size));

    return order != 0 ? order
                      : bytes_compare(slice->part_key, bytes_of(key.data + size, key.size - size));
}

static enum err_code
take_metadata(struct walk *walk, const struct api_sstable_entry *entry, struct err *err)
{
    struct api_tf_v1_catalog *found = walk->found;
    AUTO_CALL(mem_free_scope) uint8_t *whole = NULL;
    struct bytes record = entry->bytes;

    walk->has_metadata = true;
    if (entry->key.size > 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "it has no metadata record");
    if (record.data == NULL) {
        if (entry->value.size > API_TF_V1_METADATA_BYTES_MAX)
            return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                           "metadata of %" PRIu64 " bytes, the limit is %d", entry->value.size,
                           API_TF_V1_METADATA_BYTES_MAX);
        whole = mem_alloc((size_t)entry->value.size, err);
        if (whole == NULL)
            return ERR_NO_MEMORY;
        record = bytes_of(whole, (size_t)entry->value.size);
        TRY(api_file_read(&entry->value, 0, whole, record.size, err));
    }
    TRY(api_tf_v1_metadata_read(record, walk->file, walk->input->limits->tensors_max, found, err));
    walk->expected_count = found->slice_count - walk->slice_first;
    walk->expected = arena_array(found->arena, walk->expected_count, sizeof *walk->expected, err);
    if (walk->expected == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < walk->expected_count; i++)
        walk->expected[i] = &found->slices[walk->slice_first + i];
    qsort(walk->expected, walk->expected_count, sizeof *walk->expected, by_key);
    return OK;
}

/* The one field of that tag: which part of the message it is. *out is empty when there is none. */
static enum err_code
find_field(const struct api_file *message, uint32_t number, struct api_file *out, struct err *err)
{
    uint8_t window[RECORD_WINDOW_BYTES];
    struct api_proto_file in;
    struct api_proto_field field;
    bool found = false;

    api_proto_file_init(&in, message, window, sizeof window);
    TRY(api_file_part(message, 0, 0, out, err));
    for (;;) {
        TRY(api_proto_file_next(&in, &field, err));
        if (field.tag == 0)
            return OK;
        if ((field.tag & 7) != API_PROTO_BYTES)
            continue;
        if (field.tag >> 3 == number) {
            if (found)
                return err_set(err, ERR_INVALID_ARGUMENT,
                               "field %" PRIu32 " is there twice in its record", number);
            found = true;
            TRY(api_file_part(message, message->size - api_proto_file_left(&in), field.value, out,
                              err));
        }
        api_proto_file_pass(&in, field.value);
    }
}

static enum err_code
about_slice(const struct walk *walk, const struct api_tf_v1_slice *slice, enum err_code code,
            struct err *err)
{
    size_t place = (size_t)(slice - walk->found->slices);

    for (size_t i = 0; i < walk->found->piece_count; i++) {
        const struct api_tf_v1_piece *piece = &walk->found->pieces[i];

        if (place >= piece->slice_first && place < piece->slice_first + piece->slice_count)
            api_tf_v1_about(piece->name, err);
    }
    return code;
}

static enum err_code
missing(const struct walk *walk, struct err *err)
{
    return about_slice(
        walk, walk->expected[walk->next],
        err_set(err, ERR_INVALID_ARGUMENT, "the metadata tells of it, its record is missing"), err);
}

static enum err_code
take_record(const struct walk *walk, const struct api_sstable_entry *entry,
            struct api_tf_v1_slice *slice, struct err *err)
{
    struct api_file data;
    enum err_code code = find_field(&entry->value, API_TF_V1_SAVED_DATA, &data, err);

    if (code == OK)
        code = find_field(&data, API_TF_V1_SLICE_DATA, &slice->data, err);
    return code == OK ? OK : about_slice(walk, slice, code, err);
}

/* What the metadata does not tell of is passed over; no writer makes much of it. */
static enum err_code
visit(void *context, const struct api_sstable_entry *entry, struct err *err)
{
    struct walk *walk = context;
    bool found = false;

    if (!walk->has_metadata)
        return take_metadata(walk, entry, err);
    for (; walk->next < walk->expected_count; walk->next++) {
        int order = compare_key(walk->expected[walk->next], entry->key);

        if (order > 0)
            break;
        if (order < 0)
            return missing(walk, err);
        TRY(take_record(walk, entry, walk->expected[walk->next], err));
        found = true;
    }
    if (found || ++walk->strays <= API_TF_V1_STRAYS_MAX)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "it has over %d records that its metadata does not tell of",
                   API_TF_V1_STRAYS_MAX);
}

enum err_code
api_tf_v1_scan(const struct api_wire_input *input, const struct api_file *file, uint32_t number,
               struct api_tf_v1_catalog *found, struct err *err)
{
    const struct api_sstable table = {.file = *file,
                                      .scratch = input->scratch,
                                      .block_bytes_max = input->limits->memory_bytes_max,
                                      .unpacked_bytes_max = input->limits->bytes_max};
    struct walk walk = {
        .input = input, .found = found, .file = number, .slice_first = found->slice_count};

    TRY(api_sstable_read(&table, visit, &walk, err));
    if (!walk.has_metadata)
        return err_set(err, ERR_INVALID_ARGUMENT, "it has no metadata record");
    return walk.next < walk.expected_count ? missing(&walk, err) : OK;
}
