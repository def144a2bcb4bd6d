/* A value again in chunks of the other class: the same bytes, fills and recipes kept. */
#include "tests/unit/store/value_fixture.h"

static enum err_code
make(struct bytes recipe, uint64_t offset, uint64_t size, uint8_t *out, struct err *err)
{
    (void)err;
    for (uint64_t i = 0; i < size; i++)
        out[i] = (uint8_t)(recipe.data[0] + (offset + i) * 7);
    return OK;
}

/* The value of `from` as the value of `to`, in rows chunks. */
static void
copy_to_rows(struct fixture *f, uint8_t from, uint8_t to)
{
    struct store_stage *stage = NULL;
    struct value_builder *builder = NULL;
    struct looking looking;

    look_at(f, from, &looking);
    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    WORKS(value_builder_open(f->store, stage, looking.reader.ref.size, STORE_CLASS_ROWS, &builder,
                             &f->err),
          &f->err);
    WORKS(value_builder_copy(builder, &looking.reader, &f->err), &f->err);
    look_away(&looking);
    (void)publish(f, builder, stage, to);
    value_builder_drop(builder);
}

static void
kinds_must_be(struct fixture *f, uint8_t name, bool in_rows, bool whole)
{
    struct looking looking;
    bool is_whole = !whole;

    look_at(f, name, &looking);
    assert_int_equal(value_reader_in_rows(&looking.reader), in_rows);
    WORKS(value_reader_is_whole(&looking.reader, &is_whole, &f->err), &f->err);
    assert_int_equal(is_whole, whole);
    look_away(&looking);
}

static void
every_size_is_the_same_in_rows(void **state)
{
    static const size_t sizes[] = {1,      1024,   1025,   16256,  16257,  130560,
                                   130561, 262080, 262081, 524160, 700001, 4000000};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *bytes = make_bytes(sizes[i], i);

        (void)build(f, 1, bytes_of(bytes, sizes[i]), STORE_CLASS_BULK, sizes[i]);
        copy_to_rows(f, 1, 2);
        kinds_must_be(f, 1, sizes[i] <= 130560, false);
        kinds_must_be(f, 2, true, false);
        owner_must_hold(f, 2, bytes_of(bytes, sizes[i]));
        drop_owner(f, 1);
        owner_must_hold(f, 2, bytes_of(bytes, sizes[i]));
        drop_owner(f, 2);
        free(bytes);
    }
    (void)verify_must_find_nothing(f);
    chunks_must_become(f, 0);
}

enum { SIZE = 1000000 };

static void
a_fill_stays_a_fill_until_it_is_written(void **state)
{
    struct fixture *f = *state;
    const float element = 2.5f;
    uint8_t *bytes = malloc(SIZE);

    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i += sizeof element)
        memcpy(bytes + i, &element, sizeof element);
    (void)build_fill(f, 1, SIZE, &element, sizeof element);
    kinds_must_be(f, 1, false, true);
    copy_to_rows(f, 1, 2);
    kinds_must_be(f, 2, true, true);
    owner_must_hold(f, 2, bytes_of(bytes, SIZE));
    chunks_must_become(f, 0);
    patch_owner(f, 1, 300000, "abc", 3);
    memcpy(bytes + 300000, "abc", 3);
    kinds_must_be(f, 1, false, false);
    copy_to_rows(f, 1, 3);
    kinds_must_be(f, 3, true, false);
    owner_must_hold(f, 3, bytes_of(bytes, SIZE));
    chunks_must_become(f, 1 + SIZE / STORE_ROWS_BYTES + 1);
    (void)verify_must_find_nothing(f);
    free(bytes);
}

static void
a_recipe_stays_a_recipe_until_it_is_written(void **state)
{
    struct fixture *f = *state;
    uint8_t seed = 3, *bytes = malloc(SIZE);
    struct value_builder *builder = NULL;

    f->config.recipe_make = make;
    fixture_reopen(f);
    assert_non_null(bytes);
    WORKS(make(bytes_of(&seed, 1), 0, SIZE, bytes, &f->err), &f->err);
    WORKS(value_builder_open(f->store, NULL, SIZE, STORE_CLASS_BULK, &builder, &f->err), &f->err);
    WORKS(value_builder_recipe(builder, bytes_of(&seed, 1), &f->err), &f->err);
    (void)publish(f, builder, NULL, 1);
    value_builder_drop(builder);
    copy_to_rows(f, 1, 2);
    kinds_must_be(f, 2, true, true);
    owner_must_hold(f, 2, bytes_of(bytes, SIZE));
    patch_owner(f, 1, SIZE - 1, "z", 1);
    bytes[SIZE - 1] = 'z';
    copy_to_rows(f, 1, 3);
    kinds_must_be(f, 3, true, false);
    owner_must_hold(f, 3, bytes_of(bytes, SIZE));
    (void)verify_must_find_nothing(f);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(every_size_is_the_same_in_rows),
        STORE_TEST(a_fill_stays_a_fill_until_it_is_written),
        STORE_TEST(a_recipe_stays_a_recipe_until_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
