/* The pieces of a value as it is kept: together they are the value, each tells the checksum of its
 * bytes, and two lists of one family name the same chunk where they share it. */
#include "tests/unit/store/value_fixture.h"

enum { MANY_BYTES = 3 * 262080 + 100 }; /* three bulk chunks and a rows chunk */

/* How many there are; asked for at the first and at the last byte of each. */
static int
pieces_must_hold(struct value_reader *reader, const uint8_t *bytes, struct err *err)
{
    struct value_piece piece, again;
    int count = 0;

    for (uint64_t at = 0; at < reader->ref.size; at += piece.size) {
        WORKS(value_piece_at(reader, at, &piece, err), err);
        assert_int_equal(piece.offset, at);
        assert_in_range(piece.size, 1, reader->ref.size - at);
        WORKS(value_piece_at(reader, at + piece.size - 1, &again, err), err);
        assert_int_equal(again.offset, at);
        assert_int_equal(again.chunk, piece.chunk);
        assert_false(piece.is_gap && piece.chunk != 0);
        if (piece.chunk != 0)
            assert_int_equal(piece.crc32c, crc32c(0, bytes + at, (size_t)piece.size));
        count++;
    }
    FAILS(value_piece_at(reader, reader->ref.size, &piece, err), ERR_OUT_OF_RANGE, err);
    return count;
}

static void
pieces_are_the_chunks_of_a_list_or_all_of_a_small_value(void **state)
{
    static const struct {
        size_t size;
        int pieces;
    } cases[] = {{1, 1},     {1024, 1},   {16256, 1},     {16257, 1},
                 {16321, 2}, {262080, 1}, {MANY_BYTES, 4}};
    struct fixture *f = *state;

    for (uint8_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *bytes = make_bytes(cases[i].size, i);
        struct looking looking;

        (void)build(f, i, bytes_of(bytes, cases[i].size), STORE_CLASS_BULK, 50000);
        look_at(f, i, &looking);
        assert_int_equal(pieces_must_hold(&looking.reader, bytes, &f->err), cases[i].pieces);
        look_away(&looking);
        free(bytes);
    }
}

static void
a_fork_has_the_chunks_that_were_not_touched(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(MANY_BYTES, 2), *changed = make_bytes(MANY_BYTES, 2);
    struct looking first, second;
    struct value_piece a, b;
    int shared = 0;

    (void)build(f, 1, bytes_of(bytes, MANY_BYTES), STORE_CLASS_BULK, MANY_BYTES);
    copy_owner(f, 1, 2);
    changed[300000]++;
    patch_owner(f, 2, 300000, changed + 300000, 1);
    look_at(f, 1, &first);
    look_at(f, 2, &second);
    (void)pieces_must_hold(&first.reader, bytes, &f->err);
    (void)pieces_must_hold(&second.reader, changed, &f->err);
    for (uint64_t at = 0; at < MANY_BYTES; at += a.size) {
        WORKS(value_piece_at(&first.reader, at, &a, &f->err), &f->err);
        WORKS(value_piece_at(&second.reader, at, &b, &f->err), &f->err);
        assert_int_equal(a.size, b.size);
        assert_int_equal(a.chunk == b.chunk, at != 262080);
        shared += a.chunk == b.chunk;
    }
    assert_int_equal(shared, 3);
    assert_true(value_gaps_equal(&first.reader, &second.reader)); /* neither has any */
    look_away(&first);
    look_away(&second);
    free(bytes);
    free(changed);
}

static void
gaps_are_told_and_compared_by_how_they_are_made(void **state)
{
    static const float one = 1, two = 2;
    struct fixture *f = *state;
    uint8_t *bytes = malloc(MANY_BYTES);
    struct looking looking[3];
    struct value_piece piece;

    assert_non_null(bytes);
    for (size_t i = 0; i < MANY_BYTES; i += sizeof one)
        memcpy(bytes + i, &one, sizeof one);
    (void)build_fill(f, 1, MANY_BYTES, &one, sizeof one);
    (void)build_fill(f, 2, MANY_BYTES, &one, sizeof one);
    (void)build_fill(f, 3, MANY_BYTES, &two, sizeof two);
    bytes[5]++;
    patch_owner(f, 2, 5, bytes + 5, 1);
    for (uint8_t i = 0; i < 3; i++)
        look_at(f, (uint8_t)(i + 1), &looking[i]);
    assert_int_equal(pieces_must_hold(&looking[1].reader, bytes, &f->err), 4);
    WORKS(value_piece_at(&looking[0].reader, 0, &piece, &f->err), &f->err);
    assert_true(piece.is_gap);
    WORKS(value_piece_at(&looking[1].reader, 0, &piece, &f->err), &f->err);
    assert_false(piece.is_gap);
    WORKS(value_piece_at(&looking[1].reader, 262080, &piece, &f->err), &f->err);
    assert_true(piece.is_gap);
    assert_true(value_gaps_equal(&looking[0].reader, &looking[1].reader));
    assert_false(value_gaps_equal(&looking[0].reader, &looking[2].reader));
    for (int i = 0; i < 3; i++)
        look_away(&looking[i]);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(pieces_are_the_chunks_of_a_list_or_all_of_a_small_value),
        STORE_TEST(a_fork_has_the_chunks_that_were_not_touched),
        STORE_TEST(gaps_are_told_and_compared_by_how_they_are_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
