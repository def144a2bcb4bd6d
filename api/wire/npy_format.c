/* A lone array as a set of one tensor. It has no name: the request gives it one. */
#include "api/wire/format.h"
#include "api/wire/npy_read.h"
#include "store/base/alloc.h"

enum { MAGIC_BYTES = 6 };

static bool
sniff(struct bytes first, uint64_t size)
{
    (void)size;
    return first.size >= MAGIC_BYTES && memcmp(first.data, "\x93NUMPY", MAGIC_BYTES) == 0;
}

static enum err_code
read_array(void *context, void *out, size_t size, struct err *err)
{
    struct api_npy_reader *reader = context;

    TRY(api_npy_reader_read(reader, out, size, err));
    if (reader->offset < reader->size || size == 0)
        return OK;
    return api_byte_source_end(reader->source, "the file", "its array", err);
}

static void
drop_reader(void *state)
{
    api_npy_reader_drop(state);
    mem_free(state);
}

static enum err_code
open_reader(const struct api_wire_input *input, struct api_wire_reader *out, struct err *err)
{
    struct api_npy_reader *reader = mem_zeroed(1, sizeof *reader, err);
    struct api_wire_tensor *tensor;

    if (reader == NULL)
        return ERR_NO_MEMORY;
    out->state = reader;
    out->drop = drop_reader;
    TRY(api_npy_reader_open(input->stream, "the file", input->npy_v2,
                            input->limits->memory_bytes_max, reader, err));
    tensor = arena_array(input->arena, 1, sizeof *tensor, err);
    if (tensor == NULL)
        return ERR_NO_MEMORY;
    *tensor = (struct api_wire_tensor){
        .name = bytes_of_text(input->tensor), .type = reader->type, .size = reader->size};
    out->catalog.tensors = tensor;
    out->catalog.count = 1;
    out->source = (struct tensor_source){.context = reader, .read = read_array};
    return reader->size > 0 ? OK
                            : api_byte_source_end(input->stream, "the file", "its header", err);
}

const struct api_wire_format api_wire_npy = {
    .name = "npy",
    .media_type = "application/x-npy",
    .streams = true,
    .sniff = sniff,
    .open = open_reader,
};
