/* Edits of parts of a draft's values: small ones as a whole, large ones by blocks over what is
 * there, across the borders of blocks and chunks, over whatever the value is made of. */
#include "tests/unit/service/draft_fixture.h"

enum { LARGE = 700000, MOST = 6000000 };

/* Parts of a value, in no order; some lie over others. `bytes` is what it holds then. */
struct edits {
    uint8_t *bytes;
    size_t size;
    uint32_t seed;
};

/* Offset and size of the i-th edit: at every kind of border, then anywhere. */
static void
choose(const struct edits *e, uint32_t i, size_t *offset, size_t *size)
{
    const size_t borders[] = {0,
                              DRAFT_BLOCK_BYTES,
                              STORE_ROWS_BYTES,
                              STORE_ROWS_BYTES * 2,
                              STORE_BULK_BYTES,
                              STORE_BULK_BYTES * 2,
                              LARGE,
                              LARGE / 2};
    enum { BORDERS = sizeof borders / sizeof borders[0] };
    uint32_t chance = (e->seed + i) * 2654435761u;

    *size = i < BORDERS ? 10 : 1 + chance % 5000;
    *offset = i < BORDERS ? borders[i] : chance / 7;
    if (*size > e->size)
        *size = e->size;
    if (i < BORDERS && *offset >= 5)
        *offset -= 5;
    *offset %= e->size - *size + 1;
}

static enum err_code
edit_often(struct draft *draft, const char *name, struct edits *e, struct err *err)
{
    static uint8_t part[5000];

    for (uint32_t i = 0; i < 20; i++) {
        size_t offset = 0, size = 0;

        choose(e, i, &offset, &size);
        memset(part, (int)(e->seed + i), size);
        TRY(write_part(draft, name, offset, part, size, err));
        memcpy(e->bytes + offset, part, size);
    }
    return drafted_is(draft, name, e->bytes, e->size, err);
}

static enum err_code
edit_only(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable *variable = NULL;

    TRY(edit_often(draft, "v", context, err));
    TRY(draft_find(draft, "v", &variable, err));
    HOLDS(variable->relied_on && variable->changes == 20);
    return OK;
}

static void
values_of_every_size_are_edited(void **state)
{
    const size_t sizes[] = {1,
                            700,
                            5000,
                            VALUE_RECORD_BYTES_MAX + 1,
                            DRAFT_WHOLE_BYTES_MAX,
                            DRAFT_WHOLE_BYTES_MAX + 1,
                            STORE_BULK_BYTES * 2,
                            LARGE};
    struct domain *d = *state;

    for (uint32_t i = 0; i < 4 * sizeof sizes / sizeof sizes[0]; i++) {
        struct edits e = {some_bytes(sizes[i / 4], i), sizes[i / 4], 1000 * i};
        uint64_t before;

        make_bytes(d, "v", e.bytes, e.size, i % 4 >= 2);
        before = chunks(d);
        draft_works(d, i % 2 == 1, edit_only, &e);
        bytes_must_be(d, "v", e.bytes, e.size);
        assert_int_equal(chunks(d), before);
        assert_int_equal(info_of_variable(d, "v").record.version, 21);
        assert_int_equal(usage_of_model(d).bytes, e.size);
        delete_variable(d, "v");
        free(e.bytes);
    }
}

/* --- over what the run has made ------------------------------------------------------------ */

static enum err_code
write_then_edit(struct draft *draft, void *context, struct err *err)
{
    struct edits *e = context;
    struct draft_variable *variable = NULL;

    TRY(write_whole(draft, "v", e->bytes, e->size, err));
    TRY(edit_often(draft, "v", e, err));
    e->seed++;
    TRY(edit_often(draft, "v", e, err));
    TRY(draft_find(draft, "v", &variable, err));
    HOLDS(variable->changes == 41);
    return OK;
}

static void
edits_lie_over_what_the_run_wrote(void **state)
{
    const size_t sizes[] = {30, 20000, 200000, LARGE, MOST};
    struct domain *d = *state;

    for (uint32_t i = 0; i < 10; i++) {
        bool ahead = i % 2 == 1 || sizes[i / 2] > SERVICE_COMMIT_BYTES_MAX;
        struct edits e = {some_bytes(sizes[i / 2], i), sizes[i / 2], i};

        make_bytes(d, "v", NULL, e.size, false);
        draft_works(d, ahead, write_then_edit, &e);
        bytes_must_be(d, "v", e.bytes, e.size);
        assert_int_equal(findings(d), 0);
        delete_variable(d, "v");
        assert_int_equal(chunks(d), 0);
        free(e.bytes);
    }
}

static enum err_code
fill_then_edit(struct draft *draft, void *context, struct err *err)
{
    struct edits *e = context;
    struct shape shape = {.rank = 1, .dims = {e->size}};
    struct draft_variable *variable = NULL;
    AUTO_WRITER w = NULL;

    TRY(draft_find(draft, "v", &variable, err));
    TRY(draft_write_open(draft, variable, e->size, &w, err));
    TRY(draft_write_fill(w, "\7", 1, err));
    TRY(draft_write_close(TAKE(w), &shape, err));
    memset(e->bytes, 7, e->size);
    return edit_often(draft, "v", e, err);
}

static void
edits_lie_over_fills(void **state)
{
    const size_t sizes[] = {30, 20000, MOST};
    struct domain *d = *state;

    for (uint32_t i = 0; i < 6; i++) {
        struct edits e = {some_bytes(sizes[i / 2], i), sizes[i / 2], i};

        make_bytes(d, "v", NULL, e.size, false);
        draft_works(d, i % 2 == 1, fill_then_edit, &e);
        bytes_must_be(d, "v", e.bytes, e.size);
        e.seed++;
        draft_works(d, i % 2 == 0, edit_only, &e); /* and over the fill that is stored */
        bytes_must_be(d, "v", e.bytes, e.size);
        delete_variable(d, "v");
        assert_int_equal(chunks(d), 0);
        free(e.bytes);
    }
}

static void
edits_lie_over_recipes(void **state)
{
    enum { COUNT = 300000 };
    struct domain *d = *state;
    struct variable_spec spec = spec_named("v");
    struct expr_tree tree = tree_new();
    struct edits e = {.size = COUNT * 4, .seed = 4};
    size_t size = 0;

    domain_with_recipes(d);
    (void)exprs_set_seed(
        exprs_set_shape(exprs_op(&tree, "random_uniform", 0), "shape", exprs_shape(1, COUNT)),
        "seed", 7);
    spec.is_virtual = true;
    WORKS(try_create(d, spec, &tree), &d->f->err);
    initialize_all(d);
    e.bytes = value_of(d, "v", &size);
    assert_int_equal(size, e.size);
    draft_works(d, false, edit_only, &e);
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(1, COUNT), e.bytes, e.size);
    e.seed = 5;
    draft_works(d, true, edit_only, &e);
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(1, COUNT), e.bytes, e.size);
    assert_in_range(chunks(d), 1, COUNT * 4 / STORE_BULK_BYTES + 20);
    free(e.bytes);
}

/* --- a value that others hold -------------------------------------------------------------- */

static void
a_checkpoint_keeps_what_is_edited_in_place_later(void **state)
{
    const size_t sizes[] = {700, 5000, 40000, LARGE};
    struct domain *d = *state;

    for (uint32_t i = 0; i < 8; i++) {
        struct edits e = {some_bytes(sizes[i / 2], i), sizes[i / 2], i};
        uint8_t *old = some_bytes(e.size, i);
        uint64_t revision;

        make_bytes(d, "v", e.bytes, e.size, i % 4 < 2);
        (void)save(d, "c");
        draft_works(d, i % 2 == 1, edit_only, &e);
        bytes_must_be(d, "v", e.bytes, e.size);
        saved_must_be(d, "c", "v", old, e.size);
        e.seed++;
        draft_works(d, i % 2 == 0, edit_only, &e);
        bytes_must_be(d, "v", e.bytes, e.size);
        saved_must_be(d, "c", "v", old, e.size);
        assert_int_equal(findings(d), 0);
        delete_variable(d, "v");
        saved_must_be(d, "c", "v", old, e.size);
        WORKS(checkpoint_delete(d->service, MODEL, "c", NULL, &revision, &d->f->err), &d->f->err);
        assert_int_equal(chunks(d), 0);
        free(old);
        free(e.bytes);
    }
}

static enum err_code
edit_nothing(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)context;
    TRY(draft_find_initialized(draft, "v", &variable, err));
    draft_edited(variable);
    return OK;
}

/* An update of no rows is an update. */
static void
an_edit_of_nothing_counts(void **state)
{
    const size_t sizes[] = {10, 5000, LARGE};
    struct domain *d = *state;

    for (int i = 0; i < 6; i++) {
        uint8_t *bytes = some_bytes(sizes[i / 2], 1);
        uint64_t before;

        make_bytes(d, "v", bytes, sizes[i / 2], false);
        before = chunks(d);
        draft_works(d, i % 2 == 1, edit_nothing, NULL);
        assert_int_equal(info_of_variable(d, "v").record.version, 2);
        bytes_must_be(d, "v", bytes, sizes[i / 2]);
        assert_int_equal(chunks(d), before);
        delete_variable(d, "v");
        free(bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(values_of_every_size_are_edited),
        DOMAIN_TEST(edits_lie_over_what_the_run_wrote),
        DOMAIN_TEST(edits_lie_over_fills),
        DOMAIN_TEST(edits_lie_over_recipes),
        DOMAIN_TEST(a_checkpoint_keeps_what_is_edited_in_place_later),
        DOMAIN_TEST(an_edit_of_nothing_counts),
    };

    return cmocka_run_group_tests_name("draft_edit", tests, NULL, NULL);
}
