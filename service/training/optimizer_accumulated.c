/* What a contribution leaves: its sums, or, of the last one, the step among the optimizer's last.
 */
#include "service/training/optimizer_contribution.h"

#include <inttypes.h>
#include <stdlib.h>

#include "service/training/accumulation.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

static enum err_code
check_room(const struct optimizer_contribution *c, size_t open, struct err *err)
{
    if (c->found || open < ACCUMULATIONS_OPEN_MAX)
        return OK;
    return err_set(err, ERR_BUSY,
                   "optimizer '%s' has %zu accumulations that wait for contributions, at most %d "
                   "may: complete some, delete them, or wait until they expire "
                   "(accumulation_keep_ms)",
                   c->optimizer, open, ACCUMULATIONS_OPEN_MAX);
}

/* Room for what comes, and nothing left of what was under the key before it expired. */
static enum err_code
clear_away(const struct optimizer_contribution *c, struct store_txn *txn, const struct draft *draft,
           size_t *open, struct err *err)
{
    struct record_key key = record_key_accumulation(draft->model.id, c->optimizer, c->spec->key);

    TRY(accumulation_remove_expired(txn, &draft->service->limits, draft->model.id, c->optimizer,
                                    c->spec->key, open, err));
    if (!c->replaces)
        return OK;
    TRY(accumulation_release(txn, c->replaced_id, err));
    return store_delete(txn, record_key_bytes(&key), err);
}

static enum err_code
put_sum(const struct optimizer_contribution *c, struct store_txn *txn, const struct draft *draft,
        const struct contributed_sum *sum, struct err *err)
{
    struct sum_record record = sum->after;

    if (sum->found) {
        TRY(value_release(txn, &sum->before.values, err));
        TRY(value_release(txn, &sum->before.numbers, err));
        TRY(value_release(txn, &sum->before.counts, err));
    }
    TRY(draft_put_value(draft, txn, sum->values[0], &record.values, err));
    if (record.sparse) {
        TRY(draft_put_value(draft, txn, sum->values[1], &record.numbers, err));
        TRY(draft_put_value(draft, txn, sum->values[2], &record.counts, err));
    }
    return record_put_sum(txn, c->record.id, sum->variable->name, &record, err);
}

/* draft_publication: others are waited for. */
static enum err_code
publish_waiting(struct store_txn *txn, const struct draft *draft, void *context, struct err *err)
{
    const struct optimizer_contribution *c = context;
    struct accumulation_record record = c->record;
    size_t open = 0;

    TRY(clear_away(c, txn, draft, &open, err));
    TRY(check_room(c, open, err));
    for (size_t i = 0; i < c->sum_count; i++)
        TRY(put_sum(c, txn, draft, c->sums[i], err));
    if (c->spec->worker != NULL) {
        struct record_key worker = record_key_worker(record.id, c->spec->worker);

        TRY(store_put(txn, record_key_bytes(&worker), bytes_of("", 0), err));
    }
    record.updated_ms = clock_wall_ms();
    record.revision = store_txn_revision(txn);
    if (!c->found) {
        record.started_ms = record.updated_ms;
        record.started_revision = record.revision;
        record.sums = (uint32_t)c->sum_count;
    }
    TRY(record_put_accumulation(txn, draft->model.id, c->optimizer, c->spec->key, &record, err));
    return service_change_usage(txn, draft->model.id, &(struct usage_change){0}, err);
}

/* draft_publication: the step was taken. */
static enum err_code
publish_step(struct store_txn *txn, const struct draft *draft, void *context, struct err *err)
{
    const struct optimizer_contribution *c = context;
    struct record_key key = record_key_accumulation(draft->model.id, c->optimizer, c->spec->key);
    struct applied_step step = {
        .replicas = c->record.replicas,
        .revision = store_txn_revision(txn),
        .applied_ms = clock_wall_ms(),
        .has_global_step = c->applied->has_global_step,
        .global_step = c->applied->global_step,
    };
    struct steps_record steps;
    size_t open = 0;

    TRY(clear_away(c, txn, draft, &open, err));
    if (c->found)
        TRY(accumulation_release(txn, c->record.id, err));
    TRY(store_delete(txn, record_key_bytes(&key), err));
    TRY(record_get_steps(store_txn_view(txn), draft->model.id, c->optimizer, &steps, err));
    if (steps.count == ACCUMULATION_STEPS_MAX)
        memmove(steps.steps, steps.steps + 1, --steps.count * sizeof steps.steps[0]);
    memcpy(step.key, c->spec->key, strlen(c->spec->key) + 1);
    steps.steps[steps.count++] = step;
    return record_put_steps(txn, draft->model.id, c->optimizer, &steps, err);
}

static int
compare_sums(const void *a, const void *b)
{
    return strcmp((*(struct contributed_sum *const *)a)->variable->name,
                  (*(struct contributed_sum *const *)b)->variable->name);
}

/* The gradients are of the variables of the first contribution: each has been found among those. */
static enum err_code
check_variables(struct optimizer_contribution *c, struct err *err)
{
    qsort(c->sums, c->sum_count, sizeof(struct contributed_sum *), compare_sums);
    for (size_t i = 1; i < c->sum_count; i++)
        if (c->sums[i - 1]->variable == c->sums[i]->variable)
            return err_set(err, ERR_INVALID_ARGUMENT, "there are two gradients of '%s'",
                           c->sums[i]->variable->name);
    if (!c->found || c->sum_count == c->record.sums)
        return OK;
    (void)err_set(err, ERR_FAILED_PRECONDITION,
                  "accumulation '%s' was begun with gradients of %" PRIu32
                  " variables, this contribution has %zu",
                  c->spec->key, c->record.sums, c->sum_count);
    return optimizer_contribution_refused(c, err);
}

enum err_code
optimizer_accumulate_close(struct optimizer_apply *apply, struct err *err)
{
    struct optimizer_contribution *c = apply->contribution;

    TRY(check_variables(c, err));
    return draft_also_publish(apply->run->draft, c->last ? publish_step : publish_waiting, c, err);
}
