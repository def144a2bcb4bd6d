#include "service/placement/model_follow.h"

#include <stdio.h>
#include <stdlib.h>

#include "service/model_kind.h"
#include "service/placement/model_follow_name.h"
#include "service/state.h"
#include "service/training/average.h"
#include "service/training/optimizer_config.h"
#include "store/base/scope.h"

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
