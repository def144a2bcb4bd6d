/* Owners, groups, and what is counted for them. */
#include "service/usage/tally.h"

#include <stdlib.h>

#include "service/usage/tally_parts.h"
#include "store/base/alloc.h"

void
service_tally_init(struct service_tally *tally, const struct service *service,
                   const struct store_view *view)
{
    *tally = (struct service_tally){.service = service, .view = view};
}

void
service_tally_drop(struct service_tally *tally)
{
    mem_free(tally->owners);
    mem_free(tally->groups);
    mem_free(tally->namings);
    mem_free(tally->values);
    mem_free(tally->seen);
    if (tally->family != NULL) {
        mem_free(tally->family->ids);
        mem_free(tally->family->runs);
        mem_free(tally->family);
    }
    *tally = (struct service_tally){.view = NULL};
}

enum err_code
service_tally_group(struct service_tally *tally, uint32_t *out, struct err *err)
{
    struct tally_group *groups =
        mem_grown(tally->groups, tally->group_count, &tally->group_capacity, sizeof *groups, err);

    if (groups == NULL)
        return ERR_NO_MEMORY;
    tally->groups = groups;
    groups[tally->group_count] = (struct tally_group){.stamp = 0};
    *out = (uint32_t)tally->group_count++;
    return OK;
}

enum err_code
service_tally_owner(struct service_tally *tally, uint32_t group, bool is_checkpoint, uint32_t *out,
                    struct err *err)
{
    struct tally_owner *owners =
        mem_grown(tally->owners, tally->owner_count, &tally->owner_capacity, sizeof *owners, err);

    if (owners == NULL)
        return ERR_NO_MEMORY;
    tally->owners = owners;
    owners[tally->owner_count] =
        (struct tally_owner){.group = group, .is_checkpoint = is_checkpoint};
    *out = (uint32_t)tally->owner_count++;
    return OK;
}

/* --- counting ------------------------------------------------------------------------------ */

static void
count_group(struct tally_group *group, uint64_t stamp, bool is_checkpoint, uint64_t size)
{
    if (group->stamp != stamp) {
        group->stamp = stamp;
        group->checkpoints = 0;
        group->stored_bytes += size;
    }
    if (is_checkpoint && ++group->checkpoints == 2)
        group->common_bytes += size;
}

void
service_tally_count_seen(struct service_tally *tally, uint32_t count, bool foreign, uint64_t size)
{
    const bool alone = count == 1 && !foreign;
    uint32_t groups = 0, group = 0;

    tally->stored_bytes += size;
    for (uint32_t i = 0; i < count; i++) {
        struct tally_owner *owner = &tally->owners[tally->seen[i]];

        groups += tally->groups[owner->group].stamp != tally->stamp;
        group = owner->group;
        owner->unique_bytes += alone ? size : 0;
        owner->shared_bytes += alone ? 0 : size;
        count_group(&tally->groups[group], tally->stamp, owner->is_checkpoint, size);
    }
    if (groups == 1 && !foreign)
        tally->groups[group].unique_bytes += size;
}

void
service_tally_see_value(struct service_tally *tally, const struct tally_value *value,
                        uint32_t *count)
{
    const struct tally_naming *namings = tally->namings + value->naming_first;

    for (uint32_t i = 0; i < value->naming_count; i++) {
        struct tally_owner *owner = &tally->owners[namings[i].owner];

        if (owner->stamp == tally->stamp)
            continue;
        owner->stamp = tally->stamp;
        tally->seen[(*count)++] = namings[i].owner;
    }
}

void
service_tally_count_value(struct service_tally *tally, const struct tally_value *value,
                          uint64_t size)
{
    uint32_t count = 0;

    if (size == 0)
        return;
    tally->stamp++;
    service_tally_see_value(tally, value, &count);
    service_tally_count_seen(tally, count, value->foreign, size);
}

enum err_code
service_tally_add(struct service_tally *tally, uint32_t owner, const struct value_ref *ref,
                  struct err *err)
{
    struct tally_owner *who = &tally->owners[owner];
    struct tally_naming *namings;

    if (ref->kind == VALUE_NONE)
        return OK;
    if (ref->kind == VALUE_INLINE) {
        who->unique_bytes += ref->size;
        tally->stored_bytes += ref->size;
        tally->groups[who->group].stored_bytes += ref->size;
        tally->groups[who->group].unique_bytes += ref->size;
        return OK;
    }
    namings = mem_grown(tally->namings, tally->naming_count, &tally->naming_capacity,
                        sizeof *namings, err);
    if (namings == NULL)
        return ERR_NO_MEMORY;
    tally->namings = namings;
    namings[tally->naming_count++] = (struct tally_naming){.value = ref->id, .owner = owner};
    return OK;
}

/* --- values -------------------------------------------------------------------------------- */

static int
compare_namings(const void *a, const void *b)
{
    const struct tally_naming *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->owner < y->owner ? -1 : x->owner > y->owner;
}

static int
compare_values(const void *a, const void *b)
{
    const struct tally_value *x = a, *y = b;

    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* A value and the namings of it: counted if it is one record, else noted. */
static enum err_code
take_value(struct service_tally *tally, size_t first, size_t count, struct err *err)
{
    struct tally_value value = {
        .id = tally->namings[first].value, .naming_first = first, .naming_count = (uint32_t)count};
    struct value_head *head = &tally->family->head;
    struct tally_value *values;

    TRY(value_head_read(tally->view, value.id, head, err));
    value.family = head->family;
    value.forked = head->forked;
    value.foreign = head->refs > count;
    if (head->kind == VALUE_RECORD) {
        service_tally_count_value(tally, &value, head->layout.size);
        return OK;
    }
    values =
        mem_grown(tally->values, tally->value_count, &tally->value_capacity, sizeof *values, err);
    if (values == NULL)
        return ERR_NO_MEMORY;
    tally->values = values;
    values[tally->value_count++] = value;
    return OK;
}

static enum err_code
take_values(struct service_tally *tally, struct err *err)
{
    const struct tally_naming *namings = tally->namings;

    if (tally->naming_count > 0)
        qsort(tally->namings, tally->naming_count, sizeof *namings, compare_namings);
    for (size_t i = 0, next = 0; i < tally->naming_count; i = next) {
        while (next < tally->naming_count && namings[next].value == namings[i].value)
            next++;
        TRY(take_value(tally, i, next - i, err));
    }
    if (tally->value_count > 0)
        qsort(tally->values, tally->value_count, sizeof *tally->values, compare_values);
    return OK;
}

enum err_code
service_tally_run(struct service_tally *tally, struct err *err)
{
    struct tally_value *values;

    tally->family = mem_zeroed(1, sizeof *tally->family, err);
    tally->seen = mem_zeroed(tally->owner_count, sizeof *tally->seen, err);
    if (tally->family == NULL || tally->seen == NULL)
        return ERR_NO_MEMORY;
    TRY(take_values(tally, err));
    values = tally->values;
    for (size_t i = 0, next = 0; i < tally->value_count; i = next) {
        while (next < tally->value_count && values[next].family == values[i].family)
            next++;
        TRY(service_tally_count_family(tally, values + i, next - i, err));
    }
    return OK;
}
