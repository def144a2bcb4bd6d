/* Gradients of several contributions, averaged and applied once. What a contribution adds is
 * published with its run; the last one takes the step instead, in the same commit in which the sums
 * go. Whatever else is committed meanwhile under the key makes a run that was made ahead start
 * again: contributions are added up one after the other, none is lost and none counts twice. */
#include "service/training/optimizer_contribution.h"

#include <inttypes.h>

#include "service/training/accumulation.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

enum err_code
optimizer_contribution_refused(const struct optimizer_contribution *c, struct err *err)
{
    err_about(err, "accumulation", c->spec->key);
    return ERR_FAILED_PRECONDITION;
}

/* --- what is there ------------------------------------------------------------------------- */

static enum err_code
check_spec(struct run *run, const struct optimizer_accumulate *spec, struct err *err)
{
    TRY(accumulation_check_key("key of an accumulation", spec->key, err));
    if (spec->worker != NULL)
        TRY(accumulation_check_key("name of a worker", spec->worker, err));
    if (spec->replicas < 1 || spec->replicas > ACCUMULATION_REPLICAS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "an accumulation is of 1 to %d replicas, not of %" PRId64,
                       ACCUMULATION_REPLICAS_MAX, spec->replicas);
    if (run->accumulates)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a run contributes to one accumulation, this is its second");
    run->accumulates = true;
    return OK;
}

/* Whether the key had its step already. */
static enum err_code
look_for_step(struct optimizer_contribution *c, struct draft *draft,
              struct optimizer_applied *applied, struct err *err)
{
    struct record_key key = record_key_steps(draft->model.id, c->optimizer);
    const struct applied_step *step;
    struct steps_record steps = {.count = 0};
    struct bytes record;

    TRY(draft_rely_on(draft, &key, &record, err));
    if (record.data != NULL)
        TRY(record_decode_steps(record, &steps, err));
    step = accumulation_step(&steps, c->spec->key);
    if (step == NULL)
        return OK;
    applied->contributed = OPTIMIZER_CONTRIBUTED_LATE;
    applied->accumulated = step->replicas;
    applied->replicas = step->replicas;
    applied->late_revision = step->revision;
    applied->has_global_step = step->has_global_step;
    applied->global_step = step->global_step;
    return OK;
}

/* All contributions state the same of the step that is to come. */
static enum err_code
check_agreement(const struct optimizer_contribution *c, const struct optimizer_gradients *spec,
                struct err *err)
{
    const struct accumulation_record *theirs = &c->record;
    const char *global_step = spec->global_step == NULL ? "" : spec->global_step;

    if (theirs->replicas != spec->accumulate->replicas) {
        (void)err_set(err, ERR_FAILED_PRECONDITION,
                      "accumulation '%s' was begun for %" PRIu32 " replicas, this contribution is "
                      "for %" PRId64,
                      c->spec->key, theirs->replicas, spec->accumulate->replicas);
        return optimizer_contribution_refused(c, err);
    }
    if (strcmp(theirs->global_step, global_step) != 0) {
        (void)err_set(err, ERR_FAILED_PRECONDITION,
                      "accumulation '%s' was begun with global_step '%s', this contribution has "
                      "'%s'",
                      c->spec->key, theirs->global_step, global_step);
        return optimizer_contribution_refused(c, err);
    }
    if (theirs->has_clip_norm == spec->has_clip_norm &&
        (!spec->has_clip_norm || theirs->clip_norm == spec->clip_norm))
        return OK;
    (void)err_set(err, ERR_FAILED_PRECONDITION,
                  "accumulation '%s' was begun with another clip_by_global_norm (%g, 0 for none) "
                  "than this contribution has (%g)",
                  c->spec->key, theirs->has_clip_norm ? theirs->clip_norm : 0,
                  spec->has_clip_norm ? spec->clip_norm : 0);
    return optimizer_contribution_refused(c, err);
}

static enum err_code
look_for_others(struct optimizer_contribution *c, struct draft *draft,
                const struct optimizer_gradients *spec, struct err *err)
{
    struct record_key key = record_key_accumulation(draft->model.id, c->optimizer, c->spec->key);
    struct bytes record;

    TRY(draft_rely_on(draft, &key, &record, err));
    if (record.data == NULL)
        return OK;
    TRY(record_decode_accumulation(record, &c->record, err));
    c->found = !accumulation_expired(&draft->service->limits, &c->record, clock_wall_ms());
    c->replaces = !c->found;
    c->replaced_id = c->record.id;
    return c->found ? check_agreement(c, spec, err) : OK;
}

static enum err_code
look_for_worker(const struct optimizer_contribution *c, const struct draft *draft,
                struct optimizer_applied *applied, struct err *err)
{
    struct record_key key;
    struct bytes record;

    if (!c->found || c->spec->worker == NULL)
        return OK;
    key = record_key_worker(c->record.id, c->spec->worker);
    TRY(store_get(draft->view, record_key_bytes(&key), &record, err));
    if (record.data != NULL)
        applied->contributed = OPTIMIZER_CONTRIBUTED_TWICE;
    return OK;
}

static void
begin_record(struct optimizer_contribution *c, const struct draft *draft,
             const struct optimizer_gradients *spec)
{
    c->record = (struct accumulation_record){
        .id = store_new_id(draft->service->store),
        .replicas = (uint32_t)spec->accumulate->replicas,
        .has_clip_norm = spec->has_clip_norm,
        .clip_norm = spec->has_clip_norm ? spec->clip_norm : 0,
    };
    if (spec->global_step != NULL)
        memcpy(c->record.global_step, spec->global_step, strlen(spec->global_step) + 1);
}

static enum err_code
make_contribution(struct optimizer_apply *apply, struct optimizer_contribution **out,
                  struct err *err)
{
    struct arena *arena = &apply->run->draft->arena;
    struct optimizer_contribution *c = arena_alloc(arena, sizeof *c, err);

    if (c == NULL)
        return ERR_NO_MEMORY;
    memcpy(c->optimizer, apply->config.name, sizeof c->optimizer);
    c->spec = apply->spec->accumulate;
    c->sums = arena_array(arena, apply->spec->count, sizeof(struct contributed_sum *), err);
    if (c->sums == NULL)
        return ERR_NO_MEMORY;
    *out = c;
    return OK;
}

enum err_code
optimizer_accumulate_open(struct optimizer_apply *apply, struct optimizer_applied *applied,
                          struct err *err)
{
    const struct optimizer_gradients *spec = apply->spec;
    struct draft *draft = apply->run->draft;
    struct optimizer_contribution *c = NULL;

    TRY(check_spec(apply->run, spec->accumulate, err));
    if (spec->global_step != NULL)
        TRY(name_check("variable", spec->global_step, err));
    TRY(make_contribution(apply, &c, err));
    memcpy(applied->key, c->spec->key, strlen(c->spec->key) + 1);
    TRY(look_for_step(c, draft, applied, err));
    if (applied->contributed == OPTIMIZER_CONTRIBUTED_LATE)
        return OK;
    TRY(look_for_others(c, draft, spec, err));
    TRY(look_for_worker(c, draft, applied, err));
    if (!c->found)
        begin_record(c, draft, spec);
    applied->replicas = c->record.replicas;
    applied->accumulated = c->record.count;
    if (applied->contributed == OPTIMIZER_CONTRIBUTED_TWICE)
        return OK;
    c->record.count++;
    c->record.workers += c->spec->worker != NULL;
    applied->accumulated++;
    c->last = c->record.count == c->record.replicas;
    c->applied = applied;
    applied->contributed = c->last ? OPTIMIZER_CONTRIBUTED_LAST : OPTIMIZER_CONTRIBUTED;
    apply->contribution = c;
    return OK;
}

/* --- one gradient -------------------------------------------------------------------------- */

static enum err_code
check_sum(const struct optimizer_contribution *c, const struct contributed_sum *sum,
          struct err *err)
{
    const char *name = sum->variable->name, *key = c->spec->key;
    char ours[TENSOR_TYPE_TEXT_BYTES_MAX], theirs[TENSOR_TYPE_TEXT_BYTES_MAX];

    if (!sum->found)
        (void)err_set(err, ERR_FAILED_PRECONDITION,
                      "accumulation '%s' was begun without a gradient of '%s'", key, name);
    else if (sum->before.variable_id != sum->after.variable_id)
        (void)err_set(err, ERR_FAILED_PRECONDITION,
                      "accumulation '%s' has gradients of a variable '%s' that was deleted; the "
                      "one there is now is another: delete the accumulation",
                      key, name);
    else if (!tensor_type_equal(&sum->before.type, &sum->after.type))
        (void)err_set(err, ERR_FAILED_PRECONDITION,
                      "accumulation '%s' has gradients of '%s' when it was %s, it is %s now", key,
                      name, tensor_type_text(&sum->before.type, theirs),
                      tensor_type_text(&sum->after.type, ours));
    else if (sum->before.sparse != sum->after.sparse)
        (void)err_set(err, ERR_FAILED_PRECONDITION,
                      "accumulation '%s' was begun with a %s gradient of '%s', this one is %s", key,
                      sum->before.sparse ? "sparse" : "dense", name,
                      sum->after.sparse ? "sparse" : "dense");
    else
        return OK;
    return optimizer_contribution_refused(c, err);
}

static enum err_code
find_sum(struct optimizer_contribution *c, struct draft *draft,
         const struct optimizer_target *target, struct contributed_sum **out, struct err *err)
{
    struct contributed_sum *sum = arena_alloc(&draft->arena, sizeof *sum, err);

    if (sum == NULL)
        return ERR_NO_MEMORY;
    sum->variable = target->variable;
    sum->after = (struct sum_record){.variable_id = target->variable->id,
                                     .type = target->variable->form.type,
                                     .sparse = target->gradient->indices != NULL};
    if (c->found) {
        TRY(record_get_sum(draft->view, c->record.id, target->variable->name, &sum->found,
                           &sum->before, err));
        TRY(check_sum(c, sum, err));
    }
    c->sums[c->sum_count++] = sum;
    *out = sum;
    return OK;
}

struct reading {
    struct optimizer_apply *apply;
    struct optimizer_target *target;
};

/* accumulation_read */
static enum err_code
read_gradient(void *context, uint64_t first, uint64_t count, uint8_t *room, const void **out,
              struct err *err)
{
    const struct reading *r = context;

    return optimizer_read_gradient(r->apply, r->target, first, count, room, out, err);
}

static enum err_code
join_dense(struct optimizer_apply *apply, struct optimizer_target *target,
           struct contributed_sum *sum, struct err *err)
{
    const struct optimizer_contribution *c = apply->contribution;
    struct draft *draft = apply->run->draft;
    struct reading reading = {.apply = apply, .target = target};

    if (!c->last) {
        TRY(accumulation_add_dense(draft, target->variable->name, &sum->after.type,
                                   sum->found ? &sum->before.values : NULL, read_gradient, &reading,
                                   &sum->values[0], err));
        optimizer_close_gradient(target);
        return OK;
    }
    if (!sum->found)
        return OK;
    TRY(draft_work(draft, sum->before.values.size, err));
    return accumulation_average_open(draft->view, &sum->before, c->record.replicas,
                                     &target->average, err);
}

/* The target's rows are these instead, and its norm is theirs. */
static enum err_code
replace_rows(struct optimizer_target *target, struct accumulation_rows *rows, enum dtype dtype,
             struct err *err)
{
    uint64_t *order = mem_alloc(rows->count * sizeof *order, err);

    if (order == NULL)
        return ERR_NO_MEMORY;
    for (uint64_t i = 0; i < rows->count; i++)
        order[i] = i;
    mem_free(target->order);
    mem_free(target->values);
    mem_free(target->rows.rows);
    target->order = order;
    target->squares = optimizer_sum_of_squares(dtype, rows->values, rows->count * rows->width);
    target->values = TAKE(rows->values);
    target->rows.rows = TAKE(rows->numbers);
    target->rows.count = rows->count;
    return OK;
}

static enum err_code
join_sparse(struct optimizer_apply *apply, struct optimizer_target *target,
            struct contributed_sum *sum, struct err *err)
{
    uint64_t bytes_max = apply->run->service->limits.expression_bytes_max;
    enum dtype dtype = sum->after.type.dtype;
    struct draft *draft = apply->run->draft;
    AUTO(accumulation_rows) before = {0};
    AUTO(accumulation_rows) rows = {0};

    if (sum->found) {
        TRY(draft_work(draft, sum->before.values.size, err));
        TRY(optimizer_hold(apply, target->variable, sum->before.values.size, err));
        TRY(accumulation_rows_load(draft->view, &sum->before, &before, err));
    }
    TRY(accumulation_rows_add(&before, &target->rows, target->order, target->values, dtype,
                              bytes_max, &rows, err));
    sum->after.rows = rows.count;
    if (!apply->contribution->last)
        return accumulation_rows_write(draft, target->variable->name, &rows, dtype, sum->values,
                                       err);
    TRY(accumulation_rows_average(&rows, dtype, err));
    return replace_rows(target, &rows, dtype, err);
}

enum err_code
optimizer_accumulate_join(struct optimizer_apply *apply, struct optimizer_target *target,
                          struct err *err)
{
    struct contributed_sum *sum = NULL;
    enum err_code code;

    TRY(find_sum(apply->contribution, apply->run->draft, target, &sum, err));
    code = sum->after.sparse ? join_sparse(apply, target, sum, err)
                             : join_dense(apply, target, sum, err);
    if (code != OK && code != ERR_DEFER)
        err_about(err, "variable", target->variable->name);
    return code;
}
