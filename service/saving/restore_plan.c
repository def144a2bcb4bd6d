/* Planning a restore. Always true: all of it is judged by the state before, so that what one tensor
 * does to a variable never decides about another, and a dry run finds what the restore would. */
#include "service/saving/restore_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/placement/variable_device.h"
#include "service/saving/restore_report.h"
#include "service/state.h"
#include "service/variable/variable.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

/* --- the spec alone ------------------------------------------------------------------------ */

static int
compare_picks(const void *a, const void *b)
{
    const struct checkpoint_pick *x = a, *y = b;
    int order = strcmp(x->variable, y->variable);

    return order != 0 ? order : strcmp(x->tensor, y->tensor);
}

static enum err_code
check_picks(const struct checkpoint_restore_spec *spec, struct err *err)
{
    AUTO_CALL(mem_free_scope)
    struct checkpoint_pick *sorted = mem_zeroed(spec->pick_count, sizeof *sorted, err);

    if (sorted == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < spec->pick_count; i++) {
        TRY(name_check_tensor(bytes_of_text(spec->picks[i].tensor), err));
        TRY(name_check("variable", spec->picks[i].variable, err));
        sorted[i] = spec->picks[i];
    }
    qsort(sorted, spec->pick_count, sizeof *sorted, compare_picks);
    for (size_t i = 1; i < spec->pick_count; i++) {
        const struct checkpoint_pick *one = &sorted[i - 1], *other = &sorted[i];

        if (strcmp(one->variable, other->variable) != 0)
            continue;
        err_about(err, "variable", one->variable);
        if (strcmp(one->tensor, other->tensor) == 0)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "At least two variables have the same name: %s", one->variable);
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "The same saveable will be restored with two names: %s (variable '%s' is "
                       "to be restored from two tensors, '%s' and '%s')",
                       other->tensor, one->variable, one->tensor, other->tensor);
    }
    return OK;
}

static int
compare_prefixes(const void *a, const void *b)
{
    return strcmp(((const struct checkpoint_pick *)a)->tensor,
                  ((const struct checkpoint_pick *)b)->tensor);
}

static enum err_code
sort_prefixes(struct restore_plan *plan, struct err *err)
{
    size_t count = plan->spec->prefix_map_count;

    if (count > RESTORE_PREFIXES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a prefix map has at most %d prefixes, this one has %zu",
                       RESTORE_PREFIXES_MAX, count);
    plan->prefixes = mem_zeroed(count, sizeof *plan->prefixes, err);
    plan->open = mem_zeroed(count, sizeof *plan->open, err);
    if (plan->prefixes == NULL || plan->open == NULL)
        return ERR_NO_MEMORY;
    if (count > 0)
        memcpy(plan->prefixes, plan->spec->prefix_map, count * sizeof *plan->prefixes);
    qsort(plan->prefixes, count, sizeof *plan->prefixes, compare_prefixes);
    return OK;
}

enum err_code
restore_plan_init(struct restore_plan *plan, const struct service *service,
                  const struct checkpoint_restore_spec *spec, struct restore_report *report,
                  struct err *err)
{
    *plan = (struct restore_plan){.service = service, .spec = spec, .report = report};
    if (spec->picks != NULL)
        TRY(check_picks(spec, err));
    return sort_prefixes(plan, err);
}

void
restore_plan_drop(struct restore_plan *plan)
{
    mem_free(plan->prefixes);
    mem_free(plan->open);
    *plan = (struct restore_plan){.spec = NULL};
}

/* --- names --------------------------------------------------------------------------------- */

/* The longest prefix that `tensor` begins with; NULL: none. Names come in byte order, so that no
 * prefix is looked at more than once. */
static const struct checkpoint_pick *
longest_prefix(struct restore_plan *plan, struct bytes tensor)
{
    const struct checkpoint_pick *prefixes = plan->prefixes;

    while (
        plan->open_count > 0 &&
        !bytes_start_with(tensor, bytes_of_text(prefixes[plan->open[plan->open_count - 1]].tensor)))
        plan->open_count--;
    for (; plan->next < plan->spec->prefix_map_count; plan->next++) {
        struct bytes prefix = bytes_of_text(prefixes[plan->next].tensor);

        if (bytes_compare(prefix, tensor) > 0)
            break;
        if (bytes_start_with(tensor, prefix))
            plan->open[plan->open_count++] = plan->next;
    }
    return plan->open_count > 0 ? &prefixes[plan->open[plan->open_count - 1]] : NULL;
}

/* The variable that a tensor's name stands for. In the report's memory. */
static enum err_code
map_name(struct restore_plan *plan, const char *tensor, const char **out, struct err *err)
{
    const struct checkpoint_pick *map = longest_prefix(plan, bytes_of_text(tensor));
    size_t from_size, to_size, rest_size;
    char *name;

    *out = tensor;
    if (map == NULL)
        return OK;
    from_size = strlen(map->tensor);
    to_size = strlen(map->variable);
    rest_size = strlen(tensor) - from_size;
    name = arena_alloc(&plan->report->arena, to_size + rest_size + 1, err);
    if (name == NULL)
        return ERR_NO_MEMORY;
    memcpy(name, map->variable, to_size);
    memcpy(name + to_size, tensor + from_size, rest_size + 1);
    *out = name;
    return OK;
}

/* --- one tensor ---------------------------------------------------------------------------- */

/* "" when the tensor may go into the variable, else why not. */
static void
mismatch(const struct restore_plan *plan, const struct variable_record *variable,
         const struct tensor_record *tensor, char *out, size_t size)
{
    const struct dtype_info *ours = dtype_info(variable->type.dtype);
    const struct dtype_info *theirs = dtype_info(tensor->type.dtype);
    char lhs[SHAPE_TEXT_BYTES_MAX], rhs[SHAPE_TEXT_BYTES_MAX];
    uint64_t wanted = shape_count(&variable->type.shape);
    uint64_t given = shape_count(&tensor->type.shape);

    out[0] = '\0';
    if (ours != theirs)
        snprintf(out, size,
                 "Expected dtype %s does not equal restored dtype %s: the variable is %s, the "
                 "tensor %s",
                 ours->tf_short_name, theirs->tf_short_name, ours->name, theirs->name);
    else if (!variable->validate_shape || !variable->shape_known ||
             shape_equal(&variable->type.shape, &tensor->type.shape))
        return;
    else if (!plan->spec->reshape && variable->partition.count > 0)
        snprintf(out, size,
                 "Shape in shape_and_slice spec %s does not match the shape stored in checkpoint: "
                 "%s",
                 shape_text(&variable->type.shape, lhs), shape_text(&tensor->type.shape, rhs));
    else if (!plan->spec->reshape)
        snprintf(out, size,
                 "Assign requires shapes of both tensors to match. lhs shape= %s rhs shape= %s",
                 shape_text(&variable->type.shape, lhs), shape_text(&tensor->type.shape, rhs));
    else if (wanted != given)
        snprintf(out, size,
                 "Input to reshape is a tensor with %" PRIu64
                 " values, but the requested shape has %" PRIu64,
                 given, wanted);
}

static enum err_code
add_mismatched(struct restore_plan *plan, const struct restore_name *name,
               const struct variable_record *variable, const struct tensor_record *tensor,
               const char *reason, struct err *err)
{
    struct restore_report *report = plan->report;
    struct restore_name told = *name;
    struct restore_sides *sides = arena_alloc(&report->arena, sizeof *sides, err);
    const char *text = arena_text(&report->arena, bytes_of_text(reason), err);

    if (sides == NULL || text == NULL)
        return ERR_NO_MEMORY;
    *sides = (struct restore_sides){
        .variable = variable->type,
        .tensor = tensor->type,
        .variable_shape_known = variable->shape_known,
        .reason = text,
    };
    told.sides = sides;
    return restore_list_add(&report->mismatched, &told, err);
}

/* What has no device forbids the restore as what does not fit does: once all of it is told. */
static enum err_code
check_device(struct restore_plan *plan, const char *name, const struct variable_record *variable,
             struct err *err)
{
    enum err_code code;

    if (plan->unplaced.code != OK)
        return OK;
    code = variable_check_device(plan->service, plan->view, plan->target, name, variable,
                                 &plan->unplaced);
    if (code == OK || code == ERR_INVALID_ARGUMENT || code == ERR_FAILED_PRECONDITION)
        return OK;
    if (err != NULL)
        *err = plan->unplaced;
    return code;
}

static enum err_code
plan_newcomer(struct restore_plan *plan, struct restore_name *name,
              const struct tensor_record *tensor, struct err *err)
{
    struct restore_report *report = plan->report;
    const struct model_newcomer newcomer = {.name = name->variable, .type = tensor->type};

    name->created = plan->spec->create && name_check("variable", name->variable, NULL) == OK;
    if (!name->created)
        return restore_list_add(&report->unexpected, name, err);
    plan->more_bytes += (int64_t)tensor->value.size;
    TRY(model_newcomers_add(&plan->newcomers, &report->arena, &newcomer, err));
    return restore_list_add(&report->restored, name, err);
}

/* `name` is in the report's memory. */
static enum err_code
plan_tensor(struct restore_plan *plan, struct restore_name *name,
            const struct tensor_record *tensor, struct err *err)
{
    struct restore_report *report = plan->report;
    struct variable_record variable;
    char reason[2 * SHAPE_TEXT_BYTES_MAX + 128] = "";
    bool found = false;

    TRY(record_get_variable(plan->view, plan->target->id, name->variable, &found, &variable, err));
    if (!found)
        return plan_newcomer(plan, name, tensor, err);
    mismatch(plan, &variable, tensor, reason, sizeof reason);
    if (reason[0] != '\0')
        return add_mismatched(plan, name, &variable, tensor, reason, err);
    TRY(check_device(plan, name->variable, &variable, err));
    plan->more_bytes += (int64_t)tensor->value.size - (int64_t)variable.value.size;
    return restore_list_add(&report->restored, name, err);
}

static enum err_code
plan_pick(struct restore_plan *plan, const struct checkpoint_pick *pick, struct err *err)
{
    struct restore_report *report = plan->report;
    struct restore_name name = {.tensor = NULL};
    struct tensor_record tensor;
    bool found = false;

    name.tensor = arena_text(&report->arena, bytes_of_text(pick->tensor), err);
    name.variable = arena_text(&report->arena, bytes_of_text(pick->variable), err);
    if (name.tensor == NULL || name.variable == NULL)
        return ERR_NO_MEMORY;
    TRY(record_get_tensor(plan->view, plan->checkpoint_id, bytes_of_text(pick->tensor), &found,
                          &tensor, err));
    if (!found)
        return restore_list_add(&report->missing, &name, err);
    return plan_tensor(plan, &name, &tensor, err);
}

/* --- all of them --------------------------------------------------------------------------- */

static enum err_code
plan_all(struct restore_plan *plan, struct err *err)
{
    struct record_key prefix = record_key_tensor(plan->checkpoint_id, bytes_of("", 0));
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    bool found = true;

    plan->open_count = 0;
    plan->next = 0;
    TRY(store_cursor_open(plan->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct restore_name name = {.tensor = NULL};
        struct tensor_record tensor;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_tensor(value, &tensor, err));
        name.tensor = arena_text(&plan->report->arena, record_key_name(key), err);
        if (name.tensor == NULL)
            return ERR_NO_MEMORY;
        TRY(map_name(plan, name.tensor, &name.variable, err));
        TRY(plan_tensor(plan, &name, &tensor, err));
    }
}

/* Tells of the model's variables that are not among `named`, sorted. */
static enum err_code
list_others(struct restore_plan *plan, const struct restore_name *const *named, size_t count,
            struct err *err)
{
    struct record_key prefix = record_key_variable(plan->target->id, "");
    struct bytes global = bytes_of_text(VARIABLE_COLLECTION_GLOBAL);
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    bool found = true;
    size_t next = 0;

    TRY(store_cursor_open(plan->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct restore_name name = {.tensor = NULL};
        struct variable_record variable;
        int order = -1;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        while (next < count && order < 0) {
            order = bytes_compare(bytes_of_text(named[next]->variable), record_key_name(key));
            next += order <= 0;
        }
        if (order == 0)
            continue;
        TRY(record_decode_variable(value, &variable, err));
        if (!record_texts_hold(&variable.collections, global))
            continue;
        name.variable = arena_text(&plan->report->arena, record_key_name(key), err);
        if (name.variable == NULL)
            return ERR_NO_MEMORY;
        TRY(restore_list_add(&plan->report->not_in_checkpoint, &name, err));
    }
}

static enum err_code
plan_others(struct restore_plan *plan, struct err *err)
{
    AUTO_CALL(mem_free_scope) const struct restore_name **named = NULL;
    const struct restore_list *const lists[] = {&plan->report->restored, &plan->report->mismatched};
    size_t count = 0;

    TRY(restore_lists_sorted(lists, 2, &named, &count, err));
    return list_others(plan, named, count, err);
}

void
restore_plan_begin(struct restore_plan *plan)
{
    static const struct err none = ERR_INIT;

    restore_report_begin(plan->report);
    plan->newcomers = (struct model_newcomers){.count = 0};
    plan->more_bytes = 0;
    plan->unplaced = none;
}

enum err_code
restore_plan_make(struct restore_plan *plan, const struct store_view *view,
                  const struct model_record *target, uint64_t source_id, uint64_t checkpoint_id,
                  struct err *err)
{
    const struct checkpoint_restore_spec *spec = plan->spec;

    plan->view = view;
    plan->target = target;
    plan->source_id = source_id;
    plan->checkpoint_id = checkpoint_id;
    for (size_t i = 0; spec->picks != NULL && i < spec->pick_count; i++)
        TRY(plan_pick(plan, &spec->picks[i], err));
    if (spec->picks != NULL)
        return OK;
    TRY(plan_all(plan, err));
    return plan_others(plan, err);
}

static enum err_code
judge(struct restore_plan *plan, struct err *err)
{
    TRY(restore_report_judge(plan->report, plan->spec, err));
    if (plan->unplaced.code != OK) {
        *err = plan->unplaced;
        return plan->unplaced.code;
    }
    if (plan->report->restored.count == 0)
        return OK;
    TRY(model_newcomers_place(&plan->newcomers, plan->service, plan->view, plan->target,
                              plan->source_id, err));
    TRY(model_newcomers_check(&plan->newcomers, err));
    return model_quota_foresee(plan->view, plan->target->id, plan->newcomers.count,
                               plan->more_bytes, err);
}

enum err_code
restore_plan_judge(struct restore_plan *plan, struct err *refused, struct err *err)
{
    enum err_code code = judge(plan, refused);

    if (code == OK || code == ERR_NOT_FOUND || code == ERR_INVALID_ARGUMENT ||
        code == ERR_FAILED_PRECONDITION || code == ERR_FULL)
        return OK;
    *err = *refused;
    return code;
}
