#include "api/resource/variable_names.h"

#include "service/name.h"

enum err_code
api_variable_name(struct arena *arena, const char *text, const char **out, struct err *err)
{
    *out = arena_text(arena, bytes_of(text, name_without_output(text)), err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

enum err_code
api_variable_names(struct arena *arena, const char **names, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        TRY(api_variable_name(arena, names[i], &names[i], err));
    return OK;
}

enum err_code
api_variable_names_split(struct arena *arena, struct bytes text, const char ***out, size_t *count,
                         struct err *err)
{
    size_t commas = 0, begin = 0;

    for (size_t i = 0; i < text.size; i++)
        commas += text.data[i] == ',';
    *out = arena_array(arena, commas + 1, sizeof **out, err);
    if (*out == NULL)
        return ERR_NO_MEMORY;
    *count = 0;
    for (size_t end = 0; end <= text.size; end++) {
        const char *name;

        if (end < text.size && text.data[end] != ',')
            continue;
        name = arena_text(arena, bytes_of(text.data + begin, end - begin), err);
        if (name == NULL)
            return ERR_NO_MEMORY;
        TRY(api_variable_name(arena, name, &(*out)[(*count)++], err));
        begin = end + 1;
    }
    return OK;
}

enum err_code
api_object_variable(struct api_object *object, const char *field, struct arena *arena,
                    const char **out, bool *present, struct err *err)
{
    TRY(api_object_text(object, field, arena, out, present, err));
    return present != NULL && !*present ? OK : api_variable_name(arena, *out, out, err);
}

enum err_code
api_object_variables(struct api_object *object, const char *field, struct arena *arena,
                     const char ***out, size_t *count, bool *present, struct err *err)
{
    TRY(api_object_texts(object, field, arena, out, count, present, err));
    return present != NULL && !*present ? OK : api_variable_names(arena, *out, *count, err);
}
