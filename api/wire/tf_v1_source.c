/* The values of a V1 checkpoint, decoded where they lie as they are asked for; slices are put
 * together on the way. */
#include "api/wire/tf_v1.h"
#include "api/wire/tf_v1_values.h"
#include "store/base/alloc.h"
#include "store/base/check.h"

enum {
    WINDOWS_BYTES = 1 << 20, /* of all slices of the tensor that is read, together */
    WINDOW_BYTES_MIN = 256,
    WINDOW_BYTES_MAX = 64 << 10,
    TENSOR_BYTES_MAX = 64 << 20, /* all that reading one tensor takes */
    LENGTH_BYTES = 4,            /* before each string */
    NUMBER_BYTES_MAX = 16,
};

struct api_tf_v1_source {
    const struct api_tf_v1_tensor *tensors; /* borrowed */
    size_t current;
    uint64_t done; /* bytes of that one */
    struct arena arena;
    struct api_tf_parts parts;
    struct api_tf_v1_values *values; /* by slice */
    uint8_t number[NUMBER_BYTES_MAX];
    size_t number_left; /* the end of an element that was asked for in pieces */
    size_t string_part; /* whose string is read */
    uint8_t length[LENGTH_BYTES];
    size_t length_left;
};

static enum err_code
begin_tensor(struct api_tf_v1_source *source, const struct api_tf_v1_tensor *tensor,
             struct err *err)
{
    const struct shape *whole = &tensor->type.shape;
    size_t count = tensor->slice_count, room = WINDOWS_BYTES / count;
    uint8_t *windows;

    room = room > WINDOW_BYTES_MAX ? WINDOW_BYTES_MAX : room;
    room = room < WINDOW_BYTES_MIN ? WINDOW_BYTES_MIN : room;
    arena_drop(&source->arena);
    arena_init(&source->arena, TENSOR_BYTES_MAX);
    TRY(api_tf_parts_begin(&source->parts, &source->arena, whole, count, err));
    source->values = arena_array(&source->arena, count, sizeof *source->values, err);
    windows = arena_array(&source->arena, count, room, err);
    if (source->values == NULL || windows == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct api_tf_v1_slice *slice = tensor->slices[i];
        uint64_t first[SHAPE_RANK_MAX];
        struct shape part = *whole;

        for (uint32_t d = 0; d < whole->rank; d++) {
            first[d] = (uint64_t)slice->extents[d].start;
            if (slice->extents[d].length != API_EXTENT_WHOLE)
                part.dims[d] = (uint64_t)slice->extents[d].length;
        }
        TRY(api_tf_parts_add(&source->parts, &source->arena, first, &part, err));
        api_tf_v1_values_init(&source->values[i], tensor->type.dtype, slice->count, &slice->data,
                              windows + i * room, room);
    }
    source->number_left = source->length_left = source->string_part = 0;
    return api_tf_parts_start(&source->parts, err);
}

/* Whole elements, as many as fit into `size` bytes; *got says how many bytes they took. */
static enum err_code
read_elements(struct api_tf_v1_source *source, uint32_t element_bytes, uint8_t *out, size_t size,
              size_t *got, struct err *err)
{
    size_t part = 0;
    uint64_t count = 0;

    TRY(api_tf_parts_next(&source->parts, size / element_bytes, &part, &count, err));
    *got = (size_t)count * element_bytes;
    return api_tf_v1_values_numbers(&source->values[part], out, count, err);
}

static enum err_code
read_numbers(struct api_tf_v1_source *source, uint32_t element_bytes, uint8_t *out, size_t size,
             struct err *err)
{
    while (size > 0) {
        size_t got = 0;

        if (source->number_left > 0) {
            got = size < source->number_left ? size : source->number_left;
            memcpy(out, source->number + element_bytes - source->number_left, got);
            source->number_left -= got;
        } else if (size >= element_bytes) {
            TRY(read_elements(source, element_bytes, out, size, &got, err));
        } else {
            TRY(read_elements(source, element_bytes, source->number, element_bytes, &got, err));
            source->number_left = got;
            continue;
        }
        out += got;
        size -= got;
    }
    return OK;
}

/* The sizes of strings were taken when the file was opened. */
static enum err_code
changed(struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "its file changed while it was read");
}

static enum err_code
read_strings(struct api_tf_v1_source *source, uint8_t *out, size_t size, struct err *err)
{
    while (size > 0) {
        struct api_tf_v1_values *values = &source->values[source->string_part];
        uint64_t count = 0;
        uint32_t length = 0;
        size_t got;

        if (source->length_left > 0) {
            got = size < source->length_left ? size : source->length_left;
            memcpy(out, source->length + LENGTH_BYTES - source->length_left, got);
            source->length_left -= got;
        } else if (values->run > 0) {
            got = size < values->run ? size : (size_t)values->run;
            TRY(api_tf_v1_values_bytes(values, out, got, err));
        } else if (source->parts.position == source->parts.total) {
            return changed(err);
        } else {
            TRY(api_tf_parts_next(&source->parts, 1, &source->string_part, &count, err));
            TRY(api_tf_v1_values_string(&source->values[source->string_part], &length, err));
            memcpy(source->length, &length, LENGTH_BYTES);
            source->length_left = LENGTH_BYTES;
            continue;
        }
        out += got;
        size -= got;
    }
    return OK;
}

static enum err_code
read_tensor(struct api_tf_v1_source *source, const struct api_tf_v1_tensor *tensor, void *out,
            size_t size, struct err *err)
{
    CHECK(size <= tensor->size - source->done);
    if (source->done == 0)
        TRY(begin_tensor(source, tensor, err));
    if (tensor->type.dtype != DTYPE_STRING)
        return read_numbers(source, dtype_size(tensor->type.dtype), out, size, err);
    TRY(read_strings(source, out, size, err));
    if (source->done + size < tensor->size)
        return OK;
    return source->parts.position == source->parts.total && source->length_left == 0 &&
                   source->values[source->string_part].run == 0
               ? OK
               : changed(err);
}

enum err_code
api_tf_v1_source_read(void *context, void *out, size_t size, struct err *err)
{
    struct api_tf_v1_source *source = context;
    const struct api_tf_v1_tensor *tensor;
    enum err_code code;

    if (size == 0)
        return OK;
    while (source->done == source->tensors[source->current].size) {
        source->current++;
        source->done = 0;
    }
    tensor = &source->tensors[source->current];
    code = read_tensor(source, tensor, out, size, err);
    if (code != OK)
        api_tf_v1_about(tensor->name, err);
    source->done += size;
    return code;
}

struct api_tf_v1_source *
api_tf_v1_source_make(const struct api_tf_v1_tensor *tensors, struct err *err)
{
    struct api_tf_v1_source *source = mem_zeroed(1, sizeof *source, err);

    if (source != NULL)
        source->tensors = tensors;
    return source;
}

void
api_tf_v1_source_drop(void *context)
{
    struct api_tf_v1_source *source = context;

    arena_drop(&source->arena);
    mem_free(source);
}
