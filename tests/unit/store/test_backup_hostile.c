/* Backups that are none: cut anywhere, changed anywhere, or put together with right checksums and
 * wrong contents. Each is an error, and the folder stays empty. */
#include "tests/unit/store/backup_fixture.h"

struct hostile {
    struct fixture *f;
    struct buf stream;
    char *folder;
};

static void
hostile_start(struct hostile *h, void **state)
{
    h->f = *state;
    h->folder = unit_temp_dir();
    fill_store(h->f);
    h->stream = stream_of(h->f);
}

static void
hostile_stop(struct hostile *h)
{
    buf_drop(&h->stream);
    unit_temp_dir_remove(h->folder);
}

static void
is_refused(struct hostile *h, struct bytes stream)
{
    enum err_code code = restore_at(h->f, h->folder, stream, false);

    assert_int_equal(code, ERR_DATA_LOSS);
    assert_true(h->f->err.text[0] != '\0');
    assert_int_equal(count_entries(h->folder), 0);
    err_clear(&h->f->err);
}

static struct buf
copy_of(const struct hostile *h)
{
    struct buf copy;

    buf_init(&copy, STREAM_BYTES_MAX);
    WORKS(buf_append(&copy, h->stream.data, h->stream.size, &h->f->err), &h->f->err);
    return copy;
}

static void
cut_anywhere(void **state)
{
    struct hostile h;
    size_t size = 0, at;

    hostile_start(&h, state);
    for (size_t length = 0; length < 200; length += 3)
        is_refused(&h, bytes_of(h.stream.data, length));
    for (unsigned i = 0; (at = frame_at(buf_bytes(&h.stream), i, &size)) != 0; i++) {
        is_refused(&h, bytes_of(h.stream.data, at));
        is_refused(&h, bytes_of(h.stream.data, at + 1));
        is_refused(&h, bytes_of(h.stream.data, at + size - 1));
    }
    hostile_stop(&h);
}

static void
changed_anywhere(void **state)
{
    struct hostile h;
    size_t size = 0, at;

    hostile_start(&h, state);
    for (unsigned i = 0; (at = frame_at(buf_bytes(&h.stream), i, &size)) != 0; i++) {
        const size_t places[] = {0, 1, 4, 5, 7, 8, 12, 16, 17, 24, 30, size / 2, size - 1};

        for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
            if (places[p] >= size)
                continue;
            h.stream.data[at + places[p]] ^= 0x40;
            is_refused(&h, buf_bytes(&h.stream));
            h.stream.data[at + places[p]] ^= 0x40;
        }
    }
    for (size_t i = 0; i < BACKUP_MAGIC_BYTES; i++) {
        h.stream.data[i] ^= 1;
        is_refused(&h, buf_bytes(&h.stream));
        h.stream.data[i] ^= 1;
    }
    WORKS(buf_append(&h.stream, "x", 1, &h.f->err), &h.f->err);
    is_refused(&h, buf_bytes(&h.stream));
    hostile_stop(&h);
}

/* --- with right checksums
 * -------------------------------------------------------------------------- */

struct lie {
    unsigned frame; /* counted from BEGIN; or, with from_end, from END */
    bool from_end;
    size_t at; /* in the body */
    uint8_t bytes[8];
    size_t size;
};

static unsigned
count_frames(struct bytes stream)
{
    size_t size = 0;
    unsigned count = 0;

    while (frame_at(stream, count, &size) != 0)
        count++;
    return count;
}

static void
lies_are_found(void **state)
{
    static const struct lie lies[] = {
        {0, false, 0, {9}, 1},                             /* version */
        {0, false, 18, {0xff, 0xff}, 2},                   /* incarnation */
        {0, false, 30, {0xff, 0xff}, 2},                   /* revision */
        {0, false, 32, {1, 1, 1, 1}, 4},                   /* origin after it */
        {0, false, 40, {0xff, 0xff, 0xff}, 3},             /* records */
        {0, false, 48, {0xff, 0xff, 0xff, 0xff, 0xff}, 5}, /* chunks */
        {0, true, 0, {0xff, 0xff}, 2},                     /* records, in END */
        {0, true, 8, {0xff, 0xff}, 2},                     /* chunks, in END */
        {1, false, 0, {0xff, 0xff}, 2},                    /* size of a key */
        {1, false, 0, {0}, 2},                             /* an empty key */
        {1, false, 2, {0xff, 0xff}, 2},                    /* size of a value */
        {1, false, 4, {0}, 1},                             /* a key of the engine */
        {1, false, 4, {0xff}, 1},                          /* a key out of order */
        {1, true, 0, {0}, 8},                              /* no chunk's id */
        {1, true, 7, {0xff}, 1},                           /* of no class */
        {1, true, 6, {0xff}, 1},                           /* of an incarnation to come */
        {1, true, 7, {0x40}, 1},                           /* a bulk chunk as rows */
    };
    struct hostile h;

    hostile_start(&h, state);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct buf copy = copy_of(&h);
        unsigned count = count_frames(buf_bytes(&copy));
        size_t size = 0, at;

        at = frame_at(buf_bytes(&copy),
                      lies[i].from_end ? count - 1 - lies[i].frame : lies[i].frame, &size);
        memcpy(copy.data + at + BACKUP_FRAME_HEAD_BYTES + lies[i].at, lies[i].bytes, lies[i].size);
        frames_mend(copy.data, copy.size);
        is_refused(&h, buf_bytes(&copy));
        buf_drop(&copy);
    }
    hostile_stop(&h);
}

static void
sizes_of_frames_that_cannot_be(void **state)
{
    static const uint32_t sizes[] = {0, 1, 23, 55, 57, 65537, 262105, 0x7fffffff, 0xffffffff};
    struct hostile h;
    size_t size = 0, at;

    hostile_start(&h, state);
    for (unsigned i = 0; (at = frame_at(buf_bytes(&h.stream), i, &size)) != 0; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            struct buf copy = copy_of(&h);
            uint32_t crc;

            memcpy(copy.data + at + 4, &sizes[s], sizeof sizes[s]);
            crc = crc32c(0, copy.data + at, 12);
            memcpy(copy.data + at + 12, &crc, sizeof crc);
            is_refused(&h, buf_bytes(&copy));
            buf_drop(&copy);
        }
    }
    hostile_stop(&h);
}

static struct buf
without_or_twice(const struct hostile *h, unsigned frame, bool twice)
{
    size_t size = 0, at = frame_at(buf_bytes(&h->stream), frame, &size);
    struct buf copy;

    buf_init(&copy, STREAM_BYTES_MAX);
    WORKS(buf_append(&copy, h->stream.data, at, &h->f->err), &h->f->err);
    for (int i = 0; i < (twice ? 2 : 0); i++)
        WORKS(buf_append(&copy, h->stream.data + at, size, &h->f->err), &h->f->err);
    WORKS(buf_append(&copy, h->stream.data + at + size, h->stream.size - at - size, &h->f->err),
          &h->f->err);
    frames_mend(copy.data, copy.size);
    return copy;
}

static void
frames_left_out_or_twice(void **state)
{
    struct hostile h;

    hostile_start(&h, state);
    for (unsigned i = 0; i < count_frames(buf_bytes(&h.stream)); i++) {
        struct buf without = without_or_twice(&h, i, false), twice = without_or_twice(&h, i, true);

        is_refused(&h, buf_bytes(&without));
        is_refused(&h, buf_bytes(&twice));
        buf_drop(&without);
        buf_drop(&twice);
    }
    hostile_stop(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(cut_anywhere),
        STORE_TEST(changed_anywhere),
        STORE_TEST(lies_are_found),
        STORE_TEST(sizes_of_frames_that_cannot_be),
        STORE_TEST(frames_left_out_or_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
