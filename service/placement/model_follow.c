#include "service/placement/model_follow.h"

#include <stdio.h>
#include <stdlib.h>

#include "service/model_kind.h"
#include "service/placement/model_follow_name.h"
#include "service/state.h"
#include "service/training/average.h"
#include "service/training/optimizer_config.h"
#include "store/base/scope.h"

struct follow_suffix {
    const char *text;
    bool is_average; /* then "biased" and "local_step" of it follow it */
    bool sure;       /* of what the model has itself */
};

struct follow_power {
    const char *name, *slot; /* of its optimizer's first slots, what follows a variable's name */
    bool sure;
};

struct follow_owner {
    const char *slot;
    struct follow_first first;
};

/* --- what the model has -------------------------------------------------------------------- */

struct adding {
    struct model_follow *follow;
    bool sure;
};

static enum err_code
add_suffix(const struct adding *adding, const char *text, bool is_average, const char **out,
           struct err *err)
{
    struct model_follow *follow = adding->follow;
    struct follow_suffix *grown = arena_grown(follow->arena, follow->suffixes, follow->suffix_count,
                                              &follow->suffix_capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    follow->suffixes = grown;
    grown += follow->suffix_count++;
    *grown = (struct follow_suffix){.is_average = is_average, .sure = adding->sure};
    grown->text = *out = arena_text(follow->arena, bytes_of_text(text), err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
add_power(const struct adding *adding, const char *name, const char *slot, struct err *err)
{
    struct model_follow *follow = adding->follow;
    struct follow_power *grown = arena_grown(follow->arena, follow->powers, follow->power_count,
                                             &follow->power_capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    follow->powers = grown;
    grown += follow->power_count++;
    *grown = (struct follow_power){.slot = slot, .sure = adding->sure};
    grown->name = arena_text(follow->arena, bytes_of_text(name), err);
    return grown->name == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
add_owner(struct model_follow *follow, const char *slot, struct err *err)
{
    struct follow_owner *grown = arena_grown(follow->arena, follow->owners, follow->owner_count,
                                             &follow->owner_capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    follow->owners = grown;
    grown[follow->owner_count++] = (struct follow_owner){.slot = slot};
    return OK;
}

static enum err_code
add_optimizer(void *context, const struct optimizer_config *config, struct err *err)
{
    const struct adding *adding = context;
    const struct optimizer *optimizer = config->optimizer;
    const char *slot = NULL, *text = NULL;
    char name[NAME_BYTES_MAX + 1];

    for (uint32_t i = 0; i < optimizer_slot_count(optimizer); i++) {
        if (!optimizer_slot_wanted(optimizer, i, config->params))
            continue;
        optimizer_config_slot_suffix(config, i, name);
        TRY(add_suffix(adding, name, false, &text, err));
        if (slot == NULL)
            slot = text;
    }
    if (slot == NULL || optimizer_power_count(optimizer) == 0)
        return OK;
    for (uint32_t i = 0; i < optimizer_power_count(optimizer); i++) {
        optimizer_config_power_name(config, i, name);
        TRY(add_power(adding, name, slot, err));
    }
    return add_owner(adding->follow, slot, err);
}

static enum err_code
add_average(void *context, const char *name, struct bytes record, struct err *err)
{
    AUTO(average_config) config = {0};
    const char *text = NULL;

    (void)name;
    TRY(record_decode_average(record, &config, err));
    return add_suffix(context, config.suffix, true, &text, err);
}

static int
compare_suffixes(const void *a, const void *b)
{
    return strcmp(((const struct follow_suffix *)a)->text, ((const struct follow_suffix *)b)->text);
}

static int
compare_powers(const void *a, const void *b)
{
    const struct follow_power *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : y->sure - x->sure;
}

static int
compare_owners(const void *a, const void *b)
{
    return strcmp(((const struct follow_owner *)a)->slot, ((const struct follow_owner *)b)->slot);
}

static void
sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    if (count > 1)
        qsort(items, count, size, compare);
}

static enum err_code
add_all(struct model_follow *follow, const struct store_view *view, uint64_t model_id, bool sure,
        struct err *err)
{
    struct adding adding = {follow, sure};
    bool more = false;

    TRY(optimizer_config_each(view, model_id, add_optimizer, &adding, err));
    TRY(model_kind_each(view, model_id, &average_kind, NULL, AVERAGES_MAX, add_average, &adding,
                        &more, err));
    sort(follow->suffixes, follow->suffix_count, sizeof *follow->suffixes, compare_suffixes);
    sort(follow->powers, follow->power_count, sizeof *follow->powers, compare_powers);
    sort(follow->owners, follow->owner_count, sizeof *follow->owners, compare_owners);
    return OK;
}

enum err_code
model_follow_open(struct model_follow *follow, const struct store_view *view,
                  const struct model_record *model, struct arena *arena, struct err *err)
{
    const struct model_devices *devices = &model->devices;

    *follow =
        (struct model_follow){.arena = arena,
                              .first_by_name = devices->has_placement &&
                                               devices->placement.version == DEVICE_SETTER_1_15};
    return add_all(follow, view, model->id, true, err);
}

enum err_code
model_follow_add(struct model_follow *follow, const struct store_view *view, uint64_t model_id,
                 struct err *err)
{
    return add_all(follow, view, model_id, false, err);
}

/* --- by name ------------------------------------------------------------------------------- */

/* Whether it is a suffix; of an average, if that is wanted. Several may have the same one. */
static bool
is_suffix(const struct model_follow *follow, struct bytes text, bool average, bool *sure)
{
    size_t low = 0, high = follow->suffix_count;
    bool is = model_follow_name_shadow(text) || (!average && model_follow_name_slot(text) != NULL);

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (bytes_compare(bytes_of_text(follow->suffixes[middle].text), text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *sure = false;
    for (; low < follow->suffix_count && !*sure; low++) {
        const struct follow_suffix *found = &follow->suffixes[low];

        if (!bytes_equal(bytes_of_text(found->text), text))
            break;
        if (average && !found->is_average)
            continue;
        is = true;
        *sure = found->sure;
    }
    return is;
}

static bool
is_shadow(const struct model_follow *follow, const char *name, size_t size, bool *sure)
{
    bool is = false;

    *sure = false;
    for (size_t at = size; at-- > 1 && !*sure;)
        if (name[at] == '/')
            is |= is_suffix(follow, bytes_of(name + at + 1, size - at - 1), true, sure);
    return is;
}

static bool
is_local_step(const char *text)
{
    return strcmp(text, "local_step") == 0;
}

static bool
removes_bias(const struct model_follow *follow, const char *name, size_t at, bool *sure)
{
    const char *tail = name + at + 1;

    return (strcmp(tail, "biased") == 0 || is_local_step(tail)) &&
           is_shadow(follow, name, at, sure);
}

bool
model_follow_primary(const struct model_follow *follow, const char *name, size_t *size, bool *sure)
{
    for (size_t at = *size; at-- > 1;) {
        if (name[at] != '/')
            continue;
        if (!is_suffix(follow, bytes_of_text(name + at + 1), false, sure) &&
            !removes_bias(follow, name, at, sure))
            continue;
        *size = at;
        return true;
    }
    return false;
}

bool
model_follow_fits(const char *name, size_t size, const struct tensor_type *type, bool trained,
                  const struct tensor_type *primary)
{
    if (trained || type->dtype != primary->dtype)
        return false;
    return is_local_step(name + size + 1) ? type->shape.rank == 0
                                          : shape_equal(&type->shape, &primary->shape);
}

enum err_code
model_follow_check(const struct store_view *view, uint64_t model_id, const char *name, size_t size,
                   bool *fits, struct err *err)
{
    struct variable_record record, other;
    char primary[NAME_BYTES_MAX + 1];

    snprintf(primary, sizeof primary, "%.*s", (int)size, name);
    TRY(service_find_variable(view, model_id, name, &record, err));
    TRY(service_find_variable(view, model_id, primary, &other, err));
    *fits = record.shape_known && other.shape_known &&
            model_follow_fits(name, size, &record.type, record.trainable, &other.type);
    return OK;
}

/* --- powers -------------------------------------------------------------------------------- */

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

static struct follow_owner *
find_owner(const struct model_follow *follow, const char *slot)
{
    const struct follow_owner wanted = {.slot = slot};

    return follow->owner_count == 0 ? NULL
                                    : bsearch(&wanted, follow->owners, follow->owner_count,
                                              sizeof wanted, compare_owners);
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

/* Of a variable that is there, if it is a slot. */
static enum err_code
note_slot(struct model_follow *follow, const struct store_view *view, uint64_t model_id,
          const char *name, struct err *err)
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
        TRY(service_find_variable(view, model_id, name, &slot, err));
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
        TRY(note_slot(follow, view, model_id, name, err));
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
