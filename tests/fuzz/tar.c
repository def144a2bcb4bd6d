/* Covers api/file/tar_read.c and whatever claims the members: any tar file, gzipped or not, that
 * comes in pieces. Headers of a mutated one get the checksums that they have. */
#include "api/file/tar_read.h"
#include "store/base/scope.h"
#include "tests/fuzz/members.h"
#include "tests/fuzz/reading.h"
#include "tests/support/pieces.h"

enum { BLOCK_BYTES = 512, CHECKSUM_AT = 148, CHECKSUM_BYTES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

/* A block whose checksum has the form of one is taken for a header. */
static void
repair(uint8_t *block)
{
    unsigned sum = 0;
    char text[CHECKSUM_BYTES + 1];

    for (size_t i = 0; i < CHECKSUM_BYTES - 2; i++)
        if (block[CHECKSUM_AT + i] < '0' || block[CHECKSUM_AT + i] > '7')
            return;
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_BYTES ? ' ' : block[i];
    snprintf(text, sizeof text, "%06o", sum);
    memcpy(block + CHECKSUM_AT, text, CHECKSUM_BYTES - 1);
    block[CHECKSUM_AT + CHECKSUM_BYTES - 1] = ' ';
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, size_max);
    if (seed % 16 != 0)
        for (size_t at = 0; at + BLOCK_BYTES <= size; at += BLOCK_BYTES)
            repair(data + at);
    return size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(reading) r = {.scratch = NULL};
    struct pieces pieces = {.left = bytes_of(data, size), .first = 1, .piece = 509};
    const struct api_byte_source source = {.context = &pieces, .read = pieces_read};
    struct err err = ERR_INIT;

    reading_init(&r);
    if (api_tar_read(&source, r.scratch, &members_limits, &r.arena, &r.set, &err) != OK) {
        CHECK(err.code != OK && err.text[0] != '\0');
        return 0;
    }
    CHECK(pieces.left.size == 0);
    members_check(&r, NULL);
    members_read(&r);
    return 0;
}
