/* The life of a draft, its variables, and reading them, inside a commit and ahead of it. */
#include "tests/unit/service/draft_fixture.h"

enum { RECORD = 5000, CHUNKED = 300001 };

static const char *const kinds[] = {"inline", "record", "chunks", "rows", "fill", "recipe"};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* A variable of every kind of value, and what it holds. */
struct held {
    uint8_t *bytes[KINDS];
    size_t sizes[KINDS];
};

static void
make_kinds(struct domain *d, struct held *held)
{
    const size_t sizes[] = {100, RECORD, CHUNKED, CHUNKED, 400000, 400000};
    struct variable_spec spec = spec_named("recipe");
    struct expr_tree tree = filled(2.5f, 100000);

    domain_with_recipes(d);
    for (size_t i = 0; i < 4; i++)
        make_bytes(d, kinds[i], held->bytes[i] = some_bytes(sizes[i], (uint32_t)i), sizes[i],
                   i == 3);
    create(d, "fill", &tree);
    tree = tree_new();
    (void)exprs_set_seed(
        exprs_set_shape(exprs_op(&tree, "random_uniform", 0), "shape", exprs_shape(1, 100000)),
        "seed", 7);
    spec.is_virtual = true;
    WORKS(try_create(d, spec, &tree), &d->f->err);
    WORKS(try_initialize(d,
                         (struct initialize_spec){.names = (const char *[]){"fill", "recipe"},
                                                  .name_count = 2},
                         NULL),
          &d->f->err);
    for (size_t i = 4; i < KINDS; i++)
        held->bytes[i] = value_of(d, kinds[i], &held->sizes[i]);
    for (size_t i = 0; i < KINDS; i++)
        held->sizes[i] = sizes[i];
}

static void
drop_kinds(struct held *held)
{
    for (size_t i = 0; i < KINDS; i++)
        free(held->bytes[i]);
}

static enum err_code
read_kinds(struct draft *draft, void *context, struct err *err)
{
    const struct held *held = context;

    for (size_t i = 0; i < KINDS; i++) {
        struct expr_source source = draft_source(draft);
        struct draft_variable *variable = NULL;
        struct tensor_type type;
        uint64_t size = 0;
        uint8_t byte = 0;

        TRY(drafted_is(draft, kinds[i], held->bytes[i], held->sizes[i], err));
        TRY(draft_find(draft, kinds[i], &variable, err));
        HOLDS(variable->found && variable->relied_on && variable->changes == 0);
        HOLDS(variable->row_updates == (i == 3) && variable->is_virtual == (i == 5));
        HOLDS(draft_has_before(variable));
        TRY(draft_read_before(draft, variable, 99, 1, &byte, err));
        HOLDS(byte == held->bytes[i][99]);
        TRY(source.type(source.context, kinds[i], i % 2 == 0, &type, err));
        HOLDS(type.dtype == (i < 4 ? DTYPE_UINT8 : DTYPE_FLOAT32));
        HOLDS(tensor_type_bytes(&type) == held->sizes[i]);
        TRY(source.size(source.context, kinds[i], false, &size, err));
        HOLDS(size == held->sizes[i]);
        TRY(source.read(source.context, kinds[i], true, 98, 1, &byte, err));
        HOLDS(byte == held->bytes[i][98]);
    }
    return OK;
}

static void
every_kind_of_value_is_read_where_it_is(void **state)
{
    struct domain *d = *state;
    struct held held;
    uint64_t revision;

    make_kinds(d, &held);
    revision = service_revision(d->service);
    draft_works(d, false, read_kinds, &held);
    draft_works(d, true, read_kinds, &held);
    assert_int_equal(service_revision(d->service), revision);
    drop_kinds(&held);
}

/* --- lending ------------------------------------------------------------------------------- */

static enum err_code
lend(struct draft *draft, const char *name, uint64_t offset, uint64_t size, struct bytes *out,
     struct err *err)
{
    struct expr_source source = draft_source(draft);

    return source.lend(source.context, name, false, offset, size, out, err);
}

static enum err_code
lend_kinds(struct draft *draft, void *context, struct err *err)
{
    const struct held *held = context;
    struct bytes out = {0};

    for (size_t i = 0; i < 5; i++) { /* what lies together is lent */
        TRY(lend(draft, kinds[i], 0, 64, &out, err));
        HOLDS(out.size == 64 && memcmp(out.data, held->bytes[i], 64) == 0);
    }
    TRY(lend(draft, "recipe", 0, 64, &out, err)); /* made when read */
    HOLDS(out.data == NULL);
    TRY(lend(draft, "chunks", STORE_BULK_BYTES - 1, 2, &out, err)); /* of two chunks */
    HOLDS(out.data == NULL);
    TRY(lend(draft, "inline", 100, 0, &out, err));
    HOLDS(out.data == NULL && out.size == 0);
    TRY(write_whole(draft, "inline", held->bytes[1], 100, err));
    TRY(lend(draft, "inline", 40, 40, &out, err)); /* in memory */
    HOLDS(memcmp(out.data, held->bytes[1] + 40, 40) == 0);
    TRY(write_part(draft, "chunks", 5, "x", 1, err));
    TRY(lend(draft, "chunks", 0, 64, &out, err)); /* in parts */
    HOLDS(out.data == NULL);
    return OK;
}

/* A lender's bytes stay where they are while other variables are written. */
static enum err_code
lend_while_staging(struct draft *draft, void *context, struct err *err)
{
    const struct held *held = context;
    struct bytes first = {0}, second = {0}, memory = {0}, staged = {0};
    char name[16];

    TRY(lend(draft, "chunks", 1000, 5000, &first, err));
    TRY(lend(draft, "record", 0, RECORD, &second, err));
    TRY(write_whole(draft, "inline", held->bytes[1], 100, err));
    TRY(lend(draft, "inline", 0, 100, &memory, err));
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "t%d", i);
        TRY(write_whole(draft, name, held->bytes[2], CHUNKED, err));
        TRY(lend(draft, name, 0, 64, &staged, err)); /* may be written out when more comes */
        HOLDS(staged.data == NULL);
        TRY(drafted_is(draft, name, held->bytes[2], CHUNKED, err));
    }
    HOLDS(memcmp(first.data, held->bytes[2] + 1000, 5000) == 0);
    HOLDS(memcmp(second.data, held->bytes[1], RECORD) == 0);
    HOLDS(memcmp(memory.data, held->bytes[1], 100) == 0);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "t%d", i);
        TRY(drafted_is(draft, name, held->bytes[2], CHUNKED, err));
    }
    return OK;
}

static void
bytes_are_lent_where_they_lie_together_and_stay(void **state)
{
    struct domain *d = *state;
    struct held held;
    char name[16];

    make_kinds(d, &held);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "t%d", i);
        make_bytes(d, name, NULL, CHUNKED, false);
    }
    draft_works(d, false, lend_kinds, &held);
    assign(d, "chunks", DTYPE_UINT8, exprs_shape(1, CHUNKED), held.bytes[2]);
    assign(d, "inline", DTYPE_UINT8, exprs_shape(1, 100), held.bytes[0]);
    draft_works(d, true, lend_kinds, &held);
    assign(d, "chunks", DTYPE_UINT8, exprs_shape(1, CHUNKED), held.bytes[2]);
    draft_works(d, true, lend_while_staging, &held);
    bytes_must_be(d, "t0", held.bytes[2], CHUNKED);
    bytes_must_be(d, "t11", held.bytes[2], CHUNKED);
    drop_kinds(&held);
}

/* --- what is not there --------------------------------------------------------------------- */

static enum err_code
look_for_nothing(struct draft *draft, void *context, struct err *err)
{
    struct expr_source source = draft_source(draft);
    struct draft_variable *variable = NULL;
    struct tensor_type type;
    struct bytes lent;
    uint64_t size = 0;
    uint8_t byte = 0;

    (void)context;
    MUST_FAIL(draft_find(draft, "absent", &variable, err), ERR_NOT_FOUND,
              "there is no variable 'absent'");
    TRY(draft_look(draft, "absent", &variable, err));
    HOLDS(variable == NULL);
    MUST_FAIL(draft_find(draft, "a//b", &variable, err), ERR_INVALID_ARGUMENT, "empty segment");
    MUST_FAIL(draft_find(draft, "", &variable, err), ERR_INVALID_ARGUMENT, "");
    MUST_FAIL(source.type(source.context, "absent", false, &type, err), ERR_NOT_FOUND, "'absent'");
    MUST_FAIL(source.read(source.context, "absent", false, 0, 1, &byte, err), ERR_NOT_FOUND,
              "'absent'");
    TRY(draft_find(draft, "empty", &variable, err));
    HOLDS(variable->value == NULL && draft_size(variable) == 0 && !variable->relied_on);
    TRY(source.type(source.context, "empty", false, &type, err));
    HOLDS(type.shape.dims[0] == 3);
    MUST_FAIL(draft_find_initialized(draft, "empty", &variable, err), ERR_FAILED_PRECONDITION,
              "uninitialized value empty");
    HOLDS(variable->relied_on && !draft_has_before(variable));
    MUST_FAIL(draft_read(draft, variable, 0, 1, &byte, err), ERR_FAILED_PRECONDITION, "'empty'");
    MUST_FAIL(draft_lend(draft, variable, 0, 1, &lent, err), ERR_FAILED_PRECONDITION, "'empty'");
    MUST_FAIL(source.read(source.context, "empty", false, 0, 1, &byte, err),
              ERR_FAILED_PRECONDITION, "'empty'");
    MUST_FAIL(source.lend(source.context, "empty", true, 0, 1, &lent, err), ERR_FAILED_PRECONDITION,
              "'empty'");
    MUST_FAIL(source.size(source.context, "empty", false, &size, err), ERR_FAILED_PRECONDITION,
              "'empty'");
    MUST_FAIL(write_part(draft, "empty", 0, "x", 1, err), ERR_FAILED_PRECONDITION, "'empty'");
    MUST_FAIL(source.type(source.context, "open", false, &type, err), ERR_FAILED_PRECONDITION,
              "'open'");
    return OK;
}

static void
what_is_not_there_is_told_by_name(void **state)
{
    struct domain *d = *state;
    struct variable_spec spec = spec_named("open");
    struct drafting w = {.d = d, .make = look_for_nothing};

    make_bytes(d, "empty", NULL, 3, false);
    spec.dtype = DTYPE_UINT8;
    spec.validate_shape = false;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    draft_works(d, false, look_for_nothing, NULL);
    draft_works(d, true, look_for_nothing, NULL);
    delete_model(d);
    REFUSES(drafting_ahead(&w), ERR_NOT_FOUND, "'m'", &d->f->err);
    REFUSES(drafting_commit(&w, NULL), ERR_NOT_FOUND, "'m'", &d->f->err);
    model_make(d, MODEL);
}

static enum err_code
look_at_many(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable *variable = NULL;
    char name[16];

    (void)context;
    for (int i = 0; i < 40; i++) { /* out of order, twice each */
        snprintf(name, sizeof name, "v%d", i * 7 % 20);
        TRY(draft_look(draft, name, &variable, err));
        HOLDS(i * 7 % 20 < 10 ? strcmp(variable->name, name) == 0 : variable == NULL);
    }
    HOLDS(draft->variable_count == 20);
    for (size_t i = 1; i < 20; i++)
        HOLDS(strcmp(draft->variables[i - 1]->name, draft->variables[i]->name) < 0);
    MUST_FAIL(draft_look(draft, "one_more", &variable, err), ERR_INVALID_ARGUMENT,
              "more than 20 variables in one request (variables_per_request_max)");
    return OK;
}

static void
a_draft_has_room_for_so_many_variables(void **state)
{
    struct domain *d = *state;
    char name[16];

    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "v%d", i);
        make_bytes(d, name, "\1", 1, false);
    }
    d->limits.variables_per_request_max = 20;
    domain_restart(d);
    draft_works(d, false, look_at_many, NULL);
    draft_works(d, true, look_at_many, NULL);
}

/* --- conditions ---------------------------------------------------------------------------- */

static enum err_code
check_conditions(struct draft *draft, void *context, struct err *err)
{
    uint64_t wrong = 1, right = 0;
    struct write_options any = {.if_match_any = true}, none = {.if_none_match = true},
                         match = {.if_match = true, .revisions = &wrong, .revision_count = 1};
    struct draft_variable *variable = NULL;

    (void)context;
    TRY(draft_find(draft, "v", &variable, err));
    TRY(draft_check_conditions(variable, NULL, err));
    TRY(draft_check_conditions(variable, &(struct write_options){.durable = true}, err));
    HOLDS(!variable->revision_relied_on);
    TRY(draft_check_conditions(variable, &any, err));
    HOLDS(variable->revision_relied_on && !variable->relied_on);
    MUST_FAIL(draft_check_conditions(variable, &match, err), ERR_PRECONDITION_FAILED, "'v'");
    MUST_FAIL(draft_check_conditions(variable, &none, err), ERR_PRECONDITION_FAILED, "'v'");
    right = variable->revision;
    match.revisions = &right;
    TRY(draft_check_conditions(variable, &match, err));
    TRY(draft_check_model(draft, NULL, err));
    HOLDS(!draft->model_relied_on);
    TRY(draft_check_model(draft, &any, err));
    HOLDS(draft->model_relied_on);
    match.revisions = &draft->model_revision;
    TRY(draft_check_model(draft, &match, err));
    match.revisions = &wrong;
    MUST_FAIL(draft_check_model(draft, &match, err), ERR_PRECONDITION_FAILED, "model 'm'");
    MUST_FAIL(draft_check_model(draft, &none, err), ERR_PRECONDITION_FAILED, "'m' exists");
    return OK;
}

static void
conditions_are_on_what_the_view_has(void **state)
{
    struct domain *d = *state;

    make_bytes(d, "v", "\1\2", 2, false);
    draft_works(d, false, check_conditions, NULL);
    draft_works(d, true, check_conditions, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(every_kind_of_value_is_read_where_it_is),
        DOMAIN_TEST(bytes_are_lent_where_they_lie_together_and_stay),
        DOMAIN_TEST(what_is_not_there_is_told_by_name),
        DOMAIN_TEST(a_draft_has_room_for_so_many_variables),
        DOMAIN_TEST(conditions_are_on_what_the_view_has),
    };

    return cmocka_run_group_tests_name("draft", tests, NULL, NULL);
}
