#include "api/tensors/choice.h"

#include <stdio.h>

#include "api/json/text.h"

static enum err_code
no_such_choice(const struct api_value *value, const char *text, const char *const *names,
               size_t count, struct err *err)
{
    const char *nearest = api_nearest_name(text, names, count);
    char all[256] = "", where[API_WHERE_BYTES_MAX];
    size_t used = 0;

    for (size_t i = 0; i < count && used < sizeof all; i++)
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "", names[i]);
    (void)api_value_where(value, where);
    if (nearest == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is one of %s, not '%.64s'", where, all, text);
    return err_set(err, ERR_INVALID_ARGUMENT, "%s is one of %s, not '%.64s' (did you mean '%s'?)",
                   where, all, text, nearest);
}

enum err_code
api_object_choice(struct api_object *o, const char *field, struct arena *arena,
                  const char *const *names, size_t count, unsigned *out, bool *given,
                  struct err *err)
{
    struct api_value value;
    const char *text = NULL;

    *given = api_object_has(o, field, &value);
    if (!*given)
        return OK;
    TRY(api_value_text(&value, arena, &text, err));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        *out = (unsigned)i;
        return OK;
    }
    return no_such_choice(&value, text, names, count, err);
}
