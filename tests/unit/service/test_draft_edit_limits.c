/* How much a draft's edits take: of a commit, of memory, of the stack; what is too much is staged
 * ahead of the commit, chunk by chunk. */
#include "service/run/draft_parts.h"
#include "tests/unit/service/draft_fixture.h"

/* One byte of every `step` of the value. */
struct stride {
    uint64_t size, step;
};

static enum err_code
edit_strided(struct draft *draft, void *context, struct err *err)
{
    const struct stride *s = context;

    for (uint64_t at = 0; at < s->size; at += s->step)
        TRY(write_part(draft, "v", at, "\5", 1, err));
    return OK;
}

static void
make_zeros(struct domain *d, uint64_t size)
{
    struct expr_tree tree = tree_new();
    struct shape shape = {.rank = 1, .dims = {size}};

    (void)exprs_set_dtype(exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", shape), "dtype",
                          DTYPE_UINT8);
    create(d, "v", &tree);
    initialize_all(d);
}

static uint8_t
byte_at(struct domain *d, uint64_t at)
{
    struct tensor_set set = {0};
    char slice[40];
    uint8_t byte = 0;

    snprintf(slice, sizeof slice, "%llu", (unsigned long long)at);
    WORKS(variable_read(d->service, MODEL, "v", bytes_of_text(slice), DTYPE_UNSET, false, &set,
                        &d->f->err),
          &d->f->err);
    assert_int_equal(set.entries[0].size, 1);
    tensor_set_copy(&set, 0, &byte);
    tensor_set_drop(&set);
    return byte;
}

static void
a_row_of_a_huge_value_costs_its_chunk(void **state)
{
    struct domain *d = *state;
    struct stride s = {.size = (uint64_t)1 << 40, .step = (uint64_t)1 << 37};

    d->limits.tensor_bytes_max = UINT64_MAX;
    domain_restart(d);
    make_zeros(d, s.size);
    draft_works(d, false, edit_strided, &s);
    assert_int_equal(chunks(d), 8);
    draft_works(d, true, edit_strided, &s);
    assert_int_equal(chunks(d), 8);
    assert_int_equal(byte_at(d, (uint64_t)5 << 37), 5);
    assert_int_equal(byte_at(d, ((uint64_t)5 << 37) + 1), 0);
}

/* Of more chunks than a commit rewrites, the value is staged ahead of it. */
static void
edits_of_too_many_chunks_are_made_ahead_and_staged(void **state)
{
    enum { FITS = DRAFT_EDIT_BYTES_MAX / STORE_BULK_BYTES };
    struct domain *d = *state;
    struct stride fits = {.size = (uint64_t)FITS * STORE_BULK_BYTES, .step = STORE_BULK_BYTES},
                  more = {.size = fits.size + STORE_BULK_BYTES * 3, .step = STORE_BULK_BYTES};

    make_zeros(d, more.size);
    draft_works(d, false, edit_strided, &fits);
    assert_int_equal(chunks(d), FITS);
    FAILS(try_draft(d, false, edit_strided, &more), ERR_DEFER, &d->f->err);
    draft_works(d, true, edit_strided, &more);
    for (uint64_t i = 0; i < FITS + 3; i += 13) {
        assert_int_equal(byte_at(d, i * STORE_BULK_BYTES), 5);
        assert_int_equal(byte_at(d, i * STORE_BULK_BYTES + 1), 0);
    }
    assert_int_equal(chunks(d), FITS + 3);
}

static enum err_code
fill_then_edit_strided(struct draft *draft, void *context, struct err *err)
{
    const struct stride *s = context;
    struct shape shape = {.rank = 1, .dims = {s->size}};
    struct draft_variable *variable = NULL;
    AUTO_WRITER w = NULL;

    TRY(draft_find(draft, "v", &variable, err));
    TRY(draft_write_open(draft, variable, s->size, &w, err));
    TRY(draft_write_fill(w, "\7", 1, err));
    TRY(draft_write_close(TAKE(w), &shape, err));
    return edit_strided(draft, context, err);
}

/* Over what the run has made there are no chunks yet that could be replaced: all are made anew. */
static void
so_are_edits_of_what_the_run_has_filled(void **state)
{
    struct domain *d = *state;
    struct stride s = {.size = DRAFT_EDIT_BYTES_MAX + STORE_BULK_BYTES * 2,
                       .step = STORE_BULK_BYTES};

    make_zeros(d, s.size);
    draft_works(d, true, fill_then_edit_strided, &s);
    for (uint64_t at = 0; at + 1 < s.size; at += 11 * STORE_BULK_BYTES) {
        assert_int_equal(byte_at(d, at), 5);
        assert_int_equal(byte_at(d, at + 1), 7);
    }
    assert_int_equal(findings(d), 0);
}

/* Chunks that edits come back to are rewritten once, so they are counted once. */
static enum err_code
edit_two_ends(struct draft *draft, void *context, struct err *err)
{
    const struct stride *s = context;

    for (uint64_t i = 0; i < 8000; i++)
        TRY(write_part(draft, "v", i % 2 == 0 ? i * 60 : s->size - 1 - i * 60, "\5", 1, err));
    return OK;
}

static void
edits_that_go_to_and_fro_do_not_rewrite_the_rest(void **state)
{
    struct domain *d = *state;
    struct stride s = {.size = (uint64_t)1 << 32};

    make_zeros(d, s.size);
    draft_works(d, true, edit_two_ends, &s);
    assert_in_range(chunks(d), 2, 20);
    assert_int_equal(byte_at(d, 0), 5);
    assert_int_equal(byte_at(d, s.size - 1 - 60), 5);
}

/* Many values of which each is edited a little: together too much for a commit. */
enum { TABLES = 3, TABLE = 60 * STORE_BULK_BYTES };

static enum err_code
edit_tables(struct draft *draft, void *context, struct err *err)
{
    const struct stride *s = context;
    char name[16];

    for (int i = 0; i < TABLES; i++) {
        snprintf(name, sizeof name, "t%d", i);
        for (uint64_t at = 0; at < s->size; at += s->step)
            TRY(write_part(draft, name, at, "\5", 1, err));
    }
    return OK;
}

static void
edits_of_many_values_count_together(void **state)
{
    struct domain *d = *state;
    struct stride s = {.size = TABLE, .step = STORE_BULK_BYTES};
    uint8_t *bytes = calloc(1, TABLE);
    char name[16];

    assert_non_null(bytes);
    for (int i = 0; i < TABLES; i++) {
        snprintf(name, sizeof name, "t%d", i);
        make_bytes(d, name, bytes, TABLE, false);
    }
    for (size_t at = 0; at < TABLE; at += STORE_BULK_BYTES)
        bytes[at] = 5;
    FAILS(try_draft(d, false, edit_tables, &s), ERR_DEFER, &d->f->err);
    draft_works(d, true, edit_tables, &s);
    for (int i = 0; i < TABLES; i++) {
        snprintf(name, sizeof name, "t%d", i);
        bytes_must_be(d, name, bytes, TABLE);
    }
    assert_int_equal(chunks(d), TABLES * 60);
    free(bytes);
}

/* Values that are edited as a whole are in memory until they are too many. */
static enum err_code
edit_many_small(struct draft *draft, void *context, struct err *err)
{
    char name[16];

    (void)context;
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "s%d", i);
        TRY(write_part(draft, name, 7, "\5", 1, err));
    }
    return OK;
}

static void
small_values_that_are_many_are_staged(void **state)
{
    enum { SMALL = 60000 };
    struct domain *d = *state;
    uint8_t *bytes = some_bytes(SMALL, 8);
    char name[16];

    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "s%d", i);
        make_bytes(d, name, bytes, SMALL, i % 2 == 0);
    }
    bytes[7] = 5;
    FAILS(try_draft(d, false, edit_many_small, NULL), ERR_DEFER, &d->f->err);
    draft_works(d, true, edit_many_small, NULL);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "s%d", i);
        bytes_must_be(d, name, bytes, SMALL);
    }
    free(bytes);
}

static void
edits_take_no_more_memory_than_an_expression(void **state)
{
    struct domain *d = *state;
    struct stride s = {.size = 3000000, .step = 1024};

    make_zeros(d, s.size);
    d->limits.expression_bytes_max = 1000000;
    domain_restart(d);
    for (int i = 0; i < 2; i++)
        REFUSES(try_draft(d, i == 1, edit_strided, &s), ERR_PAYLOAD_TOO_LARGE,
                "expression_max_bytes", &d->f->err);
    assert_int_equal(chunks(d), 0);
}

/* --- edits over edits ----------------------------------------------------------------------- */

/* Layers of edits, each with a checkpoint that holds it, of one byte in ever another chunk. */
struct layers {
    int count;
    size_t size;
};

static size_t
layer_place(const struct layers *l, int layer)
{
    return ((size_t)layer * (STORE_BULK_BYTES + 1)) % l->size;
}

static enum err_code
pile_up(struct draft *draft, void *context, struct err *err)
{
    const struct layers *l = context;
    char name[16];

    for (int i = 0; i < l->count; i++) {
        const uint8_t byte = (uint8_t)(i % 250 + 1);

        TRY(write_part(draft, "v", layer_place(l, i), &byte, 1, err));
        snprintf(name, sizeof name, "c%d", i);
        if (i % 100 == 99)
            TRY(save_now(draft, "kept", "v", true, err));
        TRY(save_now(draft, name, "v", false, err));
    }
    return OK;
}

static void
must_be_piled(struct domain *d, const struct layers *l, uint8_t *bytes)
{
    char name[16];

    for (int i = 0; i < l->count; i++) {
        bytes[layer_place(l, i)] = (uint8_t)(i % 250 + 1);
        snprintf(name, sizeof name, "c%d", i);
        if (i % 97 == 0 || i == l->count - 1)
            saved_must_be(d, name, "v", bytes, l->size);
    }
    bytes_must_be(d, "v", bytes, l->size);
}

/* More chunks than a commit rewrites: those of the older layers are staged, over whatever edits lie
 * below them. */
static void
edits_pile_up_as_high_as_a_run_is_long(void **state)
{
    struct domain *d = *state;
    struct layers l = {.count = 300, .size = 10 * STORE_BULK_BYTES};
    uint8_t *bytes = some_bytes(l.size, 1);

    make_bytes(d, "v", bytes, l.size, false);
    draft_works(d, true, pile_up, &l);
    must_be_piled(d, &l, bytes);
    assert_int_equal(findings(d), 0);
    /* Each layer has a chunk of its own; only the first layer's was in no checkpoint before. */
    assert_int_equal(chunks(d), 9 + (uint64_t)l.count);
    free(bytes);
}

static enum err_code
pile_up_high(struct draft *draft, void *context, struct err *err)
{
    const struct layers *l = context;
    struct draft_variable *variable = NULL;
    uint8_t byte = 0;

    TRY(draft_find(draft, "v", &variable, err));
    for (int i = 0; i < l->count; i++) {
        TRY(write_part(draft, "v", 7, &(uint8_t){(uint8_t)i}, 1, err));
        variable->value->holders++; /* as a checkpoint would */
    }
    TRY(draft_read(draft, variable, 7, 1, &byte, err));
    HOLDS(byte == (uint8_t)(l->count - 1));
    TRY(draft_read(draft, variable, l->size - 1, 1, &byte, err));
    return err_set(err, ERR_ABORTED, "enough");
}

static void
reading_through_many_edits_takes_no_stack(void **state)
{
    struct domain *d = *state;
    struct layers l = {.count = 20000, .size = 100000};
    uint8_t *bytes = some_bytes(l.size, 1);

    make_bytes(d, "v", bytes, l.size, false);
    FAILS(try_draft(d, true, pile_up_high, &l), ERR_ABORTED, &d->f->err);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_row_of_a_huge_value_costs_its_chunk),
        DOMAIN_TEST(edits_of_too_many_chunks_are_made_ahead_and_staged),
        DOMAIN_TEST(so_are_edits_of_what_the_run_has_filled),
        DOMAIN_TEST(edits_that_go_to_and_fro_do_not_rewrite_the_rest),
        DOMAIN_TEST(edits_of_many_values_count_together),
        DOMAIN_TEST(small_values_that_are_many_are_staged),
        DOMAIN_TEST(edits_take_no_more_memory_than_an_expression),
        DOMAIN_TEST(edits_pile_up_as_high_as_a_run_is_long),
        DOMAIN_TEST(reading_through_many_edits_takes_no_stack),
    };

    return cmocka_run_group_tests_name("draft_edit_limits", tests, NULL, NULL);
}
