#include "api/resource/cluster_json.h"

#include <inttypes.h>
#include <string.h>

#include "store/base/scope.h"

enum {
    NUMBER_DIGITS_MAX = 10,
    SHOWN_BYTES_MAX = 80,
    TEXT_BYTES_MAX = 1 << 20,
    ARENA_BYTES_MAX = 4 << 20
};

struct decoding {
    struct arena *arena;
    struct cluster *cluster;
    struct cluster_job *job; /* being decoded */
};

static enum err_code
refuse_tasks(const struct api_value *value, const char *job, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];

    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%s: The tasks for job '%.*s' must be a list or a dictionary from integers to "
                   "strings, or how many there are",
                   api_value_where(value, where), SHOWN_BYTES_MAX, job);
}

static enum err_code
add_addressed(struct decoding *d, int64_t number, const struct api_value *value, struct err *err)
{
    const char *address = NULL;

    if (api_value_kind(value) != API_TEXT)
        return refuse_tasks(value, d->job->name, err);
    TRY(api_value_text(value, d->arena, &address, err));
    if (address[0] == '\0')
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "job '%s': the address of task %" PRId64 " is empty", d->job->name, number);
    return cluster_add_task(d->cluster, d->job, number, bytes_of_text(address), err);
}

static enum err_code
add_list(struct decoding *d, const struct api_value *value, struct err *err)
{
    struct api_value *elements = NULL;
    size_t count = 0;

    TRY(api_value_elements(value, d->arena, &elements, &count, err));
    for (size_t i = 0; i < count; i++)
        TRY(add_addressed(d, (int64_t)i, &elements[i], err));
    return OK;
}

/* A key of the dictionary: digits alone, as Python prints an integer. */
static bool
read_number(const char *text, int64_t *out)
{
    size_t size = strlen(text);

    *out = 0;
    if (size == 0 || size > NUMBER_DIGITS_MAX || (size > 1 && text[0] == '0'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *out = *out * 10 + (*text - '0');
    }
    return true;
}

static enum err_code
add_numbered(struct decoding *d, const struct api_value *value, struct err *err)
{
    struct api_value *addresses = NULL;
    const char **keys = NULL;
    size_t count = 0;

    TRY(api_value_fields(value, d->arena, &keys, &addresses, &count, err));
    for (size_t i = 0; i < count; i++) {
        int64_t number = 0;

        if (!read_number(keys[i], &number))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "job '%s': a task's number is a whole number, not '%.*s'", d->job->name,
                           SHOWN_BYTES_MAX, keys[i]);
        TRY(add_addressed(d, number, &addresses[i], err));
    }
    return OK;
}

static enum err_code
add_job(struct decoding *d, const char *name, const struct api_value *value, struct err *err)
{
    int64_t count = 0;

    TRY(cluster_add_job(d->cluster, bytes_of_text(name), &d->job, err));
    switch (api_value_kind(value)) {
    case API_ARRAY:
        return add_list(d, value, err);
    case API_OBJECT:
        return add_numbered(d, value, err);
    case API_NUMBER:
        TRY(api_value_i64(value, &count, err));
        return cluster_add_tasks(d->cluster, d->job, count, err);
    case API_NULL:
    case API_BOOL:
    case API_TEXT:
        break;
    }
    return refuse_tasks(value, name, err);
}

enum err_code
api_cluster_decode(const struct api_value *value, struct arena *arena,
                   const struct cluster_limits *limits, struct cluster *out, struct err *err)
{
    AUTO(cluster) cluster = {.limits = *limits};
    struct decoding d = {.arena = arena, .cluster = &cluster};
    struct api_value *jobs = NULL;
    const char **names = NULL;
    char where[API_WHERE_BYTES_MAX];
    size_t count = 0;

    if (api_value_kind(value) != API_OBJECT)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: `cluster` must be a dictionary mapping one or more job names to lists "
                       "of network addresses, or to how many tasks there are",
                       api_value_where(value, where));
    TRY(api_value_fields(value, arena, &names, &jobs, &count, err));
    for (size_t i = 0; i < count; i++)
        TRY(add_job(&d, names[i], &jobs[i], err));
    cluster_sort(&cluster);
    *out = TAKE(cluster);
    return OK;
}

/* --- the setting ---------------------------------------------------------------------------- */

static void
drop_document(struct api_json **doc)
{
    api_json_drop(*doc);
}

static enum err_code
parse_json(const char *text, const struct cluster_limits *limits, struct cluster *out,
           struct err *err)
{
    static const struct api_json_limits json = {TEXT_BYTES_MAX, TEXT_BYTES_MAX};
    AUTO_CALL(drop_document) struct api_json *doc = NULL;
    AUTO(arena) arena;
    struct api_value root;

    arena_init(&arena, ARENA_BYTES_MAX);
    TRY(api_json_parse(bytes_of_text(text), &json, &doc, err));
    root = api_json_root(doc);
    return api_cluster_decode(&root, &arena, limits, out, err);
}

enum err_code
api_cluster_parse(const char *text, const struct cluster_limits *limits, struct cluster *out,
                  struct err *err)
{
    AUTO(cluster) cluster = {0};

    if (text[strspn(text, " \t\r\n")] == '{')
        TRY(parse_json(text, limits, &cluster, err));
    else
        TRY(cluster_parse(text, limits, &cluster, err));
    if (cluster.task_count == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "there is no task in any of its jobs");
    *out = TAKE(cluster);
    return OK;
}
