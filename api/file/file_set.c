#include "api/file/file_set.h"

#include <stdlib.h>
#include <string.h>

#include "api/json/text.h"

enum { NAME_SHOWN_BYTES = 120 };

enum err_code
api_file_set_add(struct api_file_set *set, struct arena *arena, struct bytes name,
                 const struct api_file *file, struct err *err)
{
    struct api_file_entry *entries =
        arena_grown(arena, set->entries, set->count, &set->capacity, sizeof *entries, err);
    const char *copy = arena_text(arena, name, err);

    if (entries == NULL || copy == NULL)
        return ERR_NO_MEMORY;
    set->entries = entries;
    set->entries[set->count++] = (struct api_file_entry){bytes_of(copy, name.size), *file};
    return OK;
}

static int
compare_entries(const void *a, const void *b)
{
    const struct api_file_entry *x = a, *y = b;

    return bytes_compare(x->name, y->name);
}

enum err_code
api_file_set_sort(struct api_file_set *set, struct err *err)
{
    if (set->count > 0)
        qsort(set->entries, set->count, sizeof *set->entries, compare_entries);
    for (size_t i = 1; i < set->count; i++) {
        struct bytes name = set->entries[i].name;

        if (bytes_equal(set->entries[i - 1].name, name))
            return err_set(err, ERR_INVALID_ARGUMENT, "two files have the name '%.*s'",
                           (int)api_utf8_cut(name, NAME_SHOWN_BYTES), (const char *)name.data);
    }
    return OK;
}

const struct api_file *
api_file_set_find(const struct api_file_set *set, struct bytes name)
{
    struct api_file_entry key = {.name = name}, *found;

    if (set->count == 0)
        return NULL;
    found = bsearch(&key, set->entries, set->count, sizeof *set->entries, compare_entries);
    return found != NULL ? &found->file : NULL;
}
