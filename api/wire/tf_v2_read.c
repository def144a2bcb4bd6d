/* The tensors of a V2 checkpoint read one after the other: whole ones where they lie, partitioned
 * ones put together out of their slices, each of which is read front to back. */
#include "api/wire/tf_v2.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum {
    WINDOWS_BYTES_MAX = 8 << 20, /* of all slices of a tensor together, if there are not too many */
    WINDOWS_EACH = 2
};

struct reading {
    const struct api_tf_v2_tensor *tensors; /* in the arena */
    size_t count;
    size_t at;                        /* the tensor being read; its streams are there */
    uint64_t left;                    /* bytes of it */
    struct api_tf_v2_stream *streams; /* by piece; owned, as the rooms of their windows */
    uint8_t *rooms;
    size_t part; /* the piece whose turn it is */
    uint64_t run_left;
    bool began;
};

static void
end_tensor(struct reading *reading)
{
    mem_free(reading->streams);
    mem_free(reading->rooms);
    reading->streams = NULL;
    reading->rooms = NULL;
}

static void
drop_reading(void *state)
{
    end_tensor(state);
    mem_free(state);
}

/* Of each of two windows, for each piece. */
static size_t
window_bytes(const struct api_tf_v2_tensor *tensor)
{
    uint64_t largest = 0;

    for (size_t i = 0; i < tensor->count; i++) {
        const struct api_tf_v2_piece *piece = &tensor->pieces[i];

        if (piece->file.size > largest)
            largest = piece->file.size;
        if (piece->lengths.size > largest)
            largest = piece->lengths.size;
    }
    return api_tf_v2_window_bytes(largest, WINDOWS_BYTES_MAX / WINDOWS_EACH / tensor->count);
}

static enum err_code
begin_tensor(struct reading *reading, struct err *err)
{
    const struct api_tf_v2_tensor *tensor = &reading->tensors[reading->at];
    size_t capacity = window_bytes(tensor), each = WINDOWS_EACH * capacity;

    end_tensor(reading);
    reading->streams = mem_zeroed(tensor->count, sizeof *reading->streams, err);
    reading->rooms = mem_alloc(tensor->count * each, err);
    if (reading->streams == NULL || reading->rooms == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < tensor->count; i++)
        api_tf_v2_stream_init(&reading->streams[i], &tensor->pieces[i], reading->rooms + i * each,
                              capacity);
    reading->left = tensor->listed.size;
    reading->part = 0;
    if (tensor->parts != NULL)
        reading->run_left = 0;
    else if (tensor->listed.type.dtype == DTYPE_STRING)
        reading->run_left = tensor->pieces->elements;
    else
        reading->run_left = tensor->listed.size;
    return OK;
}

/* To the next tensor that has bytes, when the one before has been read. */
static enum err_code
go_on(struct reading *reading, struct err *err)
{
    if (reading->left > 0)
        return OK;
    reading->at += reading->began;
    reading->began = true;
    while (reading->at < reading->count && reading->tensors[reading->at].listed.size == 0)
        reading->at++;
    if (reading->at == reading->count)
        return err_set(err, ERR_INTERNAL, "all tensors have been read");
    return begin_tensor(reading, err);
}

/* As many bytes as follow one another in one piece, at most `size`. */
static enum err_code
read_run(struct reading *reading, uint8_t *out, size_t size, size_t *got, struct err *err)
{
    const struct api_tf_v2_tensor *tensor = &reading->tensors[reading->at];
    struct api_tf_v2_stream *stream = &reading->streams[reading->part];
    uint64_t item = dtype_size(tensor->listed.type.dtype);

    if (item == 0)
        return api_tf_v2_stream_strings(stream, out, size, &reading->run_left, got, err);
    *got = size < reading->run_left ? size : (size_t)reading->run_left;
    reading->run_left -= *got;
    return api_tf_v2_stream_numbers(stream, out, *got, err);
}

/* The run that is read is counted in bytes; of strings, in elements. */
static enum err_code
next_run(struct reading *reading, struct err *err)
{
    const struct api_tf_v2_tensor *tensor = &reading->tensors[reading->at];
    struct api_tf_parts *parts = tensor->parts;
    uint64_t count = 0, item = dtype_size(tensor->listed.type.dtype);

    if (parts == NULL || parts->position == parts->total)
        return err_set(err, ERR_INVALID_ARGUMENT, "its data changed while it was read");
    TRY(api_tf_parts_next(parts, UINT64_MAX, &reading->part, &count, err));
    reading->run_left = item == 0 ? count : count * item;
    return OK;
}

static enum err_code
read_tensor(struct reading *reading, uint8_t *out, size_t size, struct err *err)
{
    while (size > 0) {
        size_t got = 0;

        if (reading->run_left == 0)
            TRY(next_run(reading, err));
        TRY(read_run(reading, out, size, &got, err));
        out += got;
        size -= got;
    }
    return OK;
}

static enum err_code
read_tensors(void *context, void *out, size_t size, struct err *err)
{
    struct reading *reading = context;

    if (size == 0)
        return OK;
    TRY(go_on(reading, err));
    TRY(api_tf_v2_about(reading->tensors[reading->at].listed.name,
                        read_tensor(reading, out, size, err), err));
    reading->left -= size;
    return OK;
}

static enum err_code
find_tensors(const struct api_wire_input *input, struct api_tf_v2_files *files,
             struct api_tf_v2_tensor **tensors, struct api_wire_catalog *catalog, struct err *err)
{
    struct api_tf_v2_index index;
    enum err_code code = api_tf_v2_index_read(input, files->index, &index, err);

    if (code != OK) {
        err_prefix(err, "the index");
        return code;
    }
    api_tf_v2_find_shards(files, index.shards);
    return api_tf_v2_tensors_find(input, files, &index, tensors, catalog, err);
}

enum err_code
api_tf_v2_open(const struct api_wire_input *input, struct api_wire_reader *out, struct err *err)
{
    struct reading *reading = mem_zeroed(1, sizeof *reading, err);
    struct api_tf_v2_tensor *tensors = NULL;
    struct api_tf_v2_files files;

    if (reading == NULL)
        return ERR_NO_MEMORY;
    out->state = reading;
    out->drop = drop_reading;
    TRY(api_tf_v2_find(input, &files, err));
    TRY(find_tensors(input, &files, &tensors, &out->catalog, err));
    reading->tensors = tensors;
    reading->count = out->catalog.count;
    out->source = (struct tensor_source){.context = reading, .read = read_tensors};
    return OK;
}
