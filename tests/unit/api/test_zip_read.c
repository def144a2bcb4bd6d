/* Zip files of other tools and of a builder that can lie in every field. */
#include "api/file/zip_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "api/file/unpack.h"
#include "api/file/zip.h"
#include "tests/support/fixture.h"
#include "tests/unit/api/unpacked.h"

enum { ZIP_BYTES_MAX = 1 << 20, MEMBERS_MAX = 8 };

/* --- building ------------------------------------------------------------------------------ */

/* One member; zeros: what is right. */
struct member {
    const char *name;
    const char *text;
    bool deflate;
    uint16_t flags, method; /* method: UINT16_MAX for 0 where the text is deflated */
    uint32_t crc_xor;
    uint64_t bytes, packed_bytes; /* as the directory says */
    uint64_t header_of;           /* 1 + which member's local header it claims */
    uint64_t header;
    bool zip64, zip64_short, zero_local, symlink;
    const char *local_name, *extra; /* of 6 bytes: in the local header */
    size_t text_size;
};

struct zip {
    uint8_t bytes[ZIP_BYTES_MAX];
    size_t size, directory;
    uint64_t headers[MEMBERS_MAX];
    struct {
        uint32_t crc;
        size_t packed;
    } made[MEMBERS_MAX];
};

static void
say(struct zip *zip, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        zip->bytes[zip->size++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

static void
put_text(struct zip *zip, const char *text, size_t size)
{
    if (size > 0)
        memcpy(zip->bytes + zip->size, text, size);
    zip->size += size;
}

static size_t
text_size(const struct member *member)
{
    return member->text_size > 0 ? member->text_size : strlen(member->text);
}

static void
put_local(struct zip *zip, const struct member *member, size_t i)
{
    const char *name = member->local_name != NULL ? member->local_name : member->name;
    size_t at, size = text_size(member);
    z_stream stream = {0};

    zip->headers[i] = zip->size;
    say(zip, API_ZIP_LOCAL, 4);
    say(zip, 20, 2);
    say(zip, member->flags, 2);
    say(zip, member->deflate ? API_ZIP_DEFLATED : API_ZIP_STORED, 2);
    say(zip, 0, 4 + 4);
    say(zip, member->zero_local ? 0 : UINT64_MAX, 8); /* never what counts */
    say(zip, strlen(name), 2);
    say(zip, member->extra != NULL ? 6 : 0, 2);
    put_text(zip, name, strlen(name));
    put_text(zip, member->extra, member->extra != NULL ? 6 : 0);
    at = zip->size;
    if (member->deflate) {
        assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
                         Z_OK);
        stream.next_in = (uint8_t *)(uintptr_t)member->text;
        stream.avail_in = (uInt)size;
        stream.next_out = zip->bytes + at;
        stream.avail_out = (uInt)(ZIP_BYTES_MAX - at);
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        zip->size += stream.total_out;
        deflateEnd(&stream);
    } else {
        put_text(zip, member->text, size);
    }
    zip->made[i].packed = zip->size - at;
    zip->made[i].crc = (uint32_t)crc32(0, (const uint8_t *)member->text, (uInt)size);
}

static void
put_central(struct zip *zip, const struct member *member, size_t i)
{
    uint64_t bytes = member->bytes > 0 ? member->bytes : text_size(member);
    uint64_t packed = member->packed_bytes > 0 ? member->packed_bytes : zip->made[i].packed;
    uint64_t header = member->header_of > 0 ? zip->headers[member->header_of - 1]
                      : member->header > 0  ? member->header
                                            : zip->headers[i];
    unsigned extra = member->zip64 ? member->zip64_short ? 12 : 28 : 0;

    say(zip, API_ZIP_CENTRAL, 4);
    say(zip, member->symlink ? 3 << 8 : 20, 2);
    say(zip, 20, 2);
    say(zip, member->flags, 2);
    say(zip,
        member->method == UINT16_MAX ? 0
        : member->method > 0         ? member->method
        : member->deflate            ? API_ZIP_DEFLATED
                                     : API_ZIP_STORED,
        2);
    say(zip, 0, 4);
    say(zip, zip->made[i].crc ^ member->crc_xor, 4);
    say(zip, member->zip64 ? UINT32_MAX : packed, 4);
    say(zip, member->zip64 ? UINT32_MAX : bytes, 4);
    say(zip, strlen(member->name), 2);
    say(zip, extra > 0 ? extra + 5 : 0, 2);
    say(zip, 3, 2); /* comment */
    say(zip, 0, 4);
    say(zip, member->symlink ? 0120777ull << 16 : 0, 4);
    say(zip, member->zip64 ? UINT32_MAX : header, 4);
    put_text(zip, member->name, strlen(member->name));
    if (extra > 0) {
        put_text(zip, "\xfe\xca\x01\x00\xff", 5); /* another field before it */
        say(zip, API_ZIP_EXTRA_64, 2);
        say(zip, extra - 4, 2);
        say(zip, bytes, 8);
        if (!member->zip64_short) {
            say(zip, packed, 8);
            say(zip, header, 8);
        }
    }
    put_text(zip, "abc", 3);
}

static void
put_end(struct zip *zip, uint64_t count, bool zip64)
{
    uint64_t end = zip->size, size = end - zip->directory;

    if (zip64) {
        say(zip, API_ZIP_END_64, 4);
        say(zip, 44, 8);
        say(zip, 45 | 45 << 16, 4);
        say(zip, 0, 8);
        say(zip, count, 8);
        say(zip, count, 8);
        say(zip, size, 8);
        say(zip, zip->directory, 8);
        say(zip, API_ZIP_LOCATOR, 4);
        say(zip, 0, 4);
        say(zip, end, 8);
        say(zip, 1, 4);
    }
    say(zip, API_ZIP_END, 4);
    say(zip, 0, 4);
    say(zip, zip64 ? UINT16_MAX : count, 2);
    say(zip, zip64 ? UINT16_MAX : count, 2);
    say(zip, zip64 ? UINT32_MAX : size, 4);
    say(zip, zip64 ? UINT32_MAX : zip->directory, 4);
    say(zip, 0, 2);
}

static struct zip *
build(const struct member *members, size_t count, bool zip64)
{
    struct zip *zip = calloc(1, sizeof *zip);

    assert_non_null(zip);
    for (size_t i = 0; i < count; i++)
        put_local(zip, &members[i], i);
    zip->directory = zip->size;
    for (size_t i = 0; i < count; i++)
        put_central(zip, &members[i], i);
    put_end(zip, count, zip64);
    return zip;
}

/* --- reading ------------------------------------------------------------------------------- */

static const struct api_unpack_limits usual = {.bytes_max = 64 << 20, .files_max = 1000};

static enum err_code
open_bytes(struct domain *d, struct unpacked *o, struct bytes bytes,
           const struct api_unpack_limits *limits)
{
    struct api_file file = {.begin = 3, .size = bytes.size};
    bool unpacked = false;
    enum err_code code;

    unpacked_init(o, d);
    /* Not at the beginning, as an archive inside another file would be. */
    WORKS(scratch_append(o->scratch, "xyz", 3, &d->f->err), &d->f->err);
    WORKS(scratch_append(o->scratch, bytes.data, bytes.size, &d->f->err), &d->f->err);
    WORKS(scratch_descriptor(o->scratch, &file.descriptor, &d->f->err), &d->f->err);
    code = api_unpack(&file, o->scratch, limits, &o->arena, &o->set, &unpacked, &d->f->err);
    assert_true(code != OK || unpacked);
    return code;
}

static void
expect_refused(struct domain *d, const struct member *members, size_t count, const char *words)
{
    struct zip *zip = build(members, count, false);
    struct unpacked o;

    REFUSES(open_bytes(d, &o, bytes_of(zip->bytes, zip->size), &usual), ERR_INVALID_ARGUMENT, words,
            &d->f->err);
    unpacked_drop(&o);
    free(zip);
}

#define REFUSED(words, ...)                                                                        \
    do {                                                                                           \
        const struct member members_[] = {__VA_ARGS__};                                            \
                                                                                                   \
        expect_refused(d, members_, sizeof members_ / sizeof members_[0], words);                  \
    } while (0)

/* --- tests --------------------------------------------------------------------------------- */

static void
stored_and_deflated_members_are_read(void **state)
{
    struct domain *d = *state;
    static const struct member members[] = {
        {.name = "b.npy", .text = "bytes bytes bytes bytes", .deflate = true},
        {.name = "folder/", .text = ""},
        {.name = "folder/a.npy", .text = "stored"},
        {.name = "\xc3\xbc", .text = "", .flags = API_ZIP_FLAG_UTF8},
        {.name = "empty", .text = "", .deflate = true},
        {.name = "link", .text = "../../etc/passwd", .symlink = true},
    };

    for (int zip64 = 0; zip64 <= 1; zip64++) {
        struct zip *zip = build(members, 6, zip64 == 1);
        struct unpacked o;

        WORKS(open_bytes(d, &o, bytes_of(zip->bytes, zip->size), &usual), &d->f->err);
        assert_int_equal(o.set.count, 4);
        expect_file(d, &o, "b.npy", "bytes bytes bytes bytes");
        expect_file(d, &o, "folder/a.npy", "stored");
        expect_file(d, &o, "\xc3\xbc", "");
        expect_file(d, &o, "empty", "");
        unpacked_drop(&o);
        free(zip);
    }
}

static void
what_local_headers_say_does_not_count(void **state)
{
    struct domain *d = *state;
    static const struct member members[] = {
        {.name = "a", .text = "one", .zero_local = true},
        {.name = "b", .text = "two", .local_name = "another name", .extra = "\0\0\0\0\0\0"},
        {.name = "c", .text = "three", .zip64 = true, .deflate = true, .extra = "\1\0\2\0--"},
    };
    struct zip *zip = build(members, 3, false);
    struct unpacked o;

    WORKS(open_bytes(d, &o, bytes_of(zip->bytes, zip->size), &usual), &d->f->err);
    expect_file(d, &o, "a", "one");
    expect_file(d, &o, "b", "two");
    expect_file(d, &o, "c", "three");
    unpacked_drop(&o);
    free(zip);
}

static void
an_empty_zip_file_is_an_empty_set(void **state)
{
    struct domain *d = *state;
    struct zip *zip = build(NULL, 0, false);
    struct unpacked o;

    WORKS(open_bytes(d, &o, bytes_of(zip->bytes, zip->size), &usual), &d->f->err);
    assert_int_equal(o.set.count, 0);
    unpacked_drop(&o);
    free(zip);
}

static void
members_that_lie_are_refused_by_name(void **state)
{
    struct domain *d = *state;

    REFUSED("member 'a' of the zip file: it is encrypted",
            {.name = "a", .text = "x", .flags = API_ZIP_FLAG_ENCRYPTED});
    REFUSED("patch", {.name = "a", .text = "x", .flags = API_ZIP_FLAG_PATCHED});
    REFUSED("compression method 12", {.name = "a", .text = "x", .method = 12});
    REFUSED("stored, but of 2 bytes in 1", {.name = "a", .text = "x", .bytes = 2});
    REFUSED("have CRC-32", {.name = "a", .text = "x", .crc_xor = 1});
    REFUSED("have CRC-32", {.name = "a", .text = "x", .crc_xor = 1, .deflate = true});
    REFUSED("to more bytes than", {.name = "a", .text = "xyz", .bytes = 2, .deflate = true});
    REFUSED("to fewer bytes than", {.name = "a", .text = "xyz", .bytes = 4, .deflate = true});
    REFUSED("cannot be deflated to",
            {.name = "a", .text = "xyz", .bytes = 1ull << 63, .deflate = true, .zip64 = true});
    REFUSED("stored, but of 9223372036854775808 bytes in 3",
            {.name = "a", .text = "xyz", .bytes = 1ull << 63, .zip64 = true});
    REFUSED("would take 9223372036854775808 bytes", {.name = "a",
                                                     .text = "xyz",
                                                     .bytes = 1ull << 63,
                                                     .packed_bytes = 1ull << 63,
                                                     .zip64 = true});
    REFUSED("reach into the directory",
            {.name = "a", .text = "xyz", .bytes = 50, .packed_bytes = 50});
    REFUSED("its Zip64 field is too short",
            {.name = "a", .text = "xyz", .zip64 = true, .zip64_short = true});
    REFUSED("would begin at 9223372036854775807",
            {.name = "a", .text = "x", .zip64 = true, .header = INT64_MAX});
    REFUSED("no local header at offset 1", {.name = "a", .text = "x", .header = 1});
    REFUSED("is damaged", {.name = "a", .text = "\xff\xff\xff\xff", .method = API_ZIP_DEFLATED});
    REFUSED("ends too early",
            {.name = "a", .text = "some text", .deflate = true, .packed_bytes = 5});
    REFUSED("bytes follow its deflated data", {.name = "a",
                                               .text = "\x01\x03\x00\xfc\xff"
                                                       "abcd",
                                               .text_size = 9,
                                               .bytes = 3,
                                               .method = API_ZIP_DEFLATED});
    REFUSED("it lies on member 'a'", {.name = "a", .text = "x"},
            {.name = "b", .text = "x", .header_of = 1});
    REFUSED("two files have the name 'a'", {.name = "a", .text = "x"}, {.name = "a", .text = "y"});
    REFUSED("a name of 0 bytes", {.name = "", .text = "x"});
}

/* A member inside the data of another: more comes out than went in. */
static void
members_inside_one_another_are_refused(void **state)
{
    struct domain *d = *state;
    const struct member inner[] = {{.name = "i", .text = "inner"}};
    struct zip *zip = build(inner, 1, false);
    const struct member outer[] = {
        {.name = "o", .text = (const char *)zip->bytes, .text_size = 64},
        {.name = "i", .text = "inner", .header = API_ZIP_LOCAL_BYTES + 1},
    };

    expect_refused(d, outer, 2, "member 'i' of the zip file: it lies on member 'o'");
    free(zip);
}

static void
limits_are_kept_before_anything_is_unpacked(void **state)
{
    struct domain *d = *state;
    static const struct member members[] = {
        {.name = "a", .text = "123456789", .deflate = true},
        {.name = "b", .text = "123456789"},
    };
    const struct api_unpack_limits few = {.bytes_max = 1000, .files_max = 1};
    const struct api_unpack_limits small = {.bytes_max = 17, .files_max = 2};
    struct zip *zip = build(members, 2, false);
    struct unpacked o;

    REFUSES(open_bytes(d, &o, bytes_of(zip->bytes, zip->size), &few), ERR_PAYLOAD_TOO_LARGE,
            "2 members, the limit is 1", &d->f->err);
    unpacked_drop(&o);
    REFUSES(open_bytes(d, &o, bytes_of(zip->bytes, zip->size), &small), ERR_PAYLOAD_TOO_LARGE,
            "more than 17 bytes unpacked (import_max_bytes)", &d->f->err);
    assert_int_equal(scratch_size(o.scratch), 3 + zip->size);
    unpacked_drop(&o);
    free(zip);
}

/* Wherever a file is cut, and whatever one byte of it becomes: an error or the same members. */
static void
damage_is_an_error_and_no_more(void **state)
{
    struct domain *d = *state;
    static const struct member members[] = {
        {.name = "a", .text = "stored text"},
        {.name = "b", .text = "deflated text text text", .deflate = true, .zip64 = true},
    };
    struct zip *zip = build(members, 2, true);
    struct unpacked o;
    size_t refused = 0;

    for (size_t size = 4; size < zip->size; size++) {
        assert_int_not_equal(open_bytes(d, &o, bytes_of(zip->bytes, size), &usual), OK);
        err_clear(&d->f->err);
        unpacked_drop(&o);
    }
    for (size_t i = 4; i < zip->size; i++) {
        zip->bytes[i] ^= 0x41;
        refused += open_bytes(d, &o, bytes_of(zip->bytes, zip->size), &usual) != OK;
        err_clear(&d->f->err);
        unpacked_drop(&o);
        zip->bytes[i] ^= 0x41;
    }
    assert_true(refused > zip->size / 3); /* the rest is times, versions and comments */
    free(zip);
}

static void
end_records_that_lie_are_refused(void **state)
{
    struct domain *d = *state;
    static const struct member members[] = {{.name = "a", .text = "x"}};
    static const struct {
        size_t at; /* from the end record's beginning */
        uint8_t value;
        const char *words;
    } cases[] = {
        {4, 1, "one part of several"},          {10, 3, "has 3 members by its end record"},
        {10, 0, "goes on after 0 members"},     {12, 200, "reaches past its end record"},
        {17, 1, "reaches past its end record"}, {16, 1, "has no entry at offset"},
        {20, 1, "no end record at its end"},    {12, 10, "has 1 members by its end record"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct zip *zip = build(members, 1, false);
        struct unpacked o;

        zip->bytes[zip->size - API_ZIP_END_BYTES + cases[i].at] = cases[i].value;
        if (i == 5) /* the directory begins later, and is as much shorter */
            zip->bytes[zip->size - API_ZIP_END_BYTES + 16] = (uint8_t)(zip->directory + 1);
        if (i == 5)
            zip->bytes[zip->size - API_ZIP_END_BYTES + 12]--;
        REFUSES(open_bytes(d, &o, bytes_of(zip->bytes, zip->size), &usual), ERR_INVALID_ARGUMENT,
                cases[i].words, &d->f->err);
        unpacked_drop(&o);
        free(zip);
    }
}

static void
fixtures_end_as_their_manifest_says(void **state)
{
    struct domain *d = *state;
    static const struct {
        const char *name, *words; /* NULL: read */
    } cases[] = {
        {"bomb-64mib", NULL},
        {"crc", "CRC-32"},
        {"count-mismatch", "3 members"},
        {"name-traversal", NULL},
        {"method-12", "method 12"},
        {"encrypted", "encrypted"},
        {"zip64-huge", "9223372036854775808"},
        {"local-name-differs", NULL},
        {"deflate-garbage", "is damaged"},
    };
    const struct api_unpack_limits limits = {.bytes_max = (64 << 20) + 128, .files_max = 3};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[128];
        struct fixture_file file;
        struct unpacked o;

        snprintf(path, sizeof path, "tests/fixtures/malformed/npz/%s/x.npz", cases[i].name);
        file = fixture_read(path);
        if (cases[i].words == NULL)
            WORKS(open_bytes(d, &o, bytes_of(file.data, file.size), &limits), &d->f->err);
        else
            REFUSES(open_bytes(d, &o, bytes_of(file.data, file.size), &limits),
                    ERR_INVALID_ARGUMENT, cases[i].words, &d->f->err);
        unpacked_drop(&o);
        if (i == 0) {
            REFUSES(open_bytes(d, &o, bytes_of(file.data, file.size), &usual),
                    ERR_PAYLOAD_TOO_LARGE, "import_max_bytes", &d->f->err);
            unpacked_drop(&o);
        }
        free(file.data);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(stored_and_deflated_members_are_read),
        DOMAIN_TEST(what_local_headers_say_does_not_count),
        DOMAIN_TEST(an_empty_zip_file_is_an_empty_set),
        DOMAIN_TEST(members_that_lie_are_refused_by_name),
        DOMAIN_TEST(members_inside_one_another_are_refused),
        DOMAIN_TEST(limits_are_kept_before_anything_is_unpacked),
        DOMAIN_TEST(damage_is_an_error_and_no_more),
        DOMAIN_TEST(end_records_that_lie_are_refused),
        DOMAIN_TEST(fixtures_end_as_their_manifest_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
