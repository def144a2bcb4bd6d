/* Which variables a saver saves, and under which names: chosen when it is built, in TensorFlow's
 * words where they are not chosen well. Partitioned variables are one tensor each; naming all their
 * parts means the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/key_walk.h"
#include "service/saving/saver.h"
#include "service/state.h"
#include "service/variable/variable.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

static const char part_mark[] = "/part_";

/* One pick, as it was understood. */
struct choice {
    const char *tensor;   /* as given; NULL: its variable's name */
    const char *given;    /* the variable as given */
    size_t variable_size; /* of `given`: what is the name of the variable */
    bool is_part;
    uint32_t part, parts;
    size_t order; /* in the request */
};

struct choices {
    struct choice *each; /* owned */
    size_t count;
};

static void
choices_drop(struct choices *choices)
{
    mem_free(choices->each);
}

static struct bytes
variable_of(const struct choice *choice)
{
    return bytes_of(choice->given, choice->variable_size);
}

static struct bytes
tensor_of(const struct choice *choice)
{
    return choice->tensor != NULL ? bytes_of_text(choice->tensor) : variable_of(choice);
}

static int
compare_tensors(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;
    int order = bytes_compare(tensor_of(x), tensor_of(y));

    return order != 0 ? order : x->order < y->order ? -1 : x->order > y->order;
}

/* Then by tensor: of two for one variable the second is the later. */
static int
compare_variables(const void *a, const void *b)
{
    int order = bytes_compare(variable_of(a), variable_of(b));

    return order != 0 ? order : compare_tensors(a, b);
}

/* --- looking the names up ------------------------------------------------------------------ */

static enum err_code
not_a_variable(const struct choice *choice, struct err *err)
{
    err_about(err, "variable", choice->given);
    if (choice->tensor != NULL)
        return err_set(err, ERR_NOT_FOUND,
                       "names_to_saveables must be a dict mapping string names to "
                       "Tensors/Variables. Not a variable: %s (there is no variable '%s')",
                       choice->given, choice->given);
    return err_set(err, ERR_NOT_FOUND,
                   "Variable to save is not a Variable: %s (there is no variable '%s')",
                   choice->given, choice->given);
}

/* "v/part_0" of a partitioned v. */
static enum err_code
find_part(const struct store_view *view, uint64_t model_id, struct choice *choice, struct err *err)
{
    struct variable_record record;
    const char *digits = strrchr(choice->given, '_'), *mark;
    char name[NAME_BYTES_MAX + 1], part[NAME_BYTES_MAX + 32];
    bool found = false;

    if (digits == NULL || digits - choice->given < (ptrdiff_t)strlen(part_mark) - 1)
        return not_a_variable(choice, err);
    mark = digits + 1 - strlen(part_mark);
    choice->variable_size = (size_t)(mark - choice->given);
    choice->part = (uint32_t)strtoul(digits + 1, NULL, 10);
    snprintf(name, sizeof name, "%.*s", (int)choice->variable_size, choice->given);
    snprintf(part, sizeof part, "%s%s%" PRIu32, name, part_mark, choice->part);
    if (strcmp(part, choice->given) != 0)
        return not_a_variable(choice, err);
    TRY(record_get_variable(view, model_id, name, &found, &record, err));
    if (!found || choice->part >= record.partition.count)
        return not_a_variable(choice, err);
    choice->is_part = true;
    choice->parts = record.partition.count;
    return OK;
}

static enum err_code
look_up(const struct store_view *view, uint64_t model_id, const struct saver_spec *spec,
        struct choices *out, struct err *err)
{
    out->each = mem_zeroed(spec->pick_count, sizeof *out->each, err);
    if (out->each == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < spec->pick_count; i++) {
        struct choice *choice = &out->each[i];
        struct variable_record record;
        bool found = false;

        *choice = (struct choice){
            .tensor = spec->picks[i].tensor, .given = spec->picks[i].variable, .order = i};
        TRY(name_check("variable", choice->given, err));
        if (choice->tensor != NULL)
            TRY(name_check_tensor(bytes_of_text(choice->tensor), err));
        choice->variable_size = strlen(choice->given);
        TRY(record_get_variable(view, model_id, choice->given, &found, &record, err));
        if (!found)
            TRY(find_part(view, model_id, choice, err));
    }
    out->count = spec->pick_count;
    if (out->count > 0)
        qsort(out->each, out->count, sizeof *out->each, compare_tensors);
    return OK;
}

/* --- what is wrong with them --------------------------------------------------------------- */

/* Two of a list that would be saved under one name. */
static enum err_code
check_pair(const struct choice *first, const struct choice *second, struct err *err)
{
    struct bytes name = tensor_of(first);

    if (second->is_part && !first->is_part)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Mixing slices and non-slices with the same name: %.*s", (int)name.size,
                       (const char *)name.data);
    if (!second->is_part)
        return err_set(err, ERR_INVALID_ARGUMENT, "At least two variables have the same name: %.*s",
                       (int)name.size, (const char *)name.data);
    return OK;
}

/* Two of a map's, under one key. */
static enum err_code
check_slices(const struct choice *first, const struct choice *second, struct err *err)
{
    const struct choice *whole = !first->is_part ? first : !second->is_part ? second : NULL;
    struct bytes a = variable_of(first), b = variable_of(second);

    if (whole != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "Slices must all be slices: %s", whole->given);
    if (bytes_equal(a, b))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "Slices must all be from the same tensor: %.*s != %.*s", (int)a.size,
                   (const char *)a.data, (int)b.size, (const char *)b.data);
}

/* `count` choices under one name: one variable, or all parts of one. */
static enum err_code
check_group(const struct choice *group, size_t count, struct err *err)
{
    AUTO_CALL(mem_free_scope) bool *seen = NULL;
    struct bytes name = variable_of(group);

    for (size_t i = 1; i < count; i++)
        TRY(group->tensor != NULL ? check_slices(group, &group[i], err)
                                  : check_pair(group, &group[i], err));
    if (!group->is_part)
        return OK;
    seen = mem_zeroed(group->parts, sizeof *seen, err);
    if (seen == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (seen[group[i].part])
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "The same saveable will be restored with two names: %s", group[i].given);
        seen[group[i].part] = true;
    }
    if (count == group->parts)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "variable '%.*s' is saved as a whole: %zu of its %" PRIu32
                   " parts are named; name all of them, or '%.*s'",
                   (int)name.size, (const char *)name.data, count, group->parts, (int)name.size,
                   (const char *)name.data);
}

/* One of each group is left. */
static enum err_code
check_names(struct choices *choices, struct err *err)
{
    size_t kept = 0;

    for (size_t begin = 0, end; begin < choices->count; begin = end) {
        struct choice *group = &choices->each[begin];

        for (end = begin + 1; end < choices->count; end++)
            if (!bytes_equal(tensor_of(group), tensor_of(&choices->each[end])))
                break;
        TRY(check_group(group, end - begin, err));
        choices->each[kept++] = *group;
    }
    choices->count = kept;
    return OK;
}

/* Leaves them in the order of variables. */
static enum err_code
check_variables(struct choices *choices, struct err *err)
{
    const struct choice *later = NULL;

    if (choices->count > 0)
        qsort(choices->each, choices->count, sizeof *choices->each, compare_variables);
    for (size_t i = 1; i < choices->count; i++) {
        const struct choice *second = &choices->each[i];

        if (!bytes_equal(variable_of(second), variable_of(&choices->each[i - 1])))
            continue;
        if (later == NULL || compare_tensors(second, later) < 0)
            later = second;
    }
    if (later == NULL)
        return OK;
    err_about(err, "variable", later->given);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "The same saveable will be restored with two names: %.*s",
                   (int)tensor_of(later).size, (const char *)tensor_of(later).data);
}

/* --- choosing ------------------------------------------------------------------------------ */

static enum err_code
choose_picks(struct store_txn *txn, uint64_t model_id, struct saver_record *saver,
             const struct saver_spec *spec, struct err *err)
{
    AUTO(choices) choices = {0};

    TRY(look_up(store_txn_view(txn), model_id, spec, &choices, err));
    TRY(check_names(&choices, err));
    TRY(check_variables(&choices, err));
    for (size_t i = 0; i < choices.count; i++) {
        const struct choice *choice = &choices.each[i];
        char name[NAME_BYTES_MAX + 1];

        snprintf(name, sizeof name, "%.*s", (int)choice->variable_size, choice->given);
        TRY(record_put_saved(txn, saver->id, tensor_of(choice), name, err));
    }
    saver->variables = choices.count;
    return OK;
}

/* Every variable that TensorFlow's Saver takes by default, as they are now. */
static enum err_code
choose_all(struct store_txn *txn, uint64_t model_id, struct saver_record *saver, struct err *err)
{
    struct record_key prefix = record_key_variable(model_id, "");
    struct bytes collection = bytes_of_text(VARIABLE_COLLECTION_GLOBAL), key;
    AUTO(key_walk) walk;
    bool found = true;

    key_walk_init(&walk, store_txn_view(txn), &prefix);
    for (;;) {
        struct variable_record record;
        char name[NAME_BYTES_MAX + 1];

        TRY(key_walk_next(&walk, &found, &key, err));
        if (!found)
            return OK;
        snprintf(name, sizeof name, "%.*s", (int)record_key_name(key).size,
                 (const char *)record_key_name(key).data);
        TRY(service_find_variable(store_txn_view(txn), model_id, name, &record, err));
        if (!record_texts_hold(&record.collections, collection))
            continue;
        TRY(record_put_saved(txn, saver->id, bytes_of_text(name), name, err));
        saver->variables++;
    }
}

enum err_code
saver_choose_variables(struct store_txn *txn, uint64_t model_id, struct saver_record *saver,
                       const struct saver_spec *spec, struct err *err)
{
    struct record_key saved = record_key_saved(saver->id, bytes_of("", 0));

    TRY(key_walk_delete(txn, &saved, NULL, err));
    saver->variables = 0;
    if (spec->picks != NULL)
        TRY(choose_picks(txn, model_id, saver, spec, err));
    else
        TRY(choose_all(txn, model_id, saver, err));
    saver->built = true;
    if (saver->variables > 0 || saver->settings.allow_empty)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "No variables to save: say \"allow_empty\": true for a saver of none");
}

enum err_code
saver_each_variable(const struct store_view *view, uint64_t saver_id, saver_variable_visit *visit,
                    void *context, struct err *err)
{
    struct record_key prefix = record_key_saved(saver_id, bytes_of("", 0));
    AUTO(key_walk) walk;
    struct bytes key, record;
    bool found = true;

    key_walk_init(&walk, view, &prefix);
    for (;;) {
        char variable[NAME_BYTES_MAX + 1];

        TRY(key_walk_next(&walk, &found, &key, err));
        if (!found)
            return OK;
        TRY(store_get(view, key, &record, err));
        TRY(record_decode_saved(record, variable, err));
        TRY(visit(context, record_key_name(key), variable, err));
    }
}
