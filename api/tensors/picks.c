#include "api/tensors/picks.h"

#include <string.h>

#include "api/resource/variable_names.h"

enum err_code
api_picks_take(struct api_request *rq, const struct api_value *value,
               const struct checkpoint_pick **out, size_t *count, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct checkpoint_pick *picks;
    struct api_value *values = NULL;
    const char **names = NULL;
    bool map = api_value_kind(value) == API_OBJECT;

    if (map)
        TRY(api_value_fields(value, arena, &names, &values, count, err));
    else
        TRY(api_value_texts(value, arena, &names, count, err));
    picks = arena_array(arena, *count + 1, sizeof *picks, err);
    if (picks == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < *count; i++) {
        const char *variable = names[i];

        if (map)
            TRY(api_value_text(&values[i], arena, &variable, err));
        TRY(api_variable_name(arena, variable, &picks[i].variable, err));
        picks[i].tensor = map ? names[i] : picks[i].variable;
    }
    *out = picks;
    return OK;
}

const char *
api_file_name(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash == NULL ? name : slash + 1;
}
