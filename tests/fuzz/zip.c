/* Covers api/file/zip_*.c and api/wire/npz.c, and whatever else claims the members: any zip file.
 * Members lie inside it or the scratch, and have no more bytes than is allowed. */
#include "api/file/zip_read.h"
#include "store/base/scope.h"
#include "tests/fuzz/members.h"
#include "tests/fuzz/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(reading) r = {.scratch = NULL};
    struct err err = ERR_INIT;
    struct api_file zip;

    reading_init(&r);
    zip = reading_file(&r, data, size);
    if (api_zip_read(&zip, r.scratch, &members_limits, &r.arena, &r.set, &err) != OK) {
        CHECK(err.code != OK && err.text[0] != '\0');
        return 0;
    }
    members_check(&r, &zip);
    members_read(&r);
    return 0;
}
