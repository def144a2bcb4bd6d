#include "service/placement/model_follow.h"

#include <stdlib.h>

#include "service/model_kind.h"
#include "service/training/average.h"
#include "service/training/optimizer_config.h"
#include "store/base/scope.h"

struct follow_suffix {
    const char *text;
    bool is_average; /* then "biased" and "local_step" of it follow it */
};

struct follow_power {
    const char *name, *slot;
};

static enum err_code
add_suffix(struct model_follow *follow, const char *text, bool is_average, const char **out,
           struct err *err)
{
    struct follow_suffix *grown = arena_grown(follow->arena, follow->suffixes, follow->suffix_count,
                                              &follow->suffix_capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    follow->suffixes = grown;
    grown += follow->suffix_count++;
    grown->text = arena_text(follow->arena, bytes_of_text(text), err);
    grown->is_average = is_average;
    *out = grown->text;
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
add_power(struct model_follow *follow, const char *name, const char *slot, struct err *err)
{
    struct follow_power *grown = arena_grown(follow->arena, follow->powers, follow->power_count,
                                             &follow->power_capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    follow->powers = grown;
    grown += follow->power_count++;
    grown->name = arena_text(follow->arena, bytes_of_text(name), err);
    grown->slot = slot;
    return grown->name == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
add_optimizer(void *context, const struct optimizer_config *config, struct err *err)
{
    struct model_follow *follow = context;
    const struct optimizer *optimizer = config->optimizer;
    const char *slot = NULL, *text = NULL;
    char name[NAME_BYTES_MAX + 1];

    for (uint32_t i = 0; i < optimizer_slot_count(optimizer); i++) {
        if (!optimizer_slot_wanted(optimizer, i, config->params))
            continue;
        optimizer_config_slot_suffix(config, i, name);
        TRY(add_suffix(follow, name, false, &text, err));
        if (slot == NULL)
            slot = text;
    }
    for (uint32_t i = 0; slot != NULL && i < optimizer_power_count(optimizer); i++) {
        optimizer_config_power_name(config, i, name);
        TRY(add_power(follow, name, slot, err));
    }
    return OK;
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

enum err_code
model_follow_open(struct model_follow *follow, const struct store_view *view, uint64_t model_id,
                  struct arena *arena, struct err *err)
{
    bool more = false;

    *follow = (struct model_follow){.arena = arena};
    TRY(optimizer_config_each(view, model_id, add_optimizer, follow, err));
    TRY(model_kind_each(view, model_id, &average_kind, NULL, AVERAGES_MAX, add_average, follow,
                        &more, err));
    if (follow->suffix_count > 0)
        qsort(follow->suffixes, follow->suffix_count, sizeof *follow->suffixes, compare_suffixes);
    return OK;
}

/* --- by name ------------------------------------------------------------------------------- */

/* Whether `size` bytes are a suffix; of an average, if that is wanted. */
static bool
is_suffix(const struct model_follow *follow, const char *text, size_t size, bool average)
{
    size_t low = 0, high = follow->suffix_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (bytes_compare(bytes_of_text(follow->suffixes[middle].text), bytes_of(text, size)) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    /* An optimizer and an average may have the same one. */
    for (; low < follow->suffix_count; low++) {
        const struct follow_suffix *found = &follow->suffixes[low];

        if (!bytes_equal(bytes_of_text(found->text), bytes_of(text, size)))
            return false;
        if (found->is_average || !average)
            return true;
    }
    return false;
}

static bool
is_shadow(const struct model_follow *follow, const char *name, size_t size)
{
    for (size_t at = size; at-- > 1;)
        if (name[at] == '/' && is_suffix(follow, name + at + 1, size - at - 1, true))
            return true;
    return false;
}

static bool
removes_bias(const struct model_follow *follow, const char *name, size_t at)
{
    const char *tail = name + at + 1;

    return (strcmp(tail, "biased") == 0 || strcmp(tail, "local_step") == 0) &&
           is_shadow(follow, name, at);
}

bool
model_follow_primary(const struct model_follow *follow, const char *name, size_t *size)
{
    for (size_t at = *size; follow->suffix_count > 0 && at-- > 1;) {
        if (name[at] != '/')
            continue;
        if (!is_suffix(follow, name + at + 1, strlen(name + at + 1), false) &&
            !removes_bias(follow, name, at))
            continue;
        *size = at;
        return true;
    }
    return false;
}

bool
model_follow_power(const struct model_follow *follow, const char *name, const char **slot)
{
    for (size_t i = 0; i < follow->power_count; i++) {
        if (strcmp(follow->powers[i].name, name) != 0)
            continue;
        *slot = follow->powers[i].slot;
        return true;
    }
    return false;
}
