/* NumPy's .npz: a zip file of arrays, one .npy file each, named by their members less ".npy".
 * Members that are no .npy files are none of our business, as they are none of NumPy's.
 *
 * All headers are looked at first, for the catalog; each array is opened again when its bytes are
 * wanted, so that of those that have to be turned round one at a time is in memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/json/text.h"
#include "api/wire/format.h"
#include "api/wire/npy_read.h"
#include "api/wire/npz_write.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { PLACE_BYTES_MAX = API_SHOWN_BYTES_MAX + 16 };

struct state {
    const struct api_wire_input *input;
    const struct api_file_entry **arrays; /* of the catalog's tensors; in the arena */
    size_t count;
    size_t next; /* the one to be opened */
    bool open;
    char place[PLACE_BYTES_MAX];
    struct api_file_stream stream; /* these three: the one that is open */
    struct api_byte_source source;
    struct api_npy_reader reader; /* owned */
};

static bool
is_array(const struct api_file_entry *entry)
{
    return bytes_end_with(entry->name, bytes_of_text(API_NPZ_SUFFIX));
}

static bool
claims(const struct api_wire_input *input)
{
    for (size_t i = 0; i < input->files->count; i++)
        if (is_array(&input->files->entries[i]))
            return true;
    return input->files->count == 0; /* what numpy.savez makes of no arrays */
}

static const char *
place_of(const struct api_file_entry *entry, char out[static PLACE_BYTES_MAX])
{
    char shown[API_SHOWN_BYTES_MAX + 1];

    snprintf(out, PLACE_BYTES_MAX, "member '%s'", api_text_shown(entry->name, shown));
    return out;
}

/* --- the catalog --- */

/* As the archive has them, and as they lie. */
static int
by_place(const void *a, const void *b)
{
    const struct api_file_entry *x = *(const struct api_file_entry *const *)a;
    const struct api_file_entry *y = *(const struct api_file_entry *const *)b;

    if (x->file.descriptor != y->file.descriptor)
        return x->file.descriptor < y->file.descriptor ? -1 : 1;
    if (x->file.begin != y->file.begin)
        return x->file.begin < y->file.begin ? -1 : 1;
    return bytes_compare(x->name, y->name);
}

static enum err_code
list_arrays(const struct api_wire_input *input, struct state *state, struct err *err)
{
    size_t files = input->files->count;

    state->arrays = arena_array(input->arena, files, sizeof *state->arrays, err);
    if (state->arrays == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < files; i++)
        if (is_array(&input->files->entries[i]))
            state->arrays[state->count++] = &input->files->entries[i];
    if (state->count == 0 && files > 0) /* of this format only because the client says so */
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "npz: no name of the files ends in " API_NPZ_SUFFIX
                       ", as that of an array in a zip file does");
    if (state->count > input->limits->tensors_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "%zu arrays are over the limit of %" PRIu32 " (variables_per_request_max)",
                       state->count, input->limits->tensors_max);
    if (state->count > 0)
        qsort(state->arrays, state->count, sizeof *state->arrays, by_place);
    return OK;
}

/* `room`: for the largest header. */
static enum err_code
look_at(const struct api_wire_input *input, const struct api_file *file, uint8_t *room,
        struct api_npy_header *header, struct err *err)
{
    size_t prefix = API_NPY_PREFIX_BYTES, size = 0;
    uint64_t bytes;

    if (prefix > file->size)
        prefix = (size_t)file->size;
    TRY(api_file_read(file, 0, room, prefix, err));
    TRY(api_npy_header_size(bytes_of(room, prefix), &size, err));
    if (size > file->size)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "npy: the header has %zu bytes, the file %" PRIu64, size, file->size);
    TRY(api_file_read(file, 0, room, size, err));
    TRY(api_npy_header_look(bytes_of(room, size), input->npy_v2, header, err));
    if (header->refused[0] != '\0')
        return OK;
    bytes = tensor_type_bytes(&header->type);
    if (bytes != file->size - size)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "npy: %" PRIu64 " bytes follow the header, an array of its dtype and shape "
                       "has %" PRIu64,
                       file->size - size, bytes);
    return OK;
}

static enum err_code
push_array(const struct api_wire_input *input, const struct api_file_entry *array,
           const struct api_npy_header *header, struct api_wire_catalog *catalog, struct err *err)
{
    struct bytes name = bytes_of(array->name.data, array->name.size - strlen(API_NPZ_SUFFIX));

    if (!api_utf8_valid(name))
        return err_set(err, ERR_INVALID_ARGUMENT, "its name is not UTF-8");
    if (header->refused[0] == '\0') {
        catalog->tensors[catalog->count++] = (struct api_wire_tensor){
            .name = name, .type = header->type, .size = tensor_type_bytes(&header->type)};
        return OK;
    }
    catalog->refused[catalog->refused_count++] = (struct api_wire_refused){
        name, arena_text(input->arena, bytes_of_text(header->refused), err)};
    return catalog->refused[catalog->refused_count - 1].reason == NULL ? ERR_NO_MEMORY : OK;
}

/* The arrays that are kept move to the front of the list. */
static enum err_code
fill_catalog(const struct api_wire_input *input, struct state *state,
             struct api_wire_catalog *catalog, struct err *err)
{
    AUTO_CALL(mem_free_scope)
    uint8_t *room = mem_alloc(API_NPY_PREFIX_BYTES + API_NPY_HEADER_BYTES_MAX, err);
    size_t all = state->count;

    catalog->tensors = arena_array(input->arena, all, sizeof *catalog->tensors, err);
    catalog->refused = arena_array(input->arena, all, sizeof *catalog->refused, err);
    if (room == NULL || catalog->tensors == NULL || catalog->refused == NULL)
        return ERR_NO_MEMORY;
    state->count = 0;
    for (size_t i = 0; i < all; i++) {
        const struct api_file_entry *array = state->arrays[i];
        struct api_npy_header header;
        enum err_code code = look_at(input, &array->file, room, &header, err);

        if (code == OK)
            code = push_array(input, array, &header, catalog, err);
        if (code != OK)
            err_prefix(err, "%s", place_of(array, state->place));
        TRY(code);
        state->arrays[state->count] = array;
        state->count += header.refused[0] == '\0';
    }
    return OK;
}

/* --- the bytes --- */

static void
close_array(struct state *state)
{
    api_npy_reader_drop(&state->reader);
    state->reader = (struct api_npy_reader){.size = 0};
    state->open = false;
}

static enum err_code
open_array(struct state *state, struct err *err)
{
    const struct api_file_entry *array = state->arrays[state->next++];

    state->stream = (struct api_file_stream){.file = array->file};
    state->source = api_file_source(&state->stream);
    TRY(api_npy_reader_open(&state->source, place_of(array, state->place), state->input->npy_v2,
                            state->input->limits->memory_bytes_max, &state->reader, err));
    state->open = true;
    return OK;
}

static enum err_code
read_arrays(void *context, void *out, size_t size, struct err *err)
{
    struct state *state = context;

    if (size == 0)
        return OK;
    /* Arrays without elements are passed over: nobody reads them. */
    while (!state->open || state->reader.size == 0) {
        close_array(state);
        TRY(open_array(state, err));
    }
    TRY(api_npy_reader_read(&state->reader, out, size, err));
    if (state->reader.offset == state->reader.size)
        close_array(state);
    return OK;
}

static void
drop_state(void *owned)
{
    struct state *state = owned;

    api_npy_reader_drop(&state->reader);
    mem_free(state);
}

static enum err_code
open_reader(const struct api_wire_input *input, struct api_wire_reader *out, struct err *err)
{
    struct state *state = mem_zeroed(1, sizeof *state, err);

    if (state == NULL)
        return ERR_NO_MEMORY;
    out->state = state;
    out->drop = drop_state;
    state->input = input;
    TRY(list_arrays(input, state, err));
    TRY(fill_catalog(input, state, &out->catalog, err));
    out->source = (struct tensor_source){.context = state, .read = read_arrays};
    return OK;
}

const struct api_wire_format api_wire_npz = {
    .name = "npz",
    .media_type = "application/x-npz",
    .claims = claims,
    .open = open_reader,
    .write = api_npz_write,
    .unfit = api_npz_unfit,
    .deflates = true,
    .holds_v2 = true,
};
