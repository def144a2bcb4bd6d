/* save: a checkpoint of the values as the operations before it have left them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/key_walk.h"
#include "service/run/draft.h"
#include "service/run/verb.h"
#include "service/saving/saver.h"
#include "service/tensor/convert.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { SAVE_PADDED_DIGITS = 8 };

/* The global step: given, or an integer scalar variable's value at this moment of the run. */
static enum err_code
find_step(struct run *run, const struct checkpoint_save_spec *spec, struct draft_save_spec *out,
          struct err *err)
{
    struct draft_variable *variable = NULL;
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    _Alignas(16) uint8_t element[16];

    out->has_global_step = spec->has_global_step || spec->global_step_variable != NULL;
    out->global_step = spec->global_step;
    if (spec->global_step_variable == NULL)
        return OK;
    TRY(draft_find_initialized(run->draft, spec->global_step_variable, &variable, err));
    if (!dtype_is_integer(variable->form.type.dtype) ||
        shape_count(&variable->form.type.shape) != 1)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "global_step '%s' must be an integer scalar, it is %s", variable->name,
                       tensor_type_text(&variable->form.type, text));
    TRY(draft_read(run->draft, variable, 0, dtype_size(variable->form.type.dtype), element, err));
    tensor_cast(variable->form.type.dtype, element, DTYPE_INT64, &out->global_step, 1);
    return OK;
}

static enum err_code
save_picks(struct run *run, const struct checkpoint_save_spec *spec, struct draft_save *save,
           struct err *err)
{
    for (size_t i = 0; i < spec->pick_count; i++) {
        struct draft_variable *variable = NULL;

        TRY(draft_find(run->draft, spec->picks[i].variable, &variable, err));
        TRY(draft_save_add(run->draft, save, bytes_of_text(spec->picks[i].tensor), variable, err));
    }
    return OK;
}

static bool
begins_with(const char *name, const char *prefix)
{
    return prefix == NULL || strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Every variable of the default collection, and those that this run makes. */
static enum err_code
save_all(struct run *run, const struct checkpoint_save_spec *spec, struct draft_save *save,
         size_t *count, struct err *err)
{
    struct record_key prefix =
        record_key_variable(run->draft->model.id, spec->prefix ? spec->prefix : "");
    struct bytes collection = bytes_of_text(VARIABLE_COLLECTION_GLOBAL), key;
    struct draft_variable *variable;
    AUTO(key_walk) walk;
    bool found = true;

    TRY(draft_rely_on_names(run->draft, err));
    key_walk_init(&walk, run->draft->view, &prefix);
    for (;;) {
        struct variable_record record;
        char name[NAME_BYTES_MAX + 1];

        TRY(key_walk_next(&walk, &found, &key, err));
        if (!found)
            break;
        snprintf(name, sizeof name, "%.*s", (int)record_key_name(key).size,
                 (const char *)record_key_name(key).data);
        TRY(service_find_variable(run->draft->view, run->draft->model.id, name, &record, err));
        if (!record_texts_hold(&record.collections, collection))
            continue;
        TRY(draft_find_listed(run->draft, name, &variable, err));
        TRY(draft_save_add(run->draft, save, bytes_of_text(name), variable, err));
        *count += 1;
    }
    for (size_t i = 0; i < run->draft->variable_count; i++) {
        variable = run->draft->variables[i];
        if (variable->made == NULL || !begins_with(variable->name, spec->prefix))
            continue;
        TRY(draft_save_add(run->draft, save, bytes_of_text(variable->name), variable, err));
        *count += 1;
    }
    return OK;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err_code
check_distinct(const struct checkpoint_save_spec *spec, struct err *err)
{
    AUTO_CALL(mem_free_scope) const char **names = NULL;

    names = mem_zeroed(spec->pick_count, sizeof(const char *), err);
    if (names == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < spec->pick_count; i++)
        names[i] = spec->picks[i].tensor;
    if (spec->pick_count > 0)
        qsort(names, spec->pick_count, sizeof(const char *), compare_names);
    for (size_t i = 1; i < spec->pick_count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "at least two tensors have the same name in the checkpoint: '%s'",
                           names[i]);
    return OK;
}

static enum err_code
check_names(const struct checkpoint_save_spec *spec, struct err *err)
{
    TRY(name_check("checkpoint", spec->name, err));
    if (spec->saver != NULL)
        TRY(name_check("saver", spec->saver, err));
    if (spec->prefix != NULL && strlen(spec->prefix) > NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a prefix of %zu bytes, names have at most %d",
                       strlen(spec->prefix), NAME_BYTES_MAX);
    for (size_t i = 0; spec->picks != NULL && i < spec->pick_count; i++) {
        TRY(name_check("variable", spec->picks[i].variable, err));
        TRY(name_check_tensor(bytes_of_text(spec->picks[i].tensor), err));
    }
    return spec->picks != NULL ? check_distinct(spec, err) : OK;
}

/* `digits`: the step has so many at least. */
static enum err_code
full_name(const struct checkpoint_save_spec *spec, const struct draft_save_spec *step, int digits,
          char out[static NAME_BYTES_MAX + 1], struct err *err)
{
    int length = step->has_global_step ? snprintf(out, NAME_BYTES_MAX + 1, "%s-%0*" PRId64,
                                                  spec->name, digits, step->global_step)
                                       : snprintf(out, NAME_BYTES_MAX + 1, "%s", spec->name);

    if (length > NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the checkpoint name with its step has %d bytes, at most %d are legal",
                       length, NAME_BYTES_MAX);
    return OK;
}

/* --- through a saver ----------------------------------------------------------------------- */

struct saving {
    struct run *run;
    struct draft_save *save;
};

static enum err_code
add_saved(void *context, struct bytes tensor, const char *variable, struct err *err)
{
    const struct saving *saving = context;
    struct draft_variable *found = NULL;

    TRY(draft_find_listed(saving->run->draft, variable, &found, err));
    return draft_save_add(saving->run->draft, saving->save, tensor, found, err);
}

static enum err_code
check_said_by_saver(const struct checkpoint_save_spec *spec, struct err *err)
{
    if (spec->picks == NULL && spec->prefix == NULL && !spec->allow_empty)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "'variables', 'prefix' and 'allow_empty' are said by saver '%s'", spec->saver);
}

/* Which variables, under which names; TensorFlow's Saver overwrites. */
static enum err_code
save_through(struct run *run, const struct checkpoint_save_spec *spec, struct run_result *out,
             struct draft_save_spec *draft_spec, struct err *err)
{
    const struct draft *draft = run->draft;
    struct saving saving = {.run = run};
    struct saver_record saver;

    TRY(check_said_by_saver(spec, err));
    TRY(saver_find_built(draft->view, draft->model.id, spec->saver, &saver, err));
    TRY(full_name(spec, draft_spec, saver.settings.pad_step_number ? SAVE_PADDED_DIGITS : 0,
                  out->saved.name, err));
    out->saver = spec->saver;
    if (saver.variables == 0)
        return OK; /* TensorFlow's: None, and no file */
    draft_spec->overwrite = true;
    draft_spec->saver = spec->saver;
    draft_spec->saver_id = saver.id;
    draft_spec->saver_settings_revision = saver.settings_revision;
    draft_spec->sharded = saver.settings.sharded;
    TRY(draft_save_open(run->draft, draft_spec, &saving.save, err));
    TRY(saver_each_variable(draft->view, saver.id, add_saved, &saving, err));
    out->save = saving.save;
    out->has_saved = true;
    return OK;
}

static enum err_code
save_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    const struct checkpoint_save_spec *spec = op->save;
    struct draft_save_spec draft_spec = {.name = out->saved.name,
                                         .overwrite = spec->overwrite,
                                         .options =
                                             run->spec->conditional_save ? run->options : NULL};
    size_t count = spec->pick_count;

    TRY(check_names(spec, err));
    TRY(find_step(run, spec, &draft_spec, err));
    if (spec->saver != NULL)
        return save_through(run, spec, out, &draft_spec, err);
    TRY(full_name(spec, &draft_spec, 0, out->saved.name, err));
    TRY(draft_save_open(run->draft, &draft_spec, &out->save, err));
    if (spec->picks != NULL)
        TRY(save_picks(run, spec, out->save, err));
    else
        TRY(save_all(run, spec, out->save, &count, err));
    if (count == 0 && !spec->allow_empty)
        return err_set(err, ERR_INVALID_ARGUMENT, "No variables to save%s%s%s",
                       spec->prefix ? ": none begins with '" : "", spec->prefix ? spec->prefix : "",
                       spec->prefix ? "'" : "");
    out->has_saved = true;
    return OK;
}

const struct verb verb_save = {
    .name = "save",
    .summary = "Saves a checkpoint of the variables as they are at this point of the run.",
    .fields = VERB_SAVE,
    .apply = save_apply,
};
