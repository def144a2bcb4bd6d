#include "api/tensors/byte_source.h"

#include <stdint.h>

enum err_code
api_byte_source_exactly(const struct api_byte_source *source, const char *place, const char *what,
                        void *out, size_t size, struct err *err)
{
    size_t done = 0, got = 0;

    while (done < size) {
        TRY(source->read(source->context, (uint8_t *)out + done, size - done, &got, err));
        if (got == 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "%s ends after %zu of %zu bytes of %s", place,
                           done, size, what);
        done += got;
    }
    return OK;
}

enum err_code
api_byte_source_end(const struct api_byte_source *source, const char *place, const char *what,
                    struct err *err)
{
    uint8_t byte;
    size_t got = 0;

    TRY(source->read(source->context, &byte, 1, &got, err));
    if (got == 0)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "%s goes on after %s", place, what);
}
