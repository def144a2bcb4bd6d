/* safetensors: u64 header length, JSON header, data. Reader strict as the format's own; writer in its
 * canonical order (dtype alignment descending, then name), header padded so that data is 8-byte aligned. */
#ifndef API_WIRE_SAFETENSORS_H
#define API_WIRE_SAFETENSORS_H

#include "service/tensor/tensor.h"
#include "store/base/arena.h"
#include "store/base/buf.h"

enum { API_SAFETENSORS_HEADER_BYTES_MAX = 100000000, API_SAFETENSORS_TENSORS_MAX = 100000 };

struct api_safetensors_entry {
    struct bytes name; /* UTF-8, may hold anything but is length-counted */
    struct tensor_type type;
    uint64_t begin, end; /* in the data section */
};

struct api_safetensors_header {
    struct api_safetensors_entry *entries; /* in data order; borrow from the arena */
    size_t count;
    struct bytes *metadata; /* name, value, name, value …; */
    size_t metadata_count;  /* pairs */
    uint64_t data_size;
};

/* `json`: the header text (without the length). data_size: bytes that follow it, UINT64_MAX when unknown
 * (then the entries decide). Every rule broken is ERR_INVALID_ARGUMENT naming the tensor. */
ERR_MUST_CHECK enum err_code api_safetensors_decode(struct bytes json, uint64_t data_size,
                                                    struct arena *arena,
                                                    struct api_safetensors_header *out,
                                                    struct err *err);
/* Sorts entries (name and type given) into canonical order, sets begin and end, and appends length and
 * JSON. `metadata`: pairs. ERR_NOT_ACCEPTABLE for a dtype the format has no name for. */
ERR_MUST_CHECK enum err_code api_safetensors_encode(struct api_safetensors_entry *entries,
                                                    size_t count, const struct bytes *metadata,
                                                    size_t metadata_count, struct buf *out,
                                                    struct err *err);

#endif
