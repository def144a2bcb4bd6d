#include "api/resource/saver_json.h"

#include <math.h>
#include <stdio.h>

#include "api/resource/describe.h"
#include "api/resource/variable_names.h"
#include "store/base/scope.h"

enum { SHOWN_BYTES_MAX = 80 };

/* --- which variables ----------------------------------------------------------------------- */

/* A value as it was written, cut, for messages. */
static const char *
shown(const struct api_value *value, char out[static SHOWN_BYTES_MAX])
{
    if (api_value_kind(value) == API_OBJECT || value->text.size == 0)
        snprintf(out, SHOWN_BYTES_MAX, "%s",
                 api_value_kind(value) == API_OBJECT ? "an object" : "a list");
    else
        snprintf(out, SHOWN_BYTES_MAX, "%.*s", (int)value->text.size,
                 (const char *)value->text.data);
    return out;
}

static enum err_code
take_name(struct api_request *rq, const struct api_value *value, struct checkpoint_pick *out,
          struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    char text[SHOWN_BYTES_MAX];
    const char *name = NULL;

    if (api_value_kind(value) != API_TEXT)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       out->tensor == NULL
                           ? "Variable to save is not a Variable: %s (a name is expected)"
                           : "names_to_saveables must be a dict mapping string names to "
                             "Tensors/Variables. Not a variable: %s (a name is expected)",
                       shown(value, text));
    TRY(api_value_text(value, arena, &name, err));
    return api_variable_name(arena, name, &out->variable, err);
}

static enum err_code
take_list(struct api_request *rq, const struct api_value *value, struct saver_spec *out,
          struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct checkpoint_pick *picks;
    struct api_value *names = NULL;

    TRY(api_value_elements(value, arena, &names, &out->pick_count, err));
    picks = arena_array(arena, out->pick_count + 1, sizeof *picks, err);
    if (picks == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < out->pick_count; i++)
        TRY(take_name(rq, &names[i], &picks[i], err));
    out->picks = picks;
    return OK;
}

/* The names of the parts of a partitioned variable, or the one name. */
struct map_entry {
    struct api_value *names;
    size_t count;
};

static enum err_code
measure_map(struct api_request *rq, struct api_value *values, size_t count,
            struct map_entry *entries, size_t *total, struct err *err)
{
    struct arena *arena = api_request_arena(rq);

    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct map_entry){.names = &values[i], .count = 1};
        if (api_value_kind(&values[i]) == API_ARRAY)
            TRY(api_value_elements(&values[i], arena, &entries[i].names, &entries[i].count, err));
        if (entries[i].count == 0)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "names_to_saveables must be a dict mapping string names to "
                           "Tensors/Variables. Not a variable: [] (a name is expected)");
        *total += entries[i].count;
    }
    return OK;
}

static enum err_code
take_map(struct api_request *rq, const struct api_value *value, struct saver_spec *out,
         struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct checkpoint_pick *picks;
    struct api_value *values = NULL;
    struct map_entry *entries;
    const char **tensors = NULL;
    size_t count = 0, total = 0;

    TRY(api_value_fields(value, arena, &tensors, &values, &count, err));
    entries = arena_array(arena, count + 1, sizeof *entries, err);
    if (entries == NULL)
        return ERR_NO_MEMORY;
    TRY(measure_map(rq, values, count, entries, &total, err));
    picks = arena_array(arena, total + 1, sizeof *picks, err);
    if (picks == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < entries[i].count; k++) {
            struct checkpoint_pick *pick = &picks[out->pick_count++];

            pick->tensor = tensors[i];
            TRY(take_name(rq, &entries[i].names[k], pick, err));
        }
    }
    out->picks = picks;
    return OK;
}

static enum err_code
take_variables(struct api_request *rq, struct api_object *body, struct saver_spec *out,
               struct err *err)
{
    char text[SHOWN_BYTES_MAX];
    struct api_value value;

    if (!api_object_has(body, "variables", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    if (api_value_kind(&value) == API_ARRAY)
        return take_list(rq, &value, out, err);
    if (api_value_kind(&value) == API_OBJECT)
        return take_map(rq, &value, out, err);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "Variables to save should be passed in a dict or a list: %s (field 'variables')",
                   shown(&value, text));
}

/* --- settings ------------------------------------------------------------------------------ */

/* null and 0: all. */
static enum err_code
take_max_to_keep(struct api_object *body, struct saver_spec *out, struct err *err)
{
    struct api_value value;
    int64_t number = 0;

    if (!api_object_has(body, "max_to_keep", &value))
        return OK;
    if (api_value_kind(&value) != API_NULL)
        TRY(api_value_i64(&value, &number, err));
    if (number < 0 || number > SAVER_KEEP_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field 'max_to_keep' must be from 0 to %d; 0 or null keeps all",
                       SAVER_KEEP_MAX);
    out->settings.max_to_keep = (uint32_t)number;
    out->given |= SAVER_MAX_TO_KEEP;
    return OK;
}

static enum err_code
take_hours(struct api_object *body, struct saver_spec *out, struct err *err)
{
    struct api_value value;
    double hours = 0;

    if (!api_object_has(body, "keep_checkpoint_every_n_hours", &value))
        return OK;
    TRY(api_value_f64(&value, &hours, err));
    if (!isfinite(hours) || hours < 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field 'keep_checkpoint_every_n_hours' must be a number of hours, 0 or "
                       "more");
    out->settings.keep_every_hours = hours;
    out->given |= SAVER_KEEP_EVERY_HOURS;
    return OK;
}

static enum err_code
take_flags(struct api_object *body, struct saver_spec *out, struct err *err)
{
    struct saver_settings *settings = &out->settings;
    const struct {
        const char *field;
        bool *to;
        enum saver_field mark;
    } flags[] = {
        {"reshape", &settings->reshape, SAVER_RESHAPE},
        {"restore_sequentially", &settings->restore_sequentially, SAVER_RESTORE_SEQUENTIALLY},
        {"allow_empty", &settings->allow_empty, SAVER_ALLOW_EMPTY},
        {"pad_step_number", &settings->pad_step_number, SAVER_PAD_STEP_NUMBER},
        {"sharded", &settings->sharded, SAVER_SHARDED},
    };

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        bool given = false;

        TRY(api_object_bool(body, flags[i].field, flags[i].to, &given, err));
        out->given |= given ? flags[i].mark : 0;
    }
    return OK;
}

static enum err_code
take_last(struct api_request *rq, struct api_object *body, struct saver_spec *out, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    const char **names = NULL;
    bool set = false, recover = false;

    TRY(api_object_texts(body, "last_checkpoints", arena, &names, &out->last_count, &set, err));
    if (set)
        out->last = names;
    TRY(api_object_texts(body, "recover_last_checkpoints", arena, &names, &out->last_count,
                         &recover, err));
    if (set && recover)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "give 'last_checkpoints' or 'recover_last_checkpoints', not both");
    if (recover)
        out->last = names;
    out->recover = recover;
    return OK;
}

enum err_code
api_saver_take(struct api_request *rq, const struct api_value *body, bool put,
               struct saver_spec *out, struct err *err)
{
    struct api_object object;
    bool given = false;

    *out = (struct saver_spec){.given = 0};
    TRY(api_object_of(body, &object, err));
    TRY(take_variables(rq, &object, out, err));
    TRY(take_max_to_keep(&object, out, err));
    TRY(take_hours(&object, out, err));
    TRY(take_flags(&object, out, err));
    if (put)
        TRY(api_object_bool(&object, "defer_build", &out->defer_build, &given, err));
    TRY(take_last(rq, &object, out, err));
    return api_object_end(&object, err);
}

/* --- out ----------------------------------------------------------------------------------- */

enum err_code
api_describe_texts(struct bytes texts, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;
    struct reader in = reader_of(texts);

    TRY(api_json_made(json_array(), &array, err));
    while (in.left.size > 0 && !in.failed) {
        struct bytes text = reader_bytes(&in);

        TRY(api_json_push(array, json_stringn((const char *)text.data, text.size), err));
    }
    *out = TAKE(array);
    return OK;
}

/* A list where every variable is saved under its own name, else a map. */
static enum err_code
describe_variables(struct bytes pairs, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *list = NULL;
    AUTO_CALL(api_json_release) json_t *map = NULL;
    struct reader in = reader_of(pairs);
    bool plain = true;

    TRY(api_json_made(json_array(), &list, err));
    TRY(api_json_made(json_object(), &map, err));
    while (in.left.size > 0 && !in.failed) {
        struct bytes tensor = reader_bytes(&in), variable = reader_bytes(&in);
        json_t *name = json_stringn((const char *)variable.data, variable.size);

        plain = plain && bytes_equal(tensor, variable);
        TRY(api_json_push(list, name, err));
        if (json_object_setn(map, (const char *)tensor.data, tensor.size, name) != 0)
            return err_set(err, ERR_NO_MEMORY, "no memory for the reply");
    }
    *out = plain ? TAKE(list) : TAKE(map);
    return OK;
}

/* TensorFlow's `checkpoint` file: the newest is the last of all, also where the list is not kept.
 */
static enum err_code
set_state(json_t *json, const struct saver_info *info, json_t *last, struct err *err)
{
    const char *end = json_string_value(json_array_get(last, json_array_size(last) - 1));
    json_t *state = json_object(), *all;

    TRY(api_json_set(json, "checkpoint_state", state, err));
    TRY(api_json_set(state, "model_checkpoint_path",
                     info->latest[0] == '\0' ? json_null() : json_string(info->latest), err));
    all = json_copy(last);
    TRY(api_json_set(state, "all_model_checkpoint_paths", all, err));
    if (info->latest[0] == '\0' || (end != NULL && strcmp(end, info->latest) == 0))
        return OK;
    return api_json_push(all, json_string(info->latest), err);
}

static enum err_code
set_lists(json_t *json, const struct saver_info *info, struct err *err)
{
    json_t *part = NULL;

    if (info->record.built)
        TRY(describe_variables(buf_bytes(&info->variables), &part, err));
    TRY(api_json_set(json, "variables", info->record.built ? part : json_null(), err));
    TRY(api_describe_texts(buf_bytes(&info->last), &part, err));
    TRY(api_json_set(json, "last_checkpoints", part, err));
    return set_state(json, info, part, err);
}

static enum err_code
set_settings(json_t *json, const struct saver_settings *settings, struct err *err)
{
    TRY(api_json_set(json, "max_to_keep", json_integer(settings->max_to_keep), err));
    TRY(api_json_set(json, "keep_checkpoint_every_n_hours",
                     api_json_real(settings->keep_every_hours), err));
    TRY(api_json_set(json, "reshape", json_boolean(settings->reshape), err));
    TRY(api_json_set(json, "restore_sequentially", json_boolean(settings->restore_sequentially),
                     err));
    TRY(api_json_set(json, "allow_empty", json_boolean(settings->allow_empty), err));
    TRY(api_json_set(json, "pad_step_number", json_boolean(settings->pad_step_number), err));
    return api_json_set(json, "sharded", json_boolean(settings->sharded), err);
}

static enum err_code
set_times(json_t *json, const struct saver_record *record, struct err *err)
{
    char created[API_TIME_BYTES_MAX], updated[API_TIME_BYTES_MAX];

    TRY(api_json_set(json, "created", json_string(api_describe_time(record->created_ms, created)),
                     err));
    TRY(api_json_set(json, "updated", json_string(api_describe_time(record->updated_ms, updated)),
                     err));
    return api_json_set(json, "revision", json_integer((json_int_t)record->revision), err);
}

enum err_code
api_describe_saver(const struct saver_info *info, json_t **out, struct err *err)
{
    const struct saver_record *record = &info->record;
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(info->name), err));
    TRY(api_json_set(json, "built", json_boolean(record->built), err));
    TRY(api_json_set(json, "variable_count", json_integer((json_int_t)record->variables), err));
    TRY(set_settings(json, &record->settings, err));
    TRY(api_json_set(json, "checkpoints", json_integer((json_int_t)record->listed), err));
    TRY(api_json_set(json, "latest",
                     info->latest[0] == '\0' ? json_null() : json_string(info->latest), err));
    if (info->whole)
        TRY(set_lists(json, info, err));
    TRY(set_times(json, record, err));
    *out = TAKE(json);
    return OK;
}

static enum err_code
set_dropped(json_t *json, const char *field, const char *name, struct err *err)
{
    json_t *array = json_array();

    TRY(api_json_set(json, field, array, err));
    return name[0] == '\0' ? OK : api_json_push(array, json_string(name), err);
}

enum err_code
api_describe_saver_dropped(const struct run_result *result, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    const struct saver_dropped *dropped = &result->dropped;
    bool rehearsed = result->has_saved && result->saved.record.id == 0;

    TRY(api_json_made(json_object(), &json, err));
    if (!result->has_saved)
        TRY(api_json_set(json, "name", json_null(), err));
    TRY(api_json_set(json, "saver", json_string(result->saver), err));
    if (!rehearsed) {
        TRY(set_dropped(json, "removed", dropped->removed ? dropped->name : "", err));
        TRY(set_dropped(json, "kept", dropped->removed ? "" : dropped->name, err));
    }
    *out = TAKE(json);
    return OK;
}
