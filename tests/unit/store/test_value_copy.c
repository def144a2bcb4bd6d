/* A value again in chunks of the other class: the same bytes, fills and recipes kept. And chunks
 * staged ahead of the patch that takes them. */
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

/* --- staged chunks --------------------------------------------------------------------------- */

enum { STAGED = 3 };

struct staging {
    struct store_stage *stage;
    struct value_staged staged[STAGED];
    uint8_t name;
    bool fail;
};

static enum err_code
staged_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct staging *s = context;
    struct value_patch *patch = NULL;
    struct value_ref ref;
    enum err_code code = OK;

    TRY(owner_get(store_txn_view(txn), s->name, &ref, err));
    TRY(value_patch_open(txn, &ref, &patch, err));
    for (int i = 0; code == OK && i < STAGED; i++)
        code = value_patch_staged(patch, &s->staged[i], err);
    if (code == OK && s->fail)
        code = err_set(err, ERR_OUT_OF_RANGE, "given up");
    if (code == OK)
        code = value_patch_close(patch, &ref, err);
    value_patch_drop(patch);
    return code == OK ? owner_put(txn, s->name, &ref, err) : code;
}

/* Stages the chunks of `name` that hold these places, every byte of them one more. */
static void
stage_chunks(struct fixture *f, uint8_t name, const uint64_t places[STAGED], struct staging *s,
             uint8_t *bytes)
{
    struct looking looking;

    *s = (struct staging){.name = name};
    look_at(f, name, &looking);
    WORKS(store_stage_open(f->store, &s->stage, &f->err), &f->err);
    for (int i = 0; i < STAGED; i++) {
        struct value_staged *staged = &s->staged[i];

        WORKS(value_stage(&looking.reader, s->stage, places[i], staged, &f->err), &f->err);
        assert_in_range(places[i], staged->offset, staged->offset + staged->chunk.length - 1);
        WORKS(value_copy(&looking.reader, staged->offset, staged->chunk.length, staged->chunk.bytes,
                         &f->err),
              &f->err);
        for (uint32_t k = 0; k < staged->chunk.length; k++) {
            staged->chunk.bytes[k]++;
            if (bytes != NULL)
                bytes[staged->offset + k]++;
        }
        store_chunk_seal(&staged->chunk);
    }
    look_away(&looking);
}

static enum err_code
publish_staged(struct fixture *f, struct staging *s)
{
    struct store_update_options options = {.stage = s->stage};
    uint64_t revision = 0;
    enum err_code code = store_update(f->store, staged_unit, s, &options, &revision, &f->err);

    if (code != OK)
        store_stage_drop(s->stage);
    return code;
}

static void
staged_chunks_take_their_places(void **state)
{
    static const uint64_t places[STAGED] = {0, 300000, SIZE - 1};
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(SIZE, 1), *old = make_bytes(SIZE, 1);
    struct staging s;

    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        memcpy(bytes, old, SIZE);
        (void)build(f, 1, bytes_of(bytes, SIZE), (enum store_class) class, SIZE);
        stage_chunks(f, 1, places, &s, bytes);
        WORKS(publish_staged(f, &s), &f->err);
        owner_must_hold(f, 1, bytes_of(bytes, SIZE));
        copy_owner(f, 1, 2); /* forked by the next change, the chunks of which are older than it */
        memcpy(old, bytes, SIZE);
        stage_chunks(f, 1, places, &s, bytes);
        WORKS(publish_staged(f, &s), &f->err);
        owner_must_hold(f, 1, bytes_of(bytes, SIZE));
        owner_must_hold(f, 2, bytes_of(old, SIZE));
        stage_chunks(f, 1, places, &s, bytes);
        WORKS(publish_staged(f, &s), &f->err);
        owner_must_hold(f, 1, bytes_of(bytes, SIZE));
        (void)verify_must_find_nothing(f);
        drop_owner(f, 1);
        owner_must_hold(f, 2, bytes_of(old, SIZE));
        drop_owner(f, 2);
        chunks_must_become(f, 0);
    }
    free(bytes);
    free(old);
}

static void
staged_chunks_of_a_patch_that_is_given_up_go_with_their_stage(void **state)
{
    static const uint64_t places[STAGED] = {5, 20000, 40000};
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(SIZE, 1);
    struct staging s;

    (void)build(f, 1, bytes_of(bytes, SIZE), STORE_CLASS_ROWS, SIZE);
    stage_chunks(f, 1, places, &s, NULL);
    s.fail = true;
    FAILS(publish_staged(f, &s), ERR_OUT_OF_RANGE, &f->err);
    owner_must_hold(f, 1, bytes_of(bytes, SIZE));
    chunks_must_become(f, SIZE / STORE_ROWS_BYTES + 1);
    (void)verify_must_find_nothing(f);
    free(bytes);
}

static void
chunks_staged_for_another_value_are_refused(void **state)
{
    static const uint64_t places[STAGED] = {5, 20000, 40000};
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(SIZE, 1);
    struct staging s;

    (void)build(f, 1, bytes_of(bytes, SIZE), STORE_CLASS_ROWS, SIZE);
    stage_chunks(f, 1, places, &s, NULL);
    drop_owner(f, 1);
    (void)build(f, 1, bytes_of(bytes, SIZE), STORE_CLASS_ROWS, SIZE);
    FAILS(publish_staged(f, &s), ERR_CONFLICT, &f->err);
    stage_chunks(f, 1, places, &s, NULL);
    drop_owner(f, 1);
    (void)build(f, 1, bytes_of(bytes, 100), STORE_CLASS_ROWS, 100);
    FAILS(publish_staged(f, &s), ERR_CONFLICT, &f->err);
    owner_must_hold(f, 1, bytes_of(bytes, 100));
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(every_size_is_the_same_in_rows),
        STORE_TEST(a_fill_stays_a_fill_until_it_is_written),
        STORE_TEST(a_recipe_stays_a_recipe_until_it_is_written),
        STORE_TEST(staged_chunks_take_their_places),
        STORE_TEST(staged_chunks_of_a_patch_that_is_given_up_go_with_their_stage),
        STORE_TEST(chunks_staged_for_another_value_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
