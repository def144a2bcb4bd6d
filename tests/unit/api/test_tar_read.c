/* Tar files of every form, plain and gzipped, and what is left out or refused of them. */
#include "api/file/tar_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "tests/unit/api/unpacked.h"

enum { TAR_BYTES_MAX = 1 << 20, BLOCK_BYTES = 512 };

/* --- building ------------------------------------------------------------------------------ */

struct tar {
    uint8_t bytes[TAR_BYTES_MAX];
    size_t size;
};

static void
add_sized(struct tar *tar, char type, const char *name, const void *data, size_t size,
          const char *size_text)
{
    char *header = (char *)tar->bytes + tar->size;
    unsigned sum = 0;

    assert_true(strlen(name) <= 100);
    memcpy(header, name, strlen(name));
    memcpy(header + 100,
           "0000644\0"
           "0000000\0"
           "0000000",
           24);
    memcpy(header + 124, size_text, 12);
    memcpy(header + 136, "00000000000\0        ", 20);
    header[156] = type;
    memcpy(header + 257,
           type == 'L' || type == 'S' ? "ustar  \0"
                                      : "ustar\0"
                                        "00",
           8);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        sum += (uint8_t)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    tar->size += BLOCK_BYTES;
    if (size > 0)
        memcpy(tar->bytes + tar->size, data, size);
    tar->size += (size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static void
add(struct tar *tar, char type, const char *name, const char *text)
{
    char size[16];

    snprintf(size, sizeof size, "%011o", (unsigned)strlen(text));
    add_sized(tar, type, name, text, strlen(text), size);
}

static struct tar *
begin(void)
{
    struct tar *tar = calloc(1, sizeof *tar);

    assert_non_null(tar);
    return tar;
}

static void
end(struct tar *tar)
{
    tar->size += 2 * BLOCK_BYTES;
}

static void
compress_it(struct tar *tar)
{
    struct tar *packed = begin();
    z_stream stream = {.next_in = tar->bytes, .avail_in = (uInt)tar->size};

    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    stream.next_out = packed->bytes;
    stream.avail_out = TAR_BYTES_MAX;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed->size = stream.total_out;
    deflateEnd(&stream);
    *tar = *packed;
    free(packed);
}

/* --- reading ------------------------------------------------------------------------------- */

/* A stream of small pieces, which may fail at its end. */
struct stream {
    struct bytes left;
    bool fails;
};

static enum err_code
read_stream(void *context, void *out, size_t size, size_t *got, struct err *err)
{
    struct stream *stream = context;

    *got = size < 1000 ? size : 1000;
    if (*got > stream->left.size)
        *got = stream->left.size;
    if (*got == 0 && stream->fails)
        return err_set(err, ERR_UNAVAILABLE, "the client left");
    memcpy(out, stream->left.data, *got);
    stream->left = bytes_of(stream->left.data + *got, stream->left.size - *got);
    return OK;
}

static const struct api_unpack_limits usual = {.bytes_max = 1 << 20, .files_max = 10};

static enum err_code
open_stream(struct domain *d, struct unpacked *o, struct stream *stream,
            const struct api_unpack_limits *limits)
{
    struct api_byte_source source = {.context = stream, .read = read_stream};

    unpacked_init(o, d);
    return api_tar_read(&source, o->scratch, limits, &o->arena, &o->set, &d->f->err);
}

static void
expect_refused(struct domain *d, struct tar *tar, const struct api_unpack_limits *limits,
               enum err_code code, const char *words)
{
    struct stream stream = {.left = bytes_of(tar->bytes, tar->size)};
    struct unpacked o;

    REFUSES(open_stream(d, &o, &stream, limits), code, words, &d->f->err);
    unpacked_drop(&o);
    free(tar);
}

/* --- tests --------------------------------------------------------------------------------- */

static void
plain_and_gzipped_members_are_read(void **state)
{
    struct domain *d = *state;

    for (int gzipped = 0; gzipped <= 1; gzipped++) {
        struct tar *tar = begin();
        struct stream stream;
        struct unpacked o;

        add(tar, '5', "folder/", "");
        add(tar, '0', "folder/model.ckpt.index", "the index");
        add(tar, '0', "folder/model.ckpt.data-00000-of-00001", "the data");
        add(tar, '0', "\xc3\xbc", "");
        add(tar, '2', "link", "");
        add(tar, '1', "hard link", "");
        add(tar, '6', "fifo", "");
        add(tar, '3', "device", "");
        end(tar);
        memset(tar->bytes + tar->size, 'x', 3000); /* rubbish behind the end */
        tar->size += 3000;
        if (gzipped)
            compress_it(tar);
        assert_true(api_tar_sniff(bytes_of(tar->bytes, API_TAR_SNIFF_BYTES)));
        stream = (struct stream){.left = bytes_of(tar->bytes, tar->size)};
        WORKS(open_stream(d, &o, &stream, &usual), &d->f->err);
        assert_int_equal(stream.left.size, 0);
        assert_int_equal(o.set.count, 3);
        expect_file(d, &o, "folder/model.ckpt.index", "the index");
        expect_file(d, &o, "folder/model.ckpt.data-00000-of-00001", "the data");
        expect_file(d, &o, "\xc3\xbc", "");
        unpacked_drop(&o);
        free(tar);
    }
}

static void
long_names_are_read(void **state)
{
    struct domain *d = *state;
    char pax[260], name[220], file[221];
    struct tar *tar = begin();
    struct stream stream;
    struct unpacked o;

    memset(name, 'n', sizeof name);
    memcpy(name, "\xc3\xa4/", 3);
    name[sizeof name - 1] = '\0';
    snprintf(pax, sizeof pax, "229 path=%s\n", name);
    assert_int_equal(strlen(pax), 229);
    add(tar, 'x', "pax", pax);
    add(tar, '0', "short", "by pax");
    snprintf(file, sizeof file, "%s", name);
    file[0] = 'z';
    file[1] = 'z';
    add_sized(tar, 'L', "././@LongLink", file, strlen(file) + 1, "00000000334\0");
    add(tar, '0', "short", "by GNU");
    end(tar);
    stream = (struct stream){.left = bytes_of(tar->bytes, tar->size)};
    WORKS(open_stream(d, &o, &stream, &usual), &d->f->err);
    assert_int_equal(o.set.count, 2);
    expect_file(d, &o, name, "by pax");
    expect_file(d, &o, file, "by GNU");
    unpacked_drop(&o);
    free(tar);
}

static void
limits_are_kept(void **state)
{
    struct domain *d = *state;
    const struct api_unpack_limits few = {.bytes_max = 100, .files_max = 2};
    struct tar *tar = begin();

    add(tar, '5', "a/", "");
    add(tar, '0', "b", "1");
    add(tar, '0', "c", "2");
    end(tar);
    expect_refused(d, tar, &few, ERR_PAYLOAD_TOO_LARGE, "more than 2 members");
    /* Announced, and never there: nothing is unpacked for it. */
    tar = begin();
    add_sized(tar, '0', "a", "", 0, "00000000145");
    end(tar);
    expect_refused(d, tar, &few, ERR_PAYLOAD_TOO_LARGE,
                   "more than 100 bytes unpacked (import_max_bytes)");
    tar = begin();
    add_sized(tar, '0', "a", "", 0, "\x80\0\0\0\0\0\0\1\0\0\0\0");
    end(tar);
    expect_refused(d, tar, &usual, ERR_PAYLOAD_TOO_LARGE, "(import_max_bytes)");
    tar = begin();
    add_sized(tar, '0', "a", "", 0, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    end(tar);
    expect_refused(d, tar, &usual, ERR_INVALID_ARGUMENT, "Tar entry size overflow");
}

static void
what_is_broken_is_refused(void **state)
{
    struct domain *d = *state;
    struct tar *tar = begin();
    char sparse[BLOCK_BYTES + 4] = "";

    add(tar, '0', "a", "text");
    add(tar, '0', "b", "text");
    tar->size = 1200;
    expect_refused(d, tar, &usual, ERR_INVALID_ARGUMENT, "is damaged or none: Truncated");
    tar = begin();
    add(tar, '0', "a", "text");
    add(tar, '0', "a", "text");
    end(tar);
    expect_refused(d, tar, &usual, ERR_INVALID_ARGUMENT, "two files have the name 'a'");
    tar = begin();
    add(tar, '0', "a", "text");
    end(tar);
    compress_it(tar);
    tar->size -= 20;
    expect_refused(d, tar, &usual, ERR_INVALID_ARGUMENT, "is damaged or none");
    tar = begin();
    tar->size = 700;
    memset(tar->bytes, 'x', 700);
    expect_refused(d, tar, &usual, ERR_INVALID_ARGUMENT, "is damaged or none");
    tar = begin();
    add(tar, 'x', "pax",
        "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n21 GNU.sparse.name=a\n"
        "28 GNU.sparse.realsize=1000\n");
    memcpy(sparse, "1\n0\n4\n", 6);
    add_sized(tar, '0', "a", sparse, sizeof sparse, "00000001004");
    end(tar);
    expect_refused(d, tar, &usual, ERR_INVALID_ARGUMENT, "is sparse");
}

static void
a_stream_that_fails_says_why(void **state)
{
    struct domain *d = *state;
    struct tar *tar = begin();
    struct stream stream = {.fails = true};
    struct unpacked o;

    add(tar, '0', "a", "text");
    stream.left = bytes_of(tar->bytes, 600);
    REFUSES(open_stream(d, &o, &stream, &usual), ERR_UNAVAILABLE, "the client left", &d->f->err);
    unpacked_drop(&o);
    free(tar);
}

static void
only_tar_files_look_like_one(void **state)
{
    static const uint8_t zeros[API_TAR_SNIFF_BYTES];
    struct tar *tar = begin();

    (void)state;
    add(tar, '0', "a", "text");
    assert_true(api_tar_sniff(bytes_of(tar->bytes, API_TAR_SNIFF_BYTES)));
    assert_false(api_tar_sniff(bytes_of(tar->bytes, API_TAR_SNIFF_BYTES - 1)));
    tar->bytes[0]++;
    assert_false(api_tar_sniff(bytes_of(tar->bytes, API_TAR_SNIFF_BYTES)));
    assert_false(api_tar_sniff(bytes_of(zeros, sizeof zeros)));
    assert_true(api_tar_sniff(bytes_of("\x1f\x8b\x08", 3)));
    assert_false(api_tar_sniff(bytes_of("\x1f\x8b", 2)));
    free(tar);
}

/* Whatever a byte becomes: an error, or files that can be read. */
static void
damage_is_an_error_and_no_more(void **state)
{
    struct domain *d = *state;
    struct tar *tar = begin();

    add(tar, 'x', "pax", "18 path=long/name\n");
    add(tar, '0', "a", "text");
    end(tar);
    for (size_t i = 0; i < tar->size; i++) {
        struct stream stream = {.left = bytes_of(tar->bytes, tar->size)};
        struct unpacked o;

        tar->bytes[i] ^= 0x11;
        if (open_stream(d, &o, &stream, &usual) == OK)
            for (size_t f = 0; f < o.set.count; f++)
                assert_true(o.set.entries[f].file.size <= tar->size);
        else
            assert_true(d->f->err.text[0] != '\0');
        err_clear(&d->f->err);
        unpacked_drop(&o);
        tar->bytes[i] ^= 0x11;
    }
    free(tar);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(plain_and_gzipped_members_are_read),
        DOMAIN_TEST(long_names_are_read),
        DOMAIN_TEST(limits_are_kept),
        DOMAIN_TEST(what_is_broken_is_refused),
        DOMAIN_TEST(a_stream_that_fails_says_why),
        cmocka_unit_test(only_tar_files_look_like_one),
        DOMAIN_TEST(damage_is_an_error_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
