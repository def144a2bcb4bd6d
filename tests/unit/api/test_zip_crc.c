/* The CRC-32 of zip files: a known one, and zlib's own for bytes of any size at any address. */
#include "api/file/zip_crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zlib.h>
#include <cmocka.h>

enum { BYTES = 5000, ALIGNMENTS = 17 };

static uint8_t *
make_bytes(size_t size)
{
    uint8_t *bytes = malloc(size);
    uint32_t state = 1;

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

static void
the_check_value_is_that_of_the_polynomial(void **state)
{
    (void)state;
    assert_int_equal(api_zip_crc32(0, "123456789", 9), 0xCBF43926);
    assert_int_equal(api_zip_crc32(0, "", 0), 0);
}

static void
every_size_at_every_address_is_as_zlib_has_it(void **state)
{
    uint8_t *bytes = make_bytes(BYTES + ALIGNMENTS);

    (void)state;
    for (size_t size = 0; size <= BYTES; size += size < 600 ? 1 : 61)
        for (size_t from = 0; from < ALIGNMENTS; from += 4) {
            uint32_t before = (uint32_t)(size * 0x9E3779B1u + from);

            assert_int_equal(api_zip_crc32(before, bytes + from, size),
                             crc32_z(before, bytes + from, size));
        }
    free(bytes);
}

static void
bytes_in_two_parts_are_as_in_one(void **state)
{
    uint8_t *bytes = make_bytes(BYTES);
    uint32_t whole = api_zip_crc32(0, bytes, BYTES);

    (void)state;
    for (size_t first = 0; first <= BYTES; first += 97)
        assert_int_equal(
            api_zip_crc32(api_zip_crc32(0, bytes, first), bytes + first, BYTES - first), whole);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_value_is_that_of_the_polynomial),
        cmocka_unit_test(every_size_at_every_address_is_as_zlib_has_it),
        cmocka_unit_test(bytes_in_two_parts_are_as_in_one),
    };

    return cmocka_run_group_tests_name("zip_crc", tests, NULL, NULL);
}
