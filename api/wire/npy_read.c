#include "api/wire/npy_read.h"

#include <inttypes.h>

#include "store/base/scope.h"

void
api_npy_reader_drop(struct api_npy_reader *reader)
{
    tensor_drop(&reader->decoded);
}

static enum err_code
read_data(struct api_npy_reader *reader, void *out, size_t size, struct err *err)
{
    TRY(api_byte_source_exactly(reader->source, reader->place, "the array", out, size, err));
    if (reader->swap)
        api_wire_swap(reader->type.dtype, out, size);
    return OK;
}

/* Column-major elements are turned round in memory, within the limit for working memory. */
static enum err_code
turn_round(struct api_npy_reader *reader, uint64_t memory_bytes_max, struct err *err)
{
    AUTO(tensor) columns = {0};

    if (reader->size > memory_bytes_max / 2)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "%s is a column-major array of %" PRIu64
                       " bytes, which is turned round in memory: over half of %" PRIu64
                       " bytes (expression_max_bytes); save it in C order",
                       reader->place, reader->size, memory_bytes_max);
    TRY(tensor_init(&columns, &reader->type, reader->size, err));
    TRY(read_data(reader, columns.data, (size_t)reader->size, err));
    TRY(tensor_init(&reader->decoded, &reader->type, reader->size, err));
    api_npy_to_row_major(&reader->type, columns.data, reader->decoded.data);
    return OK;
}

/* Byte for byte what the header needs: what follows is the array's. */
static enum err_code
read_header(struct api_npy_reader *reader, enum api_npy_v2 v2, struct api_npy_header *header,
            struct err *err)
{
    AUTO(buf) text = {0};
    uint8_t *room = NULL;
    size_t size = 0;

    buf_init(&text, API_NPY_HEADER_BYTES_MAX + API_NPY_PREFIX_BYTES);
    TRY(buf_reserve(&text, API_NPY_PREFIX_BYTES, &room, err));
    TRY(api_byte_source_exactly(reader->source, reader->place, "the npy header", room,
                                API_NPY_PREFIX_BYTES, err));
    buf_commit(&text, API_NPY_PREFIX_BYTES);
    TRY(api_npy_header_size(buf_bytes(&text), &size, err));
    if (size > API_NPY_PREFIX_BYTES) {
        TRY(buf_reserve(&text, size - API_NPY_PREFIX_BYTES, &room, err));
        TRY(api_byte_source_exactly(reader->source, reader->place, "the npy header", room,
                                    size - API_NPY_PREFIX_BYTES, err));
        buf_commit(&text, size - API_NPY_PREFIX_BYTES);
    }
    reader->header_bytes = size;
    return api_npy_header_decode(buf_bytes(&text), v2, header, err);
}

enum err_code
api_npy_reader_open(const struct api_byte_source *source, const char *place, enum api_npy_v2 v2,
                    uint64_t memory_bytes_max, struct api_npy_reader *out, struct err *err)
{
    AUTO(api_npy_reader) reader = {.source = source, .place = place};
    struct api_npy_header header;

    TRY(read_header(&reader, v2, &header, err));
    reader.type = header.type;
    reader.size = tensor_type_bytes(&header.type);
    reader.swap = header.big_endian;
    if (header.fortran_order && header.type.shape.rank > 1 && reader.size > 0)
        TRY(turn_round(&reader, memory_bytes_max, err));
    *out = TAKE(reader);
    return OK;
}

enum err_code
api_npy_reader_read(struct api_npy_reader *reader, void *out, size_t size, struct err *err)
{
    if (reader->decoded.data != NULL)
        memcpy(out, reader->decoded.data + reader->offset, size);
    else
        TRY(read_data(reader, out, size, err));
    reader->offset += size;
    return OK;
}
