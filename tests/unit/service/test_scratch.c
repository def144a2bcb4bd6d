/* Temporary bytes: what was appended is read back, by descriptor and by map; room is asked for. */
#include "service/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <unistd.h>

#include "tests/unit/service/service_fixture.h"

enum { PIECES = 400, BYTES_MAX = 8 << 20 };

static size_t
files_in(const char *folder)
{
    DIR *directory = opendir(folder);
    size_t count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* Pieces of all sizes around that of what waits for being written. */
static void
pieces_of_any_size_are_read_back(void **state)
{
    struct domain *d = *state;
    AUTO_SCRATCH scratch = NULL;
    uint8_t *expected = malloc(BYTES_MAX), *got = malloc(BYTES_MAX);
    size_t size = 0, before = files_in(d->f->config.directory);
    struct bytes map;
    int descriptor = -1;

    WORKS(scratch_open(d->service, &scratch, &d->f->err), &d->f->err);
    assert_int_equal(scratch_size(scratch), 0);
    for (size_t i = 0; i < PIECES; i++) {
        size_t piece = i % 7 == 0 ? 60000 + i * 37 : i * 13 % 1000;

        assert_true(size + piece <= BYTES_MAX);
        for (size_t k = 0; k < piece; k++)
            expected[size + k] = (uint8_t)(i * 31 + k * 7);
        WORKS(scratch_append(scratch, expected + size, piece, &d->f->err), &d->f->err);
        size += piece;
        assert_int_equal(scratch_size(scratch), size);
        if (i % 50 != 0)
            continue;
        WORKS(scratch_map(scratch, size / 3, size - size / 3, &map, &d->f->err), &d->f->err);
        assert_memory_equal(map.data, expected + size / 3, map.size);
    }
    WORKS(scratch_descriptor(scratch, &descriptor, &d->f->err), &d->f->err);
    assert_int_equal(pread(descriptor, got, BYTES_MAX, 0), size);
    assert_memory_equal(got, expected, size);
    assert_int_equal(files_in(d->f->config.directory), before); /* it has no name */
    free(expected);
    free(got);
}

static void
nothing_can_be_mapped(void **state)
{
    struct domain *d = *state;
    AUTO_SCRATCH scratch = NULL;
    struct bytes map;

    WORKS(scratch_open(d->service, &scratch, &d->f->err), &d->f->err);
    WORKS(scratch_map(scratch, 0, 0, &map, &d->f->err), &d->f->err);
    assert_int_equal(map.size, 0);
    WORKS(scratch_append(scratch, "abc", 3, &d->f->err), &d->f->err);
    WORKS(scratch_map(scratch, 3, 0, &map, &d->f->err), &d->f->err);
    assert_int_equal(map.size, 0);
}

static void
a_disk_without_room_beyond_its_reserve_is_full(void **state)
{
    struct domain *d = *state;
    AUTO_SCRATCH scratch = NULL;

    d->f->config.disk_reserve_bytes = UINT64_MAX / 2;
    domain_reopen(d);
    WORKS(scratch_open(d->service, &scratch, &d->f->err), &d->f->err);
    REFUSES(scratch_append(scratch, "a", 1, &d->f->err), ERR_FULL, "the disk (less its reserve)",
            &d->f->err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(pieces_of_any_size_are_read_back),
        DOMAIN_TEST(nothing_can_be_mapped),
        DOMAIN_TEST(a_disk_without_room_beyond_its_reserve_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
