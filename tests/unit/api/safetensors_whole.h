/* safetensors files that are at hand whole. */
#ifndef TESTS_UNIT_API_SAFETENSORS_WHOLE_H
#define TESTS_UNIT_API_SAFETENSORS_WHOLE_H

#include <stdlib.h>

#include "api/wire/safetensors.h"

enum { ARENA_BYTES = 1 << 22 };

/* On success *data is the data section. */
static inline enum err_code
safetensors_whole(struct bytes file, struct arena *arena, struct api_safetensors_header *out,
                  struct bytes *data, struct err *err)
{
    struct bytes prefix = bytes_of(file.data, file.size < 8 ? file.size : 8);
    size_t size = 0;

    TRY(api_safetensors_header_size(prefix, file.size, &size, err));
    *data = bytes_of(file.data + 8 + size, file.size - 8 - size);
    return api_safetensors_decode(bytes_of(file.data + 8, size), data->size, arena, out, err);
}

static inline const struct api_safetensors_entry *
safetensors_entry(const struct api_safetensors_header *header, struct bytes name)
{
    for (size_t i = 0; i < header->count; i++)
        if (bytes_equal(header->entries[i].name, name))
            return &header->entries[i];
    fail_msg("no tensor '%.*s'", (int)name.size, (const char *)name.data);
    return NULL;
}

#endif
