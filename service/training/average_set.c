#include "service/training/average_set.h"

#include <stdio.h>
#include <stdlib.h>

#include "service/key_walk.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

/* What one operation enters; in the draft's arena. */
struct entries {
    uint64_t average_id;
    const char *average;
    size_t count;
    struct entry {
        const char *name;
        struct expr_tree *value; /* NULL: a variable */
    } * each;                    /* by name */
};

void
average_set_drop(struct average_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        average_member_drop(&set->targets[i].member);
    mem_free(set->targets);
    *set = (struct average_set){0};
}

enum err_code
average_twice(const char *name, struct err *err)
{
    err_about(err, "variable", name);
    return err_set(err, ERR_INVALID_ARGUMENT, "Moving average already computed for: %s:0", name);
}

/* *out is zeroed but for its name. */
static enum err_code
add(struct average_set *set, const char *name, struct average_target **out, struct err *err)
{
    struct average_target *grown =
        mem_grown(set->targets, set->count, &set->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    set->targets = grown;
    *out = &set->targets[set->count];
    **out = (struct average_target){.known = false};
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
    set->count++;
    return OK;
}

static int
compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct average_target *)a)->name,
                  ((const struct average_target *)b)->name);
}

static int
compare_entry(const void *name, const void *entry)
{
    return strcmp(name, ((const struct entry *)entry)->name);
}

/* --- entering ------------------------------------------------------------------------------ */

/* TensorFlow's collection of what is averaged, by whichever average. */
static enum err_code
note_averaged(struct store_txn *txn, uint64_t model_id, const char *name, struct err *err)
{
    struct bytes collection = bytes_of_text(AVERAGE_COLLECTION_AVERAGED);
    struct variable_record record;

    TRY(service_find_variable(store_txn_view(txn), model_id, name, &record, err));
    if (record_texts_hold(&record.collections, collection))
        return OK;
    TRY(record_texts_add(&record.collections, "collections", collection, err));
    record.revision = store_txn_revision(txn);
    record.updated_ms = clock_wall_ms();
    return record_put_variable(txn, model_id, name, &record, err);
}

/* The average's own record tells that its set has changed. */
static enum err_code
publish_entries(struct store_txn *txn, const struct draft *draft, void *context, struct err *err)
{
    const struct entries *entries = context;
    AUTO(average_config) config = {0};

    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = &entries->each[i];

        TRY(record_put_member(txn, entries->average_id, entry->name, entry->value, err));
        if (entry->value == NULL)
            TRY(note_averaged(txn, draft->model.id, entry->name, err));
    }
    TRY(average_config_load(store_txn_view(txn), draft->model.id, entries->average, &config, err));
    config.revision = store_txn_revision(txn);
    config.updated_ms = clock_wall_ms();
    TRY(record_put_average(txn, draft->model.id, &config, err));
    return service_change_usage(txn, draft->model.id, &(struct usage_change){0}, err);
}

enum err_code
average_set_enter(struct draft *draft, const struct average_config *config,
                  const struct average_set *set, struct err *err)
{
    struct entries *entries = arena_alloc(&draft->arena, sizeof *entries, err);

    if (entries == NULL)
        return ERR_NO_MEMORY;
    entries->average_id = config->id;
    entries->average = arena_text(&draft->arena, bytes_of_text(config->name), err);
    entries->each = arena_array(&draft->arena, set->count, sizeof *entries->each, err);
    if (entries->average == NULL || entries->each == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < set->count; i++) {
        const struct average_target *target = &set->targets[i];
        const char *name;

        if (target->known)
            continue;
        name = arena_text(&draft->arena, bytes_of_text(target->name), err);
        if (name == NULL)
            return ERR_NO_MEMORY;
        entries->each[entries->count++] =
            (struct entry){.name = name, .value = target->is_tensor ? target->value : NULL};
    }
    return entries->count == 0 ? OK : draft_also_publish(draft, publish_entries, entries, err);
}

/* --- what is known ------------------------------------------------------------------------- */

static void
take_entry(const struct entry *entry, struct average_target *target)
{
    target->known = true;
    target->is_tensor = entry->value != NULL;
    target->value = entry->value;
}

/* Entered by an earlier operation of this run. */
static const struct entry *
entered(const struct draft *draft, uint64_t average_id, const char *name)
{
    const struct entries *entries;

    for (size_t i = 0; (entries = draft_to_publish(draft, publish_entries, i)) != NULL; i++) {
        const struct entry *found = NULL;

        if (entries->average_id == average_id)
            found =
                bsearch(name, entries->each, entries->count, sizeof *entries->each, compare_entry);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* What a request calls a variable and the set a tensor would be two things of one name. */
static enum err_code
check_kind(const struct average_target *target, bool as_tensor, struct err *err)
{
    if (target->is_tensor == as_tensor)
        return OK;
    err_about(err, "variable", target->name);
    return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is averaged as a %s, not as a %s", target->name,
                   target->is_tensor ? "tensor" : "variable", as_tensor ? "tensor" : "variable");
}

static enum err_code
find_known(struct draft *draft, const struct average_config *config, bool as_tensor,
           struct average_target *target, struct err *err)
{
    const struct entry *entry = entered(draft, config->id, target->name);

    if (entry != NULL) {
        take_entry(entry, target);
        return check_kind(target, as_tensor, err);
    }
    TRY(record_get_member(draft->view, config->id, target->name, &target->known, &target->member,
                          err));
    target->is_tensor = target->known ? target->member.is_tensor : as_tensor;
    return check_kind(target, as_tensor, err);
}

/* --- the targets of an operation ----------------------------------------------------------- */

static enum err_code
take_named(struct draft *draft, const struct average_config *config,
           const struct average_selection *selection, struct average_set *out, struct err *err)
{
    struct average_target *target = NULL;

    for (size_t i = 0; i < selection->variable_count; i++) {
        TRY(name_check("variable", selection->variables[i], err));
        TRY(add(out, selection->variables[i], &target, err));
        TRY(find_known(draft, config, false, target, err));
    }
    for (size_t i = 0; i < selection->tensor_count; i++) {
        TRY(name_check("tensor", selection->tensors[i].name, err));
        TRY(add(out, selection->tensors[i].name, &target, err));
        TRY(find_known(draft, config, true, target, err));
        target->value = selection->tensors[i].value; /* of this request, whatever was first */
    }
    return OK;
}

static enum err_code
take_member(void *context, const struct average_member *member, struct err *err)
{
    struct average_target *target = NULL;

    TRY(add(context, member->name, &target, err));
    target->known = true;
    target->is_tensor = member->is_tensor;
    return OK;
}

static enum err_code
take_whole_set(struct draft *draft, const struct average_config *config, struct average_set *out,
               struct err *err)
{
    const struct entries *entries;
    struct average_target *target = NULL;
    bool found = false;

    TRY(average_each_member(draft->view, config->id, take_member, out, err));
    /* Read again, to own what is read. */
    for (size_t i = 0; i < out->count; i++)
        if (out->targets[i].is_tensor)
            TRY(record_get_member(draft->view, config->id, out->targets[i].name, &found,
                                  &out->targets[i].member, err));
    for (size_t i = 0; (entries = draft_to_publish(draft, publish_entries, i)) != NULL; i++) {
        for (size_t k = 0; entries->average_id == config->id && k < entries->count; k++) {
            TRY(add(out, entries->each[k].name, &target, err));
            take_entry(&entries->each[k], target);
        }
    }
    return OK;
}

/* TensorFlow's default: tf.trainable_variables(). */
static enum err_code
take_trainable(struct draft *draft, struct average_set *out, struct err *err)
{
    struct record_key prefix = record_key_variable(draft->model.id, "");
    struct average_target *target = NULL;
    char name[NAME_BYTES_MAX + 1];
    AUTO(key_walk) walk;
    struct bytes key;
    bool found = true;

    key_walk_init(&walk, draft->view, &prefix);
    for (;;) {
        struct variable_record record;

        TRY(key_walk_next(&walk, &found, &key, err));
        if (!found)
            break;
        snprintf(name, sizeof name, "%.*s", (int)record_key_name(key).size,
                 (const char *)record_key_name(key).data);
        TRY(service_find_variable(draft->view, draft->model.id, name, &record, err));
        if (record.trainable)
            TRY(add(out, name, &target, err));
    }
    if (out->count > 0)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "No variables to average: none is trainable, and none is named");
}

enum err_code
average_set_find(struct draft *draft, const struct average_config *config,
                 const struct average_selection *selection, struct average_set *out,
                 struct err *err)
{
    if (selection->named)
        TRY(take_named(draft, config, selection, out, err));
    else
        TRY(take_whole_set(draft, config, out, err));
    if (!selection->named && out->count == 0)
        TRY(take_trainable(draft, out, err));
    if (out->count == 0)
        return OK;
    qsort(out->targets, out->count, sizeof *out->targets, compare_targets);
    for (size_t i = 0; i < out->count; i++) {
        struct average_target *target = &out->targets[i];

        if (i > 0 && strcmp(target[-1].name, target->name) == 0)
            return average_twice(target->name, err);
        if (target->is_tensor && target->value == NULL)
            target->value = &target->member.value;
    }
    return OK;
}
