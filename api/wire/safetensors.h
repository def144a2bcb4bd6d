/* safetensors: u64 header length, JSON header, data. Reader strict as the format's own; writer in
 * its canonical order (the library's order of dtypes, widest first, then name), header padded so
 * that data is 8-byte aligned. */
#ifndef API_WIRE_SAFETENSORS_H
#define API_WIRE_SAFETENSORS_H

#include "api/tensors/byte_source.h"
#include "service/tensor/tensor.h"
#include "store/base/arena.h"
#include "store/base/buf.h"

enum {
    API_SAFETENSORS_LENGTH_BYTES = 8,
    API_SAFETENSORS_HEADER_BYTES_MAX = 100000000,
    API_SAFETENSORS_TENSORS_MAX = 100000
};

struct api_safetensors_entry {
    struct bytes name; /* UTF-8, may hold anything but is length-counted */
    struct tensor_type type;
    uint64_t begin, end; /* in the data section */
};

struct api_safetensors_header {
    struct api_safetensors_entry *entries; /* in data order; borrow from the arena */
    size_t count;
    struct bytes *metadata; /* name, value, name, value …; by name; also from the arena */
    size_t metadata_count;  /* pairs */
    uint64_t data_size;
};

/* The header's length, from the file's first 8 bytes. file_size: UINT64_MAX when unknown.
 * ERR_INVALID_ARGUMENT when the file is too short for it, or it is over the limit. */
ERR_MUST_CHECK enum err_code api_safetensors_header_size(struct bytes prefix, uint64_t file_size,
                                                         size_t *out, struct err *err);
/* `json`: the header text (without the length). data_size: bytes that follow it, UINT64_MAX when
 * unknown (then the entries decide). Every rule broken is ERR_INVALID_ARGUMENT naming the tensor;
 * an arena too small for the header is ERR_PAYLOAD_TOO_LARGE. */
ERR_MUST_CHECK enum err_code api_safetensors_decode(struct bytes json, uint64_t data_size,
                                                    struct arena *arena,
                                                    struct api_safetensors_header *out,
                                                    struct err *err);
/* Length and header from the front of a file of file_size bytes (UINT64_MAX: unknown), which
 * messages call `place`. The arena
 * keeps the text: names borrow from it. */
ERR_MUST_CHECK enum err_code api_safetensors_read_header(const struct api_byte_source *source,
                                                         const char *place, uint64_t file_size,
                                                         struct arena *arena,
                                                         struct api_safetensors_header *out,
                                                         struct err *err);
/* Sorts entries (name and type given) into canonical order, sets begin and end, and appends length
 * and JSON. `metadata`: pairs. ERR_NOT_ACCEPTABLE for a dtype the format has no name for. */
ERR_MUST_CHECK enum err_code api_safetensors_encode(struct api_safetensors_entry *entries,
                                                    size_t count, const struct bytes *metadata,
                                                    size_t metadata_count, struct buf *out,
                                                    struct err *err);

#endif
