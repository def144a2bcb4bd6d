#include "service/run/run_rows.h"

#include "service/run/draft.h"
#include "service/variable/variable_rows.h"
#include "store/base/alloc.h"

void
run_rows_drop(struct run_rows *rows)
{
    mem_free(rows->entries);
    *rows = (struct run_rows){0};
}

static const struct run_rows_entry *
find(const struct run_rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->entries[i].name, name) == 0)
            return &rows->entries[i];
    return NULL;
}

static enum err_code
add(struct run_rows *rows, const char *name, struct err *err)
{
    struct run_rows_entry *entry =
        mem_grown(rows->entries, rows->count, &rows->capacity, sizeof *entry, err);

    if (entry == NULL)
        return ERR_NO_MEMORY;
    rows->entries = entry;
    entry = &rows->entries[rows->count++];
    *entry = (struct run_rows_entry){.asked = true};
    memcpy(entry->name, name, strlen(name) + 1);
    return OK;
}

enum err_code
run_want_rows(struct run *run, struct draft_variable *variable, bool *converted, struct err *err)
{
    const struct run_rows_entry *entry = find(run->rows, variable->name);
    bool in_rows = true;

    *converted = entry != NULL && entry->done;
    if (entry != NULL || run->spec->dry_run)
        return OK;
    TRY(draft_in_rows(run->draft, variable, &in_rows, err));
    if (in_rows)
        return OK;
    TRY(add(run->rows, variable->name, err));
    return err_set(err, ERR_DEFER, "'%s' is to be laid out for updates of rows", variable->name);
}

bool
run_rows_asked(const struct run_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->entries[i].asked)
            return true;
    return false;
}

enum err_code
run_rows_lay(struct service *service, const char *model, struct run_rows *rows, struct err *err)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct run_rows_entry *entry = &rows->entries[i];

        if (!entry->asked)
            continue;
        entry->asked = false;
        TRY(variable_lay_rows(service, model, entry->name, &entry->done, err));
    }
    return OK;
}
