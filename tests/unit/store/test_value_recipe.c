/* Values kept as a recipe: their bytes are made when they are read, and stored where they are
 * changed. */
#include "tests/unit/store/value_fixture.h"

/* The recipe is one byte, the seed. Every byte depends on its place alone. */
static uint8_t
byte_at(uint8_t seed, uint64_t place)
{
    return (uint8_t)(seed + place * 7 + place / 251);
}

static enum err_code
make(struct bytes recipe, uint64_t offset, uint64_t size, uint8_t *out, struct err *err)
{
    if (recipe.size != 1 || recipe.data[0] == 0)
        return err_set(err, ERR_DATA_LOSS, "no recipe");
    for (uint64_t i = 0; i < size; i++)
        out[i] = byte_at(recipe.data[0], offset + i);
    return OK;
}

static uint8_t *
made_bytes(uint8_t seed, size_t size)
{
    uint8_t *bytes = malloc(size + 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(seed, i);
    return bytes;
}

static void
with_maker(struct fixture *f, store_recipe_make *maker)
{
    f->config.recipe_make = maker;
    fixture_reopen(f);
}

static void
build_recipe(struct fixture *f, uint8_t name, uint64_t size, uint8_t seed)
{
    struct value_builder *builder = NULL;

    WORKS(value_builder_open(f->store, NULL, size, STORE_CLASS_BULK, &builder, &f->err), &f->err);
    WORKS(value_builder_recipe(builder, bytes_of(&seed, 1), &f->err), &f->err);
    (void)publish(f, builder, NULL, name);
    value_builder_drop(builder);
}

static void
a_recipe_of_any_size_holds_what_is_made_from_it(void **state)
{
    static const size_t sizes[] = {0, 1, 1024, 1025, 16256, 16257, 262080, 262081, 1000003};
    struct fixture *f = *state;

    with_maker(f, make);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        uint8_t *bytes = made_bytes(9, sizes[s]);

        build_recipe(f, (uint8_t)s, sizes[s], 9);
        owner_must_hold(f, (uint8_t)s, bytes_of(bytes, sizes[s]));
        fixture_reopen(f);
        owner_must_hold(f, (uint8_t)s, bytes_of(bytes, sizes[s]));
        free(bytes);
    }
    assert_int_equal(verify_must_find_nothing(f).chunks, 0);
    chunks_must_become(f, 0);
}

static void
only_what_is_changed_is_stored(void **state)
{
    enum { SIZE = 700000 };
    const size_t places[] = {5, 300001, SIZE - 1};
    struct fixture *f = *state;
    uint8_t *bytes = made_bytes(3, SIZE), *old = made_bytes(3, SIZE);
    const uint8_t one = 0xAB;

    with_maker(f, make);
    build_recipe(f, 1, SIZE, 3);
    copy_owner(f, 1, 2); /* as a checkpoint does */
    for (size_t i = 0; i < 3; i++) {
        patch_owner(f, 1, places[i], &one, 1);
        bytes[places[i]] = one;
    }
    owner_must_hold(f, 1, bytes_of(bytes, SIZE));
    owner_must_hold(f, 2, bytes_of(old, SIZE));
    assert_int_equal(verify_must_find_nothing(f).chunks, 3);
    assert_int_equal(usage_of(f, 2).unique_bytes, 0);
    fixture_reopen(f);
    owner_must_hold(f, 1, bytes_of(bytes, SIZE));
    owner_must_hold(f, 2, bytes_of(old, SIZE));
    drop_owner(f, 1);
    owner_must_hold(f, 2, bytes_of(old, SIZE));
    drop_owner(f, 2);
    assert_int_equal(verify_must_find_nothing(f).chunks, 0);
    chunks_must_become(f, 0);
    free(bytes);
    free(old);
}

/* 2^40 bytes for the price of one record, read anywhere. */
static void
a_value_larger_than_any_disk_is_read_by_parts(void **state)
{
    const uint64_t size = UINT64_C(1) << 40, place = size - 1000003;
    struct fixture *f = *state;
    struct looking looking;
    uint8_t out[100];

    with_maker(f, make);
    build_recipe(f, 1, size, 7);
    look_at(f, 1, &looking);
    assert_true(looking.reader.has_recipe);
    WORKS(value_copy(&looking.reader, place, sizeof out, out, &f->err), &f->err);
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], byte_at(7, place + i));
    look_away(&looking);
}

static void
a_built_recipe_can_be_read_before_it_is_published(void **state)
{
    struct fixture *f = *state;
    struct value_builder *builder = NULL;
    const uint8_t seed = 4;
    uint8_t out[3];

    with_maker(f, make);
    WORKS(value_builder_open(f->store, NULL, 100000, STORE_CLASS_BULK, &builder, &f->err), &f->err);
    WORKS(value_builder_recipe(builder, bytes_of(&seed, 1), &f->err), &f->err);
    WORKS(value_builder_read(builder, 99997, 3, out, &f->err), &f->err);
    assert_int_equal(out[2], byte_at(4, 99999));
    value_builder_drop(builder);
}

static void
what_cannot_be_a_recipe_is_refused(void **state)
{
    struct fixture *f = *state;
    struct value_builder *builder = NULL;
    const uint8_t bytes[VALUE_RECIPE_BYTES_MAX + 1] = {1};

    WORKS(value_builder_open(f->store, NULL, 100000, STORE_CLASS_BULK, &builder, &f->err), &f->err);
    FAILS(value_builder_recipe(builder, bytes_of(bytes, 1), &f->err), ERR_INVALID_ARGUMENT,
          &f->err); /* no maker */
    value_builder_drop(builder);
    with_maker(f, make);
    WORKS(value_builder_open(f->store, NULL, 1000, STORE_CLASS_BULK, &builder, &f->err), &f->err);
    FAILS(value_builder_recipe(builder, bytes_of(bytes, 0), &f->err), ERR_INVALID_ARGUMENT,
          &f->err);
    FAILS(value_builder_recipe(builder, bytes_of(bytes, sizeof bytes), &f->err),
          ERR_INVALID_ARGUMENT, &f->err);
    WORKS(value_builder_append(builder, bytes, 1, &f->err), &f->err);
    FAILS(value_builder_recipe(builder, bytes_of(bytes, 1), &f->err), ERR_INTERNAL, &f->err);
    value_builder_drop(builder);
}

/* Nothing is read as something else. */
static void
without_its_maker_a_recipe_is_not_read(void **state)
{
    struct fixture *f = *state;
    struct looking looking;
    uint8_t out[10];
    uint32_t crc;

    with_maker(f, make);
    build_recipe(f, 1, 300000, 9);
    with_maker(f, NULL);
    look_at(f, 1, &looking);
    FAILS(value_copy(&looking.reader, 0, sizeof out, out, &f->err), ERR_UNAVAILABLE, &f->err);
    FAILS(value_crc32c(&looking.reader, &crc, &f->err), ERR_UNAVAILABLE, &f->err);
    look_away(&looking);
    assert_int_equal(verify_must_find_nothing(f).chunks, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_recipe_of_any_size_holds_what_is_made_from_it),
        STORE_TEST(only_what_is_changed_is_stored),
        STORE_TEST(a_value_larger_than_any_disk_is_read_by_parts),
        STORE_TEST(a_built_recipe_can_be_read_before_it_is_published),
        STORE_TEST(what_cannot_be_a_recipe_is_refused),
        STORE_TEST(without_its_maker_a_recipe_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
