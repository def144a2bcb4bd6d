/* Powers: beside which variable each is, by the slots that are noted first. */
#include <stdio.h>
#include <stdlib.h>

#include "service/placement/model_follow.h"
#include "service/placement/model_follow_name.h"
#include "service/state.h"
#include "store/base/scope.h"

static void
take_first(const struct model_follow *follow, const struct follow_first *other,
           struct follow_first *into)
{
    if (other->name == NULL)
        return;
    if (into->name == NULL || other->position < into->position ||
        (follow->first_by_name && other->position == into->position &&
         strcmp(other->name, into->name) < 0))
        *into = *other;
}

static int
compare_slot(const void *slot, const void *owner)
{
    return strcmp(slot, ((const struct follow_owner *)owner)->slot);
}

static struct follow_owner *
find_owner(const struct model_follow *follow, const char *slot)
{
    return follow->owner_count == 0 ? NULL
                                    : bsearch(slot, follow->owners, follow->owner_count,
                                              sizeof *follow->owners, compare_slot);
}

/* A name is kept when it becomes the first, which is seldom. */
static enum err_code
note_first(struct model_follow *follow, const struct follow_first *first, struct follow_first *into,
           struct err *err)
{
    take_first(follow, first, into);
    if (into->name != first->name)
        return OK;
    into->name = arena_text(follow->arena, bytes_of_text(first->name), err);
    return into->name == NULL ? ERR_NO_MEMORY : OK;
}

uint64_t
model_follow_position(const struct model_follow *follow, const struct follow_made *slot,
                      uint64_t primary)
{
    if (follow->first_by_name)
        return slot->by_step ? slot->revision : 0;
    return slot->by_step ? slot->position : primary;
}

struct follow_made
model_follow_made(const struct variable_record *slot)
{
    return (struct follow_made){slot->initial_value.kind != VALUE_NONE, slot->graph_position,
                                slot->created_revision};
}

enum err_code
model_follow_note(struct model_follow *follow, const char *name, size_t size, uint64_t position,
                  void *variable, struct err *err)
{
    struct bytes slot = bytes_of_text(name + size + 1);
    const struct optimizer *optimizer = model_follow_name_slot(slot);
    struct follow_owner *owner = find_owner(follow, name + size + 1);
    char primary[NAME_BYTES_MAX + 1];
    const struct follow_first first = {primary, position, variable};

    snprintf(primary, sizeof primary, "%.*s", (int)size, name);
    if (owner != NULL)
        TRY(note_first(follow, &first, &owner->first, err));
    return optimizer == NULL
               ? OK
               : note_first(follow, &first, &follow->by_kind[optimizer_index(optimizer)], err);
}

/* Of a variable that is there, if it is a slot; `record` is its own. */
static enum err_code
note_slot(struct model_follow *follow, const struct store_view *view, uint64_t model_id,
          const char *name, struct bytes record, struct err *err)
{
    size_t size = strlen(name);
    bool sure = false, found = false;

    while (!found && model_follow_primary(follow, name, &size, &sure)) {
        struct variable_record slot, primary;
        struct follow_made made;
        char other[NAME_BYTES_MAX + 1];

        snprintf(other, sizeof other, "%.*s", (int)size, name);
        TRY(record_get_variable(view, model_id, other, &found, &primary, err));
        if (found && !sure)
            TRY(model_follow_check(view, model_id, name, size, &found, err));
        if (!found)
            continue;
        TRY(record_decode_variable(record, &slot, err));
        made = model_follow_made(&slot);
        TRY(model_follow_note(follow, name, size,
                              model_follow_position(follow, &made, primary.graph_position), NULL,
                              err));
    }
    return OK;
}

enum err_code
model_follow_note_all(struct model_follow *follow, const struct store_view *view, uint64_t model_id,
                      struct err *err)
{
    struct record_key prefix = record_key_variable(model_id, "");
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    bool found = false;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        char name[NAME_BYTES_MAX + 1];

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        snprintf(name, sizeof name, "%.*s", (int)record_key_name(key).size,
                 (const char *)record_key_name(key).data);
        TRY(note_slot(follow, view, model_id, name, value, err));
    }
}

/* What the model says first, where two say it. */
static const struct follow_power *
find_power(const struct model_follow *follow, const char *name)
{
    size_t low = 0, high = follow->power_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(follow->powers[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < follow->power_count && strcmp(follow->powers[low].name, name) == 0
               ? &follow->powers[low]
               : NULL;
}

bool
model_follow_may_be_power(const struct model_follow *follow, const char *name)
{
    const struct optimizer *optimizer;

    for (size_t i = 0; (optimizer = optimizer_at(i)) != NULL; i++)
        if (model_follow_name_power(optimizer, name))
            return true;
    return find_power(follow, name) != NULL;
}

bool
model_follow_power(const struct model_follow *follow, const char *name,
                   const struct tensor_type *type, bool trained, struct follow_first *out)
{
    const struct follow_power *power = find_power(follow, name);
    const struct optimizer *optimizer;

    *out = (struct follow_first){.name = NULL};
    if (power != NULL && power->sure) {
        *out = find_owner(follow, power->slot)->first;
        return true;
    }
    if (trained || type->shape.rank != 0)
        return false;
    if (power != NULL)
        *out = find_owner(follow, power->slot)->first;
    for (size_t i = 0; power == NULL && (optimizer = optimizer_at(i)) != NULL; i++)
        if (model_follow_name_power(optimizer, name))
            take_first(follow, &follow->by_kind[i], out);
    return out->name != NULL;
}
