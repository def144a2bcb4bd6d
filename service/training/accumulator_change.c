#include "service/training/accumulator_change.h"

#include <string.h>

#include "store/base/alloc.h"
#include "store/base/clock.h"

/* One that a run has worked with; in the draft's arena. */
struct accumulator_used {
    const struct accumulator_used *next;
    const char *name;
};

/* draft_publication */
static enum err_code
publish_change(struct store_txn *txn, const struct draft *draft, void *context, struct err *err)
{
    const struct accumulator_change *change = context;
    struct accumulator_record record = change->after;

    if (change->adds || record.num_accumulated == 0)
        TRY(accumulator_release(txn, &change->before, err));
    if (change->adds)
        TRY(draft_put_value(draft, txn, change->values[0], &record.sum.values, err));
    if (change->adds && record.sparse) {
        TRY(draft_put_value(draft, txn, change->values[1], &record.sum.numbers, err));
        TRY(draft_put_value(draft, txn, change->values[2], &record.sum.counts, err));
    }
    record.updated_ms = clock_wall_ms();
    record.revision = store_txn_revision(txn);
    TRY(record_put_accumulator(txn, draft->model.id, change->name, &record, err));
    return service_change_usage(txn, draft->model.id, &(struct usage_change){0}, err);
}

/* A second operation would have to see the first one's. */
static enum err_code
use(struct run *run, const char *name, struct err *err)
{
    struct accumulator_used *used;

    for (const struct accumulator_used *each = run->accumulators; each != NULL; each = each->next)
        if (strcmp(each->name, name) == 0)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "a run does one thing with an accumulator, this is its second with '%s'",
                           name);
    used = arena_alloc(&run->draft->arena, sizeof *used, err);
    if (used == NULL)
        return ERR_NO_MEMORY;
    *used = (struct accumulator_used){run->accumulators, name};
    run->accumulators = used;
    return OK;
}

enum err_code
accumulator_change_open(struct run *run, const struct run_op *op, struct run_result *out,
                        struct accumulator_change **change, struct err *err)
{
    struct accumulator_result *result = mem_zeroed(1, sizeof *result, err);
    const char *name = op->accumulator->name;
    struct accumulator_change *made;
    struct record_key key;
    struct bytes record;

    out->accumulator = result;
    if (result == NULL)
        return ERR_NO_MEMORY;
    TRY(name_check("accumulator", name, err));
    TRY(use(run, name, err));
    memcpy(result->name, name, strlen(name) + 1);
    key = record_key_accumulator(run->draft->model.id, name);
    TRY(draft_rely_on(run->draft, &key, &record, err));
    if (record.data == NULL) {
        (void)err_set(err, ERR_NOT_FOUND, "there is no accumulator '%s'", name);
        err_about(err, "accumulator", name);
        return ERR_NOT_FOUND;
    }
    made = arena_alloc(&run->draft->arena, sizeof *made, err);
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->name = name;
    TRY(record_decode_accumulator(record, &made->before, err));
    made->after = made->before;
    *change = made;
    TRY(draft_check_no_device(run->draft, name, made->before.dtype, err));
    return run_check_resource(run, "accumulator", name, made->before.revision, err);
}

enum err_code
accumulator_change_close(struct run *run, struct accumulator_change *change, struct run_result *out,
                         struct err *err)
{
    out->accumulator->num_accumulated = change->after.num_accumulated;
    out->accumulator->global_step = change->after.global_step;
    return draft_also_publish(run->draft, publish_change, change, err);
}

enum err_code
accumulator_about(enum err_code code, const char *name, struct err *err)
{
    if (code != OK && code != ERR_DEFER)
        err_about(err, "accumulator", name);
    return code;
}
