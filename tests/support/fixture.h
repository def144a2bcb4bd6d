/* Files of the test tree, and what they are expected to hold. Paths are relative to the root of the
 * tree, where unit tests are run. A fixture that cannot be read ends the test program. */
#ifndef TESTS_SUPPORT_FIXTURE_H
#define TESTS_SUPPORT_FIXTURE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Owns: free data with free(). The block has exactly `size` bytes, so that sanitizers see a read
 * past it. */
struct fixture_file {
    uint8_t *data;
    size_t size;
};

struct fixture_file fixture_read(const char *path);
/* Owns: json_decref. All numbers are reals, for some are past jansson's integers: read
 * json_number_value. */
json_t *fixture_json(const char *path);
/* 64 hexadecimal digits and NUL. Returns out. */
enum { FIXTURE_SHA256_BYTES = 65 };
const char *fixture_sha256(const uint8_t *data, size_t size, char out[static FIXTURE_SHA256_BYTES]);

#endif
