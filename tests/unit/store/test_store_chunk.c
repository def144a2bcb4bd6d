/* Chunks: written once, read back exactly, and never mistaken for one another. */
#include "tests/unit/store/chunk_fixture.h"

#include <fcntl.h>

static void
chunks_of_every_length_and_class_come_back(void **state)
{
    static const uint32_t rows[] = {0, 1, 15, 4097, STORE_ROWS_BYTES};
    static const uint32_t bulk[] = {0, 3, 65537, STORE_BULK_BYTES - 1, STORE_BULK_BYTES};
    struct fixture *f = *state;
    struct named_chunk made[10];

    for (uint32_t i = 0; i < 10; i++) {
        struct replacement r = {.class = i < 5 ? STORE_CLASS_ROWS : STORE_CLASS_BULK,
                                .place = {7, i},
                                .length = i < 5 ? rows[i] : bulk[i - 5],
                                .seed = i};

        replace(f, &r);
        made[i] = r.made;
        assert_int_equal(store_chunk_class(r.made.id), r.class);
    }
    must_read_all(f, made, 10);
    fixture_reopen(f);
    must_read_all(f, made, 10);
}

static void
a_committed_payload_lies_at_a_multiple_of_64(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_BULK, .place = {1, 0}, .length = 100, .seed = 5};
    struct store_snapshot *snapshot = NULL;
    struct bytes bytes;

    replace(f, &r);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(store_chunk_read(store_snapshot_view(snapshot), r.made.id, r.place, 100, r.made.crc,
                           &bytes, &f->err),
          &f->err);
    assert_int_equal((uintptr_t)bytes.data % 64, 0);
    store_snapshot_drop(snapshot);
}

static void
a_chunk_that_is_not_the_one_wanted_is_data_loss(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {8, 3}, .length = 50, .seed = 1};
    struct store_snapshot *snapshot = NULL;
    const struct store_view *view;
    struct bytes out;
    uint64_t id;
    uint32_t crc;

    replace(f, &r);
    id = r.made.id;
    crc = r.made.crc;
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    view = store_snapshot_view(snapshot);
    assert_int_equal(
        store_chunk_read(view, id, (struct store_chunk_place){8, 4}, 50, crc, &out, &f->err),
        ERR_DATA_LOSS);
    assert_non_null(strstr(f->err.text, "misplaced"));
    err_clear(&f->err);
    FAILS(store_chunk_read(view, id, (struct store_chunk_place){9, 3}, 50, crc, &out, &f->err),
          ERR_DATA_LOSS, &f->err);
    FAILS(store_chunk_read(view, id, r.place, 51, crc, &out, &f->err), ERR_DATA_LOSS, &f->err);
    FAILS(store_chunk_read(view, id, r.place, 50, crc + 1, &out, &f->err), ERR_DATA_LOSS, &f->err);
    FAILS(store_chunk_read(view, id + 1, r.place, 50, crc, &out, &f->err), ERR_DATA_LOSS, &f->err);
    FAILS(store_chunk_read(view, 5, r.place, 50, crc, &out, &f->err), ERR_DATA_LOSS, &f->err);
    FAILS(store_chunk_read(view, UINT64_MAX, r.place, 50, crc, &out, &f->err), ERR_DATA_LOSS,
          &f->err);
    must_read(view, &r.made);
    store_snapshot_drop(snapshot);
}

/* The offset of `needle` in a file, which must hold it once. */
static off_t
find_in_file(int file, const uint8_t *needle, size_t size)
{
    enum { FILE_BYTES_MAX = 1 << 22 };
    uint8_t *bytes = malloc(FILE_BYTES_MAX);
    ssize_t read_bytes = pread(file, bytes, FILE_BYTES_MAX, 0);
    const uint8_t *at;
    off_t offset;

    assert_true(read_bytes > 0);
    at = memmem(bytes, (size_t)read_bytes, needle, size);
    assert_non_null(at);
    offset = at - bytes;
    free(bytes);
    return offset;
}

static void
a_flipped_bit_is_found_by_verifying(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {8, 3}, .length = 9999, .seed = 77};
    struct store_snapshot *snapshot = NULL;
    struct bytes out;
    uint8_t needle[64], byte;
    char path[256], id[32];
    off_t offset;
    int file;

    replace(f, &r);
    store_close(f->store);
    fill(needle, sizeof needle, 77);
    snprintf(path, sizeof path, "%s/rows.mdb", f->folder);
    file = open(path, O_RDWR);
    assert_true(file >= 0);
    offset = find_in_file(file, needle, sizeof needle) + 5000;
    assert_int_equal(pread(file, &byte, 1, offset), 1);
    byte ^= 4;
    assert_int_equal(pwrite(file, &byte, 1, offset), 1);
    close(file);

    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(store_chunk_read(store_snapshot_view(snapshot), r.made.id, r.place, 9999, r.made.crc,
                           &out, &f->err),
          &f->err);
    assert_int_equal(store_chunk_verify(store_snapshot_view(snapshot), r.made.id, r.place, 9999,
                                        r.made.crc, &out, &f->err),
                     ERR_DATA_LOSS);
    snprintf(id, sizeof id, "%016llx", (unsigned long long)r.made.id);
    assert_non_null(strstr(f->err.text, id));
    err_clear(&f->err);
    store_snapshot_drop(snapshot);
    store_close(f->store);
    f->store = NULL;
    f->config.verify_at_open = true;
    FAILS(store_open(&f->config, &f->store, &f->err), ERR_DATA_LOSS, &f->err);
}

static void
a_failing_unit_leaves_no_chunk(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {
        .class = STORE_CLASS_BULK, .place = {1, 1}, .length = 1000, .then = ERR_ABORTED};
    struct store_stats stats;

    FAILS(store_update(f->store, replace_chunk, &r, NULL, NULL, &f->err), ERR_ABORTED, &f->err);
    stats = stats_when_drained(f);
    assert_int_equal(stats.chunks[STORE_CLASS_BULK], 0);
    assert_int_equal(stats.records, 0);
    assert_int_equal(stats.revision, 0);
}

static void
overwriting_again_and_again_keeps_one_chunk_and_a_small_file(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_BULK, .place = {4, 0}, .length = STORE_BULK_BYTES};
    struct store_stats stats;

    for (uint32_t i = 0; i < 60; i++) {
        r.seed = i;
        replace(f, &r);
    }
    stats = stats_when_drained(f);
    assert_int_equal(stats.chunks[STORE_CLASS_BULK], 1);
    assert_true(stats.file_bytes < 24 * (uint64_t)STORE_BULK_BYTES);
    must_read_all(f, &r.made, 1);
}

struct collected {
    uint64_t ids[64];
    unsigned count;
};

static void
collect(void *context, uint64_t id)
{
    struct collected *c = context;

    assert_true(c->count < 64);
    c->ids[c->count++] = id;
}

static void
a_walk_visits_what_is_named_and_nothing_on_its_way_in_or_out(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {4, 0}, .length = 10};
    struct store_snapshot *holder = NULL;
    struct store_stage *stage = NULL;
    struct named_chunk staged[3];
    struct collected seen = {0};

    replace(f, &r);
    WORKS(store_snapshot_open(f->store, &holder, &f->err), &f->err);
    replace(f, &r); /* the first one is garbage that the snapshot holds back */
    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    for (int i = 0; i < 30; i++)
        stage_chunks(f, stage, STORE_CLASS_BULK, 5, 77, staged, 3);
    WORKS(store_chunk_walk(f->store, collect, &seen, &f->err), &f->err);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.ids[0], r.made.id);
    store_stage_drop(stage);
    store_snapshot_drop(holder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(chunks_of_every_length_and_class_come_back),
        STORE_TEST(a_committed_payload_lies_at_a_multiple_of_64),
        STORE_TEST(a_chunk_that_is_not_the_one_wanted_is_data_loss),
        STORE_TEST(a_flipped_bit_is_found_by_verifying),
        STORE_TEST(a_failing_unit_leaves_no_chunk),
        STORE_TEST(overwriting_again_and_again_keeps_one_chunk_and_a_small_file),
        STORE_TEST(a_walk_visits_what_is_named_and_nothing_on_its_way_in_or_out),
    };

    return cmocka_run_group_tests_name("store_chunk", tests, NULL, NULL);
}
