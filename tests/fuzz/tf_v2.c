/* Covers api/wire/tf_v2*.c: any index and data file. The first two bytes say how long the index
 * is, and that there are two data files rather than one. */
#include "store/base/scope.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/table.h"

enum { HEAD_BYTES = 2, TWO_FILES = 0x8000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

static size_t
index_size(const uint8_t *data, size_t size)
{
    size_t said = (data[0] | (size_t)data[1] << 8) & ~(size_t)TWO_FILES;

    return said < size - HEAD_BYTES ? said : size - HEAD_BYTES;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, size_max);
    if (seed % 16 != 0 && size >= HEAD_BYTES)
        table_repair(data + HEAD_BYTES, index_size(data, size));
    return size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(reading) r = {.scratch = NULL};
    const uint8_t *rest;
    size_t left;

    if (size < HEAD_BYTES)
        return 0;
    reading_init(&r);
    rest = data + HEAD_BYTES + index_size(data, size);
    left = size - (size_t)(rest - data);
    reading_add(&r, "m.index", data + HEAD_BYTES, index_size(data, size));
    if ((data[1] & TWO_FILES >> 8) != 0) {
        reading_add(&r, "m.data-00000-of-00002", rest, left / 2);
        reading_add(&r, "m.data-00001-of-00002", rest + left / 2, left - left / 2);
    } else {
        reading_add(&r, "m.data-00000-of-00001", rest, left);
    }
    CHECK(api_file_set_sort(&r.set, NULL) == OK);
    reading_through(&r, &api_wire_tf_v2);
    return 0;
}
