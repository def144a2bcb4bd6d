/* Covers api/wire/npy*.c: any file's header; what decodes is encoded and decoded again, and small
 * data is swapped and reordered. */
#include "api/wire/npy.h"

#include "store/base/check.h"
#include "store/base/scope.h"

enum { DATA_BYTES_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
encode_again(const struct tensor_type *type)
{
    AUTO(buf) out = {0};
    struct api_npy_header again;
    size_t size = 0;

    buf_init(&out, API_NPY_HEADER_BYTES_MAX);
    CHECK(api_npy_header_encode(type, API_NPY_V2_UNKNOWN, &out, NULL) == OK);
    CHECK(out.size % 64 == 0);
    CHECK(api_npy_header_size(buf_bytes(&out), &size, NULL) == OK && size == out.size);
    CHECK(api_npy_header_decode(buf_bytes(&out), API_NPY_V2_UNKNOWN, &again, NULL) == OK);
    CHECK(tensor_type_equal(&again.type, type) && !again.big_endian && !again.fortran_order);
}

static void
reorder(const struct api_npy_header *header, const uint8_t *data, uint64_t size)
{
    AUTO(tensor) in = {0};
    AUTO(tensor) out = {0};

    CHECK(tensor_init(&in, &header->type, size, NULL) == OK);
    CHECK(tensor_init(&out, &header->type, size, NULL) == OK);
    if (size > 0)
        memcpy(in.data, data, size);
    api_wire_swap(header->type.dtype, in.data, in.size);
    api_npy_to_row_major(&header->type, in.data, out.data);
    for (uint64_t i = 0, sum = 0; i < size; i++) {
        sum += (uint64_t)in.data[i] - (uint64_t)out.data[i]; /* a permutation */
        CHECK(i + 1 < size || sum == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_npy_header header;
    size_t header_size = 0;
    uint64_t data_size;
    struct err err = ERR_INIT;

    if (api_npy_header_decode(bytes_of(data, size), API_NPY_V2_UNKNOWN, &header, &err) != OK) {
        CHECK(err.code != OK && err.text[0] != '\0');
        return 0;
    }
    CHECK(api_npy_header_size(bytes_of(data, size), &header_size, NULL) == OK);
    CHECK(header_size <= size);
    encode_again(&header.type);
    data_size = tensor_type_bytes(&header.type);
    if (data_size <= DATA_BYTES_MAX && data_size <= size - header_size)
        reorder(&header, data + header_size, data_size);
    return 0;
}
