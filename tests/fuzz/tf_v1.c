/* Covers api/wire/tf_v1*.c and api/file/proto_file.c: any V1 file, alone or as one of two. What is
 * read is a catalog that holds, and as many bytes as it says. */
#include "store/base/scope.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

/* The first byte: how many of the others are the first of two files, in steps; 255: there is one.
 */
static size_t
first_size(const uint8_t *data, size_t size)
{
    return data[0] == 255 ? size - 1 : (size - 1) * data[0] / 254;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    size_t first;

    size = LLVMFuzzerMutate(data, size, size_max);
    if (seed % 16 == 0 || size == 0)
        return size;
    first = first_size(data, size);
    table_repair(data + 1, first);
    table_repair(data + 1 + first, size - 1 - first);
    return size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(reading) r = {.scratch = NULL};
    size_t first;

    if (size == 0)
        return 0;
    reading_init(&r);
    first = first_size(data, size);
    if (data[0] == 255) {
        reading_add(&r, "body", data + 1, first);
    } else {
        reading_add(&r, "m-00000-of-00002", data + 1, first);
        reading_add(&r, "m-00001-of-00002", data + 1 + first, size - 1 - first);
    }
    CHECK(api_file_set_sort(&r.set, NULL) == OK);
    reading_through(&r, &api_wire_tf_v1);
    return 0;
}
