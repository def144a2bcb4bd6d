/* Reading fixtures. Nothing of the code under test takes part. */
#include "tests/support/fixture.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>

struct fixture_file
fixture_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct fixture_file file = {NULL, 0};
    long size;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    rewind(f);
    file.size = (size_t)size;
    file.data = malloc(file.size > 0 ? file.size : 1);
    if (file.data == NULL || fread(file.data, 1, file.size, f) != file.size) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fclose(f);
    return file;
}

json_t *
fixture_json(const char *path)
{
    json_error_t error;
    json_t *json = json_load_file(path, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);

    if (json == NULL) {
        fprintf(stderr, "%s: line %d: %s\n", path, error.line, error.text);
        exit(EXIT_FAILURE);
    }
    return json;
}

const char *
fixture_sha256(const uint8_t *data, size_t size, char out[static FIXTURE_SHA256_BYTES])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx context;

    sha256_init(&context);
    sha256_update(&context, size, data);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return out;
}
