/* A table is filled in the order of the file, then sorted. Always true: an entry that is counted
 * owns what its tensor has, so a table can be dropped at any time. */
#include "api/tensors/tensor_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/json/text.h"
#include "api/wire/safetensors.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { NAMES_SHOWN_MAX = 8, NAMES_TEXT_BYTES_MAX = 600 };

void
api_tensor_table_drop(struct api_tensor_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        tensor_drop(&table->entries[i].tensor);
    mem_free(table->entries);
    *table = (struct api_tensor_table){0};
}

/* --- reading ------------------------------------------------------------------------------- */

static enum err_code
check_limits(const struct api_safetensors_header *header, const char *place,
             const struct api_tensor_limits *limits, struct err *err)
{
    if (header->count > limits->tensors_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "%s has %zu tensors, the limit is %zu (variables_per_request_max)", place,
                       header->count, limits->tensors_max);
    if (header->data_size > limits->bytes_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the tensors of %s take %" PRIu64 " bytes, the limit is %" PRIu64
                       " (tensor_parts_max_bytes)",
                       place, header->data_size, limits->bytes_max);
    return OK;
}

static enum err_code
read_entry(const struct api_byte_source *source, const char *place,
           const struct api_safetensors_entry *from, struct api_tensor_entry *out, struct err *err)
{
    char name[API_SHOWN_BYTES_MAX + 1], what[API_SHOWN_BYTES_MAX + 16];
    struct tensor *tensor = &out->tensor;

    out->key = from->name;
    TRY(tensor_init(tensor, &from->type, from->end - from->begin, err));
    snprintf(what, sizeof what, "tensor '%s'", api_text_shown(from->name, name));
    TRY(api_byte_source_exactly(source, place, what, tensor->data, (size_t)tensor->size, err));
    if (tensor->type.dtype == DTYPE_BOOL)
        TRY(tensor_bools_check(name, bytes_of(tensor->data, (size_t)tensor->size), 0, err));
    return OK;
}

static int
by_key(const void *a, const void *b)
{
    const struct api_tensor_entry *x = a, *y = b;

    return bytes_compare(x->key, y->key);
}

enum err_code
api_tensor_table_read(const struct api_byte_source *source, const char *place,
                      const struct api_tensor_limits *limits, struct arena *arena,
                      struct api_tensor_table *out, struct err *err)
{
    AUTO(api_tensor_table) table = {.place = place};
    struct api_safetensors_header header;
    char all[64];

    TRY(api_safetensors_read_header(source, place, UINT64_MAX, arena, &header, err));
    TRY(check_limits(&header, place, limits, err));
    table.entries = mem_zeroed(header.count, sizeof *table.entries, err);
    if (table.entries == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < header.count; i++) {
        table.count++; /* also what is read in part is dropped */
        TRY(read_entry(source, place, &header.entries[i], &table.entries[i], err));
    }
    snprintf(all, sizeof all, "its tensors, which take %" PRIu64 " bytes", header.data_size);
    TRY(api_byte_source_end(source, place, all, err));
    qsort(table.entries, table.count, sizeof *table.entries, by_key);
    table.metadata = header.metadata;
    table.metadata_count = header.metadata_count;
    *out = TAKE(table);
    return OK;
}

/* --- looking up ---------------------------------------------------------------------------- */

const struct api_tensor_entry *
api_tensor_table_use(struct api_tensor_table *table, struct bytes key)
{
    const struct api_tensor_entry wanted = {.key = key};
    struct api_tensor_entry *found =
        table->count == 0
            ? NULL
            : bsearch(&wanted, table->entries, table->count, sizeof *table->entries, by_key);

    if (found != NULL)
        found->used = true;
    return found;
}

struct bytes
api_tensor_table_metadata(const struct api_tensor_table *table, const char *name)
{
    for (size_t i = 0; i < table->metadata_count; i++)
        if (bytes_equal(table->metadata[2 * i], bytes_of_text(name)))
            return table->metadata[2 * i + 1];
    return bytes_of(NULL, 0);
}

/* "'a', 'b' and 7 more", of all entries or those that nothing used; "" when there are none. */
static void
list_keys(const struct api_tensor_table *table, bool unused_only,
          char out[static NAMES_TEXT_BYTES_MAX])
{
    size_t used = 0, shown = 0, more = 0;

    out[0] = '\0';
    for (size_t i = 0; i < table->count; i++) {
        char name[API_SHOWN_BYTES_MAX + 1];
        size_t size;

        if (unused_only && table->entries[i].used)
            continue;
        api_text_shown(table->entries[i].key, name);
        size = strlen(name) + 4;
        if (shown == NAMES_SHOWN_MAX || used + size + 24 > NAMES_TEXT_BYTES_MAX) {
            more++;
            continue;
        }
        used += (size_t)snprintf(out + used, NAMES_TEXT_BYTES_MAX - used, "%s'%s'",
                                 shown++ > 0 ? ", " : "", name);
    }
    if (more > 0)
        snprintf(out + used, NAMES_TEXT_BYTES_MAX - used, " and %zu more", more);
}

bool
api_tensor_table_is_meant(const struct api_value *value)
{
    struct api_object object;
    struct api_value field;

    return api_value_kind(value) == API_OBJECT && api_object_of(value, &object, NULL) == OK &&
           api_object_has(&object, "tensor", &field);
}

enum err_code
api_tensor_table_take(struct api_tensor_table *table, struct api_object *object,
                      struct arena *arena, struct tensor_view *out, struct err *err)
{
    char name[API_SHOWN_BYTES_MAX + 1], known[NAMES_TEXT_BYTES_MAX], where[API_WHERE_BYTES_MAX];
    const struct api_tensor_entry *entry;
    const char *key = NULL;

    TRY(api_object_text(object, "tensor", arena, &key, NULL, err));
    api_value_where(&object->value, where);
    api_text_shown(bytes_of_text(key), name);
    if (table == NULL || table->place == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: {\"tensor\": \"%s\"} means a tensor that came beside the JSON: such a "
                       "request is multipart/form-data, with the JSON as its part 'request' and "
                       "safetensors as its part 'tensors'",
                       where, name);
    entry = api_tensor_table_use(table, bytes_of_text(key));
    if (entry != NULL) {
        *out = tensor_view_of(&entry->tensor);
        return OK;
    }
    list_keys(table, false, known);
    return err_set(err, ERR_INVALID_ARGUMENT, "%s: %s has no tensor '%s', %s%s", where,
                   table->place, name, table->count == 0 ? "and no other either" : "only ", known);
}

enum err_code
api_tensor_table_end(const struct api_tensor_table *table, struct err *err)
{
    char unused[NAMES_TEXT_BYTES_MAX];

    list_keys(table, true, unused);
    if (unused[0] == '\0')
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "nothing in the request uses %s of %s", unused,
                   table->place);
}
