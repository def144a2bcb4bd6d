/* Models: creation and confirmation, labels, conditions, lists, and deletion that leaves nothing.
 */
#include "tests/unit/service/service_fixture.h"

static enum err_code
put_model(struct domain *d, const char *name, const struct model_spec *spec,
          const struct write_options *options, bool *created, struct model_info *info)
{
    uint64_t revision = 0;

    return model_create(d->service, name, spec, options, created, info, &revision, &d->f->err);
}

static void
a_model_is_created_then_confirmed(void **state)
{
    struct domain *d = *state;
    struct model_spec spec = {.has_seed = true, .seed = -1234}, silent = {0};
    struct model_info first, again;
    bool created = false;

    WORKS(put_model(d, "five_layers", &spec, NULL, &created, &first), &d->f->err);
    assert_true(created);
    assert_string_equal(first.name, "five_layers");
    assert_true(first.has_seed);
    assert_true(first.seed == -1234);
    assert_int_equal(first.variables + first.initialized + first.bytes + first.checkpoints, 0);
    WORKS(put_model(d, "five_layers", &spec, NULL, &created, &again), &d->f->err);
    assert_false(created);
    assert_int_equal(again.revision, first.revision);
    WORKS(put_model(d, "five_layers", &silent, NULL, &created, &again), &d->f->err);
    assert_true(again.has_seed);
    assert_int_equal(again.created_revision, first.created_revision);
}

static void
another_seed_is_a_conflict(void **state)
{
    struct domain *d = *state;
    struct model_spec spec = {.has_seed = true, .seed = 7};
    struct model_info info;
    bool created;

    REFUSES(put_model(d, MODEL, &spec, NULL, &created, &info), ERR_ALREADY_EXISTS,
            "exists with seed none, not 7", &d->f->err);
    WORKS(put_model(d, "other", &spec, NULL, &created, &info), &d->f->err);
    spec.seed = 8;
    REFUSES(put_model(d, "other", &spec, NULL, &created, &info), ERR_ALREADY_EXISTS,
            "exists with seed 7, not 8", &d->f->err);
}

static void
profile_and_seed_mode_are_kept_and_stay(void **state)
{
    struct domain *d = *state;
    struct model_spec plain = {0}, first = {.has_profile = true,
                                            .profile = RANDOM_PROFILE_FLOAT_CR,
                                            .has_seed_mode = true,
                                            .seed_mode = MODEL_SEED_MODE_TF};
    struct model_spec other = {.has_profile = true, .profile = RANDOM_PROFILE_R1_LINUX};
    struct model_spec another = {.has_seed_mode = true, .seed_mode = MODEL_SEED_MODE_NAME};
    struct model_info info;
    bool created = false;

    WORKS(put_model(d, "plain", &plain, NULL, &created, &info), &d->f->err);
    assert_int_equal(info.profile, RANDOM_PROFILE_R1_LINUX);
    assert_int_equal(info.seed_mode, MODEL_SEED_MODE_NAME);
    WORKS(put_model(d, "first", &first, NULL, &created, &info), &d->f->err);
    domain_reopen(d);
    WORKS(put_model(d, "first", &first, NULL, &created, &info), &d->f->err);
    assert_false(created);
    WORKS(put_model(d, "first", &plain, NULL, &created, &info), &d->f->err);
    assert_int_equal(info.profile, RANDOM_PROFILE_FLOAT_CR);
    assert_int_equal(info.seed_mode, MODEL_SEED_MODE_TF);
    REFUSES(put_model(d, "first", &other, NULL, &created, &info), ERR_ALREADY_EXISTS,
            "exists with profile float-cr, not r1-linux", &d->f->err);
    REFUSES(put_model(d, "first", &another, NULL, &created, &info), ERR_ALREADY_EXISTS,
            "exists with seed_mode tf, not name", &d->f->err);
    REFUSES(put_model(d, "plain", &first, NULL, &created, &info), ERR_ALREADY_EXISTS,
            "exists with profile r1-linux, not float-cr", &d->f->err);
}

static void
names_that_no_model_can_have_are_refused_everywhere(void **state)
{
    struct domain *d = *state;
    const char *bad[] = {"", "a/b", "_x", ".x", "a b", "é", NULL, NULL};
    struct model_spec spec = {0};
    struct model_info info;
    char *long_name = calloc(1, 3000);
    uint64_t revision;
    bool created;

    memset(long_name, 'a', 2999);
    bad[6] = long_name;
    for (size_t i = 0; bad[i] != NULL; i++) {
        FAILS(put_model(d, bad[i], &spec, NULL, &created, &info), ERR_INVALID_ARGUMENT, &d->f->err);
        FAILS(model_get(d->service, bad[i], &info, &d->f->err), ERR_NOT_FOUND, &d->f->err);
        FAILS(model_delete(d->service, bad[i], NULL, &revision, &d->f->err), ERR_NOT_FOUND,
              &d->f->err);
    }
    long_name[128] = '\0';
    WORKS(put_model(d, long_name, &spec, NULL, &created, &info), &d->f->err);
    assert_string_equal(info.name, long_name);
    free(long_name);
}

static void
labels_are_kept_replaced_and_limited(void **state)
{
    struct domain *d = *state;
    const struct record_label labels[] = {{"stage", "prod"}, {"", ""}, {"owner", "día"}};
    struct record_label many[RECORD_LABELS_MAX + 1];
    struct model_spec spec = {.has_labels = true, .labels = labels, .label_count = 3}, none = {0};
    struct model_info info;
    char *huge = calloc(1, 4097);
    uint64_t revision;

    WORKS(model_patch(d->service, MODEL, &spec, NULL, &info, &revision, &d->f->err), &d->f->err);
    assert_int_equal(info.revision, revision);
    WORKS(model_patch(d->service, MODEL, &none, NULL, &info, &revision, &d->f->err), &d->f->err);
    assert_int_equal(info.label_count, 3);
    assert_memory_equal(info.labels_text, "stage\0prod\0\0\0owner\0d\303\255a", 24);
    domain_reopen(d);
    assert_int_equal(usage_of_model(d).label_count, 3);
    for (size_t i = 0; i <= RECORD_LABELS_MAX; i++)
        many[i] = (struct record_label){"a", "b"};
    spec = (struct model_spec){
        .has_labels = true, .labels = many, .label_count = RECORD_LABELS_MAX + 1};
    FAILS(model_patch(d->service, MODEL, &spec, NULL, &info, &revision, &d->f->err),
          ERR_INVALID_ARGUMENT, &d->f->err);
    memset(huge, 'x', 4096);
    many[0].value = huge;
    spec.label_count = 1;
    REFUSES(model_patch(d->service, MODEL, &spec, NULL, &info, &revision, &d->f->err),
            ERR_INVALID_ARGUMENT, "labels take more than 4096 bytes", &d->f->err);
    spec.label_count = 0;
    WORKS(model_patch(d->service, MODEL, &spec, NULL, &info, &revision, &d->f->err), &d->f->err);
    assert_int_equal(info.label_count, 0);
    FAILS(model_patch(d->service, "absent", &spec, NULL, &info, &revision, &d->f->err),
          ERR_NOT_FOUND, &d->f->err);
    free(huge);
}

static void
conditions_are_kept(void **state)
{
    struct domain *d = *state;
    struct write_options fresh = {.if_none_match = true}, there = {.if_match_any = true};
    uint64_t revisions[2] = {1000000, 0}, revision;
    struct write_options match = {.if_match = true, .revisions = revisions, .revision_count = 2};
    struct model_spec spec = {0};
    struct model_info info;
    bool created;

    FAILS(put_model(d, MODEL, &spec, &fresh, &created, &info), ERR_PRECONDITION_FAILED, &d->f->err);
    FAILS(put_model(d, "new", &spec, &there, &created, &info), ERR_PRECONDITION_FAILED, &d->f->err);
    assert_int_equal(model_delete(d->service, MODEL, &match, &revision, &d->f->err),
                     ERR_PRECONDITION_FAILED);
    assert_int_equal(d->f->err.current_revision, usage_of_model(d).revision);
    assert_string_equal(d->f->err.about, MODEL);
    err_clear(&d->f->err);
    revisions[1] = usage_of_model(d).revision;
    WORKS(model_delete(d->service, MODEL, &match, &revision, &d->f->err), &d->f->err);
}

struct listing {
    char names[8][NAME_MODEL_BYTES_MAX + 1];
    size_t count;
};

static enum err_code
keep_name(void *context, const struct model_info *info, struct err *err)
{
    struct listing *listing = context;

    if (listing->count == 8)
        return err_set(err, ERR_INTERNAL, "too many");
    snprintf(listing->names[listing->count++], sizeof listing->names[0], "%s", info->name);
    return OK;
}

static void
models_are_listed_in_name_order_by_pages(void **state)
{
    struct domain *d = *state;
    struct listing listing = {.count = 0};
    uint64_t revision;
    bool more = false;

    model_make(d, "b");
    model_make(d, "a.1");
    model_make(d, "a");
    WORKS(model_list(d->service, NULL, 3, NULL, keep_name, &listing, &more, &revision, &d->f->err),
          &d->f->err);
    assert_true(more);
    assert_int_equal(listing.count, 3);
    assert_string_equal(listing.names[0], "a");
    assert_string_equal(listing.names[1], "a.1");
    assert_string_equal(listing.names[2], "b");
    WORKS(model_list(d->service, "b", 3, NULL, keep_name, &listing, &more, &revision, &d->f->err),
          &d->f->err);
    assert_false(more);
    assert_string_equal(listing.names[3], MODEL);
    assert_int_equal(listing.count, 4);
    assert_int_equal(revision, service_revision(d->service));
}

/* Variables of every size, with draws and big initial values, checkpoints that share and that do
 * not, name counters. */
static void
fill_model(struct domain *d)
{
    enum { BIG = 300000 };
    uint8_t *bytes = some_bytes(BIG * 4, 1);
    struct expr_tree tree = tree_new();

    (void)exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", exprs_shape(1, 70000));
    create(d, "random", &tree);
    create_literal(d, "big", DTYPE_FLOAT32, exprs_shape(1, BIG), bytes);
    create_literal(d, "small", DTYPE_UINT8, exprs_shape(1, 5000), bytes);
    declare(d, "declared", DTYPE_INT64, exprs_shape(2, 3, 3));
    for (int i = 0; i < 3; i++) {
        struct variable_spec spec = variable_spec_default();
        struct shape shape = scalar();

        spec.dtype = DTYPE_INT32;
        spec.shape = &shape;
        WORKS(try_create(d, spec, NULL), &d->f->err);
    }
    initialize_all(d);
    {
        const struct checkpoint_pick picks[] = {{"a", "big"}, {"b", "big"}, {"c", "random"}};
        struct checkpoint_save_spec spec = {.name = "one", .picks = picks, .pick_count = 3};

        WORKS(try_save(d, spec, NULL), &d->f->err);
    }
    memset(bytes, 1, BIG * 4);
    assign(d, "big", DTYPE_FLOAT32, exprs_shape(1, BIG), bytes);
    free(bytes);
}

static void
deleting_a_model_frees_everything_in_it(void **state)
{
    struct domain *d = *state;
    struct model_info info;
    uint64_t empty = records(d), revision;

    assert_int_equal(chunks(d), 0);
    fill_model(d);
    model_make(d, "other");
    assert_in_range(chunks(d), 10, 1000);
    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    FAILS(model_get(d->service, MODEL, &info, &d->f->err), ERR_NOT_FOUND, &d->f->err);
    assert_int_equal(chunks(d), 0);
    assert_int_equal(records(d), empty); /* "other" has as many as "m" had */
    model_make(d, MODEL);
    assert_int_equal(usage_of_model(d).variables, 0);
}

static void
a_model_of_many_variables_is_deleted_in_pages(void **state)
{
    enum { COUNT = 700 };
    struct domain *d = *state;
    struct variable_spec *specs = calloc(COUNT, sizeof *specs);
    struct variable_info *infos = calloc(COUNT, sizeof *infos);
    struct shape shape = exprs_shape(1, 0);
    uint64_t empty = records(d), revision;

    for (size_t i = 0; i < COUNT; i++) {
        specs[i] = variable_spec_default();
        specs[i].dtype = DTYPE_FLOAT64;
        specs[i].shape = &shape;
    }
    WORKS(variable_create(d->service, MODEL, specs, COUNT, NULL, infos, &revision, &d->f->err),
          &d->f->err);
    assert_string_equal(infos[699].name, "Variable_699");
    assert_int_equal(usage_of_model(d).initialized, COUNT);
    (void)save(d, "all");
    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    model_make(d, MODEL);
    assert_int_equal(records(d), empty);
    free(specs);
    free(infos);
}

static void
a_deletion_that_runs_out_of_memory_deletes_nothing(void **state)
{
    struct domain *d = *state;
    uint64_t revision, before, nth = 1;
    enum err_code code = ERR_NO_MEMORY;

    fill_model(d);
    before = records(d);
    for (; nth < 2000 && code != OK; nth += 1 + nth / 16) {
        (void)mem_fail_at(nth, 0);
        code = model_delete(d->service, MODEL, NULL, &revision, &d->f->err);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_int_equal(records(d), before);
    }
    assert_int_equal(code, OK);
    assert_in_range(nth, 3, 1999);
    assert_int_equal(chunks(d), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_model_is_created_then_confirmed),
        DOMAIN_TEST(another_seed_is_a_conflict),
        DOMAIN_TEST(profile_and_seed_mode_are_kept_and_stay),
        DOMAIN_TEST(names_that_no_model_can_have_are_refused_everywhere),
        DOMAIN_TEST(labels_are_kept_replaced_and_limited),
        DOMAIN_TEST(conditions_are_kept),
        DOMAIN_TEST(models_are_listed_in_name_order_by_pages),
        DOMAIN_TEST(deleting_a_model_frees_everything_in_it),
        DOMAIN_TEST(a_model_of_many_variables_is_deleted_in_pages),
        DOMAIN_TEST(a_deletion_that_runs_out_of_memory_deletes_nothing),
    };

    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
