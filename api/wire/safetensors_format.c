/* Safetensors as a format of sets. */
#include <stdio.h>
#include <stdlib.h>

#include "api/wire/format.h"
#include "api/wire/safetensors.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* A header of no tensors is "{}"; what follows is at least that long. */
static bool
sniff(struct bytes first, uint64_t size)
{
    uint64_t length = 0;

    if (first.size < API_SAFETENSORS_LENGTH_BYTES + 2 ||
        first.data[API_SAFETENSORS_LENGTH_BYTES] != '{')
        return false;
    for (int i = API_SAFETENSORS_LENGTH_BYTES - 1; i >= 0; i--)
        length = length << 8 | first.data[i];
    return length <= API_SAFETENSORS_HEADER_BYTES_MAX &&
           (size == UINT64_MAX || length <= size - API_SAFETENSORS_LENGTH_BYTES);
}

struct state {
    const struct api_byte_source *stream;
    uint64_t left;
};

static enum err_code
read_tensors(void *context, void *out, size_t size, struct err *err)
{
    struct state *state = context;

    TRY(api_byte_source_exactly(state->stream, "the file", "its tensors", out, size, err));
    state->left -= size;
    if (state->left > 0 || size == 0)
        return OK;
    return api_byte_source_end(state->stream, "the file", "its tensors", err);
}

static enum err_code
open_reader(const struct api_wire_input *input, struct api_wire_reader *out, struct err *err)
{
    struct api_safetensors_header header;
    struct state *state = arena_alloc(input->arena, sizeof *state, err);
    struct api_wire_catalog *catalog = &out->catalog;

    if (state == NULL)
        return ERR_NO_MEMORY;
    TRY(api_safetensors_read_header(input->stream, "the file", input->stream_size, input->arena,
                                    &header, err));
    catalog->tensors = arena_array(input->arena, header.count, sizeof *catalog->tensors, err);
    if (catalog->tensors == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < header.count; i++)
        catalog->tensors[i] = (struct api_wire_tensor){
            .name = header.entries[i].name,
            .type = header.entries[i].type,
            .size = header.entries[i].end - header.entries[i].begin,
        };
    catalog->count = header.count;
    catalog->metadata = header.metadata;
    catalog->metadata_count = header.metadata_count;
    *state = (struct state){.stream = input->stream, .left = header.data_size};
    out->source = (struct tensor_source){.context = state, .read = read_tensors};
    return header.data_size > 0 ? OK
                                : api_byte_source_end(input->stream, "the file", "its header", err);
}

/* --- writing --- */

/* The encoder sorts its entries: which tensor of the set each one is, by the name it points at. */
static int
by_address(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;

    return x->data < y->data ? -1 : x->data > y->data;
}

static enum err_code
lend_in_order(const struct api_wire_export *what, const struct api_safetensors_entry *entries,
              struct api_layout *out, struct err *err)
{
    const struct tensor_set *set = what->set;
    struct name_place {
        struct bytes name;
        size_t index;
    } *places = arena_array(out->arena, set->entry_count, sizeof *places, err);

    if (places == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < set->entry_count; i++)
        places[i] = (struct name_place){bytes_of_text(set->entries[i].name), i};
    if (set->entry_count > 0)
        qsort(places, set->entry_count, sizeof *places, by_address);
    for (size_t i = 0; i < set->entry_count; i++) {
        const struct name_place *place =
            bsearch(&entries[i].name, places, set->entry_count, sizeof *places, by_address);

        CHECK(place != NULL);
        TRY(api_layout_entry(out, set, place->index, err));
    }
    return OK;
}

static enum err_code
write_layout(const struct api_wire_export *what, struct api_layout *out, struct err *err)
{
    const struct tensor_set *set = what->set;
    struct api_safetensors_entry *entries;
    char name[NAME_BYTES_MAX + 16];
    AUTO(buf) header = {0};

    entries = arena_array(out->arena, set->entry_count, sizeof *entries, err);
    if (entries == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < set->entry_count; i++) {
        entries[i].name = bytes_of_text(set->entries[i].name);
        entries[i].type = set->entries[i].type;
    }
    buf_init(&header, API_SAFETENSORS_HEADER_BYTES_MAX + API_SAFETENSORS_LENGTH_BYTES);
    TRY(api_safetensors_encode(entries, set->entry_count, what->metadata, what->metadata_count,
                               &header, err));
    snprintf(name, sizeof name, "%s.safetensors", what->name);
    TRY(api_layout_file(out, name, err));
    /* Two runs, as readers fetch them: the length, then what it is the length of. */
    TRY(api_layout_copy(out, bytes_of(header.data, API_SAFETENSORS_LENGTH_BYTES), err));
    TRY(api_layout_copy(out,
                        bytes_of(header.data + API_SAFETENSORS_LENGTH_BYTES,
                                 header.size - API_SAFETENSORS_LENGTH_BYTES),
                        err));
    return lend_in_order(what, entries, out, err);
}

static const char *
unfit(struct bytes name, const struct tensor_type *type)
{
    if (dtype_info(type->dtype)->safetensors_name == NULL)
        return "safetensors has no such dtype";
    if (bytes_equal(name, bytes_of_text("__metadata__")))
        return "safetensors keeps that name for itself";
    return NULL;
}

const struct api_wire_format api_wire_safetensors = {
    .name = "safetensors",
    .media_type = "application/vnd.safetensors",
    .streams = true,
    .sniff = sniff,
    .open = open_reader,
    .write = write_layout,
    .unfit = unfit,
    .lends = true,
};
