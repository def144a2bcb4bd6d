/* Archives we write, read again: by our readers here, by Python's in tests/http/h06_archives.py.
 * Numbers that need more than 32 bits come from spans that are lent several times. */
#include "api/file/tar_read.h"
#include "api/file/tar_write.h"
#include "api/file/zip.h"
#include "api/file/zip_read.h"
#include "api/file/zip_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/service/service_fixture.h"

/* 2026-03-04 05:06:08 UTC */
#define MODIFIED_MS UINT64_C(1772600768000)

enum { NAME_LONG = 300 };

struct built {
    struct arena arena;
    struct api_layout files, out;
    struct scratch *scratch; /* what was deflated, and what is read again */
};

static void
begin(struct domain *d, struct built *b)
{
    arena_init(&b->arena, 256 << 20);
    api_layout_init(&b->files, &b->arena);
    api_layout_init(&b->out, &b->arena);
    WORKS(scratch_open(d->service, &b->scratch, &d->f->err), &d->f->err);
}

static void
shut(struct built *b)
{
    scratch_drop(b->scratch);
    arena_drop(&b->arena);
}

static void
add(struct built *b, const char *name, const char *const *texts, size_t count)
{
    assert_int_equal(api_layout_file(&b->files, name, NULL), OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(api_layout_lend(&b->files, bytes_of_text(texts[i]), NULL), OK);
}

static void
add_text(struct built *b, const char *name, const char *text)
{
    add(b, name, &text, 1);
}

/* The one file of `out`, in the scratch. */
static struct api_file
spool(struct domain *d, struct built *b)
{
    struct api_file file = {.begin = scratch_size(b->scratch), .size = b->out.files[0].size};

    assert_int_equal(b->out.file_count, 1);
    for (size_t i = 0; i < b->out.span_count; i++)
        WORKS(scratch_append(b->scratch, b->out.spans[i].data, b->out.spans[i].size, &d->f->err),
              &d->f->err);
    assert_int_equal(scratch_size(b->scratch), file.begin + file.size);
    WORKS(scratch_descriptor(b->scratch, &file.descriptor, &d->f->err), &d->f->err);
    return file;
}

static void
expect_set(struct domain *d, const struct built *b, const struct api_file_set *set)
{
    assert_int_equal(set->count, b->files.file_count);
    for (size_t i = 0; i < b->files.file_count; i++) {
        const struct api_layout_file *file = &b->files.files[i];
        const struct api_file *got = api_file_set_find(set, bytes_of_text(file->name));
        uint64_t at = 0;
        char bytes[256];

        if (got == NULL)
            fail_msg("no '%s'", file->name);
        assert_int_equal(got->size, file->size);
        for (size_t s = 0; s < file->span_count; s++) {
            struct bytes span = b->files.spans[file->span_first + s];

            assert_true(span.size <= sizeof bytes);
            WORKS(api_file_read(got, at, bytes, span.size, &d->f->err), &d->f->err);
            assert_memory_equal(bytes, span.data, span.size);
            at += span.size;
        }
    }
}

static void
add_some(struct built *b)
{
    static const char *const pieces[] = {"one, ", "two, ", "two, two, two, two, two, two, two"};
    char name[NAME_LONG + 1];

    memset(name, 'n', NAME_LONG);
    name[NAME_LONG] = '\0';
    add(b, "a.npy", pieces, 3);
    add(b, "empty", NULL, 0);
    add_text(b, "\xc3\xbc/x", "umlaut");
    add_text(b, name, "a long name");
    for (size_t size = 1; size < 70; size++) { /* every offset there is */
        snprintf(name, sizeof name, "%0*zu", (int)size, size);
        add_text(b, name, size % 2 == 0 ? "even" : "odd!!");
    }
}

static void
zip_files_read_again(void **state)
{
    struct domain *d = *state;
    const struct api_unpack_limits limits = {.bytes_max = 1 << 20, .files_max = 100};

    for (int deflate = 0; deflate <= 1; deflate++) {
        struct built b;
        struct api_zip_options how = {.deflate = deflate == 1, .modified_ms = MODIFIED_MS};
        struct api_file_set set;
        struct api_file file;
        bool lent = false;

        begin(d, &b);
        how.scratch = b.scratch;
        add_some(&b);
        WORKS(api_zip_write(&b.files, &how, "x.zip", &b.out, &d->f->err), &d->f->err);
        assert_string_equal(b.out.files[0].name, "x.zip");
        for (size_t i = 0; i < b.out.span_count; i++)
            lent |= b.out.spans[i].data == b.files.spans[2].data;
        assert_int_equal(lent, deflate == 0);
        file = spool(d, &b);
        WORKS(api_zip_read(&file, b.scratch, &limits, &b.arena, &set, &d->f->err), &d->f->err);
        expect_set(d, &b, &set);
        for (size_t i = 0; i < set.count; i++)
            if (set.entries[i].file.begin >= file.begin &&
                set.entries[i].file.begin < file.begin + file.size)
                assert_int_equal((set.entries[i].file.begin - file.begin) % 64, 0);
        shut(&b);
    }
}

static void
times_are_those_given(void **state)
{
    struct domain *d = *state;
    static const struct {
        uint64_t ms;
        uint16_t time, date;
    } rows[] = {
        {MODIFIED_MS, 5 << 11 | 6 << 5 | 4, 46 << 9 | 3 << 5 | 4},
        {0, 0, 1 << 5 | 1},
        {UINT64_C(10000000000000), 17 << 11 | 46 << 5 | 20, 127 << 9 | 11 << 5 | 20},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct api_zip_options how = {.modified_ms = rows[i].ms};
        struct built b;

        begin(d, &b);
        add_text(&b, "a", "x");
        WORKS(api_zip_write(&b.files, &how, "x.zip", &b.out, &d->f->err), &d->f->err);
        assert_int_equal(api_zip_u16(b.out.spans[0].data + 10), rows[i].time);
        assert_int_equal(api_zip_u16(b.out.spans[0].data + 12), rows[i].date);
        shut(&b);
    }
}

/* Bytes of one file of the layout from `at` on, wherever they lie. */
static void
copy_out(const struct api_layout *layout, uint64_t at, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < layout->span_count && size > 0; i++) {
        struct bytes span = layout->spans[i];
        size_t part;

        if (at >= span.size) {
            at -= span.size;
            continue;
        }
        part = span.size - at < size ? span.size - (size_t)at : size;
        memcpy(out, span.data + at, part);
        out += part;
        size -= part;
        at = 0;
    }
    assert_int_equal(size, 0);
}

/* Zeros that take no memory, lent as often as it takes. */
static void
add_zeros(struct built *b, const char *name, struct bytes zeros, uint64_t size)
{
    assert_int_equal(api_layout_file(&b->files, name, NULL), OK);
    for (; size > 0; size -= size < zeros.size ? size : zeros.size)
        assert_int_equal(
            api_layout_lend(&b->files,
                            bytes_of(zeros.data, size < zeros.size ? (size_t)size : zeros.size),
                            NULL),
            OK);
}

enum { ZEROS_BYTES = 64 << 20 };

static void
what_needs_64_bits_has_them(void **state)
{
    struct domain *d = *state;
    void *map = mmap(NULL, ZEROS_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct bytes zeros = {map, ZEROS_BYTES};
    uint64_t large = UINT64_C(5) << 30, directory;
    uint8_t end[API_ZIP_END_64_BYTES + API_ZIP_LOCATOR_BYTES + API_ZIP_END_BYTES], at[512];
    const uint32_t crcs[] = {0, 0}; /* nobody reads 5 GiB here */
    struct api_zip_options how = {.crc32s = crcs};
    struct built b;

    assert_ptr_not_equal(map, MAP_FAILED);
    begin(d, &b);
    add_zeros(&b, "large", zeros, large);
    add_text(&b, "behind", "x");
    WORKS(api_zip_write(&b.files, &how, "x.zip", &b.out, &d->f->err), &d->f->err);
    copy_out(&b.out, b.out.files[0].size - sizeof end, end, sizeof end);
    assert_int_equal(api_zip_u32(end), API_ZIP_END_64);
    assert_int_equal(api_zip_u64(end + 24), 2);
    assert_int_equal(api_zip_u64(end + 32), 2);
    directory = api_zip_u64(end + 48);
    assert_int_equal(directory + api_zip_u64(end + 40), b.out.files[0].size - sizeof end);
    assert_int_equal(api_zip_u32(end + 56), API_ZIP_LOCATOR);
    assert_int_equal(api_zip_u64(end + 64), b.out.files[0].size - sizeof end);
    assert_int_equal(api_zip_u32(end + 76), API_ZIP_END);
    assert_int_equal(api_zip_u32(end + 92), API_ZIP_FULL_U32);
    /* The first: both sizes, and no place, in its Zip64 field; the second: its place alone. */
    copy_out(&b.out, directory, at, 46 + 5 + 20 + 46 + 6 + 12);
    assert_int_equal(api_zip_u32(at + 20), API_ZIP_FULL_U32);
    assert_int_equal(api_zip_u32(at + 24), API_ZIP_FULL_U32);
    assert_int_equal(api_zip_u16(at + 51), API_ZIP_EXTRA_64);
    assert_int_equal(api_zip_u16(at + 53), 16);
    assert_int_equal(api_zip_u64(at + 55), large);
    assert_int_equal(api_zip_u64(at + 63), large);
    assert_int_equal(api_zip_u32(at + 71), API_ZIP_CENTRAL);
    assert_int_equal(api_zip_u32(at + 71 + 24), 1);
    assert_int_equal(api_zip_u32(at + 71 + 42), API_ZIP_FULL_U32);
    assert_int_equal(api_zip_u16(at + 71 + 46 + 6 + 2), 8);
    assert_true(api_zip_u64(at + 71 + 46 + 6 + 4) > large);
    copy_out(&b.out, 0, at, 64);
    assert_int_equal(api_zip_u32(at + 18), API_ZIP_FULL_U32);
    assert_int_equal(api_zip_u32(at + 22), API_ZIP_FULL_U32);
    assert_int_equal(api_zip_u64(at + 39), large);
    assert_int_equal(api_zip_u64(at + 47), large);
    shut(&b);

    /* Tar: GNU's form in the header, and a pax record before it. */
    begin(d, &b);
    add_zeros(&b, "large", zeros, UINT64_C(9) << 30);
    WORKS(api_tar_write(&b.files, MODIFIED_MS, "x.tar", &b.out, &d->f->err), &d->f->err);
    copy_out(&b.out, 512, at, 64);
    assert_memory_equal(at, "19 size=9663676416\n", 19);
    copy_out(&b.out, 1024, at, 512);
    assert_memory_equal(at + 124, "\x80\0\0\0\0\0\0\2\x40\0\0\0", 12);
    assert_int_equal(b.out.files[0].size % 10240, 0);
    shut(&b);
    munmap(map, ZEROS_BYTES);
}

static void
tar_files_read_again(void **state)
{
    struct domain *d = *state;
    const struct api_unpack_limits limits = {.bytes_max = 1 << 20, .files_max = 100};
    struct api_file_set set;
    struct api_file_stream stream;
    struct api_byte_source source;
    struct built b;

    begin(d, &b);
    add_some(&b);
    WORKS(api_tar_write(&b.files, MODIFIED_MS, "x.tar", &b.out, &d->f->err), &d->f->err);
    assert_memory_equal(b.out.spans[0].data + 136, "15151736700", 11);
    stream = (struct api_file_stream){.file = spool(d, &b)};
    assert_int_equal(stream.file.size % 10240, 0);
    source = api_file_source(&stream);
    WORKS(api_tar_read(&source, b.scratch, &limits, &b.arena, &set, &d->f->err), &d->f->err);
    expect_set(d, &b, &set);
    shut(&b);
}

static void
the_same_files_are_the_same_bytes(void **state)
{
    struct domain *d = *state;
    uint8_t first[8192], again[8192];

    for (int kind = 0; kind < 3; kind++) {
        size_t size = 0;

        for (int turn = 0; turn < 2; turn++) {
            struct api_zip_options how = {.deflate = kind == 1, .modified_ms = MODIFIED_MS};
            struct built b;

            begin(d, &b);
            how.scratch = b.scratch;
            add_text(&b, "a", "text text text text text");
            if (kind < 2)
                WORKS(api_zip_write(&b.files, &how, "x", &b.out, &d->f->err), &d->f->err);
            else
                WORKS(api_tar_write(&b.files, MODIFIED_MS, "x", &b.out, &d->f->err), &d->f->err);
            size = b.out.files[0].size < sizeof first ? (size_t)b.out.files[0].size : sizeof first;
            copy_out(&b.out, 0, turn == 0 ? first : again, size);
            shut(&b);
        }
        assert_memory_equal(first, again, size);
    }
}

/* Writes a zip file, and reads it again when `reads`: that is then what the nth allocation fails
 * of. */
static enum err_code
do_short_of_memory(struct domain *d, uint64_t nth, bool reads)
{
    const struct api_unpack_limits limits = {.bytes_max = 1 << 20, .files_max = 10};
    struct api_zip_options how = {.deflate = true};
    struct api_file_set set;
    struct api_file file;
    struct built b;
    enum err_code code;

    begin(d, &b);
    how.scratch = b.scratch;
    add_text(&b, "a", "text text text text text");
    (void)mem_fail_at(reads ? 0 : nth, 0);
    code = api_zip_write(&b.files, &how, "x.zip", &b.out, &d->f->err);
    (void)mem_fail_at(0, 0);
    if (reads) {
        file = spool(d, &b);
        (void)mem_fail_at(nth, 0);
        code = api_zip_read(&file, b.scratch, &limits, &b.arena, &set, &d->f->err);
        (void)mem_fail_at(0, 0);
    }
    shut(&b);
    return code;
}

/* Each allocation fails in turn: an error that says so, until nothing is left to fail. */
static void
memory_that_is_short_is_an_error(void **state)
{
    struct domain *d = *state;

    for (int reads = 0; reads <= 1; reads++) {
        uint64_t nth = 1;

        for (; do_short_of_memory(d, nth, reads == 1) != OK; nth++) {
            assert_int_equal(d->f->err.code, ERR_NO_MEMORY);
            assert_true(d->f->err.text[0] != '\0');
            err_clear(&d->f->err);
        }
        assert_true(nth > 3);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(zip_files_read_again),
        DOMAIN_TEST(times_are_those_given),
        DOMAIN_TEST(what_needs_64_bits_has_them),
        DOMAIN_TEST(tar_files_read_again),
        DOMAIN_TEST(the_same_files_are_the_same_bytes),
        DOMAIN_TEST(memory_that_is_short_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
