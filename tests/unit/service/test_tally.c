/* Who has which bytes: whatever was saved, changed, restored and deleted, in one model or between
 * two, the numbers are those of a count over all pieces; and what a deletion is said to free is
 * what is gone after it. */
#include <inttypes.h>

#include "service/usage/usage.h"
#include "tests/unit/service/tally_plain.h"

enum { VARIABLES = 5, FILL = 4, CHECKPOINTS = 6, ROUNDS = 60, PART_MAX = 60000 };

/* A few bytes, a record, some chunks, rows, and a fill that has room for several segments. */
static const uint64_t sizes[VARIABLES] = {100, 9000, 900001, 120000, 600000000};

static uint32_t
next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* --- both counts --------------------------------------------------------------------------- */

static enum err_code
compare_listed(void *context, const struct checkpoint_info *info, struct err *err)
{
    struct plain *plain = context;

    (void)err;
    for (uint32_t i = 0; i < plain->owner_count; i++) {
        uint64_t owner = UINT64_C(1) << i, unique = bytes_among(plain, owner, true);

        if (plain->models[i] != plain->owner || strcmp(plain->names[i], info->name) != 0)
            continue;
        assert_true(info->has_usage);
        assert_int_equal(info->unique_bytes, unique);
        assert_int_equal(info->shared_bytes, bytes_among(plain, owner, false) - unique);
        return OK;
    }
    fail_msg("there is no checkpoint '%s'", info->name);
    return OK;
}

static enum err_code
pass_by(void *context, const struct checkpoint_tensor *tensor, struct err *err)
{
    uint64_t *unique = context;

    (void)err;
    *unique += tensor->unique_bytes;
    return OK;
}

static void
compare_inspected(struct domain *d, const struct plain *plain, uint32_t i)
{
    uint64_t owner = UINT64_C(1) << i, unique = bytes_among(plain, owner, true), sum = 0;
    struct checkpoint_info info;
    struct buf metadata;

    buf_init(&metadata, CHECKPOINT_METADATA_BYTES_MAX);
    WORKS(checkpoint_inspect(d->service, models[plain->models[i]], plain->names[i], &info,
                             &metadata, pass_by, &sum, &d->f->err),
          &d->f->err);
    assert_int_equal(info.unique_bytes, unique);
    assert_int_equal(info.shared_bytes, bytes_among(plain, owner, false) - unique);
    assert_in_range(sum, 0, unique);
    buf_drop(&metadata);
}

static uint64_t
common_bytes(const struct plain *plain, uint32_t model)
{
    uint64_t checkpoints = owners_of_model(plain, model, true), bytes = 0;

    for (size_t i = 0; i < plain->count; i++)
        if (__builtin_popcountll(plain->pieces[i].owners & checkpoints) > 1)
            bytes += plain->pieces[i].size;
    return bytes;
}

static void
compare_usage(struct domain *d, const struct plain *plain)
{
    struct service_usage usage;

    WORKS(service_usage_open(d->service, &usage, &d->f->err), &d->f->err);
    WORKS(service_usage_run(&usage, true, &d->f->err), &d->f->err);
    assert_int_equal(usage.model_count, 2);
    for (uint32_t m = 0; m < 2; m++) {
        uint64_t owners = owners_of_model(plain, m, false), unique_bytes = 0;

        assert_string_equal(usage.models[m].name, models[m]);
        assert_int_equal(usage.models[m].stored_bytes, bytes_among(plain, owners, false));
        assert_int_equal(usage.models[m].unique_bytes, bytes_among(plain, owners, true));
        assert_int_equal(usage.models[m].common_bytes, common_bytes(plain, m));
        WORKS(model_unique_bytes(d->service, models[m], &unique_bytes, &d->f->err), &d->f->err);
        assert_int_equal(unique_bytes, usage.models[m].stored_bytes);
    }
    assert_int_equal(usage.total.stored_bytes, bytes_among(plain, UINT64_MAX, false));
    service_usage_drop(&usage);
}

static struct plain *
compare_all(struct domain *d)
{
    struct plain *plain = count_plainly(d);

    for (uint32_t m = 0; m < 2; m++) {
        uint64_t revision = 0, before = 0;
        bool more = false;

        plain->owner = m;
        WORKS(checkpoint_list(d->service, models[m], before, 100, true, compare_listed, plain,
                              &more, &revision, &d->f->err),
              &d->f->err);
        /* Others of the model are nobody special to a page. */
        WORKS(checkpoint_list(d->service, models[m], before, 2, true, compare_listed, plain, &more,
                              &revision, &d->f->err),
              &d->f->err);
    }
    for (uint32_t i = 0; i < plain->owner_count; i++)
        if (plain->names[i][0] != '\0')
            compare_inspected(d, plain, i);
    compare_usage(d, plain);
    return plain;
}

/* --- something happens --------------------------------------------------------------------- */

static void
write_part(struct domain *d, const char *model, uint32_t variable, uint32_t *random)
{
    uint64_t size = sizes[variable], most = size / 20 < PART_MAX ? size / 20 : PART_MAX;
    uint64_t count = 1 + next(random) % (most + 1);
    uint64_t begin = (uint64_t)next(random) * next(random) % (size - count + 1);
    struct tensor_type type = type_of(DTYPE_UINT8, exprs_shape(1, count));
    uint8_t *data = some_bytes(count, next(random));
    struct memory_source from = memory_of(data, count);
    struct tensor_source source = source_of(&from);
    struct variable_assign_options how = {.slice = bytes_of(NULL, 0)};
    struct variable_change change;
    char name[8], slice[64];

    snprintf(name, sizeof name, "v%" PRIu32, variable);
    snprintf(slice, sizeof slice, "%" PRIu64 ":%" PRIu64, begin, begin + count);
    how.slice = bytes_of_text(slice);
    WORKS(variable_assign(d->service, model, name, &type, count, &source, &how, NULL, &change,
                          &d->f->err),
          &d->f->err);
    free(data);
}

static void
write_whole(struct domain *d, const char *model, uint32_t variable, uint32_t *random)
{
    struct tensor_type type = type_of(DTYPE_UINT8, exprs_shape(1, sizes[variable]));
    uint8_t *data = some_bytes(sizes[variable], next(random));
    struct memory_source from = memory_of(data, sizes[variable]);
    struct tensor_source source = source_of(&from);
    struct variable_assign_options how = {.slice = bytes_of(NULL, 0)};
    struct variable_change change;
    char name[8];

    snprintf(name, sizeof name, "v%" PRIu32, variable);
    WORKS(variable_assign(d->service, model, name, &type, sizes[variable], &source, &how, NULL,
                          &change, &d->f->err),
          &d->f->err);
    free(data);
}

/* All of them, or one under two names. */
static void
save_some(struct domain *d, const char *model, uint32_t *random)
{
    const struct checkpoint_pick twice[] = {{"x", "v2"}, {"y", "v2"}, {"z", "v1"}, {"w", "v1"}};
    struct checkpoint_save_spec spec = {.overwrite = true};
    struct run_report report;
    char name[8];

    snprintf(name, sizeof name, "c%" PRIu32, next(random) % CHECKPOINTS);
    spec.name = name;
    if (next(random) % 4 == 0) {
        spec.picks = twice;
        spec.pick_count = 4;
    }
    WORKS(checkpoint_save(d->service, model, &spec, NULL, &report, &d->f->err), &d->f->err);
    run_report_drop(&report);
}

/* From this model or the other, as far as names and types fit. */
static void
restore_some(struct domain *d, uint32_t to, const char *name, uint32_t from)
{
    struct checkpoint_restore_spec spec = {.name = name,
                                           .source_model = models[from],
                                           .on_missing = RESTORE_SKIP,
                                           .on_extra = RESTORE_SKIP,
                                           .on_mismatch = RESTORE_SKIP};
    struct restore_report report = {.revision = 0};

    WORKS(checkpoint_restore(d->service, models[to], &spec, NULL, &report, &d->f->err), &d->f->err);
    restore_report_drop(&report);
}

static struct expr_tree
zeros_tree(uint64_t count)
{
    struct expr_tree tree = tree_new();

    (void)exprs_set_dtype(
        exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(1, count)), "dtype",
        DTYPE_UINT8);
    return tree;
}

static void
initialize_fill(struct domain *d, const char *model)
{
    const char *const names[] = {"v4"};
    struct initialize_spec spec = {.names = names, .name_count = 1};
    struct run_report report;

    WORKS(model_initialize(d->service, model, &spec, NULL, &report, &d->f->err), &d->f->err);
    run_report_drop(&report);
}

static void
make_model(struct domain *d, const char *model, uint32_t *random)
{
    for (uint32_t v = 0; v < VARIABLES; v++) {
        struct variable_info *info = calloc(1, sizeof *info);
        struct shape shape = exprs_shape(1, sizes[v]);
        struct expr_tree zeros = zeros_tree(sizes[v]);
        struct variable_spec spec;
        uint64_t revision;
        char name[8];

        assert_non_null(info);
        snprintf(name, sizeof name, "v%" PRIu32, v);
        spec = spec_named(name);
        spec.dtype = DTYPE_UINT8;
        spec.shape = &shape;
        spec.row_updates = v == 3;
        spec.initial_value = v == FILL ? &zeros : NULL;
        WORKS(variable_create(d->service, model, &spec, 1, NULL, info, &revision, &d->f->err),
              &d->f->err);
        variable_info_drop(info);
        free(info);
        expr_tree_drop(&zeros);
        if (v != FILL)
            write_whole(d, model, v, random);
    }
    initialize_fill(d, model);
}

/* One of the checkpoints there are, and what its going is said to free. */
static void
delete_one(struct domain *d, const struct plain *plain, uint32_t *random)
{
    uint32_t i = next(random) % plain->owner_count;
    uint64_t revision, before = bytes_among(plain, UINT64_MAX, false), unique;
    struct plain *after;

    if (plain->names[i][0] == '\0')
        return;
    unique = bytes_among(plain, UINT64_C(1) << i, true); /* as was compared */
    WORKS(checkpoint_delete(d->service, models[plain->models[i]], plain->names[i], NULL, &revision,
                            &d->f->err),
          &d->f->err);
    after = count_plainly(d);
    assert_int_equal(before - bytes_among(after, UINT64_MAX, false), unique);
    free(after);
}

static void
what_is_counted_is_what_is_there_and_what_goes_is_what_was_counted(void **state)
{
    struct domain *d = *state;
    uint32_t random = 5;

    model_make(d, models[1]);
    make_model(d, models[0], &random);
    make_model(d, models[1], &random);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t m = next(&random) % 2;
        struct plain *plain;

        write_part(d, models[m], next(&random) % VARIABLES, &random);
        if (next(&random) % 5 == 0)
            write_whole(d, models[m], next(&random) % FILL, &random);
        save_some(d, models[m], &random);
        plain = compare_all(d);
        if (next(&random) % 3 == 0) {
            uint32_t i = next(&random) % plain->owner_count;

            if (plain->names[i][0] != '\0')
                restore_some(d, m, plain->names[i], plain->models[i]);
        }
        free(plain);
        plain = compare_all(d);
        if (next(&random) % 2 == 0)
            delete_one(d, plain, &random);
        free(plain);
    }
}

static void
what_two_names_of_a_checkpoint_share_is_unique_to_it(void **state)
{
    const struct checkpoint_pick picks[] = {{"x", "v2"}, {"y", "copy"}};
    struct checkpoint_save_spec spec = {.name = "c", .picks = picks, .pick_count = 2};
    struct domain *d = *state;
    struct expr_tree copy = tree_new();
    struct checkpoint_info info;
    struct run_report report;
    struct buf metadata;
    uint32_t random = 1;
    uint64_t sum = 0;

    (void)exprs_variable(&copy, "v2", false);
    make_model(d, MODEL, &random);
    declare(d, "copy", DTYPE_UINT8, exprs_shape(1, sizes[2]));
    WORKS(try_update(d, "copy", VARIABLE_ASSIGN, &copy), &d->f->err);
    WORKS(checkpoint_save(d->service, MODEL, &spec, NULL, &report, &d->f->err), &d->f->err);
    run_report_drop(&report);
    delete_variable(d, "v2");
    delete_variable(d, "copy");
    buf_init(&metadata, CHECKPOINT_METADATA_BYTES_MAX);
    WORKS(checkpoint_inspect(d->service, MODEL, "c", &info, &metadata, pass_by, &sum, &d->f->err),
          &d->f->err);
    assert_int_equal(info.shared_bytes, 0);
    assert_in_range(info.unique_bytes, sizes[2], 2 * sizes[2]);
    buf_drop(&metadata);
}

static void
memory_that_is_short_is_an_error_and_leaks_nothing(void **state)
{
    struct domain *d = *state;
    enum err_code code = ERR_NO_MEMORY;
    uint32_t random = 3;

    make_model(d, MODEL, &random);
    for (int i = 0; i < 3; i++) {
        save_some(d, MODEL, &random);
        write_part(d, MODEL, 2, &random);
    }
    for (uint64_t nth = 1; code != OK; nth++) {
        struct service_usage usage = {.revision = 0};

        assert_in_range(nth, 1, 1000);
        (void)mem_fail_at(nth, 0);
        code = service_usage_open(d->service, &usage, &d->f->err);
        if (code == OK)
            code = service_usage_run(&usage, true, &d->f->err);
        (void)mem_fail_at(0, 0);
        if (code != OK)
            assert_int_equal(code, ERR_NO_MEMORY);
        err_clear(&d->f->err);
        service_usage_drop(&usage);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(what_is_counted_is_what_is_there_and_what_goes_is_what_was_counted),
        DOMAIN_TEST(what_two_names_of_a_checkpoint_share_is_unique_to_it),
        DOMAIN_TEST(memory_that_is_short_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
