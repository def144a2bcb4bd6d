/* Covers api/wire/safetensors*.c: any file; what is accepted covers its data without hole or
 * overlap, and is written and read again to the same tensors. */
#include "api/wire/safetensors.h"

#include "store/base/check.h"
#include "store/base/scope.h"

enum { ARENA_BYTES = 1 << 22, TEXT_BYTES = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_and_read_again(const struct api_safetensors_header *header)
{
    AUTO(arena) arena = {0};
    AUTO(buf) out = {0};
    struct api_safetensors_header again;
    size_t size = 0;

    arena_init(&arena, ARENA_BYTES);
    buf_init(&out, TEXT_BYTES);
    CHECK(api_safetensors_encode(header->entries, header->count, header->metadata,
                                 header->metadata_count, &out, NULL) == OK);
    CHECK(api_safetensors_header_size(buf_bytes(&out), UINT64_MAX, &size, NULL) == OK);
    CHECK(size == out.size - API_SAFETENSORS_LENGTH_BYTES && size % 8 == 0);
    CHECK(api_safetensors_decode(bytes_of(out.data + API_SAFETENSORS_LENGTH_BYTES, size),
                                 header->data_size, &arena, &again, NULL) == OK);
    CHECK(again.count == header->count && again.metadata_count == header->metadata_count);
    for (size_t i = 0; i < 2 * header->metadata_count; i++)
        CHECK(bytes_equal(again.metadata[i], header->metadata[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) arena = {0};
    struct api_safetensors_header header;
    struct err err = ERR_INIT;
    size_t length = 0;
    uint64_t end = 0;

    arena_init(&arena, ARENA_BYTES);
    if (api_safetensors_header_size(bytes_of(data, size), size, &length, &err) != OK ||
        api_safetensors_decode(bytes_of(data + API_SAFETENSORS_LENGTH_BYTES, length),
                               size - API_SAFETENSORS_LENGTH_BYTES - length, &arena, &header,
                               &err) != OK) {
        CHECK(err.code != OK && err.text[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < header.count; i++) {
        CHECK(header.entries[i].begin == end);
        end = header.entries[i].end;
        CHECK(end - header.entries[i].begin == tensor_type_bytes(&header.entries[i].type));
    }
    CHECK(end == header.data_size && end == size - API_SAFETENSORS_LENGTH_BYTES - length);
    write_and_read_again(&header);
    return 0;
}
