/* Trees of copies and forks under random operations, several to a unit, against a model in memory.
 * Seeded: a failure repeats. */
#include "tests/unit/store/value_fixture.h"

enum { NAMES = 10, UNITS = 900, STEPS_MAX = 4, VERIFY_EVERY = 100 };

struct model {
    uint8_t *bytes; /* NULL: no value */
    size_t size;
};

enum step_kind { WRITE, COPY, PATCH, RELEASE, FILL };

struct step {
    enum step_kind kind;
    uint8_t name, from;
    enum store_class class;
    size_t offset;
    uint8_t *bytes; /* WRITE, PATCH; owned */
    size_t size;
    uint8_t element[8];            /* FILL */
    struct value_builder *builder; /* WRITE when big, FILL; owned */
};

struct plan {
    struct step steps[STEPS_MAX];
    size_t count;
    bool fail;
};

static size_t
random_size(uint64_t *random)
{
    static const size_t bases[] = {0, 1, 1024, 16256, 16320, 40000, 130560, 262080, 300000, 540000};
    size_t size = bases[random_next(random) % 10] + random_next(random) % 40;

    return random_next(random) % 2 ? size : size / 8 * 8;
}

/* --- the model ---------------------------------------------------------------------------------
 */

static void
model_set(struct model *m, uint8_t *bytes, size_t size)
{
    free(m->bytes);
    *m = (struct model){bytes, size};
}

static uint8_t *
duplicate(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return copy;
}

static void
model_apply(struct model *models, const struct step *step)
{
    struct model *m = &models[step->name];

    switch (step->kind) {
    case WRITE:
        model_set(m, duplicate(step->bytes, step->size), step->size);
        return;
    case COPY:
        model_set(m, duplicate(models[step->from].bytes, models[step->from].size),
                  models[step->from].size);
        return;
    case PATCH:
        memcpy(m->bytes + step->offset, step->bytes, step->size);
        return;
    case RELEASE:
        model_set(m, NULL, 0);
        return;
    case FILL:
        model_set(m, make_bytes(step->size, 0), step->size);
        for (size_t i = 0; i < step->size; i++)
            m->bytes[i] = step->element[i % 8];
        return;
    }
}

/* --- the store ----------------------------------------------------------------------------------
 */

static enum err_code
new_value(struct store_txn *txn, const struct step *step, struct value_ref *out, struct err *err)
{
    if (step->builder != NULL)
        return value_builder_publish(step->builder, txn, out, err);
    return value_write(txn, bytes_of(step->bytes, step->size), step->class, out, err);
}

static enum err_code
run_step(struct store_txn *txn, const struct step *step, struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    struct patch_call patch = {step->name, step->offset, bytes_of(step->bytes, step->size),
                               step->class == STORE_CLASS_BULK};
    struct value_ref old, ref;

    TRY(owner_get(view, step->name, &old, err));
    switch (step->kind) {
    case WRITE:
    case FILL:
        TRY(new_value(txn, step, &ref, err));
        TRY(value_release(txn, &old, err));
        return owner_put(txn, step->name, &ref, err);
    case COPY:
        TRY(owner_get(view, step->from, &ref, err));
        TRY(value_share(txn, &ref, err));
        TRY(value_release(txn, &old, err));
        return owner_put(txn, step->name, &ref, err);
    case PATCH:
        return patch_unit(txn, &patch, err);
    case RELEASE:
        return owner_delete(txn, step->name, err);
    }
    return OK;
}

static enum err_code
plan_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct plan *plan = context;

    for (size_t i = 0; i < plan->count; i++)
        TRY(run_step(txn, &plan->steps[i], err));
    return plan->fail ? err_set(err, ERR_ABORTED, "changed my mind") : OK;
}

/* --- making it up --------------------------------------------------------------------------------
 */

static void
plan_new(struct fixture *f, struct step *step, struct store_stage *stage, uint64_t *random)
{
    step->size = random_size(random);
    step->class = random_next(random) % 2 ? STORE_CLASS_BULK : STORE_CLASS_ROWS;
    if (step->kind == FILL) {
        step->size = step->size / 8 * 8;
        memcpy(step->element, random, 8);
    } else {
        step->bytes = make_bytes(step->size, random_next(random));
        if (random_next(random) % 2)
            return; /* written inside the unit */
    }
    WORKS(value_builder_open(f->store, stage, step->size, step->class, &step->builder, &f->err),
          &f->err);
    if (step->kind == FILL)
        WORKS(value_builder_fill(step->builder, step->element, 8, &f->err), &f->err);
    else
        WORKS(value_builder_append(step->builder, step->bytes, step->size, &f->err), &f->err);
}

static void
plan_patch(struct step *step, const struct model *m, uint64_t *random)
{
    step->offset = random_next(random) % m->size;
    step->size = random_next(random) % (m->size - step->offset) + 1;
    if (random_next(random) % 2 && step->size > 100)
        step->size = random_next(random) % 100 + 1;
    if (random_next(random) % 8 == 0) {
        step->offset = 0;
        step->size = m->size;
    }
    step->class = random_next(random) % 2 ? STORE_CLASS_BULK : STORE_CLASS_ROWS;
    step->bytes = make_bytes(step->size, random_next(random));
}

/* False when there is nothing to do it to. */
static bool
plan_step(struct fixture *f, struct step *step, const struct model *models,
          struct store_stage *stage, uint64_t *random)
{
    static const enum step_kind kinds[] = {WRITE, COPY,  COPY,  COPY,    PATCH,
                                           PATCH, PATCH, PATCH, RELEASE, FILL};

    *step = (struct step){.kind = kinds[random_next(random) % 10]};
    step->name = (uint8_t)(random_next(random) % NAMES);
    step->from = (uint8_t)(random_next(random) % NAMES);
    switch (step->kind) {
    case WRITE:
    case FILL:
        plan_new(f, step, stage, random);
        return true;
    case COPY:
        return step->from != step->name && models[step->from].bytes != NULL;
    case PATCH:
        if (models[step->name].bytes == NULL || models[step->name].size == 0)
            return false;
        plan_patch(step, &models[step->name], random);
        return true;
    case RELEASE:
        return models[step->name].bytes != NULL;
    }
    return false;
}

static void
drop_plan(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->steps[i].bytes);
        value_builder_drop(plan->steps[i].builder);
    }
}

static void
one_unit(struct fixture *f, struct model *models, uint64_t *random)
{
    size_t wanted = random_next(random) % STEPS_MAX + 1;
    struct plan plan = {.fail = random_next(random) % 10 == 0};
    struct store_stage *stage = NULL;
    struct store_update_options options;
    uint64_t revision;

    if (plan.fail) /* the model cannot be undone: one step, not applied */
        wanted = 1;
    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    options = (struct store_update_options){.stage = stage};
    while (plan.count < wanted) {
        if (!plan_step(f, &plan.steps[plan.count], models, stage, random))
            continue;
        if (!plan.fail)
            model_apply(models, &plan.steps[plan.count]);
        plan.count++;
    }
    if (plan.fail) {
        FAILS(store_update(f->store, plan_unit, &plan, &options, &revision, &f->err), ERR_ABORTED,
              &f->err);
        store_stage_drop(stage);
    } else {
        WORKS(store_update(f->store, plan_unit, &plan, &options, &revision, &f->err), &f->err);
    }
    drop_plan(&plan);
}

static void
compare(struct fixture *f, const struct model *models)
{
    for (uint8_t name = 0; name < NAMES; name++)
        if (models[name].bytes != NULL)
            owner_must_hold(f, name, bytes_of(models[name].bytes, models[name].size));
}

static void
random_copies_changes_and_releases_equal_the_model(void **state)
{
    struct fixture *f = *state;
    struct model models[NAMES] = {{NULL, 0}};
    uint64_t random = 20240607;

    for (int i = 1; i <= UNITS; i++) {
        one_unit(f, models, &random);
        if (i % VERIFY_EVERY != 0)
            continue;
        compare(f, models);
        chunks_must_become(f, verify_must_find_nothing(f).chunks);
    }
    fixture_reopen(f);
    compare(f, models);
    for (uint8_t name = 0; name < NAMES; name++) {
        if (models[name].bytes != NULL)
            drop_owner(f, name);
        free(models[name].bytes);
    }
    assert_int_equal(verify_must_find_nothing(f).values, 0);
    chunks_must_become(f, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(random_copies_changes_and_releases_equal_the_model),
    };

    return cmocka_run_group_tests_name("value_tree", tests, NULL, NULL);
}
