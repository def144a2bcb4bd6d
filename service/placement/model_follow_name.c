#include "service/placement/model_follow_name.h"

#include <string.h>

#include "service/training/average.h"

enum { NUMBER_DIGITS_MAX = 9 };

/* "Adam", or "Adam_12": as TensorFlow counts what is called alike. */
static bool
is_numbered(struct bytes text, const char *base)
{
    size_t size = strlen(base), digits;
    const char *at;

    if (!bytes_start_with(text, bytes_of_text(base)))
        return false;
    if (text.size == size)
        return true;
    at = (const char *)text.data + size;
    digits = text.size - size - 1;
    if (at[0] != '_' || digits < 1 || digits > NUMBER_DIGITS_MAX || at[1] == '0')
        return false;
    for (size_t i = 1; i <= digits; i++)
        if (at[i] < '0' || at[i] > '9')
            return false;
    return true;
}

const struct optimizer *
model_follow_name_slot(struct bytes text)
{
    const struct optimizer *optimizer;

    for (size_t i = 0; (optimizer = optimizer_at(i)) != NULL; i++)
        if (optimizer_slot_count(optimizer) > 0 && is_numbered(text, optimizer->tf_name))
            return optimizer;
    return NULL;
}

bool
model_follow_name_shadow(struct bytes text)
{
    return is_numbered(text, AVERAGE_SUFFIX_DEFAULT);
}

bool
model_follow_name_power(const struct optimizer *optimizer, const char *name)
{
    for (uint32_t i = 0; i < optimizer_power_count(optimizer); i++)
        if (is_numbered(bytes_of_text(name), optimizer->powers[i].name))
            return true;
    return false;
}
