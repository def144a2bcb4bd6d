#include "service/saving/restore_report.h"

#include <stdlib.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"

void
restore_report_drop(struct restore_report *report)
{
    mem_free(report->restored.names);
    mem_free(report->missing.names);
    mem_free(report->unexpected.names);
    mem_free(report->mismatched.names);
    mem_free(report->not_in_checkpoint.names);
    arena_drop(&report->arena);
    *report = (struct restore_report){0};
}

void
restore_report_begin(struct restore_report *report)
{
    static const struct err none = ERR_INIT;

    restore_report_drop(report);
    arena_init(&report->arena, SIZE_MAX / 2);
    report->refused = none;
}

enum err_code
restore_list_add(struct restore_list *list, const struct restore_name *name, struct err *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        struct restore_name *grown = mem_resize(list->names, capacity * sizeof *grown, err);

        if (grown == NULL)
            return ERR_NO_MEMORY;
        list->names = grown;
        list->capacity = capacity;
    }
    list->names[list->count++] = *name;
    return OK;
}

static int
compare_names(const void *a, const void *b)
{
    const struct restore_name *x = *(const struct restore_name *const *)a;
    const struct restore_name *y = *(const struct restore_name *const *)b;
    int order = strcmp(x->variable, y->variable);

    return order != 0 ? order : strcmp(x->tensor, y->tensor);
}

enum err_code
restore_lists_sorted(const struct restore_list *const *lists, size_t list_count,
                     const struct restore_name ***out, size_t *count, struct err *err)
{
    size_t total = 0;

    for (size_t i = 0; i < list_count; i++)
        total += lists[i]->count;
    *out = mem_zeroed(total, sizeof(struct restore_name *), err);
    if (*out == NULL)
        return ERR_NO_MEMORY;
    *count = 0;
    for (size_t i = 0; i < list_count; i++)
        for (size_t k = 0; k < lists[i]->count; k++)
            (*out)[(*count)++] = &lists[i]->names[k];
    qsort(*out, total, sizeof(struct restore_name *), compare_names);
    return OK;
}

static enum err_code
judge_missing(const struct restore_report *report, const struct checkpoint_restore_spec *spec,
              struct err *err)
{
    const struct restore_list *missing = &report->missing;

    if (missing->count == 0 || spec->on_missing == RESTORE_SKIP)
        return OK;
    err_about(err, "tensor", missing->names[0].tensor);
    return err_set(err, ERR_NOT_FOUND, "Key %s not found in checkpoint '%s' (%zu missing)",
                   missing->names[0].tensor, spec->name, missing->count);
}

static enum err_code
judge_unexpected(const struct restore_report *report, const struct checkpoint_restore_spec *spec,
                 struct err *err)
{
    const struct restore_list *unexpected = &report->unexpected;
    const struct restore_name *first = unexpected->names;

    if (unexpected->count == 0 || spec->on_extra == RESTORE_SKIP)
        return OK;
    err_about(err, "variable", first->variable);
    if (!spec->create)
        return err_set(err, ERR_NOT_FOUND,
                       "tensor '%s' of checkpoint '%s' has no variable '%s' to go to (%zu such): "
                       "name those to restore, or \"on_extra\": \"skip\", or \"create\": true",
                       first->tensor, spec->name, first->variable, unexpected->count);
    if (name_check("variable", first->variable, err) == OK)
        return OK;
    err_prefix(err, "tensor '%s' of checkpoint '%s' cannot become a variable (%zu such)",
               first->tensor, spec->name, unexpected->count);
    return ERR_INVALID_ARGUMENT;
}

static enum err_code
judge_mismatched(const struct restore_report *report, const struct checkpoint_restore_spec *spec,
                 struct err *err)
{
    const struct restore_list *mismatched = &report->mismatched;
    const struct restore_name *first = mismatched->names;

    if (mismatched->count == 0 || spec->on_mismatch == RESTORE_SKIP)
        return OK;
    err_about(err, "variable", first->variable);
    return err_set(err, ERR_INVALID_ARGUMENT, "restore '%s' from '%s': %s (%zu mismatched)",
                   first->variable, first->tensor, first->sides->reason, mismatched->count);
}

/* Two tensors for one variable: which would win is nobody's to guess. */
static enum err_code
judge_twice(const struct restore_report *report, struct err *err)
{
    AUTO_CALL(mem_free_scope) const struct restore_name **names = NULL;
    const struct restore_list *const lists[] = {&report->restored};
    size_t count = 0;

    TRY(restore_lists_sorted(lists, 1, &names, &count, err));
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1]->variable, names[i]->variable) != 0)
            continue;
        err_about(err, "variable", names[i]->variable);
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "variable '%s' would be restored from two tensors, '%s' and '%s'",
                       names[i]->variable, names[i - 1]->tensor, names[i]->tensor);
    }
    return OK;
}

enum err_code
restore_report_judge(const struct restore_report *report,
                     const struct checkpoint_restore_spec *spec, struct err *err)
{
    TRY(judge_missing(report, spec, err));
    TRY(judge_unexpected(report, spec, err));
    TRY(judge_mismatched(report, spec, err));
    return judge_twice(report, err);
}
